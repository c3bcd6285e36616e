//! Named workers: model, GPU and the parameters of their law, from files of one profile each.

mod steps;
mod whole;

use crate::pool::Capacity;
use crate::whole_batch::WholeBatch;
use steps::RawSteps;
use whole::RawWhole;

/// The profiles that a name stands for: one file and one row each. The order is the order of the reference.
const PROFILES: &[(&str, &str)] = &[
    ("8b-l4", include_str!("../profiles/8b-l4.toml")),
    ("8b-fp8-l4", include_str!("../profiles/8b-fp8-l4.toml")),
    ("8b-a100", include_str!("../profiles/8b-a100.toml")),
    ("8b-h100", include_str!("../profiles/8b-h100.toml")),
    ("14b-a100", include_str!("../profiles/14b-a100.toml")),
    ("32b-a100", include_str!("../profiles/32b-a100.toml")),
    ("32b-h100", include_str!("../profiles/32b-h100.toml")),
    ("32b-fp8-h100", include_str!("../profiles/32b-fp8-h100.toml")),
    ("70b-4xa100", include_str!("../profiles/70b-4xa100.toml")),
    ("70b-4xh100", include_str!("../profiles/70b-4xh100.toml")),
    ("70b-fp8-2xh100", include_str!("../profiles/70b-fp8-2xh100.toml")),
    ("70b-8xh100", include_str!("../profiles/70b-8xh100.toml")),
    ("70b-8x910b2", include_str!("../profiles/70b-8x910b2.toml")),
    ("mixtral-2xh100", include_str!("../profiles/mixtral-2xh100.toml")),
    ("deepseek-v3-8xh200", include_str!("../profiles/deepseek-v3-8xh200.toml")),
    ("70b-fp8-8xh100", include_str!("../profiles/70b-fp8-8xh100.toml")),
    ("api", include_str!("../profiles/api.toml")),
    ("cpu-7b", include_str!("../profiles/cpu-7b.toml")),
    ("device-8b", include_str!("../profiles/device-8b.toml")),
];

/// Tokens that one step takes on at most where a profile doesn't say: vLLM's `max_num_batched_tokens`.
const CHUNK: u32 = 2_048;

/// A simulated worker's model, hardware and speed.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Its name, or `file` for one read from a file.
    pub name: String,
    /// Model and hardware, for people.
    pub about: String,
    /// `measured` (fitted to a published measurement of that pair), `derived` (from sizes and bandwidth; may be off
    /// by a factor of two), or `fitted` (by `sluice sim fit`, to an engine of one's own).
    pub basis: String,
    /// Where the figures are from.
    pub source: String,
    /// What it holds and how fast it is.
    pub capacity: Capacity,
    /// Set for an engine that takes whole batches; its own law is the only one then.
    pub whole_batch: Option<WholeBatch>,
    /// GPUs, or other devices, of one worker.
    pub gpus: u32,
    /// What one of them costs an hour, in nano-USD; sellers differ by a factor of two to four.
    pub gpu_hour_nanousd: Option<i64>,
}

/// A profile that can't be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// Not TOML, an unknown key, a missing one or one of the wrong type; says where.
    #[error("{0}")]
    Toml(String),
    /// A number outside what makes sense.
    #[error("{key} = {value} must be from {least} to {most}")]
    Range {
        /// The key.
        key: &'static str,
        /// Its value.
        value: f64,
        /// Smallest allowed.
        least: f64,
        /// Largest allowed.
        most: f64,
    },
}

impl Profile {
    /// The profile with this name.
    pub fn named(name: &str) -> Option<Profile> {
        let (name, text) = PROFILES.iter().find(|(known, _)| *known == name)?;
        let profile = Profile::from_toml(text).expect("embedded profiles are tested");
        Some(Profile { name: (*name).to_owned(), ..profile })
    }

    /// All names, in the order of the reference.
    pub fn names() -> Vec<&'static str> {
        PROFILES.iter().map(|(name, _)| *name).collect()
    }

    /// Reads the text of a profile file. Unknown keys are errors.
    ///
    /// # Errors
    /// [`ProfileError`] with the place or the key.
    pub fn from_toml(text: &str) -> Result<Profile, ProfileError> {
        let told = |error: toml::de::Error| ProfileError::Toml(error.to_string());
        let table: toml::Table = toml::from_str(text).map_err(told)?;
        if table.contains_key("whole_batch") {
            return toml::from_str::<RawWhole>(text).map_err(told)?.check();
        }
        toml::from_str::<RawSteps>(text).map_err(told)?.check()
    }
}

fn within(key: &'static str, value: f64, least: f64, most: f64) -> Result<f64, ProfileError> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(ProfileError::Range { key, value, least, most })
    }
}

fn nanos(value: f64) -> u64 {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be small and positive"
    )]
    let nanos = value.round() as u64;
    nanos
}

#[cfg(test)]
mod tests;
