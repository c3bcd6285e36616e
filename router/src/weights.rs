//! Fitted weights of a table, 16 bits each: one row per n-gram, one column per output.

/// A matrix of 16-bit weights with one scale per column.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    pub(crate) outputs: usize,
    pub(crate) scales: Vec<f32>,
    pub(crate) values: Vec<i16>,
}

impl Weights {
    /// Rounds a row-major matrix with `outputs` columns. Each weight moves by at most half of its column's largest
    /// over 32,767.
    pub fn from_f32(outputs: usize, matrix: &[f32]) -> Weights {
        let mut largest = vec![0.0f32; outputs];
        for row in matrix.chunks_exact(outputs.max(1)) {
            for (most, value) in largest.iter_mut().zip(row) {
                *most = most.max(value.abs());
            }
        }
        let scales: Vec<f32> = largest.iter().map(|most| most / f32::from(i16::MAX)).collect();
        let round = |(at, &value): (usize, &f32)| {
            let scale = scales[at % outputs.max(1)];
            if scale > 0.0 { libm::roundf(value / scale) as i16 } else { 0 }
        };
        let values = matrix.iter().enumerate().map(round).collect();
        Weights { outputs, scales, values }
    }

    /// How many outputs there are.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The weights of one output, one per row.
    pub fn column(&self, at: usize) -> Vec<f32> {
        let scale = self.scales[at];
        self.values.iter().skip(at).step_by(self.outputs).map(|&value| f32::from(value) * scale).collect()
    }

    /// With one more output behind the others, rounded by itself: the others keep every bit.
    pub fn with_column(&self, column: &[f32]) -> Weights {
        let last = Weights::from_f32(1, column);
        let mut values = Vec::with_capacity(self.values.len() + column.len());
        for (at, &value) in last.values.iter().enumerate() {
            values.extend_from_slice(&self.values[at * self.outputs..(at + 1) * self.outputs]);
            values.push(value);
        }
        let scales = self.scales.iter().chain(&last.scales).copied().collect();
        Weights { outputs: self.outputs + 1, scales, values }
    }

    /// The weighted sum of the rows in `features`, one number per output.
    ///
    /// Each output is summed in the order of the features, whatever vectors the processor has, so that the result is the
    /// same on each of them.
    pub fn apply(&self, features: &[(u32, f32)]) -> Vec<f32> {
        let mut sums = vec![0.0f32; self.outputs];
        if self.outputs == 0 {
            return sums;
        }
        pulp::Arch::new().dispatch(|| add_rows(&mut sums, &self.values, features));
        for (sum, scale) in sums.iter_mut().zip(&self.scales) {
            *sum *= scale;
        }
        sums
    }
}

/// Always inlined, so that it is compiled for the vectors of whoever calls it.
#[inline(always)]
fn add_rows(sums: &mut [f32], values: &[i16], features: &[(u32, f32)]) {
    let outputs = sums.len();
    for &(row, value) in features {
        let start = row as usize * outputs;
        for (sum, &weight) in sums.iter_mut().zip(&values[start..start + outputs]) {
            *sum += value * f32::from(weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_keeps_each_weight_to_half_a_step() {
        let matrix = [0.5f32, -3.0, 0.25, 0.001, -0.125, 2.0];
        let weights = Weights::from_f32(2, &matrix);
        for row in 0..3u32 {
            let back = weights.apply(&[(row, 1.0)]);
            for column in 0..2 {
                let off = (back[column] - matrix[row as usize * 2 + column]).abs();
                assert!(off <= weights.scales[column] * 0.5001, "row {row}, column {column}: {off}");
            }
        }
    }

    #[test]
    fn a_column_more_leaves_the_others_as_they_are() {
        let before = Weights::from_f32(2, &[0.5, -3.0, 0.25, 0.001, -0.125, 2.0]);
        let after = before.with_column(&[7.0, 0.0, -1.0]);
        for row in 0..3u32 {
            assert_eq!(after.apply(&[(row, 0.3)])[..2], before.apply(&[(row, 0.3)]));
        }
        assert_eq!(after.outputs(), 3);
        assert!((after.column(2)[0] - 7.0).abs() < 1e-3 && after.column(2)[1] == 0.0);
        assert_eq!(after.column(1), before.column(1));
    }

    #[test]
    fn a_column_of_zeros_stays_zero() {
        assert_eq!(Weights::from_f32(2, &[0.0, 1.0]).apply(&[(0, 2.0)])[0], 0.0);
        assert_eq!(Weights::from_f32(0, &[]).apply(&[]), Vec::<f32>::new());
    }
}
