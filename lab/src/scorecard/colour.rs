//! The colours of a heat map: from sand to deep blue, told apart by lightness alone, so that no eye is left out.

/// A colour, and whether text on it must be light.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shade {
    pub(super) fill: String,
    pub(super) text: &'static str,
}

/// The shade at `share`, 0 to 1, of the scale.
pub(super) fn shade(share: f64) -> Shade {
    let at = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let from = (at as usize).min(STOPS.len() - 2);
    let part = at - from as f64;
    let mix = |channel: usize| {
        let (low, high) = (f64::from(STOPS[from][channel]), f64::from(STOPS[from + 1][channel]));
        (low + part * (high - low)).round() as u8
    };
    let (red, green, blue) = (mix(0), mix(1), mix(2));
    let lightness = 0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue);
    Shade {
        fill: format!("#{red:02x}{green:02x}{blue:02x}"),
        text: if lightness < 140.0 { "#ffffff" } else { "#14202b" },
    }
}

const STOPS: [[u8; 3]; 5] = [[246, 233, 206], [196, 212, 176], [108, 178, 164], [38, 116, 132], [18, 56, 84]];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_darkens_and_its_text_stays_readable() {
        assert_eq!(shade(-1.0).fill, "#f6e9ce");
        assert_eq!((shade(2.0).fill.as_str(), shade(1.0).text), ("#123854", "#ffffff"));
        assert_eq!(shade(0.25).fill, "#c4d4b0");
        assert_eq!(shade(0.2).text, "#14202b");
    }
}
