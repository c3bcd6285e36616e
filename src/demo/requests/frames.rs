//! What people put around a request: a greeting before it, a wish about the answer after it.

use crate::demo::draw::Draws;

/// The request within its frame, what the frame adds to the difficulty, and the factor on the answer's length.
pub(super) fn framed(lang: &str, body: String, draws: &mut Draws) -> (String, f64, f64) {
    let (openings, closings, gap) =
        if lang == "zh" { (OPENINGS_ZH, CLOSINGS_ZH, "") } else { (OPENINGS_EN, CLOSINGS_EN, " ") };
    let opening = if draws.below(4) == 0 { openings[draws.below(openings.len())] } else { "" };
    let fixed_form = body.contains("JSON") || body.contains("\nA. ");
    let closing = if !fixed_form && draws.below(2) == 0 {
        closings[draws.below(closings.len())]
    } else {
        ("", 0.0, 1.0)
    };
    let mut prompt = String::with_capacity(opening.len() + body.len() + closing.0.len() + 2);
    for part in [opening, &body, closing.0] {
        if !prompt.is_empty() && !part.is_empty() {
            prompt.push_str(gap);
        }
        prompt.push_str(part);
    }
    (prompt, closing.1, closing.2)
}

/// Text, added difficulty, factor on the length of the answer.
type Closing = (&'static str, f64, f64);

const OPENINGS_EN: &[&str] = &[
    "Hello.",
    "Quick question.",
    "I need this for tomorrow.",
    "Please help me with this.",
    "Sorry to bother you again.",
    "Good morning, and thanks in advance.",
    "I am on my phone, so a short reply is fine.",
    "My colleague and I disagree about this one.",
];

const OPENINGS_ZH: &[&str] = &[
    "你好。",
    "想请教一下。",
    "明天就要用。",
    "麻烦帮个忙。",
    "不好意思又来打扰。",
    "早上好，先谢谢了。",
    "我在用手机，简短回复就行。",
    "我和同事对这个问题看法不一样。",
];

const CLOSINGS_EN: &[Closing] = &[
    ("Answer in one sentence.", -0.03, 0.4),
    ("Keep it short.", -0.02, 0.6),
    ("At most fifty words, please.", -0.02, 0.5),
    ("Explain it the way you would to a friend.", 0.0, 1.0),
    ("Say how sure you are.", 0.03, 1.1),
    ("List the assumptions that you make.", 0.04, 1.2),
    ("Mention one exception.", 0.05, 1.2),
    ("Give your reasoning step by step.", 0.05, 1.6),
    ("Cite the rule or source that each step relies on.", 0.08, 1.4),
    ("Check the result by a second, independent method.", 0.1, 1.6),
];

const CLOSINGS_ZH: &[Closing] = &[
    ("请用一句话回答。", -0.03, 0.4),
    ("简单说说就行。", -0.02, 0.6),
    ("不超过八十个字。", -0.02, 0.5),
    ("就像讲给朋友听那样。", 0.0, 1.0),
    ("请说明你有多大把握。", 0.03, 1.1),
    ("请列出你的假设。", 0.04, 1.2),
    ("请指出一个例外。", 0.05, 1.2),
    ("请逐步写出推理过程。", 0.05, 1.6),
    ("每一步请注明所依据的规定或来源。", 0.08, 1.4),
    ("请用另一种独立的方法验算结果。", 0.1, 1.6),
];
