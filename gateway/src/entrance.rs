//! The gateway as its edges see it: [`Door`] over [`App`].

use crate::app::App;
use crate::choose::{Chosen, choose};
use crate::door::{Door, Readiness};
use crate::edge::http_status;
use crate::error::{Fault, FaultCode};
use crate::lane::Lane;
use crate::observe::Event;
use crate::once;
use crate::pools;
use crate::request::{Front, OutEvent, Outlet, Request};
use crate::serve;
use crate::store::postgres::Shipping;
use crate::tenants::{self, AdminAsk, Identity, Standing};
use futures::future::BoxFuture;
use sluice_proto::v1;
use sluice_router::{Decision, NanoUsd, Receipt, Snapshot, Tick, Tokens};
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// What the edges are given.
pub(crate) struct Entrance {
    pub(crate) app: Arc<App>,
    pub(crate) max_body_bytes: usize,
}

impl Door for Entrance {
    fn now(&self) -> Tick {
        self.app.clock.now()
    }

    fn unix_seconds(&self) -> u64 {
        u64::try_from(self.app.clock.unix_ms() / 1_000).unwrap_or(0)
    }

    fn new_id(&self) -> Uuid {
        self.app.new_id()
    }

    fn sleep_until(&self, tick: Tick) -> BoxFuture<'static, ()> {
        self.app.clock.sleep_until(tick)
    }

    fn identify(&self, key: Option<&str>) -> Result<Arc<Identity>, Fault> {
        self.app.keys.identify(key, self.app.clock.unix_ms())
    }

    fn standing(&self, identity: &Identity) -> Standing {
        self.app.limits.standing(identity)
    }

    fn submit(&self, request: Request) -> mpsc::Receiver<OutEvent> {
        let (mut out, events) = Outlet::new();
        // Counted before it is asked whether a drain has begun: a drain either sees it or is seen.
        let _counted = self.app.requests.token();
        if let Some(fault) = self.closed() {
            self.refused(request.front, &request.label, &request.identity.tenant, &fault);
            out.fail(fault);
            return events;
        }
        let app = self.app.clone();
        self.app.spawn_request(match request.hints.idempotency_key.clone() {
            None => Box::pin(async move {
                serve::serve(&app, request, out).await;
            }),
            Some(key) => Box::pin(async move { once::serve(&app, request, &key, out).await }),
        });
        events
    }

    fn refused(&self, _front: Front, label: &str, tenant: &str, fault: &Fault) {
        self.app.observe.emit(Event::Settled {
            request: label,
            route: "",
            tenant,
            expert: "",
            fault: Some(fault.code),
            detail: &fault.detail,
            http_status: http_status(fault.code),
            tokens: Tokens::default(),
            cost: NanoUsd::ZERO,
            baseline: NanoUsd::ZERO,
            total_ms: 0.0,
            overhead_ms: 0.0,
        });
    }

    fn explain(&self, request: Request) -> Result<v1::ExplainResponse, Fault> {
        let chosen = choose(&self.app, &request, None)?;
        Ok(explained(&chosen))
    }

    fn receipt(
        &self,
        identity: &Identity,
        decision_id: String,
    ) -> BoxFuture<'static, Result<v1::ExplainResponse, Fault>> {
        let (journal, tenant) = (self.app.journal.clone(), identity.tenant.clone());
        Box::pin(async move {
            let internal = |error: String| Fault::new(FaultCode::Internal, error);
            let stored =
                journal.receipt(decision_id, tenant).await.map_err(|error| internal(error.to_string()))?;
            let (receipt_json, snapshot) = stored.ok_or_else(|| {
                Fault::new(FaultCode::DecisionNotFound, "no stored decision of this tenant has this id")
            })?;
            let snapshot: Snapshot =
                serde_json::from_str(&snapshot).map_err(|error| internal(error.to_string()))?;
            let receipt: Receipt =
                serde_json::from_str(&receipt_json).map_err(|error| internal(error.to_string()))?;
            Ok(response(&receipt.decision, &snapshot, receipt_json))
        })
    }

    fn models(&self, identity: &Identity) -> Vec<v1::Model> {
        self.app.live().rules.models(&identity.policy)
    }

    fn readiness(&self) -> Readiness {
        if self.app.is_draining() {
            return Readiness::Draining;
        }
        if let Some(trouble) = self.app.journal.trouble() {
            return Readiness::NotReady(format!("the journal can't be written: {trouble}"));
        }
        if self.app.shipping.as_ref().is_some_and(Shipping::is_full) {
            return Readiness::NotReady("too much waits for the fleet's ledger".to_owned());
        }
        let live = self.app.live();
        let now = self.app.clock.now();
        // Whoever rests has only asked for a pause: that is no reason to send clients to another gateway.
        let has_replica = |lane: &Arc<Lane>| lane.counts(now).up + lane.counts(now).resting > 0;
        if live.lanes.iter().any(has_replica) {
            Readiness::Ready
        } else {
            Readiness::NotReady("no pool has a replica that takes work".to_owned())
        }
    }

    fn max_body_bytes(&self) -> usize {
        self.max_body_bytes
    }

    fn metrics(&self) -> String {
        self.app.observe.render()
    }

    fn admin(
        &self,
        key: Option<String>,
        ask: AdminAsk,
    ) -> BoxFuture<'static, Result<serde_json::Value, Fault>> {
        let app = self.app.clone();
        Box::pin(async move { tenants::admin(&app, key, ask).await })
    }

    fn pools(&self) -> String {
        pools::page(&self.app)
    }
}

