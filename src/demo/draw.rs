//! Repeatable draws: numbers that depend on nothing but the words they are drawn for.

/// A hash of `parts`, the same on every host and in every build.
///
/// FNV-1a over the parts with a separator between them, then the finaliser of SplitMix64, so that near names give
/// unrelated numbers.
pub(super) fn hash(parts: &[&str]) -> u64 {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        for byte in part.bytes().chain([0xff]) {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    mix(state)
}

/// A sequence of draws that starts from a hash.
pub(super) struct Draws(u64);

impl Draws {
    /// The draws that belong to `parts`.
    pub(super) fn of(parts: &[&str]) -> Draws {
        Draws(hash(parts))
    }

    /// A whole number below `n`, which is at least 1.
    pub(super) fn below(&mut self, n: usize) -> usize {
        // The bias of the remainder is below n / 2^64.
        (self.next() % n as u64) as usize
    }

    /// Uniform in [0, 1), in steps of 2^-53.
    pub(super) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller's method.
    pub(super) fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_tells_where_one_part_ends() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_eq!(hash(&["ab", "c"]), hash(&["ab", "c"]));
    }

    #[test]
    fn draws_have_the_moments_of_their_laws() {
        let mut draws = Draws::of(&["moments"]);
        let n = 20_000;
        let units: f64 = (0..n).map(|_| draws.unit()).sum::<f64>() / f64::from(n);
        let normals: Vec<f64> = (0..n).map(|_| draws.normal()).collect();
        let mean = normals.iter().sum::<f64>() / f64::from(n);
        let variance = normals.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / f64::from(n);
        assert!((units - 0.5).abs() < 0.01, "{units}");
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
