//! One try: a place in the pool's line, a call of its engine, and the answer handed on as it comes.

use crate::app::App;
use crate::error::{Fault, FaultCode};
use crate::lane::{Entered, Lane};
use crate::lease::{Ending, Lease};
use crate::meter;
use crate::observe::{self, Event, Span, Traced as _};
use crate::request::{ClientLeft, OutEvent, Outlet, Request};
use crate::serve::Failed;
use futures::StreamExt as _;
use sluice_experts::{Call, ErrorKind, Event as EngineEvent, Events, ExpertError, Finish};
use sluice_proto::v1;
use sluice_router::{Entrant, Step, Work, estimate_tokens};
use std::sync::Arc;
use std::time::Duration;

/// Tries `step` on a replica that is not in `tried`.
///
/// # Cancel safety
/// Dropping the future cancels the engine's work; the lease knows what was used until then.
pub(crate) async fn attempt(
    app: &App,
    lane: &Arc<Lane>,
    step: Step,
    tried: &[usize],
    lease: &mut Lease,
    out: &mut Outlet,
) -> Result<(), Failed> {
    join(app, lane, step, tried, lease).await?;
    let span = call_span(lane, lease);
    let end = call(app, lease, out).within(&span).await;
    match (&end, lease.attempts.last()) {
        (Err(failed), _) => span.failed(failed.fault.code),
        (Ok(reason), Some(attempt)) => span.answered(reason, attempt.tokens),
        (Ok(_), None) => {}
    }
    end.map(drop)
}

/// Waits in line, and opens a try on the replica that it gets.
async fn join(
    app: &App,
    lane: &Arc<Lane>,
    step: Step,
    tried: &[usize],
    lease: &mut Lease,
) -> Result<(), Failed> {
    let came = app.clock.now();
    let slot = match lane.enter(entrant(lease, step, tried), came).map_err(Failed::elsewhere)? {
        Entered::Granted(slot) => slot,
        Entered::Waiting(place) => {
            meter::tell_pool(app, lane);
            place.turn().within(&Span::join(&lane.config.name)).await.map_err(Failed::elsewhere)?
        }
    };
    let now = app.clock.now();
    let wait_ms = now.since_ms(came);
    lease.open(step, slot, wait_ms, now);
    app.observe.emit(Event::Joined { pool: &lane.config.name, wait_ms });
    meter::tell_pool(app, lane);
    Ok(())
}

/// The request as its pool's line sees it.
fn entrant(lease: &Lease, step: Step, tried: &[usize]) -> Entrant {
    let chosen = lease.chosen.as_ref().expect("a try follows a decision");
    let quote = chosen.decision().quotes.iter().find(|quote| quote.expert == step.expert);
    Entrant {
        seed: chosen.decision().seed,
        tried: tried.to_vec(),
        tenant: lease.request.tenant,
        weight: 1,
        priority: 0,
        deadline: Some(lease.request.ends_by()),
        bytes: u64::from(chosen.needs.prompt_bytes),
        work: Work {
            prompt_tokens: chosen.needs.prompt_tokens,
            output_tokens: quote.map_or(0.0, |quote| quote.output_tokens),
        },
        prefix: chosen.prefix.clone(),
    }
}

/// Calls the engine and hands its answer on. Returns why the answer ended.
async fn call(app: &App, lease: &mut Lease, out: &mut Outlet) -> Result<String, Failed> {
    let open = lease.open.as_ref().expect("a call follows a join");
    let calling = open.slot().engine().generate(engine_call(&lease.request, open.step(), app.clock.now()));
    let relayed = match calling.await {
        Ok(events) => relay(app, events, lease, out).await,
        Err(error) => Err(Stop::Engine(error)),
    };
    relayed.map_err(|stop| match stop {
        Stop::Engine(error) => fail(app, lease, &error),
        Stop::ClientLeft => {
            let fault = Fault::new(FaultCode::ClientGone, "the client left before the answer was complete");
            Failed { may_go_elsewhere: false, ..Failed::elsewhere(fault) }
        }
    })
}

