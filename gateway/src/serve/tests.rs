//! The spine with scripted engines: however a request ends, it is told to the client and booked exactly once.

use super::*;
use crate::app::{Clock, Spawner};
use crate::config::{self, Overrides};
use crate::door::Door as _;
use crate::entrance::Entrance;
use crate::lane::{Lane, Member};
use crate::live::Live;
use crate::money::{Books, HoldMode};
use crate::observe::Observer;
use crate::record::{Record, Settled};
use crate::request::{Front, Hints, OUTLET_EVENTS, OutEvent};
use crate::shared::MemoryShared;
use crate::store::{Journal, MemoryJournal, Opening, StoreError, Stored};
use crate::tenants::{Budget, Identity, Level, LevelKind, Limits};
use arc_swap::ArcSwap;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use sluice_experts::{Call, Engine, ErrorKind, Event as EngineEvent, Events, ExpertError, Finish, Usage};
use sluice_proto::v1;
use sluice_router::{NanoUsd, Period};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// An engine that gives so many deltas, then does as it is told.
#[derive(Clone, Copy)]
struct Scripted {
    deltas: usize,
    then: Then,
}

#[derive(Clone, Copy)]
enum Then {
    Panic,
    Hang,
    /// Ends well, and counts nothing at all.
    CountZero,
    /// Says nothing in time; the prompt has been worked on by then.
    Silence,
}

impl Engine for Scripted {
    fn generate(&self, _call: Call) -> BoxFuture<'static, Result<Events, ExpertError>> {
        let Scripted { deltas, then } = *self;
        let delta = || EngineEvent::Delta { text: "word ".to_owned(), json: String::new() };
        let begun = futures::stream::repeat_with(move || Ok(delta())).take(deltas);
        let end = async move {
            match then {
                Then::Panic => panic!("a bug, as the test wants it"),
                Then::Hang => std::future::pending().await,
                Then::CountZero => {
                    let usage = Some(Usage::default());
                    Ok(EngineEvent::Finished(Finish { reason: "stop".to_owned(), usage, simulated: false }))
                }
                Then::Silence => {
                    Err(ExpertError::new(ErrorKind::FirstTokenTimeout, "no first event in time"))
                }
            }
        };
        futures::future::ready(Ok(begun.chain(futures::stream::once(end)).boxed())).boxed()
    }

    fn probe(&self) -> BoxFuture<'static, Result<(), ExpertError>> {
        futures::future::ready(Ok(())).boxed()
    }
}

const CONFIG: &str = r#"
[[expert]]
name = "big"
price = { input_per_mtok = "10", output_per_mtok = "10" }
[[expert.pool]]
name = "big-pool"
endpoints = ["http://127.0.0.1:1"]
max_concurrency = 1
limit = "fixed"
"#;

/// A gateway with one pool of one replica, and its journal.
fn gateway(engine: Scripted) -> (App, MemoryJournal) {
    gateway_of(1, engine)
}

/// A gateway with one pool of replicas that all do the same.
fn gateway_of(replicas: usize, engine: Scripted) -> (App, MemoryJournal) {
    let config = config::parse("test.toml", CONFIG, Path::new("/nowhere"), &Overrides::new());
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    let (mut live, _) =
        Live::new(&config, None, None, &sluice_experts::Tcp::shared()).expect("addresses are valid");
    let member = |at| Member::new(format!("http://127.0.0.1:{at}"), Arc::new(engine) as Arc<dyn Engine>);
    let mut pool = config.pools[0].clone();
    pool.endpoints = (1..=replicas).map(|at| format!("http://127.0.0.1:{at}")).collect();
    live.lanes = vec![Arc::new(Lane::with_members(
        pool,
        Arc::default(),
        sluice_experts::Tcp::shared(),
        (1..=replicas).map(member).collect(),
    ))];
    let journal = MemoryJournal::new();
    let observe = Arc::<Observer>::default();
    let spawner = Spawner { tasks: TaskTracker::new(), observe: observe.clone() };
    let shared: Arc<dyn crate::shared::Shared> = Arc::new(MemoryShared::default());
    let (mode, unix_ms) = (HoldMode::Escrow, crate::app::unix_ms);
    let clock = Clock::new();
    let app = App {
        gpus: crate::gpus::GpuPools::new(clock.now(), unix_ms()),
        books: Books::new(shared.clone(), Arc::new(journal.clone()), mode, unix_ms, spawner),
        clock,
        ids: crate::machine::ids(),
        keys: crate::tenants::Keys::new(Vec::new()),
        admin_key: None,
        once: crate::once::Desk::new("me".to_owned(), 1),
        limits: crate::tenants::Gates::new(shared.clone(), "me".to_owned(), clock),
        shared,
        live: ArcSwap::from_pointee(live),
        journal: Arc::new(journal.clone()),
        shipping: None,
        observe,
        retries: Arc::default(),
        draining: AtomicBool::new(false),
        cut: CancellationToken::new(),
        requests: TaskTracker::new(),
        tasks: TaskTracker::new(),
        cores: None,
    };
    (app, journal)
}