impl Entrance {
    /// Why no request is taken now; `None` when it may come in.
    fn closed(&self) -> Option<Fault> {
        if self.app.is_draining() {
            let what = "the gateway is shutting down; send the request again";
            return Some(Fault::passing(FaultCode::Draining, 1_000, what));
        }
        if self.app.journal.is_full() {
            let what =
                "the journal can't keep up, and what is not recorded is not spent; see the gateway's log";
            return Some(Fault::passing(FaultCode::NoCapacity, 1_000, what));
        }
        None
    }
}

fn explained(chosen: &Chosen) -> v1::ExplainResponse {
    let receipt_json = serde_json::to_string(&*chosen.receipt).expect("a receipt is plain data");
    response(chosen.decision(), &chosen.live.rules.snapshot, receipt_json)
}

fn response(decision: &Decision, snapshot: &Snapshot, receipt_json: String) -> v1::ExplainResponse {
    let fleet = &snapshot.fleet;
    let name =
        |expert: usize| fleet.experts.get(expert).map(|expert| expert.name.clone()).unwrap_or_default();
    let first = decision.steps.first();
    let quotes = decision.quotes.iter().map(|quote| v1::Quote {
        expert: name(quote.expert),
        p_capable: quote.p_capable,
        p_lower: quote.p_lower,
        cost_nanousd: quote.cost.0,
        worst_nanousd: quote.worst.0,
        wait_ms: quote.wait_ms,
        eligible: quote.is_eligible(),
        reason: quote.reason.as_ref().map(ToString::to_string).unwrap_or_default(),
        pool: quote
            .pool
            .and_then(|pool| fleet.pools.get(pool))
            .map(|pool| pool.name.clone())
            .unwrap_or_default(),
        ttft_ms: quote.ttft_ms,
        tpot_ms: quote.tpot_ms,
        p_miss: quote.p_miss,
        money_nanousd: quote.money,
    });
    v1::ExplainResponse {
        expert: first.map(|step| name(step.expert)).unwrap_or_default(),
        pool: first
            .and_then(|step| fleet.pools.get(step.pool))
            .map(|pool| pool.name.clone())
            .unwrap_or_default(),
        quotes: quotes.collect(),
        propensity: decision.propensity,
        receipt_json,
    }
}
