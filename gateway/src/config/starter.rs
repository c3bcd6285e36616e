//! The commented file that `sluice config init` writes.

/// A configuration that works as it is, with two simulated experts; every line says what to change.
pub const STARTER: &str = include_str!("starter.toml");
