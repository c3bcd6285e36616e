//! Where requests with an idempotency key come in: the first lays its claim, the others wait for its outcome.

use super::ask::Ask;
use super::claim::{Claim, Meaning, Server, State};
use crate::app::App;
use crate::error::{Fault, FaultCode};
use crate::request::{Outlet, Request};
use crate::serve::cut;
use crate::shared::Shared;
use crate::store::{StoreError, Stored};
use prost::Message as _;
use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use uuid::Uuid;

/// The claims that this start of this gateway serves.
pub(crate) struct Desk {
    gateway: String,
    epoch: u64,
    /// What tells this start from any other: the id of its first request with a key.
    start: OnceLock<Uuid>,
    serving: Mutex<HashSet<Uuid>>,
}

/// How a request with a key goes on.
pub(super) enum Entered<'a> {
    /// It is the first: its claim is laid.
    First(Place<'a>),
    /// It has been answered before.
    Again(Claim),
}

/// The place of a request that is served under a claim. When it is dropped, nobody serves it any more.
pub(super) struct Place<'a> {
    desk: &'a Desk,
    id: Uuid,
    /// When its request has ended for certain, in milliseconds since 1970.
    pub(super) until_ms: i64,
    expires_ms: i64,
}

impl Desk {
    /// The desk of this start of this gateway.
    pub(crate) fn new(gateway: String, epoch: u64) -> Desk {
        Desk { gateway, epoch, start: OnceLock::new(), serving: Mutex::default() }
    }

    fn me(&self) -> Server {
        let start = self.start.get().map(|start| start.as_bytes().to_vec()).unwrap_or_default();
        Server { gateway: self.gateway.clone(), epoch: self.epoch, start }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody serves a running claim: it is of an earlier start of this gateway, or of this one and no request
    /// holds it. Of other gateways' claims nothing is known before their time is over.
    pub(super) fn is_dead(&self, claim: &Claim) -> bool {
        let by = &claim.by;
        if self.start.get().is_some_and(|start| start.as_bytes() == &*by.start) {
            let id = Uuid::from_slice(&claim.request).unwrap_or_default();
            return !self.lock().contains(&id);
        }
        by.gateway == self.gateway && by.epoch < self.epoch
    }

    /// A place for the request with this id, which ends within `left_ms`.
    pub(super) fn place(&self, id: Uuid, now_ms: i64, left_ms: u64) -> Place<'_> {
        let left_ms = i64::try_from(left_ms).unwrap_or(i64::MAX);
        let until_ms = now_ms.saturating_add(left_ms).saturating_add(GRACE_MS);
        self.start.get_or_init(|| id);
        self.lock().insert(id);
        Place { desk: self, id, until_ms, expires_ms: until_ms.max(now_ms.saturating_add(KEPT_MS)) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.desk.lock().remove(&self.id);
    }
}

impl Place<'_> {
    /// Its claim in this state, without an outcome.
    pub(super) fn claim(&self, ask: &Ask, state: State) -> Claim {
        Claim {
            state: state.into(),
            hash: ask.hash.clone(),
            by: self.desk.me(),
            request: self.id.as_bytes().to_vec(),
            until_ms: self.until_ms,
            expires_ms: self.expires_ms,
            ..Claim::default()
        }
    }

    /// Puts its claim's end in place, unless somebody has taken the key over meanwhile.
    pub(super) async fn end(&self, shared: &dyn Shared, ask: &Ask, end: &Claim) -> Result<(), StoreError> {
        loop {
            let Some(found) = shared.get(&ask.path).await? else { return Ok(()) };
            let claim = Claim::decode(&*found.value);
            let is_ours = claim.is_ok_and(|claim| {
                claim.state() == State::Running && claim.request == end.request && claim.by == end.by
            });
            if !is_ours || shared.swap(&ask.path, Some(found.version), end.encode_to_vec()).await? {
                return Ok(());
            }
        }
    }
}

/// Lays a claim on the key, or waits for the outcome of whoever has.
///
/// # Errors
/// Another request stands under the key, its outcome was not kept, the place is away, or the request must not go on.
pub(super) async fn enter<'a>(
    app: &'a App,
    ask: &Ask,
    request: &Request,
    out: &Outlet,
) -> Result<Entered<'a>, Fault> {
    let left_ms = request.ends_by().since_us(app.clock.now()) / 1_000;
    let place = app.once.place(request.id, app.clock.unix_ms(), left_ms);
    let mut pause_ms = FIRST_PAUSE_MS;
    loop {
        let found = reached(app.shared.get(&ask.path)).await?;
        let claim = found.as_ref().map(|found| Claim::decode(&*found.value)).transpose();
        let claim =
            claim.map_err(|_| Fault::new(FaultCode::Internal, "what stands under the key can't be read"))?;
        match claim.as_ref().map_or(Meaning::Open, |claim| meaning(app, ask, claim)) {
            Meaning::Open => {
                let (seen, laid) = (found.map(|found| found.version), place.claim(ask, State::Running));
                if reached(app.shared.swap(&ask.path, seen, laid.encode_to_vec())).await? {
                    return Ok(Entered::First(place));
                }
            }
            Meaning::Wait => {
                // Only the waiting is cut, so that no claim is laid for nobody.
                tokio::select! {
                    biased;
                    fault = cut(app, request.ends_by(), out.closed()) => return Err(fault),
                    () = app.clock.sleep_until(app.clock.now().plus_ms(pause_ms)) => {}
                }
                pause_ms = (pause_ms * 2).min(LONGEST_PAUSE_MS);
            }
            Meaning::Repeat => return Ok(Entered::Again(claim.unwrap_or_default())),
            Meaning::OtherRequest => return Err(conflict(OTHER_REQUEST)),
            Meaning::TooLarge => return Err(conflict(TOO_LARGE)),
        }
    }
}

fn meaning(app: &App, ask: &Ask, claim: &Claim) -> Meaning {
    claim.meaning(&ask.hash, app.clock.unix_ms(), app.once.is_dead(claim))
}

async fn reached<T>(asked: Stored<T>) -> Result<T, Fault> {
    asked.await.map_err(|_| {
        let what = "the store that gateways share is away, so a repeat can't be told from a first request; nothing \
                    was sent";
        Fault::passing(FaultCode::LedgerUnavailable, 1_000, what)
    })
}

fn conflict(what: &str) -> Fault {
    let param = Some("idempotency-key".to_owned());
    Fault { param, ..Fault::new(FaultCode::IdempotencyConflict, what) }
}

const OTHER_REQUEST: &str =
    "another request was sent with this idempotency key; send a new key with each request";
const TOO_LARGE: &str = "the request was answered and charged before, but its outcome is over 256 KiB and was not \
                         kept; nothing is charged now, and a new key would have it answered and charged anew";
/// How long an outcome is kept.
const KEPT_MS: i64 = 24 * 3_600_000;
/// How long after its deadline a request may still be settling, and how far apart gateways' clocks may be.
const GRACE_MS: i64 = 30_000;
const FIRST_PAUSE_MS: u64 = 10;
const LONGEST_PAUSE_MS: u64 = 200;
