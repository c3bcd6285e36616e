//! Requests of the domain `law`, in English and Chinese.

use super::{Domain, Half};

#[rustfmt::skip]
pub(super) const LAW: Domain = Domain {
    name: "law",
    halves: [
        Half {
            lang: "en",
            pools: &[
                ("contract", 0.08, &[
                    "a flat lease", "a gym membership", "a used-car sale", "an employment contract",
                    "a loan between friends", "a software licence", "a franchise agreement",
                    "a share purchase agreement with an earn-out", "a charterparty",
                    "a retention-of-title clause in a chain of sales",
                ]),
                ("event", 0.06, &[
                    "the deposit was kept", "the rent was paid two weeks late",
                    "the goods had a hidden defect", "the employee was dismissed by text message",
                    "the tenant sublet a room", "the supplier went insolvent",
                    "the signature was made under threat",
                    "performance became illegal abroad after signing",
                ]),
                ("right", 0.12, &[
                    "the right to withdraw", "the right to privacy", "freedom of assembly", "copyright",
                    "a trade mark", "a patent", "the privilege against self-incrimination",
                    "equitable tracing into a mixed account",
                ]),
                ("doctrine", 0.14, &[
                    "offer and acceptance", "negligence", "estoppel", "vicarious liability",
                    "frustration of contract", "the rule against perpetuities", "renvoi",
                    "comity and anti-suit injunctions", "subrogation against a concurrent tortfeasor",
                ]),
                ("clause", 0.04, &[
                    "\"Either party may end this agreement with one month's notice in writing.\"",
                    "\"The seller gives no warranty beyond what the statute requires.\"",
                    "\"Disputes are settled by the courts of the seller's seat.\"",
                    "\"The tenant bears minor repairs up to 100 EUR each and 400 EUR a year.\"",
                    "\"Liability is limited to the fees paid in the preceding twelve months, save for intent.\"",
                    "\"Neither party is liable for force majeure, including failures of its subcontractors.\"",
                    "\"The licensee indemnifies the licensor against all claims however arising.\"",
                    "\"This clause survives termination and binds successors in title.\"",
                ]),
            ],
            templates: &[
                ("everyday", 0.08, 90, "Do I need a lawyer for ‹contract›, or can I sign it myself?"),
                ("everyday", 0.12, 90, "What does ‹right› mean in everyday life? Two examples, please."),
                ("everyday", 0.18, 120,
                    "Under ‹contract›, ‹event›. What should I write to the other side first?"),
                ("drafting", 0.22, 150,
                    "Draft a short letter: I end ‹contract› with effect in ‹2-6› weeks because ‹event›. \
                     Firm but polite."),
                ("drafting", 0.4, 170,
                    "Rewrite this clause of ‹contract› in plain English without changing its effect, then \
                     name one risk for the weaker party: ‹clause›"),
                ("reading", 0.36, 120,
                    "Clause: ‹clause›\nFacts: ‹event›, ‹2-11› months after ‹contract› was signed. Does \
                     the clause apply? Answer yes or no first, then the reason in two sentences."),
                ("reading", 0.48, 140,
                    "Read both clauses of ‹contract›.\n(1) ‹clause›\n(2) ‹clause'›\nDo they conflict \
                     where ‹event›? Return JSON: conflict (true or false), prevailing, reason."),
                ("doctrine", 0.46, 160, "Explain ‹doctrine› with the leading case and one modern \
                     criticism."),
                ("exam", 0.62, 60,
                    "In ‹contract›, ‹event›. The claimant relies on ‹doctrine›. The strongest answer of \
                     the defendant is that\nA. notice was given ‹3-20› days late\nB. ‹doctrine'› \
                     displaces the claim\nC. the loss was not caused by the breach\nD. the claimant \
                     affirmed the contract with knowledge\nChoose one letter and justify it in one \
                     sentence."),
                ("exam", 0.72, 260,
                    "Facts: A and B sign ‹contract›; then ‹event›. Meanwhile A assigned its claim to C \
                     for ‹20-90›,000, and B pleads set-off of ‹5-40›,000 from an older debt. ‹clause› \
                     Advise C on ‹doctrine›: issue, rule, application, conclusion, with authority for \
                     each rule and the best counter-argument."),
                ("statute", 0.58, 190,
                    "Which statutory provisions govern ‹contract› where ‹event›, in what order do they \
                     apply, and how does ‹right› limit them? Cite article and paragraph."),
                ("conflict", 0.84, 320,
                    "A company seated in one state, its branch in a second and a claimant in a third \
                     dispute ‹contract›: ‹event›, loss ‹1-9› million in two currencies, clause: ‹clause› \
                     Determine jurisdiction, applicable law (contract and tort separately), the effect of \
                     ‹doctrine› and of ‹doctrine'›, limitation under each law after ‹3-7› years, and \
                     whether a judgment would be enforced. Argue both sides and weigh them."),
            ],
        },
        Half {
            lang: "zh",
            pools: &[
                ("contract", 0.08, &[
                    "租房合同", "健身房会员协议", "二手车买卖合同", "劳动合同", "朋友间的借款",
                    "软件许可合同", "特许经营合同", "含对赌条款的股权转让协议", "航次租船合同",
                    "连环买卖中的所有权保留条款",
                ]),
                ("event", 0.06, &[
                    "押金不退", "租金晚付了两周", "货物有隐蔽瑕疵", "员工被短信通知辞退", "承租人擅自转租",
                    "供应商破产", "签字时受到胁迫", "签约后在境外履行变为违法",
                ]),
                ("right", 0.12, &[
                    "七日无理由退货权", "隐私权", "名誉权", "著作权", "商标权", "专利权", "居住权",
                    "混合账户中的价值追及权",
                ]),
                ("doctrine", 0.14, &[
                    "要约与承诺", "过错责任", "表见代理", "不安抗辩权", "情势变更", "债权人代位权", "反致",
                    "法人人格否认", "不真正连带债务人之间的追偿",
                ]),
                ("clause", 0.04, &[
                    "“任何一方可提前一个月书面通知解除本协议。”", "“出卖人除法定责任外不作任何保证。”",
                    "“争议由出卖人住所地法院管辖。”",
                    "“小修由承租人负担，每次不超过一百元，每年不超过四百元。”",
                    "“除故意外，责任以前十二个月已付费用为限。”",
                    "“因不可抗力（包括分包人不履行）均不承担责任。”",
                    "“被许可人应就一切索赔向许可人作出赔偿。”",
                    "“本条在合同终止后继续有效，并约束受让人。”",
                ]),
            ],
            templates: &[
                ("everyday", 0.08, 80, "签‹contract›要请律师吗，还是自己看看就能签？"),
                ("everyday", 0.12, 80, "‹right›在生活中是什么意思？请举两个例子。"),
                ("everyday", 0.18, 110, "‹contract›里‹event›，我第一步该给对方发什么？"),
                ("drafting", 0.22, 140,
                    "帮我写一封短函：因为‹event›，我将在‹2-6›周后解除‹contract›，语气坚定而礼貌。"),
                ("drafting", 0.4, 160,
                    "把‹contract›的这一条改写成通俗的话，效果不变，再指出对弱势一方的一个风险：‹clause›"),
                ("reading", 0.36, 110,
                    "条款：‹clause›\n事实：‹contract›签订‹2-11›个月后，‹event›。该条款是否适用？先答“是”\
                     或“否”，再用两句话说明理由。"),
                ("reading", 0.48, 130,
                    "请阅读‹contract›的两条：\n（一）‹clause›\n（二）‹clause'›\n在‹event›时二者是否冲突？\
                     输出 JSON：conflict、prevailing、reason。"),
                ("doctrine", 0.46, 150, "请说明‹doctrine›的构成要件、一个典型案例和一条学界批评。"),
                ("exam", 0.62, 60,
                    "‹contract›中‹event›，原告主张‹doctrine›。被告最有力的抗辩是\nA. 通知晚了‹3-20›天\nB. \
                     应适用‹doctrine'›\nC. 损失与违约没有因果关系\nD. 原告明知仍予追认\n只选一个字母，并\
                     用一句话说明。"),
                ("exam", 0.72, 240,
                    "案情：甲乙签订‹contract›，‹event›。其间甲将债权以‹20-90›万元转让给丙，乙以旧债‹5-40›\
                     万元主张抵销。约定：‹clause›请就‹doctrine›为丙出具意见：争点、规则、涵摄、结论，逐条\
                     注明法条，并写出最有力的反对理由。"),
                ("statute", 0.58, 180,
                    "‹contract›中‹event›，应当适用哪些法条，适用顺序如何，‹right›怎样限制其适用？请写明条、\
                     款、项。"),
                ("conflict", 0.84, 300,
                    "公司住所在甲国，分支机构在乙国，原告在丙国，就‹contract›发生争议：‹event›，损失‹1-9›\
                     百万元，涉及两种货币，约定：‹clause›请分析管辖权、合同与侵权各自的准据法、‹doctrine›\
                     与‹doctrine'›的影响、‹3-7›年后各法下的诉讼时效，以及判决能否承认与执行。正反两面论证\
                     并权衡。"),
            ],
        },
    ],
};
