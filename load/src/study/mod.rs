//! Studies: policies compared on the very same requests, at loads that are stated as shares of what a pool can do.

mod policy;
mod saturation;
mod skills;

pub use policy::{POLICIES, Policy, PolicyRow};
pub use saturation::requests_per_s;
pub use skills::{Drawn, Skill, Skills, SkillsError};
