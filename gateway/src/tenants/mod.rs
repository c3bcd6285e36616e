//! Who asks: organisations, their projects and keys, with what each may spend and do.

mod identity;

pub(crate) use identity::short_hash;
pub use identity::{Budget, Identity, Level, LevelKind, Limits, Policy};
