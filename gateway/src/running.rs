//! Starting, reloading and draining a gateway.

use crate::app::{App, Clock, Spawner};
use crate::config::{Config, ServerConfig, StoreConfig};
use crate::cores::Cores;
use crate::discover;
use crate::edge;
use crate::entrance::Entrance;
use crate::gpus::{self, GpuPools};
use crate::lane::Lane;
use crate::live::{Live, Regrouping};
use crate::machine::{Machine, OpenShared};
use crate::meter;
use crate::money::{self, Books};
use crate::observe::{Event, Observer};
use crate::once::{self, Desk};
use crate::probe::probe_due;
use crate::promise::check_domains;
use crate::record::Record;
use crate::reports;
use crate::reprice;
use crate::shared::Shared;
use crate::start_error::StartError;
use crate::store::postgres::{self, Shipper, Shipping};
use crate::store::{Journal, StoreError};
use crate::tenants::{self, Gates, Keys};
use arc_swap::ArcSwap;
use sluice_experts::Dial;
use sluice_router::{Certificate, Params};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A gateway that serves.
pub struct Running {
    app: Arc<App>,
    server: ServerConfig,
    dial: Arc<dyn Dial>,
    journal: String,
    store: StoreConfig,
    data: SocketAddr,
    admin: SocketAddr,
    /// Tells the data port to send its clients away; it closes when nothing is under way.
    stop: CancellationToken,
    /// The same for the admin port, which stays open until the end, so that a drain can be watched.
    stop_admin: CancellationToken,
}

/// Starts a gateway: takes its ports, opens journal, model, certificates and lanes, then answers.
///
/// # Errors
/// [`StartError`]: nothing listens then.
pub async fn start(config: Config) -> Result<Running, StartError> {
    start_on(Machine::real(), config).await
}

/// Starts a gateway whose connections are served by a thread for each core, apart from the runtime that this is called
/// in: what a process does that has nothing else to do.
///
/// # Errors
/// As [`start`].
pub async fn start_on_cores(config: Config) -> Result<Running, StartError> {
    let cores = Cores::start().map_err(|error| StartError::Threads(error.to_string()))?;
    start_on(Machine { cores: Some(cores), ..Machine::real() }, config).await
}

/// Starts a gateway that shares a place with others of this process.
///
/// # Errors
/// As [`start`].
pub async fn start_sharing(config: Config, shared: Arc<dyn Shared>) -> Result<Running, StartError> {
    let shared: OpenShared = Box::new(move |_, _| Ok(shared.clone()));
    start_on(Machine { shared, ..Machine::real() }, config).await
}

/// Starts a gateway on a machine that may be a simulated one.
///
/// # Errors
/// As [`start`].
pub(crate) async fn start_on(machine: Machine, config: Config) -> Result<Running, StartError> {
    let clock = Clock::with_wall(machine.unix_ms);
    let mut config = config;
    config.price_at(clock.unix_ms());
    // The ports first: whoever chose a free one must not lose it while models are read.
    let data = take_port(&machine, config.server.listen).await?;
    let admin = take_port(&machine, config.server.admin_listen).await?;
    let journal = (machine.journal)(&config.journal)?;
    let shared = (machine.shared)(config.store.shared.reveal(), &config.journal)?;
    let (shipper, shipping) = shipping(&config, &*journal)?.unzip();
    let (live, _) = build_here(&config, None, &machine.dial)?;
    let opening = journal.opening();
    let who = format!("{}.{}", opening.gateway, opening.epoch);
    let (observe, tasks) = (Arc::<Observer>::default(), TaskTracker::new());
    let spawner = Spawner { tasks: tasks.clone(), observe: observe.clone() };
    let once = Desk::new(opening.gateway, opening.epoch);
    let books = Books::new(shared.clone(), journal.clone(), config.store.hold, machine.unix_ms, spawner);
    let app = Arc::new(App {
        clock,
        ids: machine.ids,
        keys: Keys::new(config.tenants.clone()),
        admin_key: config.server.admin_key,
        limits: Gates::new(shared.clone(), who, clock),
        once,
        shared,
        live: ArcSwap::from_pointee(live),
        journal,
        shipping,
        books,
        gpus: GpuPools::new(clock.now(), clock.unix_ms()),
        observe,
        retries: Arc::default(),
        draining: AtomicBool::new(false),
        cut: CancellationToken::new(),
        requests: TaskTracker::new(),
        tasks,
        cores: machine.cores,
    });
    if let Some(shipper) = shipper {
        app.spawn("shipping", Box::pin(shipper.run()));
    }
    tenants::read_keys(&app).await;
    discover::fill(&app, &app.live()).await;
    record(&app, &app.live()).await;
    configured(&app, false);
    let running = Running {
        data: data.addr(),
        admin: admin.addr(),
        journal: config.journal,
        store: config.store,
        stop: CancellationToken::new(),
        stop_admin: CancellationToken::new(),
        server: config.server,
        dial: machine.dial,
        app,
    };
    running.open(data, admin);
    Ok(running)
}

