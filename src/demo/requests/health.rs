//! Requests of the domain `health`, in English and Chinese.

use super::{Domain, Half};

#[rustfmt::skip]
pub(super) const HEALTH: Domain = Domain {
    name: "health",
    halves: [
        Half {
            lang: "en",
            pools: &[
                ("symptom", 0.1, &[
                    "a runny nose", "a mild headache", "a sore throat", "itching skin on the forearm",
                    "heartburn after meals", "a dry cough for three weeks", "tingling in both feet",
                    "night sweats with weight loss", "sudden painless loss of vision in one eye",
                    "episodic flushing with labile blood pressure",
                ]),
                ("drug", 0.12, &[
                    "paracetamol", "ibuprofen", "cetirizine", "omeprazole", "amoxicillin", "metformin",
                    "warfarin", "lithium", "methotrexate weekly", "amiodarone",
                ]),
                ("person", 0.05, &[
                    "a healthy adult of 30", "a teenager", "a nursing mother", "a man of 55 who smokes",
                    "a woman of 68 with type 2 diabetes", "a kidney-transplant patient",
                    "a pregnant woman in week 31 with pre-eclampsia", "a patient of 81 on nine medicines",
                ]),
                ("test", 0.12, &[
                    "blood pressure of 128/82", "fasting glucose of 6.4 mmol/l", "haemoglobin of 9.8 g/dl",
                    "TSH of 8.1 mU/l with normal free T4", "D-dimer above the cut-off",
                    "sodium of 121 mmol/l with low serum osmolality",
                    "an anion gap of 24 with lactate of 1.1",
                    "an alkaline phosphatase of 410 with positive antimitochondrial antibodies",
                ]),
                ("topic", 0.04, &[
                    "vaccination against flu", "sleep hygiene", "salt in the diet", "hand washing",
                    "sun protection", "physiotherapy after knee surgery", "screening for bowel cancer",
                    "inhaler technique",
                ]),
            ],
            templates: &[
                ("advice", 0.08, 90,
                    "I have ‹symptom› since yesterday. What can I do at home, and when should I see a \
                     doctor?"),
                ("advice", 0.1, 80, "Give me five plain tips on ‹topic› for ‹person›."),
                ("leaflet", 0.18, 150,
                    "Write a leaflet paragraph about ‹topic› for patients in simple language: short \
                     sentences, no Latin words, about ‹60-120› words."),
                ("leaflet", 0.24, 130,
                    "Explain to ‹person› what ‹drug› is for, how to take it, and the two most common side \
                     effects."),
                ("admin", 0.14, 70,
                    "Book an appointment: ‹person› with ‹symptom›, ‹2-9› days, prefers the morning. \
                     Return JSON with keys urgency, specialty and note."),
                ("triage", 0.36, 140,
                    "‹person› reports ‹symptom› for ‹2-9› days and takes ‹drug›. Which warning signs \
                     would make this urgent?"),
                ("drugs", 0.46, 150,
                    "Can ‹person› take ‹drug› together with ‹drug'›? Name the mechanism of any \
                     interaction and what to monitor."),
                ("results", 0.44, 150,
                    "The laboratory reports ‹test› in ‹person›. What does that mean, and what is the next \
                     step?"),
                ("exam", 0.6, 60,
                    "A patient (‹person›) presents with ‹symptom› and ‹test›. Which is the most \
                     appropriate next step?\nA. Reassure and follow up in ‹2-6› weeks\nB. Start ‹drug›\n\
                     C. Stop ‹drug'› and repeat the test\nD. Refer the same day\nAnswer with one letter \
                     and one sentence."),
                ("exam", 0.7, 200,
                    "Clinical vignette: ‹person›, on ‹drug› and ‹drug'›, comes in with ‹symptom› for \
                     ‹2-14› days. Findings: ‹test›, heart rate ‹88-128›, temperature 38.‹1-9›. Give the \
                     three most likely diagnoses in order, the finding that argues against each, and the \
                     single investigation with the best likelihood ratio."),
                ("evidence", 0.76, 260,
                    "A trial of ‹drug› in ‹400-900› patients found ‹8-15› % events against ‹16-25› % with \
                     placebo, ‹5-12› % lost to follow-up, stopped early at an interim look. Compute \
                     absolute risk reduction, number needed to treat and an approximate 95 % interval; \
                     then say how early stopping and loss bias them, and whether you would apply it to \
                     ‹person› with ‹test›."),
                ("dosing", 0.84, 260,
                    "Adjust ‹drug› for ‹person›: weight ‹48-96› kg, creatinine ‹130-290› umol/l, albumin \
                     ‹22-34› g/l, co-medication ‹drug'›, ‹test›. Derive the loading and the maintenance \
                     dose from volume of distribution and clearance, show each step with units, state the \
                     toxic threshold, when to take the first level, and what changes if clearance falls \
                     by a further ‹20-45› %."),
            ],
        },
        Half {
            lang: "zh",
            pools: &[
                ("symptom", 0.1, &[
                    "流鼻涕", "轻微头痛", "嗓子疼", "前臂皮肤发痒", "饭后烧心", "干咳三周", "双脚发麻",
                    "盗汗并且消瘦", "一只眼睛突然无痛性失明", "阵发性面色潮红伴血压波动",
                ]),
                ("drug", 0.12, &[
                    "对乙酰氨基酚", "布洛芬", "西替利嗪", "奥美拉唑", "阿莫西林", "二甲双胍", "华法林",
                    "碳酸锂", "每周一次的甲氨蝶呤", "胺碘酮",
                ]),
                ("person", 0.05, &[
                    "一位三十岁的健康成年人", "一名中学生", "一位哺乳期妈妈", "一位五十五岁的吸烟男性",
                    "一位六十八岁患二型糖尿病的女性", "一位肾移植患者", "一位孕三十一周、子痫前期的孕妇",
                    "一位同时服九种药的八十一岁老人",
                ]),
                ("test", 0.12, &[
                    "血压 128/82", "空腹血糖 6.4 mmol/L", "血红蛋白 98 g/L",
                    "促甲状腺激素 8.1 而游离 T4 正常", "D-二聚体高于界值",
                    "血钠 121 mmol/L 且血浆渗透压低", "阴离子间隙 24 而乳酸 1.1",
                    "碱性磷酸酶 410 且抗线粒体抗体阳性",
                ]),
                ("topic", 0.04, &[
                    "流感疫苗", "睡眠卫生", "少盐饮食", "正确洗手", "防晒", "膝关节术后康复", "肠癌筛查",
                    "吸入器的用法",
                ]),
            ],
            templates: &[
                ("advice", 0.08, 80, "我从昨天开始‹symptom›，在家可以怎么处理？什么情况要去医院？"),
                ("advice", 0.1, 70, "请给‹person›五条关于‹topic›的简单建议。"),
                ("leaflet", 0.18, 140,
                    "用通俗的话给患者写一段关于‹topic›的说明，短句，不用专业术语，大约‹80-160›字。"),
                ("leaflet", 0.24, 120, "请向‹person›解释‹drug›是治什么的、怎么吃，以及最常见的两种副作用。"),
                ("admin", 0.14, 60,
                    "预约：‹person›，‹symptom›‹2-9›天，希望上午就诊。请输出 JSON，键为 urgency、specialty、\
                     note。"),
                ("triage", 0.36, 130,
                    "‹person›‹symptom›已经‹2-9›天，正在服用‹drug›。出现哪些危险信号要马上就医？"),
                ("drugs", 0.46, 140,
                    "‹person›能同时用‹drug›和‹drug'›吗？请说明相互作用的机制和需要监测的指标。"),
                ("results", 0.44, 140, "‹person›的化验结果：‹test›。这说明什么，下一步做什么？"),
                ("exam", 0.6, 60,
                    "‹person›因‹symptom›就诊，检查示‹test›。最合适的下一步处理是\nA. 解释后‹2-6›周复查\n\
                     B. 开始使用‹drug›\nC. 停用‹drug'›并复查\nD. 当天转诊\n请只答一个字母并用一句话说明。"),
                ("exam", 0.7, 190,
                    "病例：‹person›，长期服用‹drug›和‹drug'›，‹symptom›‹2-14›天。查体与检验：‹test›，心率\
                     ‹88-128›，体温 38.‹1-9›。请按可能性写出三个诊断，各举一条不支持的证据，并指出似然比\
                     最高的一项检查。"),
                ("evidence", 0.76, 240,
                    "一项纳入‹400-900›例的试验，‹drug›组事件率‹8-15›%，安慰剂组‹16-25›%，失访‹5-12›%，期\
                     中分析提前终止。请计算绝对危险度降低、需治人数及近似的百分之九十五区间，说明提前终止\
                     和失访造成的偏倚，以及是否会用于‹person›（‹test›）。"),
                ("dosing", 0.84, 240,
                    "为‹person›调整‹drug›剂量：体重‹48-96›千克，肌酐‹130-290› umol/L，白蛋白‹22-34› g/L，\
                     合用‹drug'›，‹test›。由分布容积和清除率推导负荷量与维持量，写出每一步和单位，指出中\
                     毒阈值、首次测血药浓度的时间，以及清除率再降‹20-45›%时怎样调整。"),
            ],
        },
    ],
};
