//! What `sluice load` can be told.

use super::measures::Measures;
use std::path::PathBuf;

/// The options of a load test.
#[derive(clap::Args, Clone)]
pub(crate) struct Options {
    /// What to test: grpc://HOST:PORT (a gateway) or http://HOST:PORT[/v1] (any OpenAI endpoint); grpcs, https for TLS
    #[arg(long, value_name = "URL", default_value = "", hide_default_value = true)]
    pub(crate) target: String,
    /// One JSON object on stdout instead of the table
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) arrivals: Arrivals,
    #[command(flatten)]
    pub(crate) prompts: Prompts,
    #[command(flatten)]
    pub(crate) sending: Sending,
    #[command(flatten)]
    pub(crate) measures: Measures,
    /// Everything random comes from here: the same seed sends the same requests at the same times
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// End the run when for S seconds nothing came but failures to connect
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    pub(crate) give_up_after: f64,
}

/// When to send.
#[derive(clap::Args, Clone)]
#[command(next_help_heading = "Arrivals")]
pub(crate) struct Arrivals {
    /// Requests per second, at random moments (Poisson); with --trace, its mean rate; with --turns, sessions per second
    #[arg(long, value_name = "R")]
    pub(crate) rate: Option<f64>,
    /// Equal gaps instead of random ones
    #[arg(long)]
    pub(crate) constant: bool,
    /// Bursts: gaps with this coefficient of variation (1 is Poisson, real traffic has 2 to 5)
    #[arg(long, value_name = "CV")]
    pub(crate) burst: Option<f64>,
    /// Replay a trace: CSV arrival_s,input_tokens,output_tokens and optionally session
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// The trace's time runs X times as fast
    #[arg(long, value_name = "X")]
    pub(crate) speed: Option<f64>,
    /// The rate goes from FROM to TO over the run
    #[arg(long, value_name = "FROM:TO", value_parser = parse_ramp)]
    pub(crate) ramp: Option<(f64, f64)>,
    /// One rate after the other, each for an equal part of the run
    #[arg(long, value_name = "R1,R2,...", value_delimiter = ',')]
    pub(crate) steps: Vec<f64>,
    /// A closed loop: C users, each of whom waits for the answer before the next request
    #[arg(long, value_name = "C")]
    pub(crate) concurrency: Option<usize>,
    /// Seconds that a user thinks after an answer (with --concurrency or --turns)
    #[arg(long, value_name = "S", default_value_t = 0.0)]
    pub(crate) think: f64,
    /// Conversations of N requests: each follows the answer of the one before and carries it with it
    #[arg(long, value_name = "N")]
    pub(crate) turns: Option<usize>,
    /// Send for S seconds
    #[arg(long, value_name = "S")]
    pub(crate) duration: Option<f64>,
    /// Send N requests; with --turns, as many more as the last conversations need to end
    #[arg(long, value_name = "N")]
    pub(crate) requests: Option<u64>,
    /// N tenants of equal share, or NAME=SHARE,...; sent as x-sluice-tags: tenant=NAME
    #[arg(long, value_name = "N|NAME=SHARE,...", default_value = "", hide_default_value = true)]
    pub(crate) tenants: String,
    /// Cancel this share of the requests, each at a random moment
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) cancel: f64,
    /// Those moments are within S seconds after sending
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    pub(crate) cancel_within: f64,
}

/// What to send.
#[derive(clap::Args, Clone)]
#[command(next_help_heading = "Prompts")]
pub(crate) struct Prompts {
    /// Prompts from graded outcomes (quality is then measured too) or from lines of {"prompt"|"messages","max_tokens"}
    #[arg(long, value_name = "FILE")]
    pub(crate) prompts: Option<PathBuf>,
    /// The expert whose known scores are the reference of graded prompts; the best by mean score unless given
    #[arg(long, value_name = "EXPERT")]
    pub(crate) reference: Option<String>,
    /// Made-up prompts of N tokens, each different
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) input_tokens: u32,
    /// Most tokens of an answer to a made-up prompt
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(crate) output_tokens: u32,
    /// Lengths of made-up prompts and answers differ: log-normal around those numbers, with this deviation
    #[arg(long, value_name = "S", default_value_t = 0.0)]
    pub(crate) length_spread: f64,
    /// Most tokens of an answer to a prompt from a file that has no limit of its own
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<u32>,
}

/// How to send.
#[derive(clap::Args, Clone)]
#[command(next_help_heading = "Sending")]
pub(crate) struct Sending {
    /// The model or route to ask for
    #[arg(long, value_name = "NAME", default_value = "auto")]
    pub(crate) model: String,
    /// Whole answers instead of streams
    #[arg(long)]
    pub(crate) unary: bool,
    /// Connections: gRPC shares N among all requests; HTTP/1.1 opens N at most and waits beyond
    #[arg(long, value_name = "N")]
    pub(crate) connections: Option<usize>,
    /// The environment variable that holds the API key
    #[arg(long, value_name = "VAR")]
    pub(crate) key_env: Option<String>,
    /// A header of every request; may be given again
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) header: Vec<String>,
    /// Further fields of every request, for instance {"ignore_eos":true}
    #[arg(long, value_name = "JSON")]
    pub(crate) extra: Option<String>,
    /// Seconds that an answer may take
    #[arg(long, value_name = "S", default_value_t = 300.0)]
    pub(crate) timeout: f64,
    /// Most requests under way; what is due beyond them waits, and the wait counts as latency
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub(crate) max_open: usize,
}

fn parse_ramp(text: &str) -> Result<(f64, f64), String> {
    let parse = || {
        let (from, to) = text.split_once(':')?;
        Some((from.trim().parse().ok()?, to.trim().parse().ok()?))
    };
    parse().ok_or_else(|| "write two rates, for instance 10:100".to_owned())
}
