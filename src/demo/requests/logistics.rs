//! Requests of the domain `logistics`, in English and Chinese.

use super::{Domain, Half};

#[rustfmt::skip]
pub(super) const LOGISTICS: Domain = Domain {
    name: "logistics",
    halves: [
        Half {
            lang: "en",
            pools: &[
                ("goods", 0.05, &[
                    "books", "garden furniture", "frozen fish", "car tyres", "laptop batteries",
                    "flat-pack wardrobes", "olive oil in glass", "vaccines at 2 to 8 degrees",
                    "a transformer of 38 tonnes", "aerosols of class 2.1",
                ]),
                ("place", 0.0, &[
                    "Hamburg", "Rotterdam", "Lyon", "Gdansk", "Milan", "Leipzig", "Antwerp", "Zaragoza",
                    "Vienna", "Felixstowe", "Prague", "Trieste",
                ]),
                ("event", 0.1, &[
                    "a flat tyre", "a missed pickup", "fog at the port", "a strike of the dockers",
                    "a wrong customs code", "a damaged seal", "a reefer alarm at minus 11",
                    "a general average declared by the owner",
                    "a detention clock that runs through a bank holiday",
                ]),
                ("term", 0.12, &[
                    "EXW", "FCA", "DAP", "FOB", "CIF", "DDP with import VAT excluded",
                    "CPT with two carriers in sequence", "FAS for a project cargo",
                ]),
                ("limit", 0.12, &[
                    "at most 12 stops a van", "doors open from 6 to 10 only",
                    "no left turns for articulated trucks", "9 hours of driving a day",
                    "24 tonnes payload, 33 pallets", "two drivers who may not drive on Sunday",
                    "time windows that differ per customer, with a penalty per minute",
                    "backhaul only if it returns before the depot closes",
                ]),
            ],
            templates: &[
                ("parcel", 0.05, 40,
                    "Where is parcel ‹10000000-99999999›? It should have reached ‹place› yesterday."),
                ("parcel", 0.08, 60,
                    "How long does a parcel with ‹goods› take from ‹place› to ‹place'› by standard \
                     service?"),
                ("parcel", 0.14, 90,
                    "The courier left a card but I was at home all day. The parcel holds ‹goods›. How do \
                     I get a second delivery in ‹place›?"),
                ("notice", 0.18, 110,
                    "Write a notice to a customer in ‹place›: the shipment of ‹goods› is delayed by \
                     ‹event›, new arrival in ‹1-4› days. Two sentences, plain words."),
                ("notice", 0.26, 120,
                    "Extract from this message the fields origin, destination, pallets, ready_at and \
                     remark as JSON: \"Pls collect ‹4-30› plts of ‹goods› in ‹place›, ready tmrw from \
                     ‹6-11›:30, dest. ‹place'›, driver to call ‹15-45› min before, last time we had \
                     ‹event›.\""),
                ("terms", 0.34, 130,
                    "Under ‹term›, who pays the freight for ‹goods› from ‹place› to ‹place'›, and where \
                     does the risk pass?"),
                ("terms", 0.5, 180,
                    "We sold ‹goods› ‹term› ‹place›. On the way there was ‹event› and ‹5-40› % of the \
                     cargo is lost. Who bears the loss, who must claim against whom, and which papers do \
                     they need?"),
                ("dangerous", 0.55, 190,
                    "May ‹goods› travel by road from ‹place› to ‹place'› in one vehicle with foodstuffs? \
                     Name the regulation, the quantity limit per unit and what the driver must carry."),
                ("stock", 0.44, 150,
                    "We use ‹20-80› pallets of ‹goods› a week, standard deviation ‹4-15›, lead time ‹2-6› \
                     weeks. What reorder point gives a service level of ‹90-98› %? Show the formula and \
                     the numbers."),
                ("route", 0.6, 220,
                    "Plan one van from ‹place› with these stops (minutes from the depot, service time): A \
                     ‹10-25›/‹5-15›, B ‹20-40›/10, C ‹15-50›/‹5-20›, D ‹30-60›/10, E ‹12-35›/‹5-15›. \
                     Constraint: ‹limit›. Give an order, the arrival time at each stop, and say whether \
                     all of it fits between 7:00 and 13:00."),
                ("route", 0.78, 300,
                    "‹3-6› trucks serve ‹18-45› customers around ‹place› with ‹goods›. Constraints: \
                     ‹limit›; ‹limit'›. Fuel is 0.‹28-45› EUR per km, overtime ‹24-39› EUR per hour, a \
                     missed window costs ‹40-90› EUR. Formulate this as a mixed integer programme (sets, \
                     variables, objective, every constraint), then describe a heuristic that gets within \
                     a few percent and how you would bound its gap."),
                ("network", 0.85, 340,
                    "A shipper compares one hub in ‹place› with hubs in ‹place› and ‹place'›: ‹300-900› \
                     tonnes of ‹goods› a week, inbound ‹30-60› EUR and outbound ‹60-140› EUR per tonne, \
                     fixed cost ‹1-3›.2 million EUR a year per hub, safety stock by the square-root law, \
                     demand correlation 0.‹2-7› between regions, and a risk of ‹event› of ‹2-9› % a \
                     month. Which network is cheaper over five years at ‹6-11› %, and at which demand \
                     does the answer flip? Derive it."),
            ],
        },
        Half {
            lang: "zh",
            pools: &[
                ("goods", 0.05, &[
                    "图书", "户外家具", "冷冻海鲜", "汽车轮胎", "笔记本电池", "板式衣柜", "玻璃瓶装橄榄油",
                    "二至八度的疫苗", "三十八吨的变压器", "二点一类气雾剂",
                ]),
                ("place", 0.0, &[
                    "上海", "深圳", "义乌", "成都", "郑州", "宁波", "武汉", "青岛", "西安", "天津", "昆明",
                    "沈阳",
                ]),
                ("event", 0.1, &[
                    "车辆爆胎", "漏揽收", "港口大雾", "司机罢运", "海关编码填错", "铅封破损",
                    "冷柜在零下十一度报警", "船东宣布共同海损", "滞箱费在法定假日照常计算",
                ]),
                ("term", 0.12, &[
                    "工厂交货", "货交承运人", "目的地交货", "装运港船上交货", "成本加保险费运费",
                    "完税后交货但不含进口增值税", "运费付至且有两程承运人", "船边交货的项目货",
                ]),
                ("limit", 0.12, &[
                    "每车最多十二个站点", "仓门只在六点到十点开放", "挂车白天禁入市区",
                    "司机每天最多驾驶八小时", "载重二十四吨、三十三个托盘", "两名司机周日不能出车",
                    "每个客户时间窗不同，超时按分钟罚款", "回程带货必须在车场关门前返回",
                ]),
            ],
            templates: &[
                ("parcel", 0.05, 40, "单号‹10000000-99999999›的包裹昨天就该到‹place›，现在在哪里？"),
                ("parcel", 0.08, 50, "寄一箱‹goods›，从‹place›到‹place'›普通快递要几天？"),
                ("parcel", 0.14, 80,
                    "快递员说家里没人，可我一整天都在‹place›的家里。里面是‹goods›，怎样安排第二次派送？"),
                ("notice", 0.18, 100,
                    "给‹place›的客户写一条通知：‹goods›因‹event›延误，预计‹1-4›天后到达。两句话，说大白话。"),
                ("notice", 0.26, 110,
                    "从下面这条消息里提取 origin、destination、pallets、ready_at、remark，输出 JSON：“麻\
                     烦明天‹6-11›点半到‹place›提‹4-30›托‹goods›，送‹place'›，提前‹15-45›分钟打电话，上次\
                     遇到过‹event›。”"),
                ("terms", 0.34, 120, "按‹term›，‹goods›从‹place›运到‹place'›，运费谁付，风险在哪里转移？"),
                ("terms", 0.5, 170,
                    "我们以‹term›（‹place›）卖出‹goods›，途中发生‹event›，损失‹5-40›%。损失由谁承担，谁向\
                     谁索赔，需要哪些单据？"),
                ("dangerous", 0.55, 180,
                    "‹goods›能和食品同车从‹place›公路运到‹place'›吗？请指出适用的规定、每个运输单元的数量\
                     限制和随车须带的文件。"),
                ("stock", 0.44, 140,
                    "每周用‹20-80›托‹goods›，标准差‹4-15›，提前期‹2-6›周，要达到‹90-98›%的服务水平，再订\
                     货点是多少？写出公式和数字。"),
                ("route", 0.6, 200,
                    "一辆车从‹place›出发，站点（距车场分钟数/服务分钟数）：甲‹10-25›/‹5-15›，乙‹20-40›/10，\
                     丙‹15-50›/‹5-20›，丁‹30-60›/10，戊‹12-35›/‹5-15›。约束：‹limit›。请给出顺序和每站到\
                     达时间，并判断七点到十三点之间能否送完。"),
                ("route", 0.78, 280,
                    "‹place›周边‹18-45›个客户，‹3-6›辆车送‹goods›。约束：‹limit›；‹limit'›。每公里油费\
                     ‹2-4›.5元，加班每小时‹60-110›元，错过时间窗一次罚‹200-500›元。请写成混合整数规划（集\
                     合、变量、目标、全部约束），再说明一个误差在几个百分点以内的启发式方法，以及怎样给出\
                     间隙的界。"),
                ("network", 0.85, 320,
                    "某货主比较在‹place›设一个枢纽，还是在‹place›和‹place'›各设一个：每周‹300-900›吨\
                     ‹goods›，入库每吨‹80-160›元，出库每吨‹200-420›元，每个枢纽年固定成本‹600-990›万元，\
                     安全库存按平方根法则，两地需求相关系数 0.‹2-7›，每月发生‹event›的概率‹2-9›%。按\
                     ‹6-11›%折现，五年哪种网络更便宜？需求到多少时结论反转？请推导。"),
            ],
        },
    ],
};
