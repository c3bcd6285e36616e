//! One run: a gateway, its engines and clients, a time in which things go wrong, and a time in which all must end.

use super::client::{self, Tales, Told, Wish};
use super::engine::Engine;
use super::faults::{self, Fault, Kind, LATENCY, Target};
use super::journal::Watched;
use super::net;
use super::random::Random;
use super::script::{Mood, Run, Runs};
use crate::app::App;
use crate::config::{self, Config, Overrides};
use crate::record::{Minute, Settled};
use crate::running::start_on;
use sluice_router::Tick;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::sync::oneshot;
use turmoil::Sim;

/// How long things go wrong in a drawn plan.
const ROUGH: Duration = Duration::from_secs(8);
/// How long everything may take to end after that.
pub(super) const CALM: Duration = Duration::from_secs(30);
/// Requests of each client in a drawn plan.
const REQUESTS: usize = 55;
/// 600,000,000 nano-USD a minute for a replica.
const GPU_PRICE: &str = "gpu_hour = \"36\", tokens_per_s = 30";
/// How finely the network's time moves.
const TICK: Duration = Duration::from_millis(10);

/// What a run is made of, drawn from the seed.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    /// The protocol and the replicas of each expert's pool: `big` first, then `small`.
    pub(super) pools: [(bool, usize); 2],
    pub(super) max_concurrency: u32,
    /// Whether the replicas' limits are learned: then they may go up to eight times `max_concurrency`.
    pub(super) learns: bool,
    pub(super) max_queue: usize,
    /// Whether a tenth of the requests to `auto` may be hedged.
    pub(super) hedges: bool,
    /// Whether `small` is on GPUs of one's own.
    pub(super) owns_gpus: bool,
    /// Messages that a connection holds in each direction before its writer must wait.
    pub(super) tcp_capacity: usize,
    /// What each client asks, in the order of the times.
    pub(super) wishes: Vec<Vec<Wish>>,
    /// How long things go wrong.
    pub(super) rough: Duration,
    pub(super) faults: Vec<Fault>,
}

impl Plan {
    pub(super) fn draw(seed: u64) -> Plan {
        let mut random = Random::new(seed, "plan");
        let pools = [(random.percent(50), 2 + random.between(0, 2) as usize), (random.percent(50), 2)];
        let clients = 2;
        Plan {
            seed,
            pools,
            max_concurrency: u32::try_from(random.between(2, 6)).expect("small"),
            learns: random.percent(30),
            max_queue: random.pick(&[2, 8, 64]),
            hedges: random.percent(50),
            owns_gpus: Random::new(seed, "gpus").percent(50),
            tcp_capacity: 4_096,
            wishes: (0..clients).map(|client| client::wishes(seed, client, REQUESTS, ROUGH)).collect(),
            rough: ROUGH,
            faults: faults::draw(seed, pools[0].1 + pools[1].1, clients, ROUGH),
        }
    }

    pub(super) fn engines(&self) -> usize {
        self.pools[0].1 + self.pools[1].1
    }

    fn is_native(&self, engine: usize) -> bool {
        if engine < self.pools[0].1 { self.pools[0].0 } else { self.pools[1].0 }
    }

