//! `sluice sim fit`: a profile fitted to a real engine, and how well it fits.

use crate::cmd::{Failure, outputs, print, runtime, say};
use anyhow::anyhow;
use sluice_load::fit::{Engine, FitError, Options, Reach, fit};
use sluice_load::target::{Address, Dialect, Manner, connect};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Fits a profile to a running engine: small load tests, least squares, and a check of the result at three loads
#[derive(clap::Args)]
#[command(after_help = "Example:\n  sluice sim fit --target http://127.0.0.1:8000/v1 --model m \\\n    \
    --extra '{\"ignore_eos\":true}' --out mine.toml\n  sluice sim --profile mine.toml\n\n\
    Nothing else should use the engine meanwhile. Every answer streams, and must be as long as asked for: with engines \
    that know it, --extra '{\"ignore_eos\":true}' sees to that.")]
pub(super) struct Args {
    /// The engine: http://HOST:PORT[/v1]
    #[arg(long, value_name = "URL")]
    target: String,
    /// The model to ask for
    #[arg(long, value_name = "NAME")]
    model: String,
    /// The environment variable that holds the API key
    #[arg(long, value_name = "VAR")]
    key_env: Option<String>,
    /// Further fields of every request, for instance {"ignore_eos":true}
    #[arg(long, value_name = "JSON")]
    extra: Option<String>,
    /// Where the profile is written; it is printed in any case
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Everything random comes from here, the prompts too; the time unless given, since an engine's prefix cache answers
    /// for prompts that it has seen in an earlier fit
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// One JSON object on stdout instead of text
    #[arg(long)]
    json: bool,
    /// The longest prompt that is tried, at four characters a token; also tried: a half, a quarter, an eighth
    #[arg(long, value_name = "N", default_value_t = 512)]
    input_tokens: u32,
    /// The longest answer; half as long ones are in the check
    #[arg(long, value_name = "N", default_value_t = 64)]
    output_tokens: u32,
    /// The most requests at once that are tried: 1, 2, 4 and so on until some have to wait
    #[arg(long, value_name = "N", default_value_t = 32)]
    most_users: usize,
    /// How often each probe is made; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    repeats: usize,
    /// Runs of each load of the check; the median counts
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// Requests of each run
    #[arg(long, value_name = "N", default_value_t = 60)]
    requests: usize,
    /// Sequences that the engine runs at once; as seen unless given
    #[arg(long, value_name = "N")]
    max_seqs: Option<usize>,
    /// Tokens of context that fit in its memory; can't be seen from outside, and never limits unless given
    #[arg(long, value_name = "N")]
    kv_tokens: Option<u64>,
    /// Tokens that one step takes on at most
    #[arg(long, value_name = "N", default_value_t = 2_048)]
    batch_tokens: u32,
    /// Seconds that an answer may take
    #[arg(long, value_name = "S", default_value_t = 300)]
    timeout: u64,
}

pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    args.check()?;
    let (address, manner) = (args.address()?, args.manner()?);
    args.out.as_deref().map_or(Ok(()), outputs::claim)?;
    let report = runtime()?.block_on(async {
        let target = connect(&address, manner).map_err(Failure::input)?;
        let engine = Engine { target, timeout: Duration::from_secs(args.timeout) };
        fit(&engine, &args.options(), &mut |what| say(what)).await.map_err(told)
    })?;
    if let Some(out) = &args.out {
        outputs::write(out, report.toml.as_bytes())?;
    }
    print(&if args.json { report.json().to_string() } else { report.text() })?;
    Ok(ExitCode::SUCCESS)
}

/// An engine that fails is no mistake of the caller; one that can't be fitted to as asked is.
fn told(error: FitError) -> Failure {
    match error {
        FitError::Gone(_) | FitError::Failed(_) => anyhow!(error).into(),
        _ => Failure::input(error),
    }
}

impl Args {
    fn check(&self) -> Result<(), Failure> {
        let counts = [
            ("--input-tokens", u64::from(self.input_tokens)),
            ("--output-tokens", u64::from(self.output_tokens)),
            ("--most-users", self.most_users as u64),
            ("--repeats", self.repeats as u64),
            ("--runs", self.runs as u64),
            ("--requests", self.requests as u64),
            ("--timeout", self.timeout),
        ];
        match counts.iter().find(|(_, count)| *count == 0) {
            Some((name, _)) => Err(Failure::input(anyhow!("{name} 0: give at least 1"))),
            None => Ok(()),
        }
    }

    fn address(&self) -> Result<Address, Failure> {
        let address = Address::parse(&self.target).map_err(Failure::input)?;
        match address.dialect {
            Dialect::OpenAi => Ok(address),
            Dialect::Grpc => Err(Failure::input(anyhow!(
                "--target {:?}: a gateway's pools are many engines; give one engine's http://HOST:PORT[/v1]",
                self.target
            ))),
        }
    }

    fn manner(&self) -> Result<Manner, Failure> {
        let key = self.key_env.as_ref().map(|name| {
            let unset = || Failure::input(anyhow!("--key-env {name}: that variable is not set; export it"));
            std::env::var(name).map_err(|_| unset())
        });
        let extra = self.extra.as_deref().map(serde_json::from_str).transpose();
        let extra =
            extra.map_err(|error| Failure::input(anyhow!("--extra: {error}; write a JSON object")))?;
        Ok(Manner {
            model: self.model.clone(),
            key: key.transpose()?,
            extra: extra.unwrap_or_default(),
            ..Manner::default()
        })
    }

    fn options(&self) -> Options {
        let most = self.max_seqs.map_or(self.most_users, |seqs| seqs.min(self.most_users));
        Options {
            reach: Reach {
                input: self.input_tokens,
                output: self.output_tokens,
                users: most,
                repeats: self.repeats,
                seed: self.seed.unwrap_or_else(seconds),
            },
            max_seqs: self.max_seqs,
            kv_tokens: self.kv_tokens,
            batch_tokens: self.batch_tokens,
            runs: self.runs,
            requests: self.requests,
            about: format!("{} at {}", self.model, self.target),
            source: format!("sluice sim fit against {} on {}", self.target, today()),
        }
    }
}

/// The date in UTC as `2026-11-25`.
fn today() -> String {
    date(seconds() / 86_400)
}

/// Seconds since 1970-01-01 UTC.
fn seconds() -> u64 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}

/// A day since 1970-01-01 as a date. Source: Howard Hinnant, chrono-compatible low-level date algorithms, `civil_from_days`.
fn date(days: u64) -> String {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, want) in
            [(0, "1970-01-01"), (11_016, "2000-02-29"), (20_781, "2026-11-24"), (20_782, "2026-11-25")]
        {
            assert_eq!(date(days), want);
        }
    }
}