fn request(app: &App) -> Request {
    let message = v1::Message { role: "user".to_owned(), content: "hello".to_owned(), json: String::new() };
    let id = app.new_id();
    Request {
        id,
        label: id.to_string(),
        front: Front::Grpc,
        body: Arc::new(v1::GenerateRequest { messages: vec![message], ..v1::GenerateRequest::default() }),
        messages_json: Bytes::new(),
        hints: Hints::default(),
        identity: app.keys.identify(None, 0).expect("no key is needed"),
        tenant: 0,
        received: app.clock.now(),
        deadline: None,
        streams: true,
    }
}

/// A journal whose disk is full: it shows what it has, and takes nothing more.
struct DiskFull(MemoryJournal);

impl Journal for DiskFull {
    fn record(&self, record: Record) -> BoxFuture<'static, ()> {
        self.0.record(record)
    }

    fn is_full(&self) -> bool {
        true
    }

    fn receipt(&self, decision_id: String, tenant: String) -> Stored<Option<(String, String)>> {
        self.0.receipt(decision_id, tenant)
    }

    fn flush(&self) -> Stored<()> {
        futures::future::ready(Err(StoreError("the disk is full".to_owned()))).boxed()
    }

    fn trouble(&self) -> Option<String> {
        Some("the disk is full".to_owned())
    }

    fn opening(&self) -> Opening {
        self.0.opening()
    }

    fn oldest_waiting_ms(&self) -> Option<i64> {
        None
    }
}

/// The one record of the one request.
fn settled(journal: &MemoryJournal) -> Settled {
    let mut records = journal.records();
    assert_eq!(records.len(), 1, "settled once");
    match records.remove(0) {
        Record::Settled(settled) => *settled,
        other => panic!("nothing was configured: {other:?}"),
    }
}

fn last(mut events: mpsc::Receiver<OutEvent>) -> FaultCode {
    let mut end = None;
    while let Ok(event) = events.try_recv() {
        end = Some(event);
    }
    match end {
        Some(OutEvent::Failed(fault)) => fault.code,
        other => panic!("not told: {other:?}"),
    }
}

#[tokio::test]
async fn row_42_a_panic_gives_back_what_was_held() {
    let (app, journal) = gateway(Scripted { deltas: 3, then: Then::Panic });
    let budget = Budget { amount: NanoUsd(100_000_000_000), period: Period::Ever };
    let level = Level {
        kind: LevelKind::Tenant,
        id: "acme".to_owned(),
        budget: Some(budget),
        limits: Limits::default(),
    };
    let identity = Arc::new(Identity { levels: vec![level], ..Identity::everybody() });
    let (out, events) = Outlet::new();
    serve(&app, Request { identity: identity.clone(), ..request(&app) }, out).await;
    assert_eq!(last(events), FaultCode::Internal);
    let records = journal.records();
    let settled = records.iter().find_map(|record| match record {
        Record::Settled(settled) => Some(settled),
        _ => None,
    });
    let settled = settled.expect("it is settled");
    assert!(settled.cost > NanoUsd::ZERO);
    assert_eq!(settled.charges.iter().map(|charge| charge.amount).collect::<Vec<_>>(), [settled.cost]);
    let (_, may_come) = app.books.purse(&identity).reach().expect("it is bounded");
    assert_eq!(may_come, budget.amount - settled.cost, "nothing is held any more");
}

