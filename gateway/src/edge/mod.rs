//! What clients speak: each edge translates its wire to a [`crate::Request`] and the answer's events back.

mod hints;
mod status;

pub use status::http_status;
