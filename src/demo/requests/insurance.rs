//! Requests of the domain `insurance`, in English and Chinese.

use super::{Domain, Half};

#[rustfmt::skip]
pub(super) const INSURANCE: Domain = Domain {
    name: "insurance",
    halves: [
        Half {
            lang: "en",
            pools: &[
                ("cover", 0.06, &[
                    "a travel policy", "a household policy", "motor third-party cover", "a dental plan",
                    "a term life policy", "a disability policy", "a marine cargo policy",
                    "a directors' and officers' policy", "an excess-of-loss treaty",
                    "a whole-account quota share with a sliding commission",
                ]),
                ("loss", 0.06, &[
                    "a stolen bicycle", "a burst pipe", "a cracked windscreen", "a broken tooth",
                    "a fire in the kitchen", "a flooded warehouse", "a cyber attack over a weekend",
                    "subsidence noticed years after it began", "a recall of goods sold in nine countries",
                ]),
                ("holder", 0.03, &[
                    "a tenant", "a young driver", "a retired couple", "a self-employed roofer",
                    "a hotel with 40 rooms", "a shipping agent", "a hospital",
                    "a captive of an industrial group",
                ]),
                ("clause", 0.1, &[
                    "deductible of 150 EUR per claim", "depreciation of 10 % a year",
                    "cover only with an approved lock", "waiting time of 90 days",
                    "average applies when underinsured", "claims made and reported in the policy period",
                    "72-hours clause for one event",
                    "reinstatement at 100 % pro rata as to time and amount",
                ]),
                ("actuarial", 0.14, &[
                    "the premium", "the claims frequency", "the loss ratio", "an age table",
                    "credibility weighting", "a chain-ladder triangle", "a compound Poisson model",
                    "a copula between lines of business",
                ]),
            ],
            templates: &[
                ("service", 0.05, 60, "How do I report ‹loss› on ‹cover›?"),
                ("service", 0.07, 50,
                    "Please change the address on ‹cover›, number ‹100000-999999›. What do you need from \
                     me as ‹holder›?"),
                ("service", 0.12, 100,
                    "Explain to ‹holder› in plain words what ‹cover› pays for and what it does not."),
                ("letters", 0.18, 130,
                    "Write a letter to ‹holder›: the claim for ‹loss› is received, we need ‹2-4› \
                     photographs and the invoice, next step within ‹5-14› days."),
                ("letters", 0.3, 150,
                    "Write a refusal that ‹holder› will understand: ‹loss›, ‹cover›; reason: ‹clause›. \
                     Name the way to complain."),
                ("claims", 0.26, 90,
                    "Read the report and return JSON (cause, date, amount_eur, third_party): \"On the \
                     ‹4-19›th I noticed ‹loss›. My neighbour saw it too. Repair will be about ‹300-950› \
                     euros says the shop. I am ‹holder›.\""),
                ("claims", 0.4, 130,
                    "Claim: ‹loss›, ‹600-2900› EUR, item ‹2-7› years old. Terms of ‹cover›: ‹clause›. \
                     What is paid?"),
                ("claims", 0.58, 200,
                    "‹holder› has ‹cover› with these terms: ‹clause›; ‹clause'›; sum insured ‹40-90›,000 \
                     EUR, value ‹95-160›,000 EUR. Damage by ‹loss›: ‹8-35›,000 EUR, of which ‹10-40› % is \
                     excluded. Compute the payment step by step and name the term used at each."),
                ("coverage", 0.54, 180,
                    "Is ‹loss› covered under ‹cover› if ‹holder› knew of the danger ‹2-18› months before? \
                     Deal with disclosure, causation and ‹clause›."),
                ("actuarial", 0.5, 170,
                    "Explain ‹actuarial› with small numbers, and where it goes wrong for ‹cover›."),
                ("actuarial", 0.76, 280,
                    "‹cover›: claims follow a Poisson with mean ‹2-9› per 100 policies, sizes lognormal \
                     with mean ‹2-8›,000 and coefficient of variation ‹1-3›.5, deductible ‹200-900›. \
                     Derive the pure premium, the limited expected value, the standard deviation for \
                     ‹2-9›,000 policies, and a loading so that ruin in a year stays below 1 %; say what \
                     ‹actuarial› would change."),
                ("reinsurance", 0.86, 320,
                    "Programme: ‹cover› and a layer of ‹4-9› million in excess of ‹1-3› million, ‹clause›; \
                     ‹clause'›. Events: ‹loss› at ‹2-11› million on day 40 and ‹3-9› million on day \
                     ‹43-200›. Decide on one or two events, apply inuring order, compute recoveries, \
                     reinstatement premiums and the net retained, then the effect on ‹actuarial› and on \
                     the solvency capital with a correlation of 0.‹25-50›."),
            ],
        },
        Half {
            lang: "zh",
            pools: &[
                ("cover", 0.06, &[
                    "旅行险", "家财险", "交强险", "齿科险", "定期寿险", "失能收入险", "货运险",
                    "董事责任险", "超额赔款再保险", "带浮动手续费的比例再保险",
                ]),
                ("loss", 0.06, &[
                    "自行车被偷", "水管爆裂", "挡风玻璃开裂", "磕断一颗牙", "厨房起火", "仓库进水",
                    "周末遭到网络攻击", "多年后才发现的地基沉降", "销往九个国家的产品召回",
                ]),
                ("holder", 0.03, &[
                    "一位租客", "一位新手司机", "一对退休夫妇", "一位个体屋面工", "一家四十间客房的酒店",
                    "一家货代公司", "一家医院", "一家工业集团的自保公司",
                ]),
                ("clause", 0.1, &[
                    "每次事故免赔三百元", "每年折旧百分之十", "须使用认可的锁具", "等待期九十天",
                    "不足额投保按比例赔付", "须在保险期内提出并报告索赔", "七十二小时内视为一次事故",
                    "按时间和金额比例恢复保额",
                ]),
                ("actuarial", 0.14, &[
                    "保费", "出险频率", "赔付率", "生命表", "信度加权", "链梯法三角形", "复合泊松模型",
                    "险种之间的连接函数",
                ]),
            ],
            templates: &[
                ("service", 0.05, 50, "‹cover›出了‹loss›，怎样报案？"),
                ("service", 0.07, 40,
                    "请把保单‹100000-999999›（‹cover›）的地址改一下，我是‹holder›，需要什么材料？"),
                ("service", 0.12, 90, "用大白话向‹holder›说明‹cover›赔什么、不赔什么。"),
                ("letters", 0.18, 120,
                    "给‹holder›写信：‹loss›的索赔已收到，还需‹2-4›张照片和发票，‹5-14›天内答复。"),
                ("letters", 0.3, 140,
                    "给‹holder›写一封看得懂的拒赔信：‹cover›，事由‹loss›，理由是“‹clause›”，并告知投诉途\
                     径。"),
                ("claims", 0.26, 80,
                    "阅读报案并输出 JSON（cause、date、amount、third_party）：“‹2-28›号我发现‹loss›，邻居\
                     也看见了，店家说修理大概‹900-4900›元。我是‹holder›。”"),
                ("claims", 0.4, 120,
                    "索赔：‹loss›，金额‹3000-9900›元，物品用了‹2-7›年。‹cover›约定：‹clause›。应赔多少？"),
                ("claims", 0.58, 180,
                    "‹holder›投保‹cover›，约定：‹clause›；‹clause'›；保额‹40-90›万元，保险价值‹95-160›万\
                     元。因‹loss›损失‹8-35›万元，其中‹10-40›%属除外责任。请逐步计算赔款并注明每一步依据的\
                     条款。"),
                ("coverage", 0.54, 170,
                    "‹holder›在‹2-18›个月前已知道危险，‹cover›还赔‹loss›吗？请从如实告知、因果关系和“\
                     ‹clause›”三方面分析。"),
                ("actuarial", 0.5, 160, "用小数字解释‹actuarial›，并说明用在‹cover›上容易在哪里出错。"),
                ("actuarial", 0.76, 260,
                    "‹cover›：每百张保单出险次数服从均值‹2-9›的泊松分布，赔款为对数正态，均值‹2-8›万元，\
                     变异系数‹1-3›.5，免赔‹2000-9000›元。推导纯保费、有限期望值、‹2-9›千张保单的标准差，\
                     以及使一年破产概率低于百分之一的附加保费，并说明‹actuarial›会怎样改变结果。"),
                ("reinsurance", 0.86, 300,
                    "再保安排：‹cover›，另有超过‹1-3›亿元部分的‹4-9›亿元层，约定：‹clause›；‹clause'›。事\
                     件：第四十天‹loss›损失‹2-11›亿元，第‹43-200›天又损失‹3-9›亿元。判断是一次还是两次事\
                     故，按赔付顺序计算摊回、恢复保费和净自留，再说明对‹actuarial›和偿付能力资本（相关系\
                     数 0.‹25-50›）的影响。"),
            ],
        },
    ],
};
