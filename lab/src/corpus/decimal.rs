//! Decimal numbers by their text: no binary fraction comes near them.

/// A number times ten to the power of `shift`, as a plain decimal with at most nine places, and whether digits beyond
/// those were rounded up. `None` for what is no number of at least 0, or has an absurd exponent.
pub(super) fn shifted(number: &str, shift: i32) -> Option<(String, bool)> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).map(|byte| byte.wrapping_sub(b'0')).collect();
    if whole.is_empty() || digits.iter().any(|digit| *digit > 9) || exponent.abs() > MOST_EXPONENT {
        return None;
    }
    let places = i32::try_from(fraction.len()).ok()? - exponent - shift;
    Some(plain(digits, places))
}

/// Digits of which the last `places` stand behind the point.
fn plain(mut digits: Vec<u8>, mut places: i32) -> (String, bool) {
    while places < 0 {
        digits.push(0);
        places += 1;
    }
    let mut is_rounded = false;
    while places > PLACES {
        is_rounded |= digits.pop().unwrap_or(0) > 0;
        places -= 1;
    }
    if is_rounded {
        add_one(&mut digits);
    }
    let places = usize::try_from(places).unwrap_or(0);
    while digits.len() <= places {
        digits.insert(0, 0);
    }
    let text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
    let (whole, fraction) = text.split_at(text.len() - places);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction = fraction.trim_end_matches('0');
    let plain = if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") };
    (plain, is_rounded)
}

fn add_one(digits: &mut Vec<u8>) {
    for digit in digits.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return;
        }
        *digit = 0;
    }
    digits.insert(0, 1);
}

/// As fine as a price may be.
const PLACES: i32 = 9;
/// No price is so large or so small.
const MOST_EXPONENT: i32 = 99;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_point_moves_and_nothing_else() {
        for (number, shift, expected) in [
            ("1.5e-07", 6, "0.15"),
            ("2.5E-6", 6, "2.5"),
            ("0.00003", 6, "30"),
            ("3e-5", 6, "30"),
            ("0", 6, "0"),
            ("0.0", 6, "0"),
            ("1e+2", 0, "100"),
            ("0.005", 0, "0.005"),
            ("1.0000000000000001e-06", 6, "1.000000001"),
            ("0.9999999999", 0, "1"),
            ("1e-99", 6, "0.000000001"),
            ("12.50", 0, "12.5"),
        ] {
            assert_eq!(shifted(number, shift).map(|(plain, _)| plain).as_deref(), Some(expected), "{number}");
        }
    }

    #[test]
    fn what_was_rounded_is_told() {
        assert_eq!(shifted("1.9999999999999998e-07", 6), Some(("0.2".to_owned(), true)));
        assert_eq!(shifted("2e-07", 6), Some(("0.2".to_owned(), false)));
    }

    #[test]
    fn what_is_no_price_is_none() {
        for number in ["", "-1", "+1", ".5", "1e", "1e1000", "NaN", "1,5", "0x1", "1.2.3"] {
            assert_eq!(shifted(number, 6), None, "{number}");
        }
    }
}