impl Running {
    /// Address of the data port.
    pub fn data(&self) -> SocketAddr {
        self.data
    }

    /// Address of the admin port.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// What a simulation looks into.
    #[cfg(test)]
    pub(crate) fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// What each route promises, or why it goes to the reference; one line each.
    pub fn promises(&self) -> Vec<String> {
        self.app.live().rules.promises.iter().map(|promise| promise.line.clone()).collect()
    }

    /// Versions of the model and of the configuration in force.
    pub fn versions(&self) -> (String, String) {
        let versions = self.app.live().rules.versions.clone();
        (versions.model, versions.config)
    }

    /// What allows a route to use anything but its reference.
    pub fn certificate(&self, route: &str) -> Option<Certificate> {
        self.app.live().rules.snapshot.route(route)?.certificate.clone()
    }

    /// Puts a new configuration and its model in force; requests under way keep the old one. Pools that did not
    /// change keep their lines, connections and health.
    ///
    /// # Errors
    /// [`StartError`]: the old configuration stays.
    pub async fn reload(&self, config: Config) -> Result<(), StartError> {
        let end = self.try_reload(config).await;
        match &end {
            Ok(()) => configured(&self.app, true),
            Err(error) => self.reload_refused(&error.to_string()),
        }
        end
    }

    /// Tells that a new configuration could not even be read; the old one stays.
    pub fn reload_refused(&self, why: &str) {
        self.app.observe.emit(Event::ReloadRefused { why });
    }

    async fn try_reload(&self, config: Config) -> Result<(), StartError> {
        if config.server != self.server {
            return Err(StartError::NeedsRestart("[server]"));
        }
        if config.journal != self.journal || config.store != self.store {
            return Err(StartError::NeedsRestart("[store]"));
        }
        let mut config = config;
        config.price_at(self.app.clock.unix_ms());
        let tenants = config.tenants.clone();
        let (live, regroupings) = build(config, Some(self.app.live()), self.dial.clone()).await?;
        discover::fill(&self.app, &live).await;
        // Before any decision refers to it, so that no crash leaves a receipt without its configuration.
        record(&self.app, &live).await;
        self.app.keys.configure(tenants);
        self.app.live.store(Arc::new(live));
        regroupings.into_iter().for_each(|regrouping| regrouping.carry_out(self.app.clock.now()));
        Ok(())
    }

