//! `sluice demo`: the main job with nothing else installed.

use super::{EXIT_GATE, Failure, inputs, print, runtime, say};
use crate::demo::client::{self, Prompt};
use crate::demo::home::{self, Home, Settings};
use crate::demo::result::{CertificateResult, DemoResult, Versions};
use crate::demo::source::{self, Source, hash};
use crate::demo::table;
use crate::demo::tally::{self, Run};
use crate::sims::Sims;
use crate::watch::Signals;
use anyhow::anyhow;
use sluice_gateway::Running;
use sluice_lab::corpus::Row;
use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;

/// Route a set of requests through a gateway with simulated pools, and show what it saved at which quality.
///
/// Half of the graded prompts train and calibrate the router; the others are sent once each through the gateway's own
/// gRPC port. Afterwards it serves on loopback with any key, until Ctrl-C.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  sluice demo --once\n  sluice demo --data graded.jsonl.gz --prices prices.toml --reference gpt-4"
)]
pub(crate) struct Args {
    /// Graded outcomes to replay instead of the project's own simulated set; several files may be given.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    data: Vec<PathBuf>,
    /// Prices of the experts in the data; default: `prices.toml` beside the data or one folder up.
    #[arg(long, value_name = "FILE", requires = "data")]
    prices: Option<PathBuf>,
    /// The expert that quality is measured against; default: the one with the highest mean score.
    #[arg(long, value_name = "EXPERT")]
    reference: Option<String>,
    /// How many prompts to send, at most.
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// Quality promised, as a share of the reference's.
    #[arg(long, value_name = "Q", default_value_t = 0.95, value_parser = inputs::promise)]
    floor: f64,
    /// What the split, the training and the requests' seeds are drawn from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// End after the table instead of serving.
    #[arg(long)]
    once: bool,
    /// Data port; 0 takes any free one. Default 8080, or the next free one.
    #[arg(long, value_name = "P")]
    port: Option<u16>,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    runtime()?.block_on(demo(args))
}

