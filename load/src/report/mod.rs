//! What a run looks like: for programs, for a terminal, and as a page.

pub mod text;
