//! The frame of a report: one HTML file that needs nothing else, for light and dark screens, wide and narrow.

use crate::escape::escape;

/// A page with the common style and `style` after it around `body`, which is HTML already.
///
/// A chart stands in it twice, with class `wide` and class `narrow`: a phone shows the second, whose text is as large
/// as the page's.
pub fn page(title: &str, style: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>\n{STYLE}{style}</style>\n</head>\n<body>\n\
         <main>\n{body}</main>\n</body>\n</html>\n",
        escape(title)
    )
}

const STYLE: &str = include_str!("page.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_needs_nothing_else() {
        let page = page("a <b>", ".x{}", "<p>text</p>");
        assert!(page.contains("<title>a &lt;b&gt;</title>") && page.contains(".x{}</style>"));
        for outside in ["http:", "https:", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}
