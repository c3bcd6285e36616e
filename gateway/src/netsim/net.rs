//! The simulated machine that the gateway runs on: turmoil's sockets, its wall clock, ids from the seed.

use super::journal::Watched;
use super::random::Random;
use crate::machine::{Accepted, Ids, Machine, Port, Ports};
use crate::shared::MemoryShared;
use futures::future::BoxFuture;
use http::Uri;
use sluice_experts::{Dial, DialError, Duplex};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use turmoil::net::{TcpListener, TcpStream};
use uuid::Uuid;

/// A machine in the simulation.
pub(super) fn machine(seed: u64, journal: Watched) -> Machine {
    Machine {
        ports: Arc::new(Net),
        dial: Arc::new(Net),
        unix_ms,
        ids: ids(seed),
        journal: Box::new(move |_| Ok(Arc::new(journal.clone()))),
        shared: Box::new(|_, _| Ok(Arc::new(MemoryShared::default()))),
        cores: None,
    }
}

/// Milliseconds since 1970 in the simulation.
fn unix_ms() -> i64 {
    let since = turmoil::since_epoch().expect("inside the simulation");
    i64::try_from(since.as_millis()).expect("not that late")
}

fn ids(seed: u64) -> Ids {
    let random = Mutex::new(Random::new(seed, "ids"));
    Arc::new(move || {
        let mut random = random.lock().expect("nothing panics under it");
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&random.next().to_be_bytes());
        bytes[8..].copy_from_slice(&random.next().to_be_bytes()[..2]);
        uuid::Builder::from_unix_timestamp_millis(unix_ms().unsigned_abs(), &bytes).into_uuid()
    })
}

/// No two gateways share an id, nor do two requests of one.
#[test]
fn ids_are_version_7() {
    let mut sim = turmoil::Builder::new().build();
    sim.client("here", async {
        let ids = ids(3);
        let (a, b): (Uuid, Uuid) = (ids(), ids());
        assert!(a != b && a.get_version_num() == 7);
        Ok(())
    });
    sim.run().expect("nothing fails");
}

/// Turmoil's network.
#[derive(Clone, Copy)]
pub(super) struct Net;

impl Ports for Net {
    fn take(&self, addr: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn Port>>> {
        Box::pin(async move {
            let port: Box<dyn Port> = Box::new(TcpListener::bind(addr).await?);
            Ok(port)
        })
    }
}

impl Port for TcpListener {
    fn accept(&self) -> BoxFuture<'_, io::Result<Accepted>> {
        Box::pin(async move {
            let stream = TcpListener::accept(self).await?.0;
            let open = move || Ok(Box::new(stream) as Box<dyn Duplex>);
            Ok(Box::new(open) as Accepted)
        })
    }

    fn addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}

impl Dial for Net {
    fn dial(&self, uri: Uri) -> BoxFuture<'static, Result<Box<dyn Duplex>, DialError>> {
        Box::pin(async move {
            let host = uri.host().ok_or("no host")?.to_owned();
            let port = uri.port_u16().ok_or("no port")?;
            let stream: Box<dyn Duplex> = Box::new(TcpStream::connect((host, port)).await?);
            Ok(stream)
        })
    }
}
