//! An answer that has begun, handed on as it comes, to its end.

use crate::app::App;
use crate::attempt::{Begun, unfinished};
use crate::delivery::Delivery;
use crate::error::{Fault, FaultCode};
use crate::lane::retry_ms;
use crate::lease::{Ending, Lease, OpenAttempt};
use crate::meter;
use crate::observe::{Event, Traced as _};
use crate::request::{ClientLeft, OutEvent, Outlet};
use futures::StreamExt as _;
use futures::stream::{iter, once};
use sluice_experts::{ErrorKind, Event as EngineEvent, ExpertError, Finish};
use sluice_proto::v1;
use sluice_router::Change;

/// Hands the answer of the try with this number on: event by event to a client that reads a stream, where the engine is
/// read no faster than the client reads; else when it is complete.
///
/// # Errors
/// The engine failed, or the client left.
///
/// # Cancel safety
/// Dropping the future cancels the engine's work; the lease knows what was used until then.
pub(crate) async fn relay(
    app: &App,
    n: u8,
    begun: Begun,
    lease: &mut Lease,
    out: &mut Outlet,
) -> Result<(), Broken> {
    let span = running(lease, n).span().clone();
    let mut delivery = Delivery::new(out, lease.request.streams);
    let relayed = hand_on(app, n, begun, lease, &mut delivery).within(&span).await;
    relayed.map_err(|stop| match stop {
        Stop::Engine(error) if delivery.is_untouched() => Broken::Unseen(error),
        Stop::Engine(error) => Broken::Told(end_failed(app, n, Ending::Failed(&error), &error, lease)),
        Stop::ClientLeft => Broken::Told(client_gone()),
    })
}

/// How an answer broke off that had begun.
pub(crate) enum Broken {
    /// The client has a part of it, and is told this; or it has left.
    Told(Fault),
    /// The engine failed, and the client has seen nothing. The try is still open.
    Unseen(ExpertError),
}

/// Why an answer is not handed on any more.
enum Stop {
    Engine(ExpertError),
    ClientLeft,
}

impl From<ClientLeft> for Stop {
    fn from(_: ClientLeft) -> Stop {
        Stop::ClientLeft
    }
}

async fn hand_on(
    app: &App,
    n: u8,
    begun: Begun,
    lease: &mut Lease,
    out: &mut Delivery<'_>,
) -> Result<(), Stop> {
    note_answering(app, n, lease);
    out.send(OutEvent::Started(Box::new(who_answers(n, lease)))).await?;
    if !out.is_untouched() {
        lease.request.forget_messages(); // nobody is asked again
    }
    let first = once(std::future::ready(Ok(begun.first)));
    let mut events = first.chain(begun.rest).chain(iter([Err(unfinished())]));
    while let Some(event) = events.next().await {
        match event.map_err(Stop::Engine)? {
            EngineEvent::Delta { text, json } => {
                let piece = if text.is_empty() { &json } else { &text };
                if running_mut(lease, n).overruns(piece) {
                    drop(events); // cancels the engine's work
                    let finished = end_overrun(app, n, lease);
                    return Ok(out.send(OutEvent::Finished(Box::new(finished))).await?);
                }
                note_relayed(app, n, lease, piece);
                out.send(OutEvent::Delta(v1::TextDelta { text, delta_json: json })).await?;
            }
            EngineEvent::Finished(finish) => {
                let finished = end_complete(app, n, finish, lease);
                return Ok(out.send(OutEvent::Finished(Box::new(finished))).await?);
            }
        }
    }
    Err(Stop::Engine(unfinished()))
}

fn running(lease: &Lease, n: u8) -> &OpenAttempt {
    lease.running(n).expect("whoever answers was opened")
}

fn running_mut(lease: &mut Lease, n: u8) -> &mut OpenAttempt {
    lease.running_mut(n).expect("whoever answers was opened")
}

fn who_answers(n: u8, lease: &Lease) -> v1::Started {
    let (chosen, open) = (lease.decided(), running(lease, n));
    let step = open.step();
    v1::Started {
        decision_id: chosen.receipt.id.clone(),
        expert: chosen.expert_name(step.expert).to_owned(),
        pool: chosen.pool_name(step.pool).to_owned(),
        route: chosen.route.name.clone(),
        floor_held: step.floor_held,
        decide_us: u32::try_from(chosen.decide_us).unwrap_or(u32::MAX),
        replica: u32::try_from(open.replica()).unwrap_or(u32::MAX),
        replayed: false,
    }
}

