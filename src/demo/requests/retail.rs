//! Requests of the domain `retail`, in English and Chinese.

use super::{Domain, Half};

#[rustfmt::skip]
pub(super) const RETAIL: Domain = Domain {
    name: "retail",
    halves: [
        Half {
            lang: "en",
            pools: &[
                ("item", 0.0, &[
                    "a pair of running shoes", "a cordless drill", "a baby stroller",
                    "noise-cancelling headphones", "a rice cooker", "a winter coat", "an office chair",
                    "a 27-inch monitor", "a coffee grinder", "a yoga mat", "a camping tent",
                    "a mechanical keyboard",
                ]),
                ("fault", 0.08, &[
                    "arrived a day late", "is the wrong colour", "has a scratch on the side",
                    "makes a buzzing noise", "stopped working after a week", "came without the charger",
                    "smells of burnt plastic", "was opened before it reached me",
                    "is a different model from the one pictured",
                    "fails only when the battery is below a third",
                ]),
                ("channel", 0.04, &[
                    "the web shop", "the app", "a shop in town", "a marketplace seller",
                    "a live-stream sale", "a corporate account", "a cross-border store",
                    "a subscription box",
                ]),
                ("rule", 0.15, &[
                    "returns within 30 days, unworn, with receipt",
                    "exchange only, no refund on sale goods",
                    "refund minus 10 % restocking fee after day 14",
                    "store credit for gifts without a receipt",
                    "return freight is free above 80 EUR, else 6 EUR",
                    "bundles are refunded pro rata of list price, not of the price paid",
                    "a voucher used on a part-returned order is re-applied to what is kept, lowest value first",
                    "loyalty points earned are clawed back before the refund is computed",
                ]),
                ("kpi", 0.12, &[
                    "conversion rate", "average basket", "return rate", "sell-through", "stock turn",
                    "gross margin return on inventory", "price elasticity",
                    "customer lifetime value at a 12 % discount rate",
                ]),
            ],
            templates: &[
                ("order", 0.06, 50, "Where is my order? I bought ‹item› from ‹channel› ‹2-9› days ago."),
                ("order", 0.08, 60,
                    "Hi, I'd like to change the delivery address for ‹item›, order ‹100000-999999›. Is \
                     that still possible?"),
                ("order", 0.12, 70,
                    "My order ‹100000-999999› says delivered, but ‹item› isn't here. What should I do \
                     first?"),
                ("complaint", 0.2, 120,
                    "Write a short, friendly reply to a customer whose purchase (‹item›) ‹fault›. Offer a \
                     next step, promise nothing that we can't keep."),
                ("complaint", 0.27, 140,
                    "A customer wrote: \"I ordered ‹item› through ‹channel› and it ‹fault›. I have been a \
                     customer for ‹3-15› years and I am very disappointed.\" Classify the message \
                     (delivery, product, billing, other), give its urgency from 1 to 5, and draft the \
                     answer."),
                ("product", 0.16, 110,
                    "Compare ‹item› from a discount brand with one from a premium brand: what does a \
                     buyer notice in daily use?"),
                ("product", 0.22, 160,
                    "Write a product description of ‹item› for ‹channel›: one headline under 60 \
                     characters, three bullet points, no superlatives."),
                ("returns", 0.42, 150,
                    "Our rule: ‹rule›. A customer wants to send back ‹item›, which ‹fault›, on day \
                     ‹10-40› after purchase. Are they entitled to anything under the rule, and what \
                     exactly?"),
                ("returns", 0.58, 220,
                    "Rules of the shop, in order of precedence:\n1. ‹rule›\n2. ‹rule'›\nOrder: ‹item› at \
                     ‹40-90›.90 EUR and a gift card of 25 EUR, voucher of ‹5-15› EUR applied, paid \
                     through ‹channel›. The first item goes back on day ‹8-29›. Compute the refund to the \
                     cent and name the rule behind each step."),
                ("analytics", 0.5, 180,
                    "Our ‹kpi› fell from ‹30-60› to ‹15-29› in the quarter in which we moved ‹item› to \
                     ‹channel›. List the three most likely causes and, for each, the one figure that \
                     would rule it out."),
                ("analytics", 0.72, 260,
                    "A category of ‹12-40› products sells ‹200-900› units a week at a margin of ‹18-35› \
                     %. A markdown of ‹10-30› % is expected to lift units by ‹1-3›.‹1-9› times the cut, \
                     cannibalises ‹5-20› % of a neighbouring line, and ends with ‹3-9› weeks of stock. \
                     Taking ‹kpi› as the goal, should we cut now, later or never? Show each step, state \
                     your assumptions and check the result against the break-even elasticity."),
                ("planning", 0.82, 320,
                    "Design a clearance plan for ‹item› across ‹channel› and two other outlets with \
                     ‹400-900› units left, holding cost of ‹1-4›.5 EUR per unit and week, demand that is \
                     Poisson with a mean falling ‹5-15› % per week, and a price ladder of at most three \
                     steps. Derive the optimal moment of each markdown by backward induction, then say \
                     how sensitive it is to the mean and what ‹kpi› it yields."),
            ],
        },
        Half {
            lang: "zh",
            pools: &[
                ("item", 0.0, &[
                    "一双跑鞋", "一台电饭煲", "一辆婴儿车", "一副降噪耳机", "一件羽绒服", "一把人体工学椅",
                    "一台扫地机器人", "一套床上四件套", "一个行车记录仪", "一台破壁机", "一顶露营帐篷",
                    "一只智能手表",
                ]),
                ("fault", 0.08, &[
                    "晚到了两天", "颜色发错了", "外壳有划痕", "有异响", "用了一周就坏了", "少了充电器",
                    "有刺鼻的气味", "包装被拆过", "和页面上的型号不一致", "只在电量低于三成时死机",
                ]),
                ("channel", 0.04, &[
                    "官方旗舰店", "手机应用", "线下门店", "第三方商家", "直播间", "企业采购平台",
                    "跨境店铺", "社区团购",
                ]),
                ("rule", 0.15, &[
                    "七天无理由退货，商品须完好", "特价商品只换不退", "超过十四天退货扣百分之十折旧费",
                    "赠品随主商品一并退回，否则按标价扣除", "满三百减四十的优惠按实付比例分摊",
                    "套装拆退时按标价比例计算而不是按实付",
                    "跨店满减部分退货后重新核算门槛，差额从退款中扣除",
                    "已到账的积分先扣回，再计算应退金额",
                ]),
                ("kpi", 0.12, &[
                    "转化率", "客单价", "退货率", "售罄率", "库存周转天数", "毛利回报率", "需求价格弹性",
                    "按百分之十二折现的客户终身价值",
                ]),
            ],
            templates: &[
                ("order", 0.06, 40, "我‹2-9›天前在‹channel›买了‹item›，现在到哪里了？"),
                ("order", 0.08, 50, "你好，订单‹100000-999999›里的‹item›还没发货，能改一下收货地址吗？"),
                ("order", 0.12, 60,
                    "物流显示‹item›已签收，可是我没有收到，订单号‹100000-999999›，先该怎么办？"),
                ("complaint", 0.2, 110,
                    "顾客买的‹item›‹fault›，请写一段客气的回复，给出下一步，不要承诺做不到的事。"),
                ("complaint", 0.27, 130,
                    "顾客留言：“我在‹channel›买的‹item›‹fault›，我是‹3-15›年的老会员，这次非常失望。”请判\
                     断类别（物流、商品、账单、其他），给紧急程度打一到五分，并起草回复。"),
                ("product", 0.16, 100, "‹item›买便宜牌子和买大牌，日常用起来差别在哪里？"),
                ("product", 0.22, 150,
                    "给‹channel›写一段‹item›的商品文案：标题不超过二十个字，三条卖点，不用“最”“第一”这类\
                     词。"),
                ("returns", 0.42, 140,
                    "店铺规则：‹rule›。顾客要退‹item›，理由是‹fault›，今天是收货后第‹10-40›天。按规则能退\
                     吗？能退多少？"),
                ("returns", 0.58, 200,
                    "店铺规则（按优先顺序）：\n一、‹rule›；\n二、‹rule'›。\n订单：‹item›标价‹300-900›元，\
                     另有配件 59 元，用了‹20-60›元优惠券，在‹channel›付款，第‹8-29›天只退主商品。请把应退\
                     金额算到分，并逐步写出依据哪一条。"),
                ("analytics", 0.5, 170,
                    "我们把‹item›移到‹channel›的那个季度，‹kpi›从‹30-60›降到‹15-29›。请列出三个最可能的原\
                     因，并各给一个能排除它的指标。"),
                ("analytics", 0.72, 240,
                    "某品类有‹12-40›个单品，周销‹200-900›件，毛利率‹18-35›%。若降价‹10-30›%，销量预计按降\
                     幅的‹1-3›.‹1-9›倍上升，同时蚕食相邻品类‹5-20›%的销量，库存还够卖‹3-9›周。以‹kpi›为目\
                     标，现在降、晚点降还是不降？写出每一步、假设，并用盈亏平衡弹性检验结论。"),
                ("planning", 0.82, 300,
                    "‹item›还剩‹400-900›件，在‹channel›和另外两个渠道清仓，每件每周持有成本‹1-4›.5元，需\
                     求服从泊松分布且均值每周下降‹5-15›%，最多调价三次。请用逆向归纳推出每次降价的最优时\
                     点，说明结果对均值的敏感性，以及对‹kpi›的影响。"),
            ],
        },
    ],
};
