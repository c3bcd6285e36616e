//! A gateway that is nothing but a door: whatever comes in is answered with the same few events.

use crate::peer::spawn;
use futures::future::BoxFuture;
use serde_json::Value;
use sluice_gateway::{
    AdminAsk, Door, Fault, FaultCode, Front, Identity, OUTLET_EVENTS, OutEvent, Readiness, Request, Standing,
};
use sluice_proto::v1;
use sluice_router::Tick;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Opens the edges before such a door; they close with the runtime. Returns where.
pub(crate) async fn open() -> SocketAddr {
    let bound = sluice_gateway::listen(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let addr = bound.addr();
    let door = Arc::new(CannedDoor(Arc::new(Identity::everybody())));
    let spawner: sluice_gateway::Spawn = Arc::new(|_, task| spawn(task));
    spawn(bound.serve(door, spawner, std::future::pending()));
    addr
}

struct CannedDoor(Arc<Identity>);

impl Door for CannedDoor {
    fn now(&self) -> Tick {
        Tick(1)
    }

    fn unix_seconds(&self) -> u64 {
        1_700_000_000
    }

    fn new_id(&self) -> Uuid {
        Uuid::from_u128(7)
    }

    fn sleep_until(&self, _tick: Tick) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    fn identify(&self, _key: Option<&str>) -> Result<Arc<Identity>, Fault> {
        Ok(self.0.clone())
    }

    fn standing(&self, _identity: &Identity) -> Standing {
        Standing::default()
    }

    fn submit(&self, _request: Request) -> mpsc::Receiver<OutEvent> {
        let (outlet, events) = mpsc::channel(OUTLET_EVENTS);
        for event in answer() {
            outlet.try_send(event).expect("they fit");
        }
        events
    }

    fn refused(&self, _front: Front, _label: &str, _tenant: &str, fault: &Fault) {
        panic!("requests of benchmarks are well-formed: {fault:?}");
    }

    fn explain(&self, _request: Request) -> Result<v1::ExplainResponse, Fault> {
        Err(nothing_here())
    }

    fn receipt(&self, _of: &Identity, _id: String) -> BoxFuture<'static, Result<v1::ExplainResponse, Fault>> {
        Box::pin(std::future::ready(Err(nothing_here())))
    }

    fn models(&self, _identity: &Identity) -> Vec<v1::Model> {
        vec![]
    }

    fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    fn max_body_bytes(&self) -> usize {
        8 << 20
    }

    fn metrics(&self) -> String {
        String::new()
    }

    fn admin(&self, _key: Option<String>, _ask: AdminAsk) -> BoxFuture<'static, Result<Value, Fault>> {
        Box::pin(std::future::ready(Err(nothing_here())))
    }

    fn pools(&self) -> String {
        String::new()
    }
}

fn nothing_here() -> Fault {
    Fault::new(FaultCode::UnknownUrl, "there is nothing behind this door")
}

fn answer() -> [OutEvent; 3] {
    let started = v1::Started {
        decision_id: "018f0000-0000-7000-8000-000000000000".to_owned(),
        expert: "expert-1".to_owned(),
        pool: "pool-1".to_owned(),
        route: "auto".to_owned(),
        floor_held: true,
        ..v1::Started::default()
    };
    let delta = v1::TextDelta { text: "An answer of a few words.".to_owned(), delta_json: String::new() };
    let finished = v1::Finished {
        finish_reason: "stop".to_owned(),
        usage: Some(v1::Usage { prompt_tokens: 600, output_tokens: 6, ..v1::Usage::default() }),
        cost_nanousd: 1_500,
        baseline_nanousd: 9_000,
        ..v1::Finished::default()
    };
    [OutEvent::Started(Box::new(started)), OutEvent::Delta(delta), OutEvent::Finished(Box::new(finished))]
}
