//! Text in columns: widths that count Chinese letters as two, padding, shortening, headings over several lines.

/// Columns that `text` takes on a terminal: two for East Asian wide letters, one for all others.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|letter| if is_wide(letter) { 2 } else { 1 }).sum()
}

/// The main blocks of East Asian Width "W" and "F" (Unicode Standard Annex 11) that names are written in.
fn is_wide(letter: char) -> bool {
    matches!(letter,
        '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{303e}' | '\u{3041}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}' | '\u{20000}'..='\u{3fffd}')
}

/// `text` in `columns`, shortened if it is longer, filled on the right if it is shorter.
pub(super) fn left(text: &str, columns: usize) -> String {
    let text = short(text, columns);
    let gap = columns.saturating_sub(width(&text));
    text + &" ".repeat(gap)
}

/// `text` in `columns`, shortened if it is longer, filled on the left if it is shorter.
pub(super) fn right(text: &str, columns: usize) -> String {
    let text = short(text, columns);
    " ".repeat(columns.saturating_sub(width(&text))) + &text
}

/// At most `columns` wide; whatever is cut shows as an ellipsis.
pub(super) fn short(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        if width(&kept) + width(letter.encode_utf8(&mut [0; 4])) + 1 > columns {
            break;
        }
        kept.push(letter);
    }
    kept + "…"
}

/// A name over several lines of at most `columns`, broken after `-`, `_`, `.`, `/` or a space where possible.
pub(super) fn wrapped(name: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in name.split_inclusive(['-', '_', '.', '/', ' ']) {
        let current = lines.last().map_or(0, |line| width(line));
        if current > 0 && current + width(piece) > columns {
            lines.push(String::new());
        }
        for letter in piece.chars() {
            let line = lines.last().map_or(0, |line| width(line));
            if line + width(letter.encode_utf8(&mut [0; 4])) > columns {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                line.push(letter);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_letters_take_two_columns() {
        assert_eq!((width("law"), width("法律"), width("法a")), (3, 4, 3));
        assert_eq!(left("法律", 6), "法律  ");
        assert_eq!(right("法律", 5), " 法律");
    }

    #[test]
    fn too_long_a_text_is_cut_within_its_columns() {
        assert_eq!(left("insurance", 6), "insur…");
        for columns in 1..8 {
            assert!(width(&short("法律和保险", columns)) <= columns);
        }
    }

    #[test]
    fn names_break_where_their_parts_end() {
        assert_eq!(wrapped("general-large", 8), ["general-", "large"]);
        assert_eq!(wrapped("mixtral8x22b", 8), ["mixtral8", "x22b"]);
        assert_eq!(wrapped("law-7b", 8), ["law-7b"]);
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(sluice_lab::thousands), ["0", "999", "1,000", "1,234,567"]);
    }
}
