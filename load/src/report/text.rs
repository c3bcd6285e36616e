//! Numbers as people read them.

/// Three significant digits, without an exponent.
pub fn digits(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 || value == 0.0 {
        return grouped(value.round());
    }
    let decimals = (2.0 - libm::floor(libm::log10(size))).clamp(0.0, 9.0) as usize;
    format!("{value:.decimals$}")
}

/// A time given in milliseconds, with the unit that suits it.
pub fn ms(value: f64) -> String {
    match value.abs() {
        size if size >= 100_000.0 => format!("{} s", digits(value / 1e3)),
        size if size >= 10_000.0 => format!("{:.1} s", value / 1e3),
        size if size >= 1_000.0 => format!("{:.2} s", value / 1e3),
        size if size >= 1.0 || value == 0.0 => format!("{} ms", digits(value)),
        _ => format!("{} us", digits(value * 1e3)),
    }
}

/// A whole number with its thousands apart.
pub fn count(value: u64) -> String {
    grouped(value as f64)
}

fn grouped(whole: f64) -> String {
    let plain = format!("{:.0}", whole.abs());
    let mut out = String::new();
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if whole < 0.0 { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_keep_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.01234, "0.0123"),
            (1.0, "1.00"),
            (99.96, "100.0"),
            (1234.5, "1,235"),
            (-1e6, "-1,000,000"),
        ] {
            assert_eq!(digits(value), text);
        }
        for (value, text) in [
            (0.0123, "12.3 us"),
            (12.34, "12.3 ms"),
            (999.0, "999 ms"),
            (1234.0, "1.23 s"),
            (123_456.0, "123 s"),
        ] {
            assert_eq!(ms(value), text);
        }
        assert_eq!(count(1_234_567), "1,234,567");
    }
}
