//! The route section to paste into a configuration.

use super::report::Point;
use std::fmt::Write as _;

/// A `[[route]]` with the recommended floor; without one, the usual floor and a word on what that does.
pub(super) fn route_toml(
    experts: &[String],
    reference: &str,
    confidence: f64,
    recommended: Option<&Point>,
    rows: usize,
) -> String {
    let mut out = String::new();
    let floor = match recommended {
        Some(point) => {
            let _ = writeln!(
                out,
                "# Certified on {rows} graded rows: saves {:.1} % against the reference alone, at {:.3} of its mean score.",
                point.saved_pct, point.quality_ratio
            );
            point.floor
        }
        None => {
            let _ = writeln!(
                out,
                "# Nothing is certified on {rows} graded rows: the reference serves all until there are more."
            );
            USUAL_FLOOR
        }
    };
    let names: Vec<String> = experts.iter().map(|name| quoted(name)).collect();
    let _ = writeln!(
        out,
        "[[route]]\nname = \"auto\"\nexperts = [{}]\nreference = {}\nquality_floor = {floor:.2}\nconfidence = {confidence}",
        names.join(", "),
        quoted(reference)
    );
    out
}

/// A name as a TOML string, whatever is in it.
fn quoted(name: &str) -> String {
    toml::Value::String(name.to_owned()).to_string()
}

const USUAL_FLOOR: f64 = 0.95;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_stays_a_string() {
        let names = ["plain", "with \"quotes\"", "line\nbreak]", "法律-7b"].map(str::to_owned);
        let section = route_toml(&names, &names[1], 0.9, None, 12);
        let parsed: toml::Table = toml::from_str(&section).expect("TOML");
        let route = &parsed["route"][0];
        let read: Vec<&str> =
            route["experts"].as_array().into_iter().flatten().filter_map(toml::Value::as_str).collect();
        assert_eq!(read, names);
        assert_eq!(route["reference"].as_str(), Some("with \"quotes\""));
        assert_eq!(
            (route["quality_floor"].as_float(), route["confidence"].as_float()),
            (Some(0.95), Some(0.9))
        );
    }
}
