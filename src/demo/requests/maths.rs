//! Requests of the domain `maths`, in English and Chinese.

use super::{Domain, Half};

#[rustfmt::skip]
pub(super) const MATHS: Domain = Domain {
    name: "maths",
    halves: [
        Half {
            lang: "en",
            pools: &[
                ("thing", 0.0, &[
                    "apples", "tickets", "marbles", "books", "tiles", "coins", "cards", "bottles",
                    "stamps", "pencils",
                ]),
                ("name", 0.0, &[
                    "Mia", "Omar", "Lena", "Raj", "Sofia", "Tom", "Yuki", "Ada", "Pablo", "Nora",
                ]),
                ("shape", 0.06, &[
                    "a square", "a rectangle", "a right triangle", "a circle", "a trapezium",
                    "a regular hexagon", "a cone", "a truncated pyramid", "a torus",
                ]),
                ("concept", 0.14, &[
                    "a prime number", "a percentage", "a linear function", "the binomial theorem",
                    "a matrix inverse", "eigenvalues", "uniform convergence", "a quotient group",
                    "the spectral theorem for compact operators",
                ]),
                ("func", 0.1, &[
                    "x^2", "3x + 1", "sin(x)", "e^(2x)", "x ln(x)", "x^2 e^(-x)", "arctan(x) / x",
                    "sin(x)^3 cos(x)", "1 / (1 + x^4)",
                ]),
            ],
            templates: &[
                ("arithmetic", 0.04, 30, "What is ‹12-89› + ‹12-89›?"),
                ("arithmetic", 0.08, 40,
                    "‹name› has ‹12-60› ‹thing› and gives away ‹3-11›. How many ‹thing› are left?"),
                ("arithmetic", 0.14, 50, "What is ‹5-45› % of ‹120-980›? Show one line of working."),
                ("word", 0.24, 90,
                    "‹name› buys ‹3-9› ‹thing› at ‹2-9› EUR each and pays with a 100 EUR note. Later \
                     ‹name'› pays back a third of the price. How much money has ‹name› now?"),
                ("word", 0.4, 130,
                    "‹name› and ‹name'› collect ‹thing›. ‹name› has twice as many less ‹2-9›; together \
                     they have ‹45-99›. After ‹name'› loses ‹2-7› each day for ‹2-5› days, what is the \
                     ratio, if it is a whole number at all?"),
                ("explain", 0.12, 90, "Explain ‹concept› with one example."),
                ("geometry", 0.32, 110,
                    "Find the area of ‹shape› with the main length ‹3-19› cm and the second length ‹2-9› \
                     cm where needed. State the formula first."),
                ("geometry", 0.58, 180,
                    "‹shape› is inscribed in a circle of radius ‹3-12›; a second figure, ‹shape'›, has \
                     the same perimeter. Find the ratio of their areas exactly, then to ‹2-4› decimals."),
                ("calculus", 0.42, 110, "Differentiate f(x) = ‹func› and give the slope at x = ‹1-5›."),
                ("calculus", 0.64, 200,
                    "Compute the integral of ‹func› from 0 to ‹1-4›, exactly if possible, else with an \
                     error bound below 10^-‹2-5›; say which rule you use at each step."),
                ("proof", 0.8, 300,
                    "Let a_1 = ‹2-9› and a_(n+1) = (a_n + ‹2-19› / a_n) / 2. Prove that the sequence \
                     converges, find the limit and the order of convergence, bound the error after ‹3-6› \
                     steps, and relate it to ‹concept›."),
                ("proof", 0.9, 360,
                    "Let f(x) = x^n - ‹2-11› with n = ‹4-12›. Prove or refute: f has a root modulo \
                     infinitely many primes, and none modulo infinitely many others. State each lemma, \
                     use ‹concept› where it helps, find the density of both sets with the Chebotarev \
                     theorem by way of the Galois group of the splitting field, and check it by hand for \
                     the first ‹6-12› primes. Does the answer change when f is replaced by the Taylor \
                     polynomial of ‹func› of degree n?"),
            ],
        },
        Half {
            lang: "zh",
            pools: &[
                ("thing", 0.0, &[
                    "苹果", "门票", "弹珠", "书", "瓷砖", "硬币", "卡片", "瓶子", "邮票", "铅笔",
                ]),
                ("name", 0.0, &[
                    "小明", "小红", "阿强", "丽丽", "志伟", "晓雯", "建国", "美玲", "子涵", "家豪",
                ]),
                ("shape", 0.06, &[
                    "正方形", "长方形", "直角三角形", "圆", "梯形", "正六边形", "圆锥", "四棱台", "环面",
                ]),
                ("concept", 0.14, &[
                    "质数", "百分数", "一次函数", "二项式定理", "逆矩阵", "特征值", "一致收敛", "商群",
                    "紧算子的谱定理",
                ]),
                ("func", 0.1, &[
                    "x^2", "3x + 1", "sin(x)", "e^(2x)", "x ln(x)", "x^2 e^(-x)", "arctan(x) / x",
                    "sin(x)^3 cos(x)", "1 / (1 + x^4)",
                ]),
            ],
            templates: &[
                ("arithmetic", 0.04, 30, "‹12-89› 加 ‹12-89› 等于多少？"),
                ("arithmetic", 0.08, 40, "‹name›有‹12-60›个‹thing›，送出‹3-11›个，还剩多少？"),
                ("arithmetic", 0.14, 40, "‹120-980›的‹5-45›%是多少？写一行算式。"),
                ("word", 0.24, 80,
                    "‹name›买了‹3-9›件‹thing›，每件‹2-9›元，付了一张一百元。后来‹name'›还给他总价的三分之\
                     一，现在‹name›有多少钱？"),
                ("word", 0.4, 120,
                    "‹name›和‹name'›收集‹thing›，‹name›的数量比对方的两倍少‹2-9›个，两人一共‹45-99›个。\
                     ‹name'›连续‹2-5›天每天丢‹2-7›个之后，两人的数量之比是多少？是否为整数比？"),
                ("explain", 0.12, 80, "请举一个例子说明什么是‹concept›。"),
                ("geometry", 0.32, 100,
                    "求‹shape›的面积（或表面积），主要长度‹3-19›厘米，需要时第二长度‹2-9›厘米，先写公式。"),
                ("geometry", 0.58, 160,
                    "‹shape›内接于半径‹3-12›的圆，另有‹shape'›与它周长相等。求两者面积之比的精确值，再保\
                     留‹2-4›位小数。"),
                ("calculus", 0.42, 100, "求 f(x) = ‹func› 的导数，并写出 x = ‹1-5› 处的斜率。"),
                ("calculus", 0.64, 180,
                    "计算 ‹func› 在 0 到 ‹1-4› 上的积分，能精确则精确，否则误差小于 10^-‹2-5›，每一步写明\
                     用了什么法则。"),
                ("proof", 0.8, 280,
                    "设 a_1 = ‹2-9›，a_(n+1) = (a_n + ‹2-19› / a_n) / 2。证明数列收敛，求极限和收敛阶，估\
                     计‹3-6›步后的误差，并说明与‹concept›的联系。"),
                ("proof", 0.9, 330,
                    "设 f(x) = x^n - ‹2-11›，n = ‹4-12›。证明或否定：f 模无穷多个质数有根，模另外无穷多个\
                     质数无根。写出每个引理，适当用到‹concept›，借助分裂域的伽罗瓦群和切博塔廖夫定理求两\
                     类质数的密度，并对前‹6-12›个质数手工验证。若把 f 换成‹func›的 n 次泰勒多项式，结论会\
                     变吗？"),
            ],
        },
    ],
};