    /// Resolves when everything recorded so far is durable.
    ///
    /// # Errors
    /// The journal's own words.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.app.journal.flush().await
    }

    /// Refuses new requests, waits for those under way, cuts what is left when the time is over, writes the journal
    /// out, ships what can be shipped, then closes the listeners.
    ///
    /// # Errors
    /// The journal could not be written out.
    pub async fn drain(self) -> Result<(), StoreError> {
        let app = &self.app;
        app.draining.store(true, Ordering::SeqCst);
        app.observe.emit(Event::Draining { in_flight: app.requests.len() });
        self.stop.cancel();
        app.requests.close();
        if tokio::time::timeout(self.server.drain, app.requests.wait()).await.is_err() {
            app.cut.cancel();
            // Cutting is quick: it only writes each settlement.
            let _ = tokio::time::timeout(CUT_TIME, app.requests.wait()).await;
        }
        gpus::finish(app).await;
        let flushed = app.journal.flush().await;
        // What a vault is not told now it is told by the next start.
        let _ = tokio::time::timeout(CLOSE_TIME, app.books.close()).await;
        if let Some(shipping) = &app.shipping {
            // What is left stays in the journal, and goes out after the next start.
            let _ = tokio::time::timeout(SHIP_TIME, shipping.finish()).await;
        }
        self.stop_admin.cancel();
        app.tasks.close();
        // A client that doesn't read its last bytes must not hold the exit up.
        let _ = tokio::time::timeout(CLOSE_TIME, app.tasks.wait()).await;
        flushed
    }

    fn open(&self, data: edge::Bound, admin: edge::Bound) {
        let max_body_bytes = self.server.max_body_bytes;
        let door = Arc::new(Entrance { app: self.app.clone(), max_body_bytes });
        let app = self.app.clone();
        let spawn: edge::Spawn = Arc::new(move |name, task| match name {
            edge::CONNECTION => app.spawn_connection(name, task),
            _ => app.spawn(name, task),
        });
        let serve = data.serve(door.clone(), spawn.clone(), self.stop.clone().cancelled_owned());
        self.app.spawn("data listener", Box::pin(serve));
        let serve = admin.serve_admin(door, spawn, self.stop_admin.clone().cancelled_owned());
        self.app.spawn("admin listener", Box::pin(serve));
        self.app.spawn("watch", Box::pin(watch(self.app.clone(), self.stop_admin.clone())));
        self.app.spawn(
            "prices",
            Box::pin(reprice::keep(self.app.clone(), self.dial.clone(), self.stop_admin.clone())),
        );
        self.app.spawn("limits", Box::pin(tenants::keep_limits(self.app.clone(), self.stop_admin.clone())));
        self.app.spawn(
            "budgets",
            Box::pin(money::keep(self.app.clone(), self.dial.clone(), self.stop_admin.clone())),
        );
        self.app.spawn("gpus", Box::pin(gpus::keep(self.app.clone(), self.stop_admin.clone())));
        self.app.spawn("keys", Box::pin(tenants::keep_keys(self.app.clone(), self.stop_admin.clone())));
        self.app.spawn("outcomes", Box::pin(once::keep(self.app.clone(), self.stop_admin.clone())));
        let (data, admin) = (self.data.to_string(), self.admin.to_string());
        self.app.observe.emit(Event::Ready { data: &data, admin: &admin });
    }
}

/// Reads the model and builds a version; certificates take a moment, so this runs beside the requests.
async fn build(
    config: Config,
    old: Option<Arc<Live>>,
    dial: Arc<dyn Dial>,
) -> Result<(Live, Vec<Regrouping>), StartError> {
    let built = tokio::task::spawn_blocking(move || build_here(&config, old.as_deref(), &dial));
    built.await.map_err(|_| StartError::Panicked)?
}

/// The same at once, on this thread. A start does it so: nobody is served yet, and where the gateway runs in a simulation
/// a thread beside it would finish at a moment that no seed decides.
fn build_here(
    config: &Config,
    old: Option<&Live>,
    dial: &Arc<dyn Dial>,
) -> Result<(Live, Vec<Regrouping>), StartError> {
    let params = config.model.as_deref().map(load_model).transpose()?;
    check_domains(config, params.as_ref())?;
    Ok(Live::new(config, params.map(Arc::new), old, dial)?)
}

/// Reads a router model.
///
/// # Errors
/// [`StartError::ModelRead`] or [`StartError::Model`].
pub fn load_model(path: &Path) -> Result<Params, StartError> {
    let file = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| StartError::ModelRead { file: file.clone(), why: error.to_string() })?;
    Params::from_bytes(&bytes).map_err(|error| StartError::Model { file, error })
}

/// Every second: looks after the pools, and tells how they are, how far the journal is behind, and whether it is in
/// trouble.
async fn watch(app: Arc<App>, stop: CancellationToken) {
    let mut warned = None;
    loop {
        for lane in &app.live().lanes {
            look_after(&app, lane, &stop);
        }
        if stop.run_until_cancelled(tokio::time::sleep(WATCH_EVERY)).await.is_none() {
            return;
        }
        let oldest = app.journal.oldest_waiting_ms();
        let lag_ms = oldest.map_or(0, |oldest| app.clock.unix_ms().saturating_sub(oldest));
        app.observe
            .emit(Event::Journal { trouble: app.journal.trouble().as_deref(), lag_s: lag_ms as f64 / 1e3 });
        tell_stores(&app, &mut warned);
    }
}

