//! Greetings, pleas and thanks around a request: they say nothing of what it needs, so they are not counted.

mod words;

use words::{FILLERS, FILLERS_ZH, KIND, KIND_ZH};

/// The text without blanks at its ends, and without sentences or clauses there that are made of courtesy alone; all of it if
/// nothing else is left.
///
/// Looks at the first and the last few clauses only, each up to its first word that is no courtesy.
pub(super) fn strip(text: &str) -> &str {
    let mut asked = text.trim();
    for _ in 0..MOST_CLAUSES {
        let Some(rest) = without_first(asked) else { break };
        asked = rest;
    }
    for _ in 0..MOST_CLAUSES {
        let Some(rest) = without_last(asked) else { break };
        asked = rest;
    }
    asked
}

/// Without the first sentence, or else the first clause, if it is courtesy.
fn without_first(text: &str) -> Option<&str> {
    let end = |is_end: fn(char, Option<char>) -> bool| {
        let mut chars = text.char_indices().take(LONGEST).peekable();
        while let Some((at, c)) = chars.next() {
            if at > 0 && is_end(c, chars.peek().map(|(_, next)| *next)) {
                return Some(at + c.len_utf8());
            }
        }
        None
    };
    let cuts = [end(ends_sentence), end(ends_clause)].into_iter().flatten();
    let mut rests = cuts.map(|cut| text.split_at(cut));
    let (_, rest) = rests.find(|(head, rest)| is_courtesy(head) && !is_blank(rest))?;
    Some(rest.trim_start())
}

/// Without the last sentence if it is courtesy.
fn without_last(text: &str) -> Option<&str> {
    let text = text.trim_end();
    let mut after = None;
    for (at, c) in text.char_indices().rev().take(LONGEST) {
        if after.is_some() && ends_sentence(c, after) {
            let (rest, tail) = text.split_at(at + c.len_utf8());
            let rest = rest.trim_end();
            // After a colon the words are what the request is about.
            let is_asked = rest.ends_with(':') || is_blank(rest);
            return (is_courtesy(tail) && !is_asked).then_some(rest);
        }
        after = Some(c);
    }
    None
}

fn ends_sentence(c: char, next: Option<char>) -> bool {
    match c {
        '\n' | '!' | '?' | '。' | ':' => true,
        '.' => next.is_none_or(char::is_whitespace),
        _ => false,
    }
}

fn ends_clause(c: char, _: Option<char>) -> bool {
    matches!(c, ',' | '、')
}

fn is_blank(text: &str) -> bool {
    !text.chars().any(char::is_alphanumeric)
}

/// Whether all words are words of courtesy, and one of them is not a mere filler.
fn is_courtesy(clause: &str) -> bool {
    let (mut rest, mut is_kind) = (clause, false);
    while let Some(c) = rest.chars().next() {
        let length = if c.is_ascii_alphabetic() {
            let length = rest.find(|c: char| !(c.is_ascii_alphabetic() || c == '\'')).unwrap_or(rest.len());
            let word = &rest[..length];
            let is = |known: &&str| known.eq_ignore_ascii_case(word);
            if KIND.iter().any(is) {
                is_kind = true;
            } else if !FILLERS.iter().any(is) {
                return false;
            }
            length
        } else if c.is_alphanumeric() {
            let begins = |known: &&&str| rest.starts_with(**known);
            let (kind, filler) = (KIND_ZH.iter().find(begins), FILLERS_ZH.iter().find(begins));
            is_kind |= kind.is_some();
            let Some(known) = kind.or(filler) else { return false };
            known.len()
        } else {
            c.len_utf8()
        };
        rest = &rest[length..];
    }
    is_kind
}

/// Characters of the longest clause that is looked at.
const LONGEST: usize = 120;
const MOST_CLAUSES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn courtesy_is_taken_from_both_ends() {
        let asked = "Is an oral contract binding? Explain.";
        for (before, after) in [
            ("Hello! Could you please help me with this? ", "\nThank you very much for your help!"),
            ("Please answer the following question.\n", " Thanks in advance."),
            ("Hi, ", "\n\nI really appreciate it, have a nice day!\nBest regards"),
            ("Good morning, I would be grateful for your help with this one. ", ""),
        ] {
            assert_eq!(strip(&format!("{before}{asked}{after}")), asked, "{before:?} {after:?}");
        }
        for (before, after) in [
            ("您好,麻烦您帮我看一下下面的问题,谢谢!\n", "\n非常感谢您的帮助!"),
            ("你好,请问这道题怎么做?\n", "谢谢!"),
            ("请帮忙解答,", "\n麻烦了,祝您工作顺利。"),
        ] {
            assert_eq!(
                strip(&format!("{before}口头合同有效吗?{after}")),
                "口头合同有效吗?",
                "{before} {after}"
            );
        }
    }

    #[test]
    fn requests_are_left_as_they_are() {
        for asked in [
            "",
            "Hello!",
            "thank you",
            "你好",
            "Please translate: thank you very much.",
            "What does this mean:\nthank you very much",
            "How do I say \"thanks\" in French?",
            "Help me with this problem: 2 + 2",
            "请你运用法律知识从A,B,C,D中选出一个正确的答案。\n下列说法错误的有A:一;B:二。",
            "Could you tell me the time in Rome?",
            "A. 60%\nB. 30%",
        ] {
            assert_eq!(strip(asked), asked);
        }
    }

    #[test]
    fn long_and_odd_texts_are_bounded_and_do_not_panic() {
        let long = "please ".repeat(30_000);
        assert_eq!(strip(&long), long.trim());
        for odd in ["!!!", "\n\n", "?a", "Hi.\u{0}", "谢谢。。。法", "'", "é, hi"] {
            assert!(odd.contains(strip(odd)), "{odd:?}");
        }
    }
}
