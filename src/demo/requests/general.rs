//! Requests of the domain `general`, in English and Chinese.

use super::{Domain, Half};

#[rustfmt::skip]
pub(super) const GENERAL: Domain = Domain {
    name: "general",
    halves: [
        Half {
            lang: "en",
            pools: &[
                ("topic", 0.05, &[
                    "coffee", "bicycles", "gardening", "the moon", "chess", "jazz", "volcanoes",
                    "public libraries", "the history of paper", "the ethics of zoos",
                ]),
                ("style", 0.03, &[
                    "cheerful", "formal", "as a haiku", "in the voice of a pirate", "for a newsletter",
                    "without the letter e", "as a villanelle with two refrains", "in iambic pentameter",
                ]),
                ("person", 0.02, &[
                    "my neighbour", "my boss", "an old friend", "a new colleague", "my landlord",
                    "the choir", "a pen friend", "the mayor",
                ]),
                ("text", 0.05, &[
                    "The shop opens at nine. On Mondays it stays closed. Last week the owner put up a sign about new hours.",
                    "Rain is expected in the north until Thursday, then it clears from the west; the coast stays windy.",
                    "The committee met twice. It agreed on a budget, but not on who should sign for it.",
                    "Ten of the fourteen bridges were repaired before winter, two are closed and the rest carry light traffic only.",
                    "The letter was found in the attic, unsigned, in a hand that resembles the later diaries but in ink that was not sold before 1911.",
                    "Although the survey shows more satisfied visitors, fewer answered it than last year, and those who left early were not asked.",
                ]),
                ("puzzle", 0.12, &[
                    "three switches and one lamp", "the farmer, the wolf, the goat and the cabbage",
                    "twelve coins and a balance", "two guards, one of whom lies",
                    "five houses with five owners", "a hundred prisoners and a light bulb",
                    "blue eyes on an island", "the two-envelopes argument",
                ]),
            ],
            templates: &[
                ("chat", 0.03, 40, "Hello! Can you suggest a hobby that has to do with ‹topic›?"),
                ("chat", 0.05, 60, "What do I need to know about ‹topic› before talking to ‹person›?"),
                ("chat", 0.07, 70, "Give me ‹3-7› fun facts about ‹topic›."),
                ("writing", 0.1, 100, "Write a birthday wish for ‹person› who loves ‹topic›, ‹style›."),
                ("writing", 0.2, 140, "Write ‹60-150› words about ‹topic›, ‹style›."),
                ("writing", 0.46, 200,
                    "Write ‹style› about ‹topic› in exactly ‹4-9› lines; each line must contain a number, \
                     and the last must answer the first. Then mark where you broke a rule, if anywhere."),
                ("summary", 0.16, 60, "Summarise in one sentence for ‹person›: ‹text›"),
                ("summary", 0.34, 120,
                    "Text: ‹text›\nList what it states, what it only implies, and one thing that ‹person› \
                     might wrongly conclude. Return JSON with keys states, implies, pitfall."),
                ("facts", 0.3, 120,
                    "Compare two common opinions about ‹topic›; say what is known, what is disputed, and \
                     how sure one can be."),
                ("logic", 0.5, 160,
                    "Solve and explain: ‹puzzle›. What changes if there is one more of everything?"),
                ("logic", 0.66, 220,
                    "Five people (‹person› among them) sit in a row and like five topics, one of them \
                     ‹topic›. Clues: the ‹2-4›th likes neither music nor maps; whoever likes ‹topic› sits \
                     beside the tallest; the tallest is not at an end; numbers ‹1-2› and ‹4-5› swap if it \
                     rains; it rained. Find all seatings that fit, prove that there is no other, and say \
                     how this is like ‹puzzle›."),
                ("argue", 0.78, 300,
                    "Take the strongest form of the argument behind ‹puzzle›, set out its premises in \
                     numbered form, find the weakest one, repair it, and apply the repaired form to \
                     ‹topic›. Consider ‹2-4› objections with replies, say what evidence would change your \
                     mind, ‹style›."),
            ],
        },
        Half {
            lang: "zh",
            pools: &[
                ("topic", 0.05, &[
                    "咖啡", "自行车", "园艺", "月亮", "象棋", "爵士乐", "火山", "公共图书馆", "造纸的历史",
                    "动物园的伦理",
                ]),
                ("style", 0.03, &[
                    "活泼一点", "正式一点", "写成俳句", "用说书人的口吻", "写成通讯稿", "全文不出现“的”字",
                    "写成有两句叠句的回环诗", "写成七言律诗",
                ]),
                ("person", 0.02, &[
                    "邻居", "老板", "老朋友", "新同事", "房东", "合唱团", "笔友", "社区主任",
                ]),
                ("text", 0.05, &[
                    "小店九点开门，周一休息。上周店主贴了一张新的营业时间。",
                    "北部的雨要下到周四，之后从西边转晴，沿海仍有大风。",
                    "委员会开了两次会，预算通过了，由谁签字却没有定下来。",
                    "十四座桥里有十座在入冬前修好，两座关闭，其余只通行轻型车辆。",
                    "信是在阁楼里找到的，没有署名，笔迹像后来的日记，用的墨水却是一九一一年以后才有的。",
                    "问卷显示满意的游客多了，可是作答的人比去年少，提前离开的人也没有被问到。",
                ]),
                ("puzzle", 0.12, &[
                    "三个开关和一盏灯", "农夫、狼、羊和白菜过河", "十二枚硬币和一架天平",
                    "两个守卫有一个说谎", "五座房子五个主人", "一百个囚犯和一盏灯", "岛上的蓝眼睛",
                    "两个信封悖论",
                ]),
            ],
            templates: &[
                ("chat", 0.03, 40, "你好！能推荐一个和‹topic›有关的爱好吗？"),
                ("chat", 0.05, 50, "和‹person›聊‹topic›之前，我该知道些什么？"),
                ("chat", 0.07, 60, "说‹3-7›个关于‹topic›的冷知识。"),
                ("writing", 0.1, 90, "给喜欢‹topic›的‹person›写一段生日祝福，‹style›。"),
                ("writing", 0.2, 130, "写一段关于‹topic›的短文，‹80-200›字，‹style›。"),
                ("writing", 0.46, 180,
                    "写‹topic›，‹style›，正好‹4-9›行，每行要有一个数字，最后一行回答第一行。写完指出哪里\
                     违反了要求。"),
                ("summary", 0.16, 50, "用一句话向‹person›概括：‹text›"),
                ("summary", 0.34, 110,
                    "材料：‹text›\n列出它明说了什么、暗示了什么，以及‹person›可能误解的一点。输出 JSON，\
                     键为 states、implies、pitfall。"),
                ("facts", 0.3, 110, "比较关于‹topic›的两种常见看法：哪些已经清楚，哪些有争议，把握有多大？"),
                ("logic", 0.5, 150, "解答并说明：‹puzzle›。如果每样都多一个，会怎样？"),
                ("logic", 0.66, 200,
                    "五个人（其中有‹person›）坐成一排，各喜欢一个话题，其中一个是‹topic›。线索：第‹2-4›位\
                     不喜欢音乐和地图；喜欢‹topic›的坐在最高的人旁边；最高的不在两端；如果下雨，‹1-2›号和\
                     ‹4-5›号互换；下了雨。求所有可能的坐法，证明没有别的，并说明这和‹puzzle›有什么相似。"),
                ("argue", 0.78, 280,
                    "取‹puzzle›背后论证的最强形式，逐条写出前提，找出最弱的一条并加以修补，再用到‹topic›\
                     上。考虑‹2-4›个反驳并回应，说明什么证据会改变你的看法，‹style›。"),
            ],
        },
    ],
};
