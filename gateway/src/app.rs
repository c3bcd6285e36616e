//! The gateway's parts, and the only place with a clock and spawned tasks.

use crate::cores::Cores;
use crate::gpus::GpuPools;
use crate::live::Live;
use crate::machine::Ids;
use crate::money::Books;
use crate::observe::{Event, Observer};
use crate::once::Desk;
use crate::shared::Shared;
use crate::store::Journal;
use crate::store::postgres::Shipping;
use crate::tenants::{Digest, Gates, Keys};
use arc_swap::ArcSwap;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sluice_router::{RetryBudget, Tick};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

/// Everything that requests share.
pub(crate) struct App {
    /// The time.
    pub(crate) clock: Clock,
    /// Where ids come from.
    pub(crate) ids: Ids,
    /// Who may ask.
    pub(crate) keys: Keys,
    /// What opens the admin port's keys; `None`: nothing does.
    pub(crate) admin_key: Option<Digest>,
    /// What they may ask in a minute, and at once.
    pub(crate) limits: Gates,
    /// Requests that must not be answered twice.
    pub(crate) once: Desk,
    /// What gateways have in common.
    pub(crate) shared: Arc<dyn Shared>,
    /// Configuration, model and lanes; swapped whole.
    pub(crate) live: ArcSwap<Live>,
    /// The durable record.
    pub(crate) journal: Arc<dyn Journal>,
    /// The budgets that it draws on.
    pub(crate) books: Books,
    /// The minutes of pools on GPUs of one's own.
    pub(crate) gpus: GpuPools,
    /// Where the journal is shipped; `None` where it is the whole ledger.
    pub(crate) shipping: Option<Shipping>,
    /// Logs and metrics.
    pub(crate) observe: Arc<Observer>,
    /// How many more tries the gateway may spend.
    pub(crate) retries: Arc<RetryBudget>,
    /// True from the moment that a drain begins.
    pub(crate) draining: AtomicBool,
    /// Cancelled when the drain's time is over: running requests end.
    pub(crate) cut: CancellationToken,
    /// Requests that run.
    pub(crate) requests: TaskTracker,
    /// Connections and other tasks that drain waits for after the requests.
    pub(crate) tasks: TaskTracker,
    /// Where connections are served; `None`: where everything else is.
    pub(crate) cores: Option<Cores>,
}

impl App {
    /// The configuration in force, for one request from beginning to end.
    pub(crate) fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// Whether new requests are refused.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// A new UUIDv7.
    pub(crate) fn new_id(&self) -> Uuid {
        (self.ids)()
    }

    /// Runs a request as a task that drain waits for. A panic ends it alone, and is told.
    pub(crate) fn spawn_request(self: &Arc<App>, request: BoxFuture<'static, ()>) {
        self.requests.spawn(guarded(self.observe.clone(), "request", request));
    }

    /// Serves a connection: on a core of its own where there are any, and what it spawns too.
    pub(crate) fn spawn_connection(self: &Arc<App>, name: &'static str, task: BoxFuture<'static, ()>) {
        match &self.cores {
            Some(cores) => {
                let guarded = guarded(self.observe.clone(), name, task);
                cores.spawn(self.tasks.track_future(guarded).boxed());
            }
            None => self.spawn(name, task),
        }
    }

    /// Runs anything else as a task that drain waits for.
    pub(crate) fn spawn(self: &Arc<App>, name: &'static str, task: BoxFuture<'static, ()>) {
        self.tasks.spawn(guarded(self.observe.clone(), name, task));
    }
}

async fn guarded(observe: Arc<Observer>, name: &'static str, task: BoxFuture<'static, ()>) {
    if AssertUnwindSafe(task).catch_unwind().await.is_err() {
        observe.emit(Event::Panicked { task: name });
    }
}

/// Runs tasks that drain waits for, for parts that are built before the whole is.
#[derive(Clone)]
pub(crate) struct Spawner {
    /// What drain waits for.
    pub(crate) tasks: TaskTracker,
    /// Whom a panic is told.
    pub(crate) observe: Arc<Observer>,
}

impl Spawner {
    /// Runs a task. A panic ends it alone, and is told.
    pub(crate) fn spawn(&self, name: &'static str, task: BoxFuture<'static, ()>) {
        self.tasks.spawn(guarded(self.observe.clone(), name, task));
    }
}

/// The machine's wall time, in milliseconds since 1970, UTC.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The time: monotonic for decisions and limits, wall time for labels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    zero: Instant,
    unix_ms: fn() -> i64,
}

impl Clock {
    /// The machine's clock, which starts now.
    pub(crate) fn new() -> Clock {
        Clock::with_wall(unix_ms)
    }

    /// A clock that starts now, with this wall time.
    pub(crate) fn with_wall(unix_ms: fn() -> i64) -> Clock {
        Clock { zero: Instant::now(), unix_ms }
    }

    /// Now, in microseconds since the clock's start, at least 1.
    pub(crate) fn now(&self) -> Tick {
        Tick(u64::try_from(self.zero.elapsed().as_micros()).unwrap_or(u64::MAX).saturating_add(1))
    }

    /// Milliseconds since 1970, UTC.
    pub(crate) fn unix_ms(&self) -> i64 {
        (self.unix_ms)()
    }

    /// A future that resolves at `tick`.
    pub(crate) fn sleep_until(&self, tick: Tick) -> BoxFuture<'static, ()> {
        let until = self.zero + Duration::from_micros(tick.0);
        Box::pin(tokio::time::sleep_until(until))
    }
}
