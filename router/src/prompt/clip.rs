//! Which part of a text is looked at, in which normal form.

use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization as _;

/// The first [`HEAD`] and the last [`TAIL`] characters, with a line break between; short texts as they are.
///
/// The question of a long prompt usually stands at one of its ends. Never walks the middle.
pub(super) fn clip(text: &str) -> Cow<'_, str> {
    if text.len() <= HEAD + TAIL {
        return Cow::Borrowed(text); // no more characters than bytes
    }
    let Some(head_end) = end_of_head(text) else { return Cow::Borrowed(text) };
    let rest = &text[head_end..];
    let Some(tail_start) = start_of_tail(rest) else { return Cow::Borrowed(text) };
    if tail_start == 0 {
        return Cow::Borrowed(text);
    }
    let tail = &rest[tail_start..];
    Cow::Owned(format!("{}\n{tail}", &text[..head_end]))
}

/// Where the first [`HEAD`] characters end; `None` if there are no more.
fn end_of_head(text: &str) -> Option<usize> {
    if text.as_bytes().get(..HEAD)?.is_ascii() {
        return Some(HEAD).filter(|&end| end < text.len());
    }
    text.char_indices().nth(HEAD).map(|(end, _)| end)
}

/// Where the last [`TAIL`] characters begin; `None` if there are fewer.
fn start_of_tail(text: &str) -> Option<usize> {
    let start = text.len().checked_sub(TAIL)?;
    if text.as_bytes()[start..].is_ascii() {
        return Some(start);
    }
    text.char_indices().rev().nth(TAIL - 1).map(|(start, _)| start)
}

/// NFKC. ASCII and plain Chinese take short cuts, since the general tables cost more than all the counting.
pub(super) fn normalise(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    if text.chars().all(is_simple) {
        return Cow::Owned(text.chars().map(narrow).collect());
    }
    Cow::Owned(text.nfkc().collect())
}

/// Characters that NFKC leaves alone or only narrows, and that never combine with a neighbour.
fn is_simple(c: char) -> bool {
    matches!(c, '\0'..='\u{7F}' | '\u{4E00}'..='\u{9FFF}' | '\u{3000}'..='\u{3002}' | '\u{3008}'..='\u{3011}'
        | '\u{FF01}'..='\u{FF5E}' | '\u{2013}'..='\u{2014}' | '\u{2018}'..='\u{201D}')
}

/// Full-width forms to ASCII, the ideographic space to a space.
fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        other => other,
    }
}

/// Characters looked at from the start.
const HEAD: usize = 512;
/// Characters looked at from the end.
const TAIL: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_cut_equals_nfkc() {
        let simple = (0..=0xFFFFu32).filter_map(char::from_u32).filter(|&c| is_simple(c));
        for c in simple {
            let slow: String = c.to_string().nfkc().collect();
            assert_eq!(narrow(c).to_string(), slow, "U+{:04X}", c as u32);
        }
    }

    #[test]
    fn head_and_tail_are_kept() {
        let exact = "x".repeat(HEAD + TAIL);
        assert_eq!(clip(&exact), exact);
        let plain = format!("{}{}{}", "a".repeat(HEAD), "b".repeat(9), "z".repeat(TAIL));
        assert_eq!(clip(&plain), format!("{}\n{}", "a".repeat(HEAD), "z".repeat(TAIL)));
        for wide in ["法".repeat(HEAD + TAIL), format!("{}{}", "é".repeat(HEAD), "z".repeat(TAIL))] {
            assert_eq!(clip(&wide), wide);
            let longer = format!("{wide}z");
            assert_eq!(clip(&longer).chars().count(), HEAD + 1 + TAIL);
        }
        let long = format!("{}{}{}", "a".repeat(HEAD), "法".repeat(9), "z".repeat(TAIL));
        assert_eq!(clip(&long), format!("{}\n{}", "a".repeat(HEAD), "z".repeat(TAIL)));
    }
}
