//! The Prometheus text format, as far as gauges need it: name, labels to be skipped, value.
//!
//! A line that can't be read is passed over: a strange line elsewhere on the page must not cost the numbers that are
//! wanted.

/// The samples of a page.
pub(super) struct Samples<'a>(Vec<(&'a str, f64)>);

impl<'a> Samples<'a> {
    /// Every sample with a finite value.
    pub(super) fn of(text: &'a str) -> Samples<'a> {
        Samples(text.lines().filter_map(sample).collect())
    }

    /// The sum over all series of this name; `None` when there is none.
    pub(super) fn sum(&self, name: &str) -> Option<f64> {
        self.values(name).reduce(|sum, value| sum + value)
    }

    /// The largest of all series of this name; `None` when there is none.
    pub(super) fn most(&self, name: &str) -> Option<f64> {
        self.values(name).reduce(f64::max)
    }

    fn values(&self, name: &str) -> impl Iterator<Item = f64> {
        self.0.iter().filter(move |(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// Name and value of a line such as `name{label="x"} 3.5 1700000000`.
fn sample(line: &str) -> Option<(&str, f64)> {
    let line = line.trim();
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))?;
    let (name, rest) = line.split_at(end);
    let rest = match rest.strip_prefix('{') {
        Some(labels) => &labels[labels_end(labels)?..],
        None => rest,
    };
    let value: f64 = rest.split_whitespace().next()?.parse().ok()?;
    (!name.is_empty() && value.is_finite()).then_some((name, value))
}

/// Where the labels end, after their brace; a brace inside of a value is not it.
fn labels_end(labels: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in labels.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b'}' if !is_quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_their_labels_and_times() {
        for (line, expected) in [
            ("a 1", Some(("a", 1.0))),
            ("a:b_c{} 2.5", Some(("a:b_c", 2.5))),
            ("a{x=\"}\",y=\"\\\"}\"} 3 1700000000000", Some(("a", 3.0))),
            ("a{x=\"é 中\"} 4e2", Some(("a", 400.0))),
            ("  a\t5  ", Some(("a", 5.0))),
            ("# TYPE a gauge", None),
            ("a", None),
            ("a{x=\"1\" 3", None),
            ("a NaN", None),
            ("a +Inf", None),
            ("a x", None),
            ("{x=\"1\"} 3", None),
            ("中 3", None),
            ("", None),
        ] {
            assert_eq!(sample(line), expected, "{line}");
        }
    }

    /// Whatever bytes come, nothing panics, and a good line among them is still found.
    #[test]
    fn garbage_hides_no_good_line() {
        let parts =
            ["{", "}", "\"", "\\", "vllm:", "=", ",", " ", "#", "é", "\u{0}", "1e9", "-", "NaN", "\r", "x"];
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        for _ in 0..2_000 {
            let mut garbage = String::new();
            for _ in 0..state % 40 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                garbage.push_str(parts[(state >> 33) as usize % parts.len()]);
            }
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let page = format!("{garbage}\ngood{{a=\"b\"}} 7\n{garbage}");
            assert_eq!(Samples::of(&page).sum("good"), Some(7.0), "{page:?}");
        }
    }
}
