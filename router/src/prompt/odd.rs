//! Odd texts for tests: drawn from pieces that rules tell apart, the same ones each time.

/// So many texts of up to 60 pieces, each from a few kinds of `pieces` or from many.
pub(super) fn texts(pieces: &'static [&'static str], count: usize) -> impl Iterator<Item = String> {
    let mut state = 1u64;
    (0..count).map(move |_| {
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let kinds = 1 + draw(pieces.len());
        (0..draw(60)).map(|_| pieces[draw(kinds)]).collect()
    })
}
