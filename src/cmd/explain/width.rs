//! Text in columns: ideographs take two.

/// Columns that a terminal gives to a text.
fn width(text: &str) -> usize {
    let is_wide = |c: char| {
        matches!(c, '\u{1100}'..='\u{115F}' | '\u{2E80}'..='\u{A4CF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}'
            | '\u{FE30}'..='\u{FE6F}' | '\u{FF00}'..='\u{FF60}' | '\u{FFE0}'..='\u{FFE6}' | '\u{1F300}'..='\u{1FAFF}'
            | '\u{20000}'..='\u{3FFFD}')
    };
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// The text in so many columns: filled up with spaces, or cut with `...`.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let mut shown = text.to_owned();
    if width(text) > columns {
        while width(&shown) + 3 > columns {
            shown.pop();
        }
        shown.push_str("...");
    }
    let spaces = columns.saturating_sub(width(&shown));
    shown + &" ".repeat(spaces)
}

/// Words on lines of at most [`COLUMNS`], the later ones indented.
pub(super) fn wrapped(text: &str) -> Vec<String> {
    let bare = text.trim_start();
    let indent = &text[..text.len() - bare.len()];
    let mut lines = vec![indent.to_owned()];
    for word in bare.split(' ') {
        let line = lines.last_mut().expect("one at least");
        if width(line) + 1 + width(word) > COLUMNS && !line.trim().is_empty() {
            lines.push(format!("{indent}  {word}"));
        } else if line.trim().is_empty() {
            line.push_str(word);
        } else {
            *line = format!("{line} {word}");
        }
    }
    lines
}

/// What a table may take.
pub(super) const COLUMNS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_as_a_terminal_shows_them() {
        assert_eq!(fit("盗窃", 6), "盗窃  ");
        assert_eq!(fit("剥夺政治权利", 9), "剥夺政...");
        assert_eq!(fit("contract", 8), "contract");
        assert_eq!(fit("contracts", 8), "contr...");
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        let text = "word ".repeat(60);
        let lines = wrapped(text.trim());
        assert!(lines.len() == 4 && lines.iter().all(|line| width(line) <= COLUMNS), "{lines:?}");
        assert!(lines[1].starts_with("  word"));
        assert_eq!(wrapped("  short one"), ["  short one"]);
    }
}
