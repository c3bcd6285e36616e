//! How many tokens a text counts for, without a tokeniser.

/// Four characters a token; 0.7 token a Chinese, Japanese or Korean character. At least 1 unless the text is empty.
pub fn count_tokens(text: &str) -> u32 {
    let (mut wide, mut narrow) = (0_u64, 0_u64);
    for c in text.chars() {
        if is_cjk(c) { wide += 1 } else { narrow += 1 }
    }
    // In fortieths of a token, so that the sum is rounded once: 28 = 0.7 * 40 and 10 = 40 / 4.
    u32::try_from((wide * 28 + narrow * 10).div_ceil(40)).unwrap_or(u32::MAX)
}

fn is_cjk(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3134f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_counts_by_character_and_english_by_four() {
        for (text, want) in [
            ("", 0),
            ("a", 1),
            ("four", 1),
            ("fours", 2),
            ("法律", 2),
            ("民法典第十条", 5),
            ("法律 and law", 4),
        ] {
            assert_eq!(count_tokens(text), want, "{text}");
        }
    }
}