/// Tells how far the ledger is behind the journal, and once what its operator should know of the shared store.
fn tell_stores(app: &App, warned: &mut Option<String>) {
    if let Some(state) = app.shipping.as_ref().map(Shipping::state) {
        let lag_ms = state.oldest_ms.map_or(0, |oldest| app.clock.unix_ms().saturating_sub(oldest));
        let (trouble, lag_s) = (state.trouble.as_deref(), lag_ms as f64 / 1e3);
        app.observe.emit(Event::Shipping { trouble, unshipped: state.unshipped, lag_s });
    }
    let warning = app.shared.warning();
    if warning != *warned {
        if let Some(warning) = &warning {
            app.observe.emit(Event::SharedStore { warning });
        }
        *warned = warning;
    }
}

/// Probes replicas whose ejection has run out, offers what time has freed to those who wait, and sees that its
/// replicas are looked for and heard.
fn look_after(app: &Arc<App>, lane: &Arc<Lane>, stop: &CancellationToken) {
    discover::begin(app, lane, stop);
    reports::begin(app, lane, stop);
    probe_due(app, lane);
    lane.wake(app.clock.now());
    meter::tell_pool(app, lane);
}

/// Puts a configuration into the journal, for the receipts that will refer to it.
pub(crate) async fn record(app: &App, live: &Live) {
    let (config, json) = (live.rules.versions.config.clone(), live.rules.snapshot_json.clone());
    app.journal.record(Record::Snapshot { config, json }).await;
}

/// Tells of the configuration in force.
pub(crate) fn configured(app: &App, is_reload: bool) {
    gpus::look(app);
    let live = app.live();
    let config = &live.rules.versions.config;
    let routes: Vec<&str> = live.rules.promises.iter().map(|promise| promise.line.as_str()).collect();
    app.observe.emit(Event::Configured { config, is_reload, routes: &routes });
    for route in live.rules.snapshot.routes.iter().filter(|route| !route.pinned) {
        let ratio = route.certificate.as_ref().map_or(1.0, |certificate| certificate.floor);
        app.observe.emit(Event::Promised { route: &route.name, ratio });
        let of_domains = route.domain_promises.iter().map(|own| (own.domain.as_str(), &own.certificate));
        for (domain, certificate) in std::iter::once(("", &route.certificate)).chain(of_domains) {
            if let Some(certificate) = certificate {
                app.observe.emit(Event::Certified { route: &route.name, domain, certificate });
            }
        }
    }
    for lane in &live.lanes {
        meter::tell_pool(app, lane);
    }
}

/// What ships the journal where the configuration names a common ledger, with what tells of it.
fn shipping(config: &Config, journal: &dyn Journal) -> Result<Option<(Shipper, Shipping)>, StoreError> {
    let Some(ledger) = &config.store.ledger else { return Ok(None) };
    let gateway = journal.opening().gateway;
    postgres::shipping(&config.journal, ledger.reveal(), &gateway, config.store.max_unshipped).map(Some)
}

async fn take_port(machine: &Machine, address: SocketAddr) -> Result<edge::Bound, StartError> {
    edge::listen_on(&*machine.ports, address).await.map_err(|error| listen_error(address, &error))
}

fn listen_error(address: SocketAddr, error: &std::io::Error) -> StartError {
    StartError::Listen { address, why: error.to_string() }
}

/// How often pools and journal are looked at.
const WATCH_EVERY: Duration = Duration::from_secs(1);
/// How long cut requests may take to settle.
const CUT_TIME: Duration = Duration::from_secs(5);
/// How long a drain ships what the common ledger doesn't have yet.
const SHIP_TIME: Duration = Duration::from_secs(5);
/// How long connections may take to close.
const CLOSE_TIME: Duration = Duration::from_secs(2);
