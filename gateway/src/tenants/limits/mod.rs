//! What may be asked in a minute, and at once, at each level of an identity; the same over all gateways that share a place.
//!
//! A request passes by what this gateway holds of each limit, without asking anybody. More is fetched ahead of need, and
//! waited for only when the share is used up.

mod gate;
mod gates;
mod pass;
mod place;
mod rate;
mod running;
mod standing;

pub(crate) use gates::{Gates, keep as keep_limits};
pub(crate) use pass::Pass;
pub use standing::{Standing, StandingRate};

#[cfg(test)]
mod tests;
