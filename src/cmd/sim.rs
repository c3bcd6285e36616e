//! `sluice sim`: one simulated GPU worker on a socket.

mod fit;

use crate::cmd::{Failure, print, runtime, say};
use crate::sims;
use anyhow::{Context as _, anyhow};
use sluice_sim::{Profile, SimConfig, start};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How long answers under way may take after a signal.
const DRAIN: Duration = Duration::from_secs(10);

/// Runs a simulated GPU worker: continuous batching in virtual time, behind the OpenAI and native protocols
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:\n  sluice sim --listen 127.0.0.1:8001 --profile 8b-l4 --time-scale 10\n  \
    curl 127.0.0.1:8001/v1/chat/completions -d '{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}'\n  \
    sluice sim fit --target http://127.0.0.1:8000/v1 --model m --out mine.toml")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// Where to listen; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A profile's name, or the path of a file that holds one
    #[arg(long, value_name = "NAME|FILE", required = true, long_help = profiles())]
    profile: Option<String>,
    /// Virtual seconds per second
    #[arg(long, value_name = "S", default_value_t = 1.0, allow_negative_numbers = true, value_parser = parse_scale)]
    time_scale: f64,
    /// The model's name in /v1/models and metrics; the profile's unless given
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Tokens that its prefix cache keeps; what the profile says unless given, and that is none in the built-in ones
    #[arg(long, value_name = "N")]
    prefix_cache_tokens: Option<u64>,
}

/// What else can be done.
#[derive(clap::Subcommand)]
enum What {
    Fit(fit::Args),
}

pub(crate) fn run(args: Args) -> Result<ExitCode, Failure> {
    if let Some(What::Fit(args)) = &args.what {
        return fit::run(args);
    }
    let name = args.profile.as_deref().ok_or_else(|| Failure::input(anyhow!("--profile is missing")))?;
    let mut profile = sims::profile(name)?;
    if let Some(tokens) = args.prefix_cache_tokens {
        profile.capacity.prefix_tokens = tokens;
    }
    runtime()?.block_on(serve(args, profile))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(args: Args, profile: Profile) -> Result<(), Failure> {
    // Before the ready line, so that whoever has read it can already stop us.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut config =
        SimConfig { listen: args.listen, time_scale: args.time_scale, ..SimConfig::new(profile) };
    if let Some(model) = args.model {
        config.model = model;
    }
    let (name, about, basis) =
        (config.profile.name.clone(), config.profile.about.clone(), config.profile.basis.clone());
    let started = start(config).await.with_context(|| format!("can't listen on {}", args.listen));
    let worker = started.map_err(Failure::input)?;
    print(&format!(
        "sluice sim ready addr={} profile={name} time_scale={} simulated",
        worker.addr, args.time_scale
    ))?;
    say(&format!(
        "simulated: {about} ({basis} figures), {} x real time; the answers are filler",
        args.time_scale
    ));
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tokio::select! {
        () = worker.shutdown() => {}
        () = tokio::time::sleep(DRAIN) => say("answers under way were cut off"),
        _ = terminate.recv() => say("answers under way were cut off"),
        _ = interrupt.recv() => say("answers under way were cut off"),
    }
    Ok(())
}

fn parse_scale(text: &str) -> Result<f64, String> {
    let scale: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if scale.is_finite() && scale > 0.0 { Ok(scale) } else { Err("must be above 0".to_owned()) }
}

fn profiles() -> String {
    let rows = Profile::names().into_iter().filter_map(Profile::named);
    let rows: Vec<String> =
        rows.map(|row| format!("  {:11} {} ({})", row.name, row.about, row.basis)).collect();
    format!("A profile's name, or the path of a file that holds one:\n{}", rows.join("\n"))
}
