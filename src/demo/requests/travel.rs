//! Requests of the domain `travel`, in English and Chinese.

use super::{Domain, Half};

#[rustfmt::skip]
pub(super) const TRAVEL: Domain = Domain {
    name: "travel",
    halves: [
        Half {
            lang: "en",
            pools: &[
                ("city", 0.0, &[
                    "Lisbon", "Kyoto", "Marrakesh", "Reykjavik", "Vancouver", "Hanoi", "Cape Town",
                    "Edinburgh", "Cusco", "Istanbul", "Seville", "Tallinn",
                ]),
                ("who", 0.03, &[
                    "a solo traveller", "a couple on honeymoon", "a family with a toddler",
                    "two friends on a budget", "a group of eight hikers", "a school class of 28",
                    "a guest in a wheelchair", "a film crew with 14 cases of equipment",
                ]),
                ("taste", 0.03, &[
                    "street food", "museums", "quiet beaches", "night trains", "birdwatching",
                    "modern architecture", "long-distance cycling", "vegan cooking schools",
                ]),
                ("mishap", 0.1, &[
                    "a lost suitcase", "a cancelled flight", "a passport that expires in four months",
                    "an overbooked hotel", "a missed connection on one ticket",
                    "a missed connection on two tickets", "a strike announced 13 days before",
                    "a visa refused after the non-refundable fare was paid",
                ]),
                ("rule", 0.14, &[
                    "hand luggage of 8 kg", "check-in closes 45 minutes before",
                    "free cancellation until 18:00 the day before", "fares are valid 90 of any 180 days",
                    "compensation by distance bands of 1,500 and 3,500 km",
                    "the most significant carrier decides the baggage rule",
                    "a stopover above 24 hours breaks the fare component",
                    "married segments may not be cancelled alone",
                ]),
            ],
            templates: &[
                ("tips", 0.05, 90, "What should ‹who› see in ‹city› on a first visit?"),
                ("tips", 0.06, 60, "Best month for ‹taste› in ‹city›?"),
                ("tips", 0.1, 80, "Is tap water safe in ‹city›, and do I tip in cafes? I travel as ‹who›."),
                ("booking", 0.14, 70,
                    "Find the slots in this request and answer as JSON (city, nights, guests, budget_eur, \
                     wish): \"We'd love ‹2-9› nights in ‹city›, ‹2-5› people, no more than ‹400-990› \
                     euros, close to ‹taste›.\""),
                ("booking", 0.2, 110,
                    "Write a polite e-mail to a hotel in ‹city› for ‹who›: late arrival at ‹21-23›:30, \
                     quiet room, and a question about ‹taste›."),
                ("plan", 0.3, 220,
                    "Make a plan for ‹2-4› days in ‹city› for ‹who› with a liking for ‹taste›. Morning, \
                     afternoon and evening, with a rain plan."),
                ("plan", 0.46, 280,
                    "Plan ‹7-14› days by train from ‹city› to ‹city'› for ‹who›, at most ‹4-6› hours a \
                     day on board, ‹900-1900› EUR in all, with two nights wherever ‹taste› is best. Give \
                     a table with day, leg, hours, cost and the running total."),
                ("trouble", 0.3, 130,
                    "Help: ‹mishap› on the way to ‹city›. What are my next three steps, as ‹who›?"),
                ("trouble", 0.48, 160,
                    "In ‹city› there was ‹mishap›. The carrier says: \"‹rule›.\" Is that a valid reason \
                     to refuse me, and what may I claim?"),
                ("fares", 0.56, 180,
                    "The conditions say: ‹rule›; ‹rule'›. I fly ‹city› to ‹city'› and stay ‹23-26› hours \
                     in between. What exactly am I allowed to do, and what would cost extra?"),
                ("fares", 0.7, 240,
                    "Ticket ‹180-900› EUR, flown: ‹city› to ‹city'›; not flown: the return. Conditions: \
                     ‹rule›; ‹rule'›; refund is the fare paid less the one-way fare of ‹110-320› EUR and \
                     a penalty of ‹40-90› EUR, taxes of ‹35-120› EUR in full. After ‹mishap›, compute the \
                     refund under the conditions and under passenger law, and say which is better and \
                     why."),
                ("logistics", 0.8, 320,
                    "‹who› must visit ‹city›, ‹city'› and four more cities in ‹11-19› days with dates \
                     fixed for two of them, a visa that counts ‹rule›, a budget of ‹2-6›,500 EUR, ‹taste› \
                     twice, and a buffer that survives ‹mishap› with a probability of 95 %. Set up the \
                     constraints, search for an order by hand, prove that no cheaper feasible order \
                     exists under the prices that you assume, and list what would break it."),
            ],
        },
        Half {
            lang: "zh",
            pools: &[
                ("city", 0.0, &[
                    "大理", "京都", "敦煌", "里斯本", "厦门", "河内", "伊斯坦布尔", "喀什", "桂林",
                    "雷克雅未克", "哈尔滨", "开普敦",
                ]),
                ("who", 0.03, &[
                    "一个人", "蜜月夫妻", "带两岁孩子的一家三口", "预算有限的两位朋友", "八人徒步小队",
                    "二十八名学生的班级", "坐轮椅的客人", "带十四箱器材的摄制组",
                ]),
                ("taste", 0.03, &[
                    "街头小吃", "博物馆", "安静的海滩", "夜行火车", "观鸟", "现代建筑", "长途骑行",
                    "素食烹饪课",
                ]),
                ("mishap", 0.1, &[
                    "行李丢了", "航班取消", "护照还有四个月到期", "酒店超售", "同一张客票的联程没赶上",
                    "两张客票的衔接没赶上", "提前十三天宣布罢工", "买了不可退的票后被拒签",
                ]),
                ("rule", 0.14, &[
                    "随身行李限八公斤", "起飞前四十五分钟停止值机", "入住前一天十八点前免费取消",
                    "任意一百八十天内停留不超过九十天", "按一千五百和三千五百公里分档赔偿",
                    "由最重要承运人决定行李规定", "中途停留超过二十四小时打断票价段",
                    "联程航段不得单独取消",
                ]),
            ],
            templates: &[
                ("tips", 0.05, 80, "第一次去‹city›，‹who›该看什么？"),
                ("tips", 0.06, 50, "去‹city›体验‹taste›，几月份最好？"),
                ("tips", 0.1, 70, "‹city›的自来水能直接喝吗？咖啡馆要给小费吗？我们是‹who›。"),
                ("booking", 0.14, 60,
                    "从下面的话里提取 city、nights、guests、budget、wish，输出 JSON：“我们‹2-5›个人想在\
                     ‹city›住‹2-9›晚，预算不超过‹1500-4900›元，离‹taste›近一点。”"),
                ("booking", 0.2, 100,
                    "替‹who›给‹city›的酒店写一封邮件：‹21-23›点半才到，要安静的房间，顺便问问‹taste›。"),
                ("plan", 0.3, 200,
                    "‹who›去‹city›‹2-4›天，喜欢‹taste›。请按上午、下午、晚上安排，并准备一个下雨方案。"),
                ("plan", 0.46, 260,
                    "‹who›坐火车从‹city›到‹city'›，‹7-14›天，每天乘车不超过‹4-6›小时，总预算‹5000-9900›元，\
                     在‹taste›最好的地方住两晚。请列表：日期、路段、小时、费用、累计费用。"),
                ("trouble", 0.3, 120, "去‹city›的路上‹mishap›，我们是‹who›，接下来三步该怎么做？"),
                ("trouble", 0.48, 150,
                    "在‹city›遇到‹mishap›，承运人说“‹rule›”。这个理由成立吗？我可以主张什么？"),
                ("fares", 0.56, 170,
                    "客规写着：‹rule›；‹rule'›。我从‹city›飞‹city'›，中间停‹23-26›小时。到底可以怎么做，\
                     哪些要另外付钱？"),
                ("fares", 0.7, 220,
                    "客票‹1800-6900›元，已乘坐‹city›到‹city'›，回程未乘。条件：‹rule›；‹rule'›；退款为票\
                     款减去单程票价‹900-1700›元和手续费‹200-500›元，税费‹150-600›元全退。发生‹mishap›后，\
                     请分别按客规和按旅客权益规定计算退款，并说明哪一种更有利、为什么。"),
                ("logistics", 0.8, 300,
                    "‹who›要在‹11-19›天内走完‹city›、‹city'›和另外四个城市，其中两个日期固定，签证规定\
                     ‹rule›，预算‹2-6›万元，安排两次‹taste›，并且遇到‹mishap›时仍有百分之九十五的把握按时\
                     返回。请列出约束，手工搜索顺序，在你假设的价格下证明没有更便宜的可行方案，并列出会让\
                     它失效的条件。"),
            ],
        },
    ],
};
