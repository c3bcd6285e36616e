//! Events as log lines: what was decided, what it came to, and whose fault it was.

use super::event::{AttemptEnd, Event};
use crate::error::Blame;
use sluice_router::Change;
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
        Event::Certified { route, domain, certificate } => {
            debug!(route, domain, rows = certificate.rows, lambda = certificate.lambda, "certificate");
        }
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
        Event::Batch { pool, rows } => trace!(pool, rows, "batch sent"),
        Event::Joined { pool, wait_ms } => trace!(pool, wait_ms, "slot taken"),
        Event::Pool { pool, queued, in_flight, limit, up, resting, ejected, draining } => {
            trace!(pool, queued, in_flight, limit, up, resting, ejected, draining, "pool");
        }
        Event::FirstToken { expert, ttft_ms } => trace!(expert, ttft_ms, "first token"),
        Event::Attempt { .. } => attempt(event),
        Event::Replica { pool, replica, change: Change::Back } => {
            info!(pool, replica, "replica takes work again")
        }
        Event::Replica { pool, replica, change: Change::Ejected(why) } => {
            warn!(pool, replica, why = why.name(), "replica ejected");
        }
        Event::Discovered { pool, joined, left } => info!(pool, joined, left, "replicas discovered"),
        Event::DiscoveryFailed { pool, why } => warn!(pool, why, "discovery failed, the pool stays as it is"),
        Event::Settled { .. } => settled(event),
        Event::Journal { trouble: Some(trouble), lag_s } => {
            error!(trouble, lag_s, "journal can't be written")
        }
        Event::Journal { trouble: None, lag_s } => debug!(lag_s, "journal works"),
        Event::Admin { what, key, tenant, outcome: "refused" } => {
            warn!(what, key, tenant, outcome = "refused", "audit: keys over the admin port");
        }
        Event::Admin { what, key, tenant, outcome } => {
            info!(what, key, tenant, outcome, "audit: keys over the admin port");
        }
        Event::Keys { known, trouble: Some(trouble), is_news: true } => {
            warn!(known, trouble, "keys can't be read, the last ones hold");
        }
        Event::Keys { known, trouble: None, is_news: true } => info!(known, "keys read"),
        Event::Keys { known, trouble, is_news: false } => trace!(known, trouble, "keys"),
        Event::Budget { level, remaining, trouble: Some(trouble) } => {
            warn!(
                level,
                remaining_nanousd = remaining.0,
                trouble,
                "budget can't be asked for, its share holds"
            );
        }
        Event::Budget { level, remaining, trouble: None } => {
            trace!(level, remaining_nanousd = remaining.0, "budget");
        }
        Event::BudgetUsed { level, budget, percent } => {
            warn!(level, budget_nanousd = budget.0, percent, "budget used up to here");
        }
        Event::AlertLost { level, percent, why } => {
            warn!(level, percent, why, "the webhook could not be told of a budget");
        }
        Event::Overran { request, expert, amount } => {
            error!(request, expert, amount_nanousd = amount.0, "an engine charged beyond its cap");
        }
        Event::PoolMinute { pool, bill, charged } => {
            debug!(pool, bill_nanousd = bill.0, charged_nanousd = charged.0, "minute of own GPUs");
        }
        Event::Shipping { trouble: Some(trouble), unshipped, lag_s } => {
            warn!(
                trouble,
                unshipped, lag_s, "nothing can be shipped to the ledger; it is kept in the journal"
            )
        }
        Event::Shipping { trouble: None, unshipped, lag_s } => debug!(unshipped, lag_s, "shipping works"),
        Event::SharedStore { warning } => warn!(warning, "shared store"),
        Event::Panicked { task } => error!(task, "panicked; the request that it was for failed"),
    }
}

fn attempt(event: &Event<'_>) {
    let Event::Attempt { request, expert, pool, replica, end, detail, tpot_ms, .. } = *event else { return };
    let ended = end.name();
    match end {
        AttemptEnd::Done if !detail.is_empty() => {
            warn!(request, expert, pool, replica, end = ended, detail, "engine miscounts");
        }
        AttemptEnd::Done | AttemptEnd::Cut | AttemptEnd::HedgeLost => {
            debug!(request, expert, pool, replica, end = ended, detail, tpot_ms, "try ended");
        }
        AttemptEnd::Refused | AttemptEnd::Broken => {
            warn!(request, expert, pool, replica, end = ended, detail, "try failed");
        }
        AttemptEnd::Overran => {
            warn!(
                request,
                expert,
                pool,
                replica,
                end = ended,
                detail,
                "engine ignores the limit of its output"
            );
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FaultCode;
    use crate::observe::testing::lines_of;
    use sluice_router::{NanoUsd, Tokens};

    /// The one line of a request that ended so.
    fn line_at_end(fault: Option<FaultCode>) -> serde_json::Value {
        let event = Event::Settled {
            request: "r-1",
            route: "auto",
            tenant: "acme",
            expert: "small",
            fault,
            detail: "the engine closed the connection",
            http_status: fault.map_or(200, |_| 502),
            tokens: Tokens { prompt: 10, cached: 4, cache_write: 2, output: 20 },
            cost: NanoUsd(70),
            baseline: NanoUsd(900),
            total_ms: 80.0,
            overhead_ms: 0.3,
        };
        let lines = lines_of("info", || write(&event));
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.into_iter().next().expect("one line")
    }

    #[test]
    fn a_request_that_ended_is_one_line_with_its_exact_money() {
        let line = line_at_end(None);
        assert_eq!(line["level"], "INFO");
        let fields = &line["fields"];
        assert_eq!(fields["request"], "r-1");
        assert_eq!((&fields["cost_nanousd"], &fields["baseline_nanousd"]), (&70.into(), &900.into()));
        assert_eq!((&fields["status"], &fields["output_tokens"]), (&200.into(), &20.into()));
    }

    #[test]
    fn the_level_says_whose_fault_it_was() {
        for (code, level) in [
            (FaultCode::Internal, "ERROR"),
            (FaultCode::UpstreamError, "WARN"),
            (FaultCode::NoCapacity, "WARN"),
            (FaultCode::InvalidValue, "INFO"),
        ] {
            let line = line_at_end(Some(code));
            assert_eq!(line["level"], level, "{code}");
            assert_eq!(line["fields"]["fault"], code.name());
            assert_eq!(line["fields"]["blame"], code.blame().name());
            assert_eq!(line["fields"]["detail"], "the engine closed the connection");
        }
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_an_error() {
        let error = init_logging(true, "sluice=loud=louder").expect_err("refused");
        assert!(error.contains("log filter"), "{error}");
    }
}