fn call_span(lane: &Lane, lease: &Lease) -> Span {
    let (chosen, open) =
        lease.chosen.as_ref().zip(lease.open.as_ref()).expect("a call follows a decision and a join");
    Span::call(observe::Call {
        expert: chosen.expert_name(open.step().expert),
        pool: &lane.config.name,
        replica: open.slot().address(),
        provider: if lane.config.protocol == "native" { "sluice" } else { &lane.config.protocol },
        max_tokens: open.step().max_output_tokens,
        attempt: u8::try_from(lease.attempts.len()).unwrap_or(u8::MAX),
    })
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

/// Hands the answer on, event by event; returns why it ended. The engine is read no faster than the client reads.
async fn relay(app: &App, mut events: Events, lease: &mut Lease, out: &mut Outlet) -> Result<String, Stop> {
    let mut started = false;
    while let Some(event) = events.next().await {
        let event = event.map_err(Stop::Engine)?;
        if !started {
            note_answering(app, lease);
            out.send(OutEvent::Started(who_answers(lease))).await?;
            started = true;
        }
        match event {
            EngineEvent::Delta { text, json } => {
                note_delta(app, lease, &text, &json);
                out.send(OutEvent::Delta(v1::TextDelta { text, delta_json: json })).await?;
            }
            EngineEvent::Finished(finish) => {
                let finished = complete(app, lease, finish);
                let reason = finished.finish_reason.clone();
                out.send(OutEvent::Finished(finished)).await?;
                return Ok(reason);
            }
        }
    }
    let detail = "the engine's answer ended without saying that it is complete";
    Err(Stop::Engine(ExpertError::new(ErrorKind::Truncated, detail)))
}

fn who_answers(lease: &Lease) -> v1::Started {
    let chosen = lease.chosen.as_ref().expect("a call follows a decision");
    let open = lease.open.as_ref().expect("a relay follows a call");
    let step = open.step();
    v1::Started {
        decision_id: chosen.receipt.id.clone(),
        expert: chosen.expert_name(step.expert).to_owned(),
        pool: chosen.pool_name(step.pool).to_owned(),
        route: chosen.route.name.clone(),
        floor_held: step.floor_held,
        decide_us: u32::try_from(chosen.decide_us).unwrap_or(u32::MAX),
        replica: u32::try_from(open.replica()).unwrap_or(u32::MAX),
    }
}

/// Tells of a replica that its first event after an ejection has brought back.
fn note_answering(app: &App, lease: &Lease) {
    let (chosen, open) =
        lease.chosen.as_ref().zip(lease.open.as_ref()).expect("a relay follows a decision and a join");
    let slot = open.slot();
    if slot.on_answering(app.clock.now()) {
        let pool = chosen.pool_name(open.step().pool);
        app.observe.emit(Event::Replica { pool, replica: slot.address(), is_up: true });
    }
}

fn note_delta(app: &App, lease: &mut Lease, text: &str, json: &str) {
    let tokens = estimate_tokens(if text.is_empty() { json } else { text });
    let open = lease.open.as_mut().expect("a relay follows a call");
    if let Some(ttft_ms) = open.relayed(tokens, app.clock.now()) {
        let expert =
            lease.chosen.as_ref().expect("a call follows a decision").expert_name(open.step().expert);
        app.observe.emit(Event::FirstToken { expert, ttft_ms });
    }
}

/// Ends the try that has answered, and says what it cost.
fn complete(app: &App, lease: &mut Lease, finish: Finish) -> v1::Finished {
    lease.close(Ending::Complete(&finish), app.clock.now());
    meter::tell_attempt(app, lease);
    let attempt = lease.attempts.last().expect("it was just closed");
    let (tokens, estimated) = (attempt.tokens, attempt.estimated);
    let money = meter::money(lease);
    v1::Finished {
        finish_reason: finish.reason,
        usage: Some(v1::Usage {
            prompt_tokens: tokens.prompt,
            cached_tokens: tokens.cached,
            output_tokens: tokens.output,
            estimated,
        }),
        cost_nanousd: money.cost.0,
        baseline_nanousd: money.baseline.0,
        simulated: finish.simulated,
    }
}

/// Ends the try that has failed, and says what may help.
fn fail(app: &App, lease: &mut Lease, error: &ExpertError) -> Failed {
    let replica = lease.open.as_ref().map(|open| open.replica());
    lease.close(Ending::Failed(error), app.clock.now());
    meter::tell_attempt(app, lease);
    let elsewhere = error.may_succeed_elsewhere();
    let same_pool = elsewhere && !matches!(error.kind, ErrorKind::ContextTooLong | ErrorKind::Unauthorised);
    Failed {
        fault: fault(lease, error),
        may_go_elsewhere: elsewhere,
        another_replica_may_help: replica.filter(|_| same_pool),
        connection_lost: error.kind == ErrorKind::Truncated,
    }
}

/// What a client is told of an engine's failure.
fn fault(lease: &Lease, error: &ExpertError) -> Fault {
    let step = lease.attempts.last().map(|attempt| attempt.step);
    let expert =
        lease.chosen.as_ref().zip(step).map_or("?", |(chosen, step)| chosen.expert_name(step.expert));
    let detail = format!("expert {expert}: {}", error.detail);
    match error.kind {
        ErrorKind::Rejected { .. } => Fault::new(FaultCode::UpstreamRejected, detail),
        ErrorKind::ContextTooLong => Fault::new(FaultCode::ContextLengthExceeded, detail),
        ErrorKind::Busy { retry_after } => {
            let ms = retry_after.map_or(1_000, |after| u32::try_from(after.as_millis()).unwrap_or(u32::MAX));
            Fault::passing(FaultCode::NoCapacity, ms, detail)
        }
        ErrorKind::FirstTokenTimeout | ErrorKind::IdleTimeout => {
            Fault::passing(FaultCode::UpstreamTimeout, 1_000, detail)
        }
        ErrorKind::Deadline => Fault::new(FaultCode::DeadlineExceeded, detail),
        ErrorKind::Unauthorised => Fault::new(FaultCode::UpstreamError, detail),
        ErrorKind::Unreachable | ErrorKind::Failed | ErrorKind::Truncated | ErrorKind::Protocol => {
            Fault::passing(FaultCode::UpstreamError, 1_000, detail)
        }
    }
}

/// The request as an engine gets it.
fn engine_call(request: &Request, step: Step, now: sluice_router::Tick) -> Call {
    let body = &request.body;
    let left_us = request.deadline.map(|deadline| deadline.since_us(now).saturating_sub(OVERHEAD_US));
    Call {
        request_id: request.label.clone(),
        messages: body.messages.clone(),
        max_tokens: step.max_output_tokens,
        temperature: body.temperature,
        top_p: body.top_p,
        stop: body.stop.clone(),
        seed: body.seed,
        extra_json: body.extra_json.clone(),
        time_left: left_us.map(Duration::from_micros),
    }
}

/// What is kept back of a deadline for our own work after the engine's.
const OVERHEAD_US: u64 = 5_000;