async fn demo(args: &Args) -> Result<ExitCode, Failure> {
    let (mut sims, home) = (Sims::default(), Home::open()?);
    let source = match args.data.as_slice() {
        [] => source::own(),
        files => source::from_files(files, &inputs::prices(args.prices.as_deref(), files)?)?,
    };
    let (train, send) = split(&source, args);
    let reference = reference(&source, args)?;
    teach(&home, &train, args.seed)?;
    // Not sooner: until here there is nothing to drain, and a signal ends the work by itself.
    let mut signals = Signals::new()?;
    let running = start(&home, &source, &mut sims, &reference, args).await?;
    let result = tokio::select! {
        result = send_all(&running, &home, &source, &send, reference, args) => result?,
        () = signals.end() => {
            say("draining: running requests finish; a second signal ends at once");
            signals.end_at_once_on_second();
            running.drain().await?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    if args.json {
        print(&serde_json::to_string(&result)?)?;
    } else {
        print(&table::lines(&result).join("\n"))?;
    }
    if !args.once {
        serve_on(&running, &mut signals).await;
        signals.end_at_once_on_second();
    }
    running.drain().await?;
    Ok(match (result.errors, result.floor_held) {
        (0, true) => ExitCode::SUCCESS,
        (0, false) => ExitCode::from(EXIT_GATE),
        _ => ExitCode::from(super::EXIT_FAILED),
    })
}

/// Half of the rows by hash of prompt and seed; of the others as many as are to be sent, in the order of their hash.
fn split<'a>(source: &'a Source, args: &Args) -> (Vec<&'a Row>, Vec<&'a Row>) {
    let key = |row: &&Row| hash(&[row.prompt.as_bytes(), &args.seed.to_le_bytes()]);
    let (train, mut send): (Vec<&Row>, Vec<&Row>) = source.rows.iter().partition(|row| key(row) % 2 == 0);
    send.sort_by_cached_key(key);
    send.truncate(usize::try_from(args.requests).unwrap_or(usize::MAX));
    (train, send)
}

fn reference(source: &Source, args: &Args) -> Result<String, Failure> {
    let names: Vec<&str> = source.experts.iter().map(|member| member.name.as_str()).collect();
    match &args.reference {
        Some(name) if names.contains(&name.as_str()) => Ok(name.clone()),
        Some(name) => {
            Err(Failure::input(anyhow!("no expert is named {name:?}; there are {}", names.join(", "))))
        }
        None => source.best().map(str::to_owned),
    }
}

/// Trains the router and writes it.
fn teach(home: &Home, train: &[&Row], seed: u64) -> Result<(), Failure> {
    say(&format!("training the router on {} graded prompts", train.len()));
    let rows: Vec<Row> = train.iter().map(|&row| row.clone()).collect();
    let (params, _) = sluice_lab::train(&rows, &[], seed, &mut |_| {}).map_err(Failure::input)?;
    home.write_model(&params.to_bytes())
}

async fn start(
    home: &Home,
    source: &Source,
    sims: &mut Sims,
    reference: &str,
    args: &Args,
) -> Result<Running, Failure> {
    let rows = home.rows(source)?;
    let data = free_port(args.port, args.once, 8080)?;
    let admin = free_port(args.port.filter(|&port| port == 0), args.once, 9090)?;
    let settings = Settings {
        listen: data.local_addr()?,
        admin: admin.local_addr()?,
        rows: &rows,
        reference,
        floor: args.floor,
        time_scale: TIME_SCALE,
    };
    home.write_config(&home::config_text(&source.experts, &settings))?;
    let mut config = super::serve::read(&home.config())?;
    sims.prepare(&mut config).await?;
    // Held until now, so that no simulated engine and no other demo takes them meanwhile.
    drop((data, admin));
    let running = sluice_gateway::start_on_cores(config).await?;
    for promise in running.promises() {
        say(&promise);
    }
    Ok(running)
}

async fn send_all(
    running: &Running,
    home: &Home,
    source: &Source,
    send: &[&Row],
    reference: String,
    args: &Args,
) -> Result<DemoResult, Failure> {
    let prompt = |row: &&Row| Prompt {
        text: row.prompt.clone(),
        seed: hash(&[row.id.as_bytes(), &args.seed.to_le_bytes()]),
    };
    say(&format!("sending {} prompts through grpc://{}", send.len(), running.data()));
    let shows = std::io::stderr().is_terminal();
    let progress = |done: usize| {
        if shows && (done.is_multiple_of(100) || done == send.len()) {
            super::progress(done, send.len());
        }
    };
    let replies = client::send_all(running.data(), send.iter().map(prompt).collect(), progress).await?;
    if let Some(error) = replies.iter().find_map(|reply| reply.as_ref().err()) {
        say(&format!("a prompt failed: {error}"));
    }
    running.flush().await?;
    let (model, config) = running.versions();
    let run = Run {
        reference,
        floor: args.floor,
        seed: args.seed,
        time_scale: TIME_SCALE,
        simulated: source.simulated,
        certificate: running.certificate("auto").map(|certificate| CertificateResult {
            method: certificate.method,
            rows: u64::from(certificate.rows),
            confidence: certificate.confidence,
            lambda: certificate.lambda,
        }),
        versions: Versions { model, config },
    };
    let result = tally::tally(send, &replies, &source.experts, run);
    if let Some(reply) = replies.iter().rev().flatten().next() {
        let config = home.config();
        say(&format!(
            "look at one decision:  sluice explain --config {} --receipt {}",
            config.display(),
            reply.decision_id
        ));
        say(&format!(
            "add up the money:      sluice report --ledger sqlite:{} --by expert",
            home.journal().display()
        ));
    }
    Ok(result)
}

/// Serves until a signal ends it.
async fn serve_on(running: &Running, signals: &mut Signals) {
    let data = running.data();
    say(&format!(
        "\nserving gRPC and OpenAI-compatible HTTP on {data}, metrics on {}; any key will do; Ctrl-C ends it\n",
        running.admin()
    ));
    say(&format!(
        "  curl -s http://{data}/v1/chat/completions -H 'content-type: application/json' \\\n    -d '{{\"model\":\"auto\",\"messages\":[{{\"role\":\"user\",\"content\":\"Where is my parcel?\"}}]}}'\n"
    ));
    signals.end().await;
}

/// Holds the asked port, any free one for 0 or a run that ends, else the next free one from `default` on.
fn free_port(asked: Option<u16>, once: bool, default: u16) -> Result<TcpListener, Failure> {
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    match asked {
        Some(port) => {
            bind(port).map_err(|error| Failure::input(anyhow!("port {port} can't be listened on: {error}")))
        }
        None if once => Ok(bind(0)?),
        None => {
            let found = (default..default.saturating_add(100)).find_map(|port| bind(port).ok());
            found.ok_or_else(|| anyhow!("no port from {default} on is free").into())
        }
    }
}

/// How many times faster than the wall clock the simulated pools run.
const TIME_SCALE: f64 = 50.0;
