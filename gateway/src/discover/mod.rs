//! Where a pool's replicas are found while the gateway runs: one file a way, one row each.
//!
//! A look that fails, wholly or in part, never empties a pool: what is known stays until something better is known.

mod dns;
mod file;

use crate::app::App;
use crate::config::DiscoverConfig;
use crate::lane::Lane;
use crate::live::Live;
use crate::meter;
use crate::observe::Event;
use futures::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A way to find replicas.
pub(crate) trait Source: Send {
    /// Looks once. Returns the addresses where they may have changed, and whatever was wrong with a part of them.
    fn look(&mut self) -> BoxFuture<'_, Look>;
}

/// What a look has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Every address; `None` when nothing is known that wasn't before.
    pub(crate) addresses: Option<Vec<String>>,
    /// What was wrong, for people.
    pub(crate) trouble: Option<String>,
}

impl Look {
    fn failed(trouble: impl Into<String>) -> Look {
        Look { addresses: None, trouble: Some(trouble.into()) }
    }
}

/// A way that a pool's `discover` may name.
pub struct Row {
    /// Its key in the configuration.
    pub name: &'static str,
    /// For the reference page.
    pub about: &'static str,
    open: fn(&DiscoverConfig) -> Box<dyn Source>,
    every: Duration,
}

/// Every way. The order is the order in the reference.
pub const SOURCES: &[Row] = &[
    Row {
        name: "dns",
        about: "the addresses of a name, asked for every 5 s",
        open: |config| Box::new(dns::Dns::new(config)),
        every: Duration::from_secs(5),
    },
    Row {
        name: "file",
        about: "one address a line, read when the file has changed",
        open: |config| Box::new(file::File::new(config)),
        every: Duration::from_secs(1),
    },
];

/// Fills the pools that have no replica yet, before anybody asks for one.
pub(crate) async fn fill(app: &Arc<App>, live: &Live) {
    let empty = |lane: &&Arc<Lane>| lane.config.discover.is_some() && lane.members().is_empty();
    let looks = live.lanes.iter().filter(empty).map(|lane| async {
        if let Some((_, mut source)) = open(lane) {
            let look = tokio::time::timeout(FIRST_LOOK, source.look()).await;
            take(app, lane, look.unwrap_or_else(|_| Look::failed("no answer yet")), &mut None);
        }
    });
    futures::future::join_all(looks).await;
}

/// Looks for the lane's replicas from now on, until the lane is out of force; once for each lane.
pub(crate) fn begin(app: &Arc<App>, lane: &Arc<Lane>, stop: &CancellationToken) {
    if lane.config.discover.is_none() || !lane.begin_discovering() {
        return;
    }
    let (at, lane, stop) = (app.clone(), lane.clone(), stop.clone());
    let keep = async move {
        stop.run_until_cancelled(keep(&at, &lane)).await;
    };
    app.spawn("discovery", Box::pin(keep));
}

async fn keep(app: &Arc<App>, lane: &Arc<Lane>) {
    let Some((every, mut source)) = open(lane) else { return };
    let mut told = None;
    while app.live().lanes.iter().any(|known| Arc::ptr_eq(known, lane)) {
        let look = source.look().await;
        take(app, lane, look, &mut told);
        tokio::time::sleep(every).await;
    }
}

fn open(lane: &Lane) -> Option<(Duration, Box<dyn Source>)> {
    let config = lane.config.discover.as_ref()?;
    let row = SOURCES.iter().find(|row| row.name == config.source)?;
    Some((row.every, (row.open)(config)))
}

/// Acts on a look, and tells what is wrong when that is news.
fn take(app: &Arc<App>, lane: &Arc<Lane>, look: Look, told: &mut Option<String>) {
    let pool = &lane.config.name;
    let mut trouble = look.trouble;
    if let Some(addresses) = look.addresses {
        match lane.newcomers(&addresses) {
            Ok(newcomers) => {
                let (joined, left) = lane.regroup(&addresses, newcomers, app.clock.now());
                if joined + left > 0 {
                    app.observe.emit(Event::Discovered { pool, joined, left });
                    meter::tell_pool(app, lane);
                }
            }
            Err(error) => trouble = Some(error.to_string()),
        }
    }
    if let Some(why) = trouble.as_deref().filter(|_| trouble != *told) {
        app.observe.emit(Event::DiscoveryFailed { pool, why });
    }
    *told = trouble;
}

/// How long a start waits for the first look.
const FIRST_LOOK: Duration = Duration::from_secs(3);
