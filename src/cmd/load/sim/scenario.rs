//! `--scenario FILE`: a test as a file, its options by their long names.

use crate::cmd::Failure;
use crate::cmd::load::Args;
use crate::cmd::load::prepare::wrong;
use clap::{Args as _, FromArgMatches as _};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A scenario as written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What it shows, for people.
    #[serde(rename = "about")]
    _about: String,
    /// The gateway configuration whose pools are simulated, beside the file.
    config: PathBuf,
    /// Options of `sluice load`.
    load: toml::Table,
}

/// The options of the scenario that `args` names, with those of the command line over them.
pub(in crate::cmd::load) fn resolve(args: &Args) -> Result<Option<Args>, Failure> {
    let Some(file) = &args.sim.scenario else { return Ok(None) };
    let told = |what: String| wrong(format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| told(error.to_string()))?;
    let scenario: Scenario = toml::from_str(&text).map_err(|error| told(error.to_string()))?;
    let given: Vec<OsString> =
        std::env::args_os().skip_while(|word| word.as_os_str() != "load").skip(1).collect();
    let on_a_wire = !args.options.target.is_empty();
    let mut words = vec![OsString::from("sluice load")];
    if !on_a_wire && args.sim.sim.is_none() {
        let folder = file.parent().unwrap_or(Path::new("."));
        words.extend(["--sim".into(), folder.join(&scenario.config).into_os_string()]);
    }
    let has_trace = args.options.arrivals.trace.is_some();
    for (name, value) in &scenario.load {
        let name_is_in = |names: &[&str]| names.contains(&name.as_str());
        if !(on_a_wire && name_is_in(VIRTUAL_ONLY) || has_trace && name_is_in(ARRIVALS)) {
            words.extend(option(name, value).map_err(told)?);
        }
    }
    words.extend(given);
    let command = Args::augment_args(clap::Command::new("sluice load").args_override_self(true));
    let parsed = command.try_get_matches_from(words).and_then(|matches| Args::from_arg_matches(&matches));
    parsed
        .map(Some)
        .map_err(|error| told(error.to_string().trim_start_matches("error: ").trim_end().to_owned()))
}

/// Options that mean nothing on a wire.
const VIRTUAL_ONLY: &[&str] =
    &["outage", "profile", "replicas", "capacity", "compare", "loads", "skills", "deadline"];

/// Options that say when the scenario's own requests come: a trace that is given comes in their place.
const ARRIVALS: &[&str] = &[
    "rate",
    "constant",
    "burst",
    "ramp",
    "steps",
    "concurrency",
    "think",
    "turns",
    "duration",
    "requests",
    "trace",
    "speed",
];

/// The words of one option.
fn option(name: &str, value: &toml::Value) -> Result<Vec<OsString>, String> {
    let text = |value: &toml::Value| match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        _ => Err(format!("load.{name}: a text, a number or true is wanted")),
    };
    let name_word = || OsString::from(format!("--{name}"));
    match value {
        toml::Value::Boolean(true) => Ok(vec![name_word()]),
        toml::Value::Boolean(false) => Ok(Vec::new()),
        toml::Value::Array(values) => {
            let mut words = Vec::new();
            for value in values {
                words.extend([name_word(), text(value)?.into()]);
            }
            Ok(words)
        }
        value => Ok(vec![name_word(), text(value)?.into()]),
    }
}