#[tokio::test]
async fn row_42_a_panic_is_told_and_booked_and_gives_the_slot_back() {
    let (app, journal) = gateway(Scripted { deltas: 3, then: Then::Panic });
    let (out, events) = Outlet::new();
    serve(&app, request(&app), out).await;
    assert_eq!(last(events), FaultCode::Internal);
    let settled = settled(&journal);
    assert_eq!((settled.status, settled.attempts.len(), settled.entries.len()), ("internal_error", 1, 1));
    assert!(settled.attempts[0].estimated && settled.attempts[0].tokens.output >= 3);
    assert_eq!(app.live().lanes[0].counts(app.clock.now()).in_flight, 0);
    assert!(app.observe.render().contains("sluice_errors_total{fault=\"internal_error\"} 1"));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_told_why_its_answer_was_cut() {
    let (app, journal) = gateway(Scripted { deltas: OUTLET_EVENTS + 10, then: Then::Hang });
    let (out, events) = Outlet::new();
    let mut serving = Box::pin(serve(&app, request(&app), out));
    assert!(serving.as_mut().now_or_never().is_none(), "the outlet is full");
    app.cut.cancel();
    serving.await;
    assert_eq!(last(events), FaultCode::Draining);
    assert_eq!(settled(&journal).entries.len(), 1);
}

#[tokio::test]
async fn row_18_a_client_that_leaves_while_it_waits_in_line_costs_nothing() {
    let (app, journal) = gateway(Scripted { deltas: 1, then: Then::Hang });
    let (out, _first_reads) = Outlet::new();
    let mut first = Box::pin(serve(&app, request(&app), out));
    assert!(first.as_mut().now_or_never().is_none());
    let (out, second_reads) = Outlet::new();
    let mut second = Box::pin(serve(&app, request(&app), out));
    assert!(second.as_mut().now_or_never().is_none());
    assert_eq!(app.live().lanes[0].counts(app.clock.now()).queued, 1);
    drop(second_reads);
    second.await;
    let settled = settled(&journal);
    assert_eq!((settled.status, settled.attempts.len(), settled.cost.0), ("client_gone", 0, 0));
    assert!(settled.receipt.is_some(), "what was decided is kept");
    assert_eq!(app.live().lanes[0].counts(app.clock.now()).queued, 0);
}

#[tokio::test]
async fn row_18_a_client_that_has_left_before_anything_was_sent_costs_nothing() {
    let (app, journal) = gateway(Scripted { deltas: 1, then: Then::Panic });
    let (out, reads) = Outlet::new();
    drop(reads);
    serve(&app, request(&app), out).await;
    let settled = settled(&journal);
    assert_eq!((settled.status, settled.attempts.len(), settled.entries.len()), ("client_gone", 0, 0));
    assert_eq!(app.live().lanes[0].counts(app.clock.now()).in_flight, 0);
}

#[tokio::test]
async fn what_can_t_be_recorded_is_not_begun() {
    let (mut app, journal) = gateway(Scripted { deltas: 1, then: Then::Hang });
    app.journal = Arc::new(DiskFull(journal.clone()));
    let door = Entrance { app: Arc::new(app), max_body_bytes: 1_024 };
    let events = door.submit(request(&door.app));
    assert_eq!(last(events), FaultCode::NoCapacity);
    assert_eq!(door.app.live().lanes[0].counts(door.app.clock.now()).in_flight, 0);
    assert!(door.metrics().contains("sluice_shed_total{reason=\"no_capacity\"} 1"));
}

#[tokio::test]
async fn what_is_recorded_is_shown_while_the_journal_is_in_trouble() {
    let (mut app, journal) = gateway(Scripted { deltas: 1, then: Then::Panic });
    let (out, _events) = Outlet::new();
    serve(&app, request(&app), out).await;
    let receipt = settled(&journal).receipt.expect("decided");
    let live = app.live();
    let (config, json) = (live.rules.versions.config.clone(), live.rules.snapshot_json.clone());
    journal.record(Record::Snapshot { config, json }).await;
    app.journal = Arc::new(DiskFull(journal));
    let door = Entrance { app: Arc::new(app), max_body_bytes: 1_024 };
    let shown = door.receipt(&crate::tenants::Identity::everybody(), receipt.id).await.expect("it is there");
    assert_eq!(shown.expert, "big");
}

#[tokio::test]
async fn all_tries_together_stay_within_the_bound_on_the_cost() {
    let tries = async |max_cost: Option<NanoUsd>| {
        let (app, journal) = gateway_of(3, Scripted { deltas: 0, then: Then::Silence });
        let mut request = request(&app);
        Arc::make_mut(&mut request.body).max_tokens = 100;
        request.hints.max_cost = max_cost;
        let (out, events) = Outlet::new();
        serve(&app, request, out).await;
        assert_eq!(last(events), FaultCode::UpstreamTimeout);
        let settled = settled(&journal);
        (settled.attempts.len(), settled.receipt.expect("decided").decision.ceiling, settled.cost)
    };
    let (unbounded, worst, cost) = tries(None).await;
    assert_eq!(unbounded, 3);
    let each = NanoUsd(cost.0 / 3);
    assert_eq!(tries(Some(worst)).await.0, 1, "what the first try cost is missing for a second");
    assert_eq!(tries(Some(worst + each)).await.0, 2);
}

#[tokio::test]
async fn a_request_that_nobody_may_answer_is_booked_on_the_route_that_it_asked_for() {
    let (app, journal) = gateway(Scripted { deltas: 0, then: Then::Hang });
    let mut request = request(&app);
    request.hints.residency = vec!["eu".to_owned()];
    let (out, events) = Outlet::new();
    serve(&app, request, out).await;
    assert_eq!(last(events), FaultCode::ResidencyViolation);
    let settled = settled(&journal);
    assert_eq!((settled.route.as_str(), settled.attempts.len()), ("auto", 0));
    assert!(app.observe.render().contains("route=\"auto\""));
}

#[tokio::test]
async fn an_engine_that_counts_nothing_gives_no_answer_away() {
    let (app, journal) = gateway(Scripted { deltas: 5, then: Then::CountZero });
    let (out, _events) = Outlet::new();
    serve(&app, request(&app), out).await;
    let settled = settled(&journal);
    assert_eq!((settled.status, settled.entries.len()), ("ok", 1));
    assert!(settled.attempts[0].estimated && settled.attempts[0].tokens.output >= 5);
}

#[tokio::test]
async fn an_open_stream_has_let_go_of_the_messages_as_its_client_wrote_them() {
    let (app, _) = gateway(Scripted { deltas: 1, then: Then::Hang });
    let written: Arc<[u8]> = Arc::from(&b"[]"[..]);
    let request = Request { messages_json: Bytes::from_owner(written.clone()), ..request(&app) };
    let (out, mut events) = Outlet::new();
    let mut serving = std::pin::pin!(serve(&app, request, out));
    loop {
        tokio::select! {
            biased;
            _ = &mut serving => panic!("its engine hangs"),
            event = events.recv() => match event {
                Some(OutEvent::Delta(_)) => break,
                event => assert!(matches!(event, Some(OutEvent::Started(_))), "{event:?}"),
            },
        }
    }
    assert_eq!(Arc::strong_count(&written), 1);
}

/// Thousands of them are open at once, for as long as engines take.
#[tokio::test]
async fn what_waits_for_an_engine_is_small() {
    let (app, _) = gateway(Scripted { deltas: 1, then: Then::Hang });
    let (out, _events) = Outlet::new();
    let task = size_of_val(&serve(&app, request(&app), out));
    assert!(task <= 4_096, "a request's task takes {task} bytes");
    let event = size_of::<OutEvent>();
    assert!(event <= 48, "an outlet has room for {OUTLET_EVENTS} events of {event} bytes");
}
