//! What the gateway takes from the machine that it runs on: its network, its wall clock, its randomness, its disk. In
//! one place, so that a simulation can be the machine; monotonic time is tokio's.

use crate::app;
use crate::cores::Cores;
use crate::shared::{Shared, open_shared};
use crate::store::{Journal, StoreError, open_journal};
use futures::future::BoxFuture;
use sluice_experts::{Dial, Duplex, Tcp};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

/// The machine.
pub(crate) struct Machine {
    /// Takes ports.
    pub(crate) ports: Arc<dyn Ports>,
    /// Opens connections to engines.
    pub(crate) dial: Arc<dyn Dial>,
    /// Milliseconds since 1970, UTC.
    pub(crate) unix_ms: fn() -> i64,
    /// Where ids come from.
    pub(crate) ids: Ids,
    /// Opens the journal that the configuration names.
    pub(crate) journal: OpenJournal,
    /// Opens what gateways have in common.
    pub(crate) shared: OpenShared,
    /// Where connections are served; `None`: where everything else is.
    pub(crate) cores: Option<Cores>,
}

/// Opens a journal by its URL.
pub(crate) type OpenJournal = Box<dyn Fn(&str) -> Result<Arc<dyn Journal>, StoreError> + Send + Sync>;

/// Opens the place that gateways share by its URL, and that of this gateway's journal.
pub(crate) type OpenShared = Box<dyn Fn(&str, &str) -> Result<Arc<dyn Shared>, StoreError> + Send + Sync>;

/// Gives a new UUIDv7 with each call.
pub(crate) type Ids = Arc<dyn Fn() -> Uuid + Send + Sync>;

impl Machine {
    /// The one that the process runs on.
    pub(crate) fn real() -> Machine {
        Machine {
            ports: Arc::new(TcpPorts),
            dial: Tcp::shared(),
            unix_ms: app::unix_ms,
            ids: ids(),
            journal: Box::new(open_journal),
            shared: Box::new(open_shared),
            cores: None,
        }
    }
}

/// The machine's own ids.
pub(crate) fn ids() -> Ids {
    Arc::new(new_id)
}

/// 32 bytes from the operating system's randomness.
///
/// # Errors
/// It gives none.
pub fn random_bytes() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::from)?;
    Ok(bytes)
}

/// A UUIDv7 from wall time and the thread's own generator, which the operating system's randomness seeds.
pub(crate) fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Takes ports.
pub(crate) trait Ports: Send + Sync {
    /// Takes a port; port 0 takes any free one.
    ///
    /// # Errors
    /// The port is taken or not ours to take.
    fn take(&self, addr: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn Port>>>;
}

/// A connection that nobody listens to yet: it is to be opened by the task that serves it, since the runtime of that one
/// is who will wake it.
pub(crate) type Accepted = Box<dyn FnOnce() -> io::Result<Box<dyn Duplex>> + Send>;

/// A port that was taken. Dropping it gives it back.
pub(crate) trait Port: Send + Sync {
    /// The next client's connection.
    ///
    /// # Errors
    /// A connection that ended before it began, or no file descriptor left for it.
    fn accept(&self) -> BoxFuture<'_, io::Result<Accepted>>;

    /// Where it is.
    ///
    /// # Errors
    /// The operating system's words.
    fn addr(&self) -> io::Result<SocketAddr>;
}

/// Ports for TCP.
pub(crate) struct TcpPorts;

impl Ports for TcpPorts {
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
            let (stream, _) = TcpListener::accept(self).await?;
            // Without it each small chunk may wait for the acknowledgement of the one before, up to 40 ms. Where it
            // can't be set the client has left already, which reading will tell.
            let _ = stream.set_nodelay(true);
            let stream = stream.into_std()?;
            let open = move || Ok(Box::new(TcpStream::from_std(stream)?) as Box<dyn Duplex>);
            Ok(Box::new(open) as Accepted)
        })
    }

    fn addr(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}
