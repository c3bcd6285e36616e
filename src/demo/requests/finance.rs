//! Requests of the domain `finance`, in English and Chinese.

use super::{Domain, Half};

#[rustfmt::skip]
pub(super) const FINANCE: Domain = Domain {
    name: "finance",
    halves: [
        Half {
            lang: "en",
            pools: &[
                ("product", 0.08, &[
                    "a savings account", "a credit card", "an index fund", "a car loan",
                    "a fixed-rate mortgage", "a government bond", "a corporate bond with a call",
                    "a currency forward", "an interest-rate swap",
                    "a convertible with a soft call and a put",
                ]),
                ("client", 0.02, &[
                    "a student", "a young couple", "a freelancer", "a pensioner", "a bakery with 12 staff",
                    "a charity", "an exporter", "a family office",
                ]),
                ("concept", 0.14, &[
                    "compound interest", "inflation", "diversification", "the price-earnings ratio",
                    "duration", "the Sharpe ratio", "free cash flow to equity", "Basel risk weights",
                    "the volatility smile", "collateral choice and funding value adjustment",
                ]),
                ("account", 0.1, &[
                    "trade receivables", "goodwill", "deferred revenue",
                    "inventory at lower of cost and net realisable value", "a lease with a variable part",
                    "a provision under IAS 37", "a hedge that is partly ineffective",
                    "a business combination achieved in stages",
                ]),
                ("news", 0.04, &[
                    "the central bank raised its rate by a quarter point", "the company cut its guidance",
                    "a competitor announced a merger", "the currency fell by three percent",
                    "the auditor resigned", "an index provider dropped the share",
                    "the regulator opened an inquiry", "wages rose faster than prices",
                ]),
            ],
            templates: &[
                ("basics", 0.06, 60, "What is ‹product›? Explain it to ‹client› in two sentences."),
                ("basics", 0.12, 80, "Explain ‹concept› with an everyday example for ‹client›."),
                ("service", 0.08, 60,
                    "I see a charge of ‹12-89›.‹10-99› on my statement for ‹product› that I don't \
                     recognise. What do I do?"),
                ("service", 0.16, 110,
                    "‹client› asks whether ‹product› suits a goal in ‹2-9› years. Which three questions \
                     should the adviser ask first?"),
                ("news", 0.28, 60,
                    "Headline: \"‹news›\". Is this positive, negative or neutral for the holder of \
                     ‹product›? One word, then one sentence of reason."),
                ("news", 0.32, 140,
                    "Summarise for ‹client› in three bullet points what it means that ‹news›, and what it \
                     does not mean."),
                ("loan", 0.4, 130,
                    "‹client› borrows ‹20-90›,000 EUR at ‹3-8›.‹1-9› % over ‹5-25› years, paid monthly. \
                     What is the instalment, and how much interest is paid in all?"),
                ("accounting", 0.52, 170,
                    "How is ‹account› recognised and measured under IFRS, and which note must ‹client› \
                     give? Add one journal entry."),
                ("accounting", 0.62, 200,
                    "At year end ‹client› has ‹account› carried at ‹300-900›,000 EUR; ‹news›. An estimate \
                     of the recoverable amount is ‹200-600›,000 EUR, tax ‹20-30› %. Work out the \
                     adjustment, its effect on equity and on deferred tax, and write the entries."),
                ("valuation", 0.7, 240,
                    "Value a company with free cash flow of ‹12-60› million, growth of ‹4-11› % for ‹4-7› \
                     years and ‹1-2›.5 % afterwards, beta 0.‹7-9›, risk-free ‹2-4› %, equity premium \
                     ‹4-6›.5 %, debt of ‹40-160› million at ‹4-6› %, tax ‹20-30› %. Show WACC, the \
                     discounted flows, the terminal value, and comment on ‹concept›."),
                ("risk", 0.78, 260,
                    "A book holds ‹product› and ‹product'› with correlation 0.‹2-8›, volatilities of \
                     ‹8-14› % and ‹15-32› %, weights ‹30-70› to the rest. Derive the 10-day 99 % value at \
                     risk and expected shortfall under normality, then with Student t of ‹4-6› degrees, \
                     explain where ‹concept› enters, and what a backtest with ‹4-11› exceptions in 250 \
                     days tells the supervisor."),
                ("derivatives", 0.88, 300,
                    "Price ‹product› when ‹news›: spot ‹80-120›, strike ‹85-125›, ‹6-30› months, \
                     volatility ‹18-40› %, rate ‹1-5›.‹1-9› %, a discrete dividend of ‹1-4› in month \
                     ‹2-5›. Build the hedge, decompose one day's profit and loss into delta, gamma, vega \
                     and theta, state how ‹concept› changes the result, and prove that no arbitrage bound \
                     is broken."),
            ],
        },
        Half {
            lang: "zh",
            pools: &[
                ("product", 0.08, &[
                    "活期存款", "信用卡", "指数基金", "车贷", "固定利率房贷", "国债", "含赎回条款的公司债",
                    "外汇远期", "利率互换", "带有条件赎回和回售的可转债",
                ]),
                ("client", 0.02, &[
                    "一名大学生", "一对年轻夫妻", "一位自由职业者", "一位退休老人",
                    "一家有十二名员工的面包店", "一家公益基金会", "一家出口企业", "一个家族办公室",
                ]),
                ("concept", 0.14, &[
                    "复利", "通货膨胀", "分散投资", "市盈率", "久期", "夏普比率", "股权自由现金流",
                    "巴塞尔风险权重", "波动率微笑", "抵押品选择权与资金价值调整",
                ]),
                ("account", 0.1, &[
                    "应收账款", "商誉", "合同负债", "存货跌价准备", "含可变租金的使用权资产", "预计负债",
                    "部分无效的套期", "分步实现的企业合并",
                ]),
                ("news", 0.04, &[
                    "央行降息二十五个基点", "公司下调业绩指引", "竞争对手宣布合并", "人民币贬值百分之三",
                    "会计师事务所辞任", "股票被调出指数", "监管部门立案调查", "工资涨幅超过物价",
                ]),
            ],
            templates: &[
                ("basics", 0.06, 50, "‹product›是什么？用两句话讲给‹client›听。"),
                ("basics", 0.12, 70, "请用生活中的例子向‹client›解释‹concept›。"),
                ("service", 0.08, 50, "我的‹product›账单上有一笔‹12-89›.‹10-99›元不认识的扣款，怎么办？"),
                ("service", 0.16, 100, "‹client›问‹product›适不适合‹2-9›年后的目标，顾问应先问哪三个问题？"),
                ("news", 0.28, 50,
                    "新闻：“‹news›”。对‹product›的持有人是利好、利空还是中性？先答一个词，再用一句话说明。"),
                ("news", 0.32, 130, "‹news›。请用三点向‹client›说明这意味着什么、不意味着什么。"),
                ("loan", 0.4, 120,
                    "‹client›借款‹20-90›万元，年利率‹3-8›.‹1-9›%，期限‹5-25›年，按月等额本息。月供多少，\
                     总利息多少？"),
                ("accounting", 0.52, 160,
                    "按企业会计准则，‹account›怎样确认和计量？‹client›应披露什么？请写一笔会计分录。"),
                ("accounting", 0.62, 190,
                    "年末‹client›的‹account›账面价值‹300-900›万元，期间‹news›，可收回金额估计为‹200-600›\
                     万元，税率 25%。请计算调整金额及其对权益和递延所得税的影响，并写出分录。"),
                ("valuation", 0.7, 220,
                    "公司自由现金流‹12-60›亿元，前‹4-7›年增长‹4-11›%，此后‹1-2›.5%，贝塔 0.‹7-9›，无风险\
                     利率‹2-4›%，股权溢价‹4-6›.5%，债务‹40-160›亿元、利率‹4-6›%，税率 25%。请写出加权平均\
                     资本成本、折现过程、终值，并讨论‹concept›的影响。"),
                ("risk", 0.78, 240,
                    "组合持有‹product›和‹product'›，相关系数 0.‹2-8›，波动率分别为‹8-14›%和‹15-32›%，前者\
                     权重‹30-70›%。推导正态假设下十日百分之九十九的风险价值和预期损失，再用自由度‹4-6›的 \
                     t 分布重算，说明‹concept›在哪里起作用，以及二百五十天里出现‹4-11›次突破说明什么。"),
                ("derivatives", 0.88, 280,
                    "在‹news›的背景下为‹product›定价：标的‹80-120›，行权价‹85-125›，‹6-30›个月，波动率\
                     ‹18-40›%，利率‹1-5›.‹1-9›%，第‹2-5›个月有‹1-4›元的离散分红。请构造对冲，把一天的损益\
                     拆成 delta、gamma、vega、theta，说明‹concept›怎样改变结果，并证明没有违反无套利界。"),
            ],
        },
    ],
};
