//! One try, up to its first event: a place in the pool's line, then a call of its engine.

use crate::app::App;
use crate::batch::{self, Tools};
use crate::error::Fault;
use crate::lane::{Entered, Lane, Slot};
use crate::lease::{Lease, OpenAttempt, Place};
use crate::meter;
use crate::observe::{self, Event, Span, Traced as _};
use crate::request::Request;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use sluice_experts::{Call, ErrorKind, Event as EngineEvent, Events, ExpertError};
use sluice_router::{Entrant, Step, Tick, Try, Work};
use std::sync::Arc;
use std::time::Duration;

/// An answer whose first event has come.
pub(crate) struct Begun {
    pub(crate) first: EngineEvent,
    pub(crate) rest: Events,
}

/// What comes of a try that was sent, with its number. Dropping it cancels the engine's work.
pub(crate) type Opening = BoxFuture<'static, (u8, Result<Begun, ExpertError>)>;

/// Waits in the line of the try's pool. Returns the place on a replica and how long that took.
///
/// # Errors
/// The line is full, or no replica takes work.
pub(crate) async fn join(app: &App, made: &Try, lease: &Lease) -> Result<(Slot, f64), Fault> {
    let lane = lane(lease, made.step);
    let came = app.clock.now();
    let slot = match lane.enter(entrant(lease, made), came)? {
        Entered::Granted(slot) => slot,
        Entered::Waiting(place) => {
            meter::tell_pool(app, lane);
            place.turn().within(&Span::join(&lane.config.name)).await?
        }
    };
    Ok((slot, app.clock.now().since_ms(came)))
}

/// A place for the try that is free right now, else nothing.
pub(crate) fn join_at_once(app: &App, made: &Try, lease: &Lease) -> Option<Slot> {
    lane(lease, made.step).enter_at_once(&entrant(lease, made), app.clock.now())
}

/// Sends the request to the replica where it has its place, as the try with this number.
pub(crate) fn send(app: &App, step: Step, n: u8, place: Place, lease: &mut Lease) -> Opening {
    let lane = lane(lease, step).clone();
    app.observe.emit(Event::Joined { pool: &lane.config.name, wait_ms: place.wait_ms });
    meter::tell_pool(app, &lane);
    let now = app.clock.now();
    let span = call_span(&lane, lease, step, n, &place.slot);
    let calling = calling(app, &place.slot, step, lease, now);
    let whole = asks_whole(&lane, &lease.request);
    let occupied = app.gpus.begin(&lane.config.name, &lease.price(step), now);
    lease.open(OpenAttempt::new(n, step, place, occupied, span.clone(), now, whole));
    Box::pin(async move { (n, begun(calling).await) }.within(&span))
}

/// The call of its engine, or of the batcher before that.
fn calling(
    app: &App,
    slot: &Slot,
    step: Step,
    lease: &Lease,
    now: Tick,
) -> BoxFuture<'static, Result<Events, ExpertError>> {
    let call = Call {
        whole: asks_whole(lane(lease, step), &lease.request).then(|| longest(lease, step)),
        ..engine_call(&lease.request, step, now)
    };
    let Some(batches) = slot.batches() else { return slot.engine().generate(call) };
    let chosen = lease.decided();
    let priority = lease.request.asker(chosen.prefix.clone()).priority;
    let item = batch::item(&call, chosen.needs.prompt_tokens, priority, now);
    batches.generate(Tools::of(app), item, call)
}

/// The answer from its first event on.
async fn begun(calling: BoxFuture<'static, Result<Events, ExpertError>>) -> Result<Begun, ExpertError> {
    let mut rest = calling.await?;
    let first = rest.next().await.unwrap_or_else(|| Err(unfinished()))?;
    Ok(Begun { first, rest })
}

/// An answer that just stops.
pub(crate) fn unfinished() -> ExpertError {
    ExpertError::new(ErrorKind::Truncated, "the engine's answer ended without saying that it is complete")
}

fn lane(lease: &Lease, step: Step) -> &Arc<Lane> {
    &lease.decided().live.lanes[step.pool]
}

/// Whether the engine is asked for the answer in one piece.
pub(crate) fn asks_whole(lane: &Lane, request: &Request) -> bool {
    lane.config.asks_whole && !request.streams
}

/// How long the tokens of an answer in one piece may take, all that it may have: an engine that is silent for longer is
/// stuck, whatever it says to probes.
fn longest(lease: &Lease, step: Step) -> Duration {
    let quotes = &lease.decided().decision().quotes;
    let quote = quotes.iter().find(|quote| quote.expert == step.expert && quote.pool == Some(step.pool));
    let tpot_ms = quote.map_or(0.0, |quote| quote.tpot_ms).max(LEAST_TPOT_MS);
    Duration::from_secs_f64(SLOWER * tpot_ms * f64::from(step.max_output_tokens) / 1e3)
}

/// The request as its pool's line sees it.
fn entrant(lease: &Lease, made: &Try) -> Entrant {
    let chosen = lease.decided();
    let quote = chosen.decision().quotes.iter().find(|quote| quote.expert == made.step.expert);
    Entrant {
        seed: chosen.decision().seed,
        replica: quote.filter(|quote| quote.pool == Some(made.step.pool)).and_then(|quote| quote.replica),
        tried: made.tried.clone(),
        bytes: u64::from(chosen.needs.prompt_bytes),
        work: Work {
            prompt_tokens: chosen.needs.prompt_tokens,
            output_tokens: quote.map_or(0.0, |quote| quote.output_tokens),
            whole: asks_whole(lane(lease, made.step), &lease.request),
        },
        ..lease.request.asker(chosen.prefix.clone())
    }
}

fn call_span(lane: &Lane, lease: &Lease, step: Step, n: u8, slot: &Slot) -> Span {
    Span::call(observe::Call {
        expert: lease.decided().expert_name(step.expert),
        pool: &lane.config.name,
        replica: slot.address(),
        provider: if lane.config.protocol == "native" { "sluice" } else { &lane.config.protocol },
        max_tokens: step.max_output_tokens,
        attempt: n,
    })
}

/// The request as an engine gets it.
fn engine_call(request: &Request, step: Step, now: Tick) -> Call {
    let left_us = request.deadline.map(|deadline| deadline.since_us(now).saturating_sub(OVERHEAD_US));
    Call {
        request_id: request.label.clone(),
        body: request.body.clone(),
        messages_json: request.messages_json.clone(),
        max_tokens: step.max_output_tokens,
        time_left: left_us.map(Duration::from_micros),
        whole: None,
    }
}

/// An engine may be so much slower than foreseen, and is not foreseen to be faster than this for each token.
const SLOWER: f64 = 3.0;
const LEAST_TPOT_MS: f64 = 10.0;
/// What is kept back of a deadline for our own work after the engine's.
const OVERHEAD_US: u64 = 5_000;
