//! Random numbers that are the same for the same seed on every machine.

/// A SplitMix64 generator (Steele, Lea and Flood 2014): small, fast, and good enough for arrivals.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each pair of seed and purpose.
    pub fn new(seed: u64, purpose: u64) -> Random {
        Random(mix(seed ^ mix(purpose)))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Below `limit`, which is at least 1.
    pub fn below(&mut self, limit: usize) -> usize {
        let wide = u128::from(self.bits()) * limit as u128;
        (wide >> 64) as usize
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.unit())
    }

    /// Normal with mean 0 and deviation 1, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(2.0 * self.exponential());
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    /// Gamma with this shape and scale 1. Source: Marsaglia and Tsang 2000; shapes below 1 by their boost.
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = libm::pow(1.0 - self.unit(), 1.0 / shape);
            return boost * self.gamma(shape + 1.0);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / libm::sqrt(9.0 * d);
        loop {
            let x = self.normal();
            let v = libm::pow(1.0 + c * x, 3.0);
            if v > 0.0 && libm::log(1.0 - self.unit()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
                return d * v;
            }
        }
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and coefficient of variation.
    fn moments(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let values: Vec<f64> = (0..200_000).map(|_| draw()).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
        (mean, variance.sqrt() / mean)
    }

    #[test]
    fn gamma_has_the_mean_and_the_variation_asked_for() {
        for cv in [0.25, 1.0, 2.0, 4.0] {
            let shape = 1.0 / (cv * cv);
            let mut random = Random::new(7, 1);
            let (mean, got) = moments(|| random.gamma(shape) / shape);
            assert!((mean - 1.0).abs() < 0.05 && (got / cv - 1.0).abs() < 0.05, "cv {cv}: {mean} {got}");
        }
    }

    #[test]
    fn exponential_has_mean_and_variation_one() {
        let mut random = Random::new(1, 1);
        let (mean, cv) = moments(|| random.exponential());
        assert!((mean - 1.0).abs() < 0.01 && (cv - 1.0).abs() < 0.02, "{mean} {cv}");
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_purpose_others() {
        assert_eq!(Random::new(1, 1).bits(), Random::new(1, 1).bits());
        assert_ne!(Random::new(1, 1).bits(), Random::new(1, 2).bits());
        assert_ne!(Random::new(1, 1).bits(), Random::new(2, 1).bits());
    }
}