    fn config(&self) -> Config {
        let by_tokens = |price: &str| format!("input_per_mtok = \"{price}\", output_per_mtok = \"{price}\"");
        let pool = |name: &str, price: &str, at: usize| {
            let (is_native, replicas) = self.pools[at];
            let first = if at == 0 { 0 } else { self.pools[0].1 };
            let urls: Vec<String> =
                (first..first + replicas).map(|engine| format!("http://engine-{engine}:8000")).collect();
            format!(
                "[[expert]]\nname = \"{name}\"\ncontext_tokens = 2000000\nmax_output_tokens = 1000000\n\
                 price = {{ {price} }}\n\
                 [[expert.pool]]\nname = \"{name}-pool\"\nprotocol = \"{}\"\nendpoints = {urls:?}\n\
                 max_concurrency = {}\nlimit = \"{}\"\nmax_queue = {}\nconnect_timeout_ms = 1000\n\
                 first_token_timeout_ms = 3000\nidle_timeout_ms = 2000\n",
                if is_native { "native" } else { "openai" },
                self.max_concurrency,
                if self.learns { "adaptive" } else { "fixed" },
                self.max_queue
            )
        };
        let text = format!(
            "[server]\nlisten = \"0.0.0.0:8080\"\nadmin_listen = \"0.0.0.0:9090\"\ndrain_ms = 5000\nopen = true\n\
             [store]\njournal = \"memory:\"\n[[route]]\nname = \"auto\"\n\
             hedge = {{ budget = {} }}\n{}{}",
            if self.hedges { "0.1" } else { "0.0" },
            pool("big", &by_tokens("10"), 0),
            // Some requests are charged for their tokens then, and some for their time.
            pool("small", &if self.owns_gpus { GPU_PRICE.to_owned() } else { by_tokens("1") }, 1)
        );
        config::parse("netsim.toml", &text, Path::new("/nowhere"), &Overrides::new())
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

/// What came of a run.
pub(super) struct Outcome {
    pub(super) plan: Plan,
    pub(super) told: Vec<Told>,
    pub(super) runs: Vec<Run>,
    pub(super) settled: Vec<Settled>,
    /// The minutes of own GPUs.
    pub(super) minutes: Vec<Minute>,
    /// What did not end in time; empty when everything did.
    pub(super) unfinished: Vec<String>,
}

/// Carries a plan out.
pub(super) fn run(plan: Plan) -> Outcome {
    let mut world = World::new(plan);
    let mut faults = world.plan.faults.clone();
    let mut under_way: Vec<Fault> = Vec::new();
    let rough = world.plan.rough;
    while world.sim.elapsed() < rough + CALM {
        let now = world.sim.elapsed();
        for over in under_way.extract_if(.., |fault| fault.until <= now) {
            world.end(over);
        }
        for begins in faults.extract_if(.., |fault| fault.from <= now) {
            world.begin(begins);
            under_way.push(begins);
        }
        world.step();
        if now > rough && world.unfinished().is_empty() {
            break;
        }
    }
    world.close()
}

/// A simulation under way.
pub(super) struct World {
    pub(super) sim: Sim<'static>,
    plan: Plan,
    moods: Vec<Arc<Mutex<Mood>>>,
    pub(super) runs: Runs,
    tales: Tales,
    journal: Watched,
    app: Arc<Mutex<Option<Arc<App>>>>,
    stop: Option<oneshot::Sender<()>>,
    clients_are_done: bool,
}

impl World {
    pub(super) fn new(plan: Plan) -> World {
        let mut sim = turmoil::Builder::new()
            .rng_seed(plan.seed)
            .epoch(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000))
            .simulation_duration(Duration::from_secs(3_600))
            .tick_duration(TICK)
            .min_message_latency(LATENCY)
            .max_message_latency(LATENCY)
            .tcp_capacity(plan.tcp_capacity)
            .build();
        let (runs, tales, journal) = (Runs::default(), Tales::default(), Watched::default());
        let moods: Vec<_> = (0..plan.engines()).map(|_| Arc::new(Mutex::new(Mood::Well))).collect();
        for (number, mood) in moods.iter().enumerate() {
            let (seed, is_native) = (plan.seed, plan.is_native(number));
            let engine = Engine { seed, number, is_native, mood: mood.clone(), runs: runs.clone() };
            sim.host(Target::Engine(number).host(), move || engine.clone().serve());
        }
        let app = Arc::new(Mutex::new(None));
        let stop = gateway(&mut sim, &plan, &journal, &app);
        for (client, wishes) in plan.wishes.iter().enumerate() {
            sim.client(Target::Client(client).host(), client::run(wishes.clone(), tales.clone()));
        }
        World { sim, plan, moods, runs, tales, journal, app, stop: Some(stop), clients_are_done: false }
    }

    /// Things go wrong from here on.
    pub(super) fn begin(&mut self, fault: Fault) {
        faults::begin(&mut self.sim, fault);
        if let (Kind::Mood(mood), Target::Engine(at)) = (fault.kind, fault.at) {
            *self.moods[at].lock().expect("nothing panics under it") = mood;
        }
    }

    fn end(&mut self, fault: Fault) {
        faults::end(&mut self.sim, fault);
        if let (Kind::Mood(_), Target::Engine(at)) = (fault.kind, fault.at) {
            *self.moods[at].lock().expect("nothing panics under it") = Mood::Well;
        }
    }

    /// One turn of every host.
    pub(super) fn step(&mut self) {
        let seed = self.plan.seed;
        match self.sim.step() {
            Ok(clients_are_done) => self.clients_are_done = clients_are_done,
            Err(error) => panic!("seed={seed}: a host failed: {error}"),
        }
    }

    /// What has not ended.
    pub(super) fn unfinished(&self) -> Vec<String> {
        let mut left = Vec::new();
        if !self.clients_are_done {
            left.push("a client still waits".to_owned());
        }
        let open = |run: &&Run| run.ended.is_none();
        let runs = self.runs.lock().expect("nothing panics under it");
        left.extend(
            runs.iter().filter(open).map(|run| format!("engine {} works on {}", run.engine, run.label)),
        );
        let app = self.app.lock().expect("nothing panics under it");
        let Some(app) = app.as_ref() else { return vec!["the gateway has not begun".to_owned()] };
        if !app.requests.is_empty() {
            left.push(format!("{} requests run in the gateway", app.requests.len()));
        }
        for lane in &app.live().lanes {
            let counts = lane.counts(Tick(1));
            if counts.queued + counts.in_flight > 0 {
                left.push(format!("{}: {counts:?}", lane.config.name));
            }
        }
        left
    }

    /// What has been settled so far.
    pub(super) fn settled(&self) -> Vec<Settled> {
        self.journal.settled()
    }

    /// Drains the gateway, and gives back what everybody has seen.
    pub(super) fn close(mut self) -> Outcome {
        let mut unfinished = self.unfinished();
        drop(self.stop.take());
        let last = self.sim.elapsed() + Duration::from_secs(10);
        while self.sim.is_host_running("gateway") && self.sim.elapsed() < last {
            self.step();
        }
        if self.sim.is_host_running("gateway") {
            unfinished.push("the gateway does not drain".to_owned());
        }
        let told = self.tales.lock().expect("nothing panics under it").clone();
        let runs = self.runs.lock().expect("nothing panics under it").clone();
        let (settled, minutes) = (self.journal.settled(), self.journal.minutes());
        Outcome { plan: self.plan, told, runs, settled, minutes, unfinished }
    }
}

/// The gateway's host; it drains when what is given back is dropped.
fn gateway(
    sim: &mut Sim<'static>,
    plan: &Plan,
    journal: &Watched,
    app: &Arc<Mutex<Option<Arc<App>>>>,
) -> oneshot::Sender<()> {
    let (stop, stopped) = oneshot::channel();
    let stopped = Mutex::new(Some(stopped));
    let (seed, config, journal, app) = (plan.seed, plan.config(), journal.clone(), app.clone());
    sim.host("gateway", move || {
        let stopped = stopped.lock().expect("nothing panics under it").take();
        let (machine, config, app) = (net::machine(seed, journal.clone()), config.clone(), app.clone());
        async move {
            let running = start_on(machine, config).await?;
            *app.lock().expect("nothing panics under it") = Some(running.app().clone());
            let _ = stopped.expect("the gateway begins once").await;
            running.drain().await?;
            Ok(())
        }
    });
    stop
}
