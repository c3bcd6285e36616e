//! Requests of the domain `education`, in English and Chinese.

use super::{Domain, Half};

#[rustfmt::skip]
pub(super) const EDUCATION: Domain = Domain {
    name: "education",
    halves: [
        Half {
            lang: "en",
            pools: &[
                ("subject", 0.08, &[
                    "fractions", "photosynthesis", "the water cycle", "the French Revolution",
                    "Newton's laws", "supply and demand", "chemical equilibrium", "natural selection",
                    "the categorical imperative", "transformational grammar",
                ]),
                ("grade", 0.04, &[
                    "grade 3", "grade 5", "grade 7", "grade 9", "a final-year class",
                    "first-year students", "a teacher-training seminar", "a doctoral colloquium",
                ]),
                ("form", 0.02, &[
                    "a multiple-choice quiz", "flash cards", "a worksheet", "a group task", "a role play",
                    "an oral exam", "a portfolio", "a peer-review sheet",
                ]),
                ("learner", 0.03, &[
                    "a pupil who reads slowly", "a gifted pupil who is bored",
                    "a newcomer with little English", "a pupil with dyscalculia",
                    "a shy adult returning to school", "a class with very mixed levels",
                    "a deaf student with an interpreter", "a student who failed the course twice",
                ]),
                ("method", 0.12, &[
                    "retrieval practice", "spaced repetition", "think-pair-share", "scaffolding",
                    "formative assessment", "item response theory", "differential item functioning",
                    "a multilevel model with students nested in schools",
                ]),
            ],
            templates: &[
                ("explain", 0.06, 90, "Explain ‹subject› to ‹grade› in five simple sentences."),
                ("explain", 0.1, 80,
                    "What is the most common mistake with ‹subject› in ‹grade›, and how do I clear it up \
                     for ‹learner›?"),
                ("write", 0.1, 90,
                    "Write a message to the parents of ‹grade›: next week we start ‹subject›, please \
                     bring ‹2-5› coloured pencils."),
                ("write", 0.16, 110,
                    "Give kind, concrete feedback in three sentences on a first try at ‹form› about \
                     ‹subject› by ‹learner›."),
                ("quiz", 0.24, 180,
                    "Make ‹form› on ‹subject› for ‹grade›: ‹4-8› items of rising difficulty, with \
                     answers."),
                ("quiz", 0.32, 150,
                    "Turn this into ‹form› as JSON (question, options, answer): ‹subject›, level ‹grade›, \
                     ‹3-6› items, and none that ‹learner› would fail only because of wording."),
                ("lesson", 0.36, 240,
                    "Plan a lesson of ‹40-90› minutes on ‹subject› for ‹grade› with ‹learner›; use \
                     ‹method›. Table: minute, teacher, learners, material."),
                ("lesson", 0.5, 280,
                    "Design a unit of ‹4-9› lessons on ‹subject› for ‹grade›: learning goals by level of \
                     Bloom's taxonomy, ‹form› in the middle, adaptation for ‹learner›, and how ‹method› \
                     shows that the goals are reached."),
                ("exam", 0.52, 60,
                    "Which statement about ‹subject› would an examiner of ‹grade› accept?\nA. It holds \
                     only under ideal conditions\nB. It follows from a definition and needs no evidence\n\
                     C. It is a model whose limits can be tested\nD. It was refuted ‹20-90› years ago\n\
                     Answer with one letter, then one sentence on why the others fail."),
                ("grading", 0.58, 200,
                    "Grade this answer out of ‹8-20› points with a rubric that you first write down. Task \
                     (‹grade›): explain ‹subject›. Answer: \"It is when things change because of other \
                     things, mostly it gets ‹2-9› times more, and that is why it is important for nature \
                     and people.\" Say how far a second marker might differ."),
                ("research", 0.72, 260,
                    "A study compares ‹method› with lectures on ‹subject› in ‹8-24› classes of ‹grade›: \
                     post-test ‹61-74› against ‹55-60›, standard deviation ‹11-17›, intraclass \
                     correlation 0.‹1-3›, ‹18-30› pupils a class. Compute the effect size, the design \
                     effect and the effective sample, test it, and judge the threats to validity."),
                ("research", 0.84, 300,
                    "Develop an adaptive test of ‹subject› for ‹grade›: a bank of ‹80-240› items under \
                     ‹method›, the likelihood and its maximisation, the information function, a stopping \
                     rule at a standard error of 0.‹2-4›, exposure control, fairness for ‹learner›, and a \
                     proof that the estimator exists only off the all-right and all-wrong patterns."),
            ],
        },
        Half {
            lang: "zh",
            pools: &[
                ("subject", 0.08, &[
                    "分数", "光合作用", "水循环", "辛亥革命", "牛顿定律", "供给与需求", "化学平衡",
                    "自然选择", "定言命令", "转换生成语法",
                ]),
                ("grade", 0.04, &[
                    "三年级", "五年级", "初一", "初三", "高三", "大一新生", "师范生研讨课", "博士生讨论班",
                ]),
                ("form", 0.02, &[
                    "一份选择题小测", "一套记忆卡片", "一张练习单", "一个小组任务", "一段角色扮演",
                    "一次口试", "一份学习档案", "一张互评表",
                ]),
                ("learner", 0.03, &[
                    "一名阅读很慢的学生", "一名吃不饱的尖子生", "一名刚转来、普通话不熟的学生",
                    "一名计算障碍学生", "一位重返课堂的成年人", "一个程度参差的班级",
                    "一名配手语翻译的听障学生", "一名两次挂科的学生",
                ]),
                ("method", 0.12, &[
                    "提取练习", "间隔复习", "思考配对分享", "支架式教学", "形成性评价", "项目反应理论",
                    "项目功能差异分析", "学生嵌套于学校的多层模型",
                ]),
            ],
            templates: &[
                ("explain", 0.06, 80, "用五句简单的话给‹grade›讲‹subject›。"),
                ("explain", 0.1, 70, "‹grade›学‹subject›最常见的错误是什么？怎样向‹learner›讲清楚？"),
                ("write", 0.1, 80, "给‹grade›家长写一条通知：下周开始学‹subject›，请带‹2-5›支彩笔。"),
                ("write", 0.16, 100,
                    "‹learner›第一次完成了关于‹subject›的‹form›，请用三句话给出具体而友善的反馈。"),
                ("quiz", 0.24, 160, "为‹grade›出‹form›，内容是‹subject›，‹4-8›题，由易到难，附答案。"),
                ("quiz", 0.32, 140,
                    "把下面内容做成‹form›，输出 JSON（question、options、answer）：‹subject›，‹grade›，\
                     ‹3-6›题，不要让‹learner›只因为措辞而做错。"),
                ("lesson", 0.36, 220,
                    "为‹grade›设计一节‹40-90›分钟的‹subject›课，班里有‹learner›，采用‹method›。列表：分钟、\
                     教师、学生、材料。"),
                ("lesson", 0.5, 260,
                    "为‹grade›设计‹4-9›课时的‹subject›单元：按布鲁姆分类写目标，中间安排‹form›，照顾\
                     ‹learner›，并说明‹method›怎样证明目标达成。"),
                ("exam", 0.52, 60,
                    "关于‹subject›，‹grade›的阅卷人会接受哪一项？\nA. 只在理想条件下成立\nB. 由定义推出，\
                     不需要证据\nC. 是一个可以检验其适用范围的模型\nD. ‹20-90›年前已被推翻\n只答一个字母，\
                     再用一句话说明其余为什么不对。"),
                ("grading", 0.58, 180,
                    "请先写评分标准，再给下面的答案打分（满分‹8-20›分）。题目（‹grade›）：解释‹subject›。\
                     答案：“就是一些东西因为别的东西而变化，一般会变成‹2-9›倍，所以对自然和人都很重要。”\
                     并说明第二位阅卷人可能相差多少。"),
                ("research", 0.72, 240,
                    "一项研究在‹8-24›个‹grade›班级比较‹method›与讲授法（内容‹subject›）：后测‹61-74›对\
                     ‹55-60›，标准差‹11-17›，组内相关 0.‹1-3›，每班‹18-30›人。请计算效应量、设计效应和有\
                     效样本量，做检验，并评价效度威胁。"),
                ("research", 0.84, 280,
                    "为‹grade›编制‹subject›的自适应测验：题库‹80-240›题，模型为‹method›。写出似然函数及其\
                     最大化、信息函数、标准误 0.‹2-4›的停止规则、曝光控制、对‹learner›的公平性，并证明全\
                     对和全错模式下估计量不存在。"),
            ],
        },
    ],
};