/// Tells of a replica that its first event after an ejection has brought back.
fn note_answering(app: &App, n: u8, lease: &Lease) {
    let (chosen, open) = (lease.decided(), running(lease, n));
    let slot = open.slot();
    if slot.on_answering(app.clock.now()) {
        let pool = chosen.pool_name(open.step().pool);
        app.observe.emit(Event::Replica { pool, replica: slot.address(), change: Change::Back });
    }
}

fn note_relayed(app: &App, n: u8, lease: &mut Lease, piece: &str) {
    let open = running_mut(lease, n);
    let expert = open.step().expert;
    if let Some(ttft_ms) = open.relayed(piece, app.clock.now()) {
        let expert = lease.decided().expert_name(expert);
        app.observe.emit(Event::FirstToken { expert, ttft_ms });
    }
}

/// Ends the try that has answered, and says what it cost.
fn end_complete(app: &App, n: u8, finish: Finish, lease: &mut Lease) -> v1::Finished {
    end_answered(app, n, Ending::Complete(&finish), lease, finish.reason.clone(), finish.simulated)
}

/// Ends the try that sent more than it was asked for: what the client has is an answer cut at its limit.
fn end_overrun(app: &App, n: u8, lease: &mut Lease) -> v1::Finished {
    end_answered(app, n, Ending::Overran, lease, "length".to_owned(), false)
}

fn end_answered(
    app: &App,
    n: u8,
    ending: Ending<'_>,
    lease: &mut Lease,
    finish_reason: String,
    simulated: bool,
) -> v1::Finished {
    let span = running(lease, n).span().clone();
    lease.close(n, ending, app.clock.now());
    meter::tell_attempt(app, lease);
    let attempt = lease.attempts.last().expect("it was just closed");
    let (tokens, estimated) = (attempt.tokens, attempt.estimated);
    span.answered(&finish_reason, tokens);
    let step = attempt.step;
    let is_cut = finish_reason == "length" && lease.decided().is_cut_by_budget(&step);
    let money = meter::money(lease);
    v1::Finished {
        finish_reason,
        usage: Some(v1::Usage {
            prompt_tokens: tokens.prompt,
            cached_tokens: tokens.cached,
            cache_write_tokens: tokens.cache_write,
            output_tokens: tokens.output,
            estimated,
        }),
        cost_nanousd: money.cost.0,
        baseline_nanousd: money.baseline.0,
        simulated,
        truncated: if is_cut { "budget".to_owned() } else { String::new() },
    }
}

/// Ends a try that has failed so. Returns what the client is told if nothing else is tried.
pub(crate) fn end_failed(
    app: &App,
    n: u8,
    ending: Ending<'_>,
    error: &ExpertError,
    lease: &mut Lease,
) -> Fault {
    let open = running(lease, n);
    let (expert, span) = (open.step().expert, open.span().clone());
    lease.close(n, ending, app.clock.now());
    meter::tell_attempt(app, lease);
    let fault = fault(lease.decided().expert_name(expert), error);
    span.failed(fault.code);
    fault
}

/// What stands in the log of a request whose client has left.
pub(crate) fn client_gone() -> Fault {
    Fault::new(FaultCode::ClientGone, "the client left before the answer was complete")
}

/// What a client is told of an engine's failure.
fn fault(expert: &str, error: &ExpertError) -> Fault {
    let detail = format!("expert {expert}: {}", error.detail);
    match error.kind {
        ErrorKind::Rejected { .. } => Fault::new(FaultCode::UpstreamRejected, detail),
        ErrorKind::ContextTooLong => Fault::new(FaultCode::ContextLengthExceeded, detail),
        ErrorKind::Busy { retry_after, .. } => {
            let ms = retry_after.map_or(1_000, |after| u32::try_from(after.as_millis()).unwrap_or(u32::MAX));
            Fault::passing(FaultCode::NoCapacity, ms, detail)
        }
        ErrorKind::FirstTokenTimeout | ErrorKind::IdleTimeout => {
            Fault::passing(FaultCode::UpstreamTimeout, 1_000, detail)
        }
        ErrorKind::Deadline => Fault::new(FaultCode::DeadlineExceeded, detail),
        ErrorKind::Late { by_ms } => {
            Fault::passing(FaultCode::DeadlineUnreachable, retry_ms(by_ms.into()), detail)
        }
        ErrorKind::Unauthorised => Fault::new(FaultCode::UpstreamError, detail),
        ErrorKind::Unreachable | ErrorKind::Failed | ErrorKind::Truncated | ErrorKind::Protocol => {
            Fault::passing(FaultCode::UpstreamError, 1_000, detail)
        }
    }
}
