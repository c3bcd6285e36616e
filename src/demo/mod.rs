
mod draw;
pub(crate) mod requests;
