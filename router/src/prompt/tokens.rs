//! An estimate of tokens without a tokenizer.

/// Estimated tokens of `text`: four characters a token, 0.7 token a Chinese, Japanese or Korean character.
///
/// Rounded up, so at least 1 for a text that is not empty. Typical error against common tokenizers is 10 to 30 %;
/// it serves to compare costs and to judge whether a prompt fits. It bills only where an engine gave no count of its
/// own (a stream that was cut, for instance), and such a booking is marked as estimated.
pub fn estimate_tokens(text: &str) -> u32 {
    u32::try_from(estimate_twentieths(text).div_ceil(20)).unwrap_or(u32::MAX)
}

/// The same in twentieths of a token, which add up exactly over the pieces of a text.
pub fn estimate_twentieths(text: &str) -> u64 {
    if text.is_ascii() {
        return 5 * text.len() as u64; // the same, many bytes at a time
    }
    text.chars().map(|c| if is_cjk(c) { 14 } else { 5 }).sum()
}

/// Whether `c` is written without spaces between words: Chinese, Japanese, Korean.
pub(super) fn is_cjk(c: char) -> bool {
    c >= '\u{2E80}'
        && matches!(c, '\u{2E80}'..='\u{2FDF}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}'
            | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3134F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_estimated_by_script() {
        for (text, tokens) in [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("法律咨询", 3), ("法a", 1)]
        {
            assert_eq!(estimate_tokens(text), tokens, "{text:?}");
        }
    }
}
