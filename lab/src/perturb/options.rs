//! The options of a multiple-choice prompt in another order.

use sluice_router::prompt_hash;

/// The prompt with the texts of its options moved, the letters left in order; `None` without options. The same prompt
/// gives the same order.
///
/// Options are lines that begin with `A.`, `B.`, ... (or `)` or `:`), or parts of one line like `A:...;B:...`.
pub(super) fn shuffle(prompt: &str) -> Option<String> {
    let options = lines(prompt).or_else(|| inline(prompt))?;
    let order = order(options.len(), prompt_hash(prompt));
    let mut out = String::with_capacity(prompt.len());
    let mut from = 0;
    for (at, option) in options.iter().enumerate() {
        out.push_str(&prompt[from..option.start]);
        out.push_str(&prompt[options[order[at]].clone()]);
        from = option.end;
    }
    out.push_str(&prompt[from..]);
    (out != prompt).then_some(out)
}

type Span = std::ops::Range<usize>;

/// Texts of options that have a line each.
fn lines(prompt: &str) -> Option<Vec<Span>> {
    let mut options: Vec<Span> = vec![];
    let mut start = 0;
    for line in prompt.split_inclusive('\n') {
        let text = line.trim_end();
        if let Some(offset) = after_letter(text, options.len()) {
            options.push(start + offset..start + text.len());
        }
        start += line.len();
    }
    (options.len() >= 2).then_some(options)
}

/// Where an option's text begins if the line begins with the letter that is due.
fn after_letter(line: &str, due: usize) -> Option<usize> {
    let letter = letter(due)?;
    let body = line.trim_start();
    let mut chars = body.chars();
    if chars.next() == Some('(') {
        return (chars.next() == Some(letter) && chars.next() == Some(')'))
            .then(|| line.len() - body.len() + 3);
    }
    let rest = body.strip_prefix(letter)?;
    let mark = rest.chars().next().filter(|c| MARKS.contains(c))?;
    Some(line.len() - body.len() + letter.len_utf8() + mark.len_utf8())
}

/// Texts of options that stand in one line, each ended by a semicolon or by the end of the line.
fn inline(prompt: &str) -> Option<Vec<Span>> {
    let mut options: Vec<Span> = vec![];
    let mut from = 0;
    while let Some(letter) = letter(options.len()) {
        let heads = [format!("{letter}:"), format!("{letter}：")];
        let found =
            heads.iter().filter_map(|head| prompt[from..].find(head.as_str()).map(|at| (at, head.len())));
        let Some((at, head)) = found.min() else { break };
        let start = from + at + head;
        let length = prompt[start..].find([';', '；', '\n']).unwrap_or(prompt.len() - start);
        let text = prompt[start..start + length].trim_end_matches(['。', '.', ' ']);
        options.push(start..start + text.len());
        from = start + length;
    }
    (options.len() >= 2).then_some(options)
}

fn letter(at: usize) -> Option<char> {
    ('A'..='Z').nth(at)
}

/// A permutation of so many that moves the first.
fn order(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut state = seed;
    for at in (1..count).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(at, (state >> 33) as usize % (at + 1));
    }
    if order[0] == 0 {
        order.rotate_left(1);
    }
    order
}

/// What follows an option's letter.
const MARKS: [char; 5] = ['.', ')', ':', '：', '、'];

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(text: &str) -> Vec<char> {
        let mut chars: Vec<char> = text.chars().collect();
        chars.sort_unstable();
        chars
    }

    #[test]
    fn texts_move_and_letters_stay() {
        for prompt in [
            "Which?\nA. one\nB. two\nC. three\nD. four",
            "Which?\n(A) one\n(B) two\n(C) three",
            "关于剥夺政治权利，下列说法错误的有A:必须附加适用;B:可以附加适用;C:刑期相同;D:终身。",
        ] {
            let shuffled = shuffle(prompt).expect("has options");
            assert_ne!(shuffled, prompt);
            assert_eq!(sorted(&shuffled), sorted(prompt));
            assert_eq!(shuffle(prompt), Some(shuffled.clone()), "the same each time");
            let letters = |text: &str| text.chars().filter(char::is_ascii_uppercase).collect::<String>();
            assert_eq!(letters(&shuffled), letters(prompt));
        }
    }

    #[test]
    fn what_has_no_options_is_left_alone() {
        for prompt in ["", "A. only one", "Vitamin A: what is it?", "1. one\n2. two", "A.\nB."] {
            assert_eq!(shuffle(prompt), None, "{prompt:?}");
        }
    }
}
