//! A design matrix: each text's features, most of them zero.

/// Calls a method once for each strip of columns: of 32, then of 16, 8 and 4 for the rest.
macro_rules! by_width {
    ($width:expr, $design:expr, $method:ident, $rows:expr, $from:expr, $to:expr) => {{
        let mut at = 0;
        while $width - at >= 32 {
            $design.$method::<32>($rows, $from, $to, at);
            at += 32;
        }
        if $width - at >= 16 {
            $design.$method::<16>($rows, $from, $to, at);
            at += 16;
        }
        if $width - at >= 8 {
            $design.$method::<8>($rows, $from, $to, at);
            at += 8;
        }
        if $width - at >= 4 {
            $design.$method::<4>($rows, $from, $to, at);
        }
    }};
}
/// Rows of (feature, value), features rising within a row.
#[derive(Debug, Clone, Default)]
pub(super) struct Design {
    starts: Vec<usize>,
    cells: Vec<(u32, f32)>,
    features: usize,
}

/// Numbers for some rows or features, `width` for each, row-major. A width is a multiple of [`LANES`].
pub(super) struct Block {
    pub(super) width: usize,
    pub(super) values: Vec<f32>,
}

/// Columns are padded to this many, so that the inner loops have no rest.
pub(super) const LANES: usize = 4;

impl Block {
    pub(super) fn zero(rows: usize, columns: usize) -> Block {
        let width = columns.next_multiple_of(LANES);
        Block { width, values: vec![0.0; rows * width] }
    }

    pub(super) fn row(&self, at: usize) -> &[f32] {
        &self.values[at * self.width..(at + 1) * self.width]
    }

    pub(super) fn row_mut(&mut self, at: usize) -> &mut [f32] {
        &mut self.values[at * self.width..(at + 1) * self.width]
    }
}

impl Design {
    pub(super) fn new(features: usize) -> Design {
        Design { starts: vec![0], cells: vec![], features }
    }

    pub(super) fn push(&mut self, row: &[(u32, f32)]) {
        let from = self.cells.len();
        self.cells.extend_from_slice(row);
        self.cells[from..].sort_unstable_by_key(|(feature, _)| *feature);
        self.starts.push(self.cells.len());
    }

    /// Multiplies each feature's values with its factor.
    pub(super) fn scale(&mut self, factors: &[f32]) {
        self.cells.iter_mut().for_each(|(feature, value)| *value *= factors[*feature as usize]);
    }

    pub(super) fn row(&self, at: usize) -> &[(u32, f32)] {
        &self.cells[self.starts[at]..self.starts[at + 1]]
    }

    /// X'a over some rows: for each feature the sum of value times the row's numbers. `a` has a row for each of `rows`.
    pub(super) fn transposed_times(&self, rows: &[u32], a: &Block) -> Block {
        let mut out = Block { width: a.width, values: vec![0.0; self.features * a.width] };
        by_width!(a.width, self, transposed_into, rows, a, &mut out);
        out
    }

    /// Xw for some rows: for each row the sum of value times the feature's numbers.
    pub(super) fn times(&self, rows: &[u32], w: &Block) -> Block {
        let mut out = Block { width: w.width, values: vec![0.0; rows.len() * w.width] };
        by_width!(w.width, self, times_into, rows, w, &mut out);
        out
    }

    /// Columns are taken in strips of a width that the compiler knows, so that a strip stays in registers.
    fn transposed_into<const W: usize>(&self, rows: &[u32], a: &Block, out: &mut Block, from: usize) {
        for (at, &row) in rows.iter().enumerate() {
            let source: [f32; W] = strip(a.row(at), from);
            for &(feature, value) in self.row(row as usize) {
                let target = &mut out.row_mut(feature as usize)[from..from + W];
                for lane in 0..W {
                    target[lane] += value * source[lane];
                }
            }
        }
    }

    fn times_into<const W: usize>(&self, rows: &[u32], w: &Block, out: &mut Block, from: usize) {
        for (at, &row) in rows.iter().enumerate() {
            let mut sums = [0.0f32; W];
            for &(feature, value) in self.row(row as usize) {
                let source: [f32; W] = strip(w.row(feature as usize), from);
                for lane in 0..W {
                    sums[lane] += value * source[lane];
                }
            }
            out.row_mut(at)[from..from + W].copy_from_slice(&sums);
        }
    }
}

fn strip<const W: usize>(row: &[f32], from: usize) -> [f32; W] {
    row[from..from + W].try_into().expect("a strip lies within its row")
}

/// Cosine of two sorted sparse vectors that have length 1.
pub(super) fn cosine(a: &[(u32, f32)], b: &[(u32, f32)]) -> f32 {
    let (mut at_a, mut at_b, mut sum) = (0, 0, 0.0);
    while let (Some(&(left, x)), Some(&(right, y))) = (a.get(at_a), b.get(at_b)) {
        match left.cmp(&right) {
            std::cmp::Ordering::Less => at_a += 1,
            std::cmp::Ordering::Greater => at_b += 1,
            std::cmp::Ordering::Equal => {
                sum += x * y;
                at_a += 1;
                at_b += 1;
            }
        }
    }
    sum
}
