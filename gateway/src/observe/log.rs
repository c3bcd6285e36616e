//! Events as log lines: what was decided, what it came to, and whose fault it was.

use super::event::{AttemptEnd, Event};
use crate::error::Blame;
use tracing::{debug, error, info, trace, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Sends log lines to stderr, as text or as one JSON object a line, times in RFC 3339 UTC. Once for a process.
///
/// `filter` is what `RUST_LOG` may hold, for instance `info` or `warn,sluice_gateway=debug`.
///
/// # Errors
/// A filter that can't be read, or logging that was set up before.
pub fn init_logging(json: bool, filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("log filter {filter:?}: {error}"))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if json {
        // Spans go to traces; a line stands by itself.
        let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
        lines.finish().try_init()
    } else {
        lines.with_ansi(false).finish().try_init()
    };
    started.map_err(|error| format!("logging: {error}"))
}

/// Writes the event's line. Requests that went well are `info`, single tries `debug`, single joins `trace`.
pub(super) fn write(event: &Event<'_>) {
    match *event {
        Event::Configured { config, is_reload, routes } => {
            info!(config, is_reload, "configuration in effect");
            routes.iter().for_each(|route| info!("{route}"));
        }
        Event::Promised { route, ratio } => debug!(route, ratio, "promise"),
        Event::ReloadRefused { why } => error!(why, "new configuration refused, the old one stays"),
        Event::Ready { data, admin } => info!(data, admin, "ready"),
        Event::Draining { in_flight } => info!(in_flight, "draining, no new requests"),
        Event::Decided { request, route, expert, decision, classify_us, decide_us } => debug!(
            request,
            route,
            expert,
            chosen_by = ?decision.chosen_by,
            propensity = decision.propensity,
            classify_us,
            decide_us,
            "decided"
        ),
        Event::Joined { pool, wait_ms } => trace!(pool, wait_ms, "slot taken"),
        Event::Pool { pool, queued, in_flight, up, ejected } => {
            trace!(pool, queued, in_flight, up, ejected, "pool");
        }
        Event::FirstToken { expert, ttft_ms } => trace!(expert, ttft_ms, "first token"),
        Event::Attempt { .. } => attempt(event),
        Event::Replica { pool, replica, is_up: true } => info!(pool, replica, "replica takes work again"),
        Event::Replica { pool, replica, is_up: false } => warn!(pool, replica, "replica ejected"),
        Event::Settled { .. } => settled(event),
        Event::Journal { trouble: Some(trouble), lag_s } => {
            error!(trouble, lag_s, "journal can't be written")
        }
        Event::Journal { trouble: None, lag_s } => debug!(lag_s, "journal works"),
        Event::Panicked { task } => error!(task, "panicked; the request that it was for failed"),
    }
}

fn attempt(event: &Event<'_>) {
    let Event::Attempt { request, expert, pool, replica, end, detail, tpot_ms } = *event else { return };
    let ended = end.name();
    match end {
        AttemptEnd::Done | AttemptEnd::Cut => {
            debug!(request, expert, pool, replica, end = ended, detail, tpot_ms, "try ended");
        }
        AttemptEnd::Refused | AttemptEnd::Broken => {
            warn!(request, expert, pool, replica, end = ended, detail, "try failed");
        }
    }
}

/// The line that every request has at its end.
fn settled(event: &Event<'_>) {
    let Event::Settled {
        request,
        route,
        tenant,
        expert,
        fault,
        detail,
        http_status: status,
        tokens,
        cost,
        baseline,
        total_ms,
        overhead_ms,
    } = *event
    else {
        return;
    };
    /// One line whatever its level: the level is part of a call site, so it can't be a value.
    macro_rules! at_end {
        ($level:ident, $($extra:tt)*) => {
            $level!(
                request, route, tenant, expert, status,
                prompt_tokens = tokens.prompt, cached_tokens = tokens.cached, output_tokens = tokens.output,
                cost_nanousd = cost.0, baseline_nanousd = baseline.0, total_ms, overhead_ms, $($extra)*
            )
        };
    }
    let Some(code) = fault else { return at_end!(info, "answered") };
    let (fault, blame) = (code.name(), code.blame().name());
    match code.blame() {
        Blame::Gateway => at_end!(error, fault, blame, detail, "failed"),
        Blame::Expert | Blame::Operator => at_end!(warn, fault, blame, detail, "failed"),
        Blame::Caller | Blame::Nobody => at_end!(info, fault, blame, detail, "not answered"),
    }
}
