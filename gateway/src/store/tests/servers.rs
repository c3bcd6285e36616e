//! Real servers for tests: a schema of a Postgres and keys of a Redis of their own, and a wire to either that can be
//! cut. Where no server answers the test is skipped, and says so.

use crate::machine::new_id;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// A Postgres schema that is gone when this is dropped.
pub(crate) struct Schema {
    base: String,
    pub(crate) name: String,
}

impl Schema {
    /// A fresh one on the server that tests may use; `None`, said aloud, where none answers.
    pub(crate) fn fresh() -> Option<Schema> {
        let base = server("SLUICE_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/test")?;
        Some(Schema::on(&base))
    }

    /// A fresh one on this server.
    pub(crate) fn on(base: &str) -> Schema {
        let schema = Schema { base: base.to_owned(), name: format!("sluice_test_{}", new_id().simple()) };
        schema.say(&format!("CREATE SCHEMA {}", schema.name)).expect("a schema can be made");
        schema
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        self.url_at(&self.base)
    }

    /// Its URL, as reached through this port.
    pub(crate) fn url_through(&self, wire: &Wire) -> String {
        self.url_at(&moved(&self.base, wire.addr))
    }

    fn url_at(&self, base: &str) -> String {
        let and = if base.contains('?') { '&' } else { '?' };
        format!("{base}{and}options=-csearch_path%3D{}", self.name)
    }

    /// A wire to the server.
    pub(crate) fn wire(&self) -> Wire {
        Wire::to(place(&self.base))
    }

    /// Runs SQL in it.
    pub(crate) fn say(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.ask(sql).map(drop)
    }

    /// The first value of each row, as text.
    pub(crate) fn ask(&self, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
        let (url, sql) = (self.url(), sql.to_owned());
        blocking(async move {
            let server = crate::store::postgres::Server::new(&url).expect("a URL");
            let mut link = server.connect().await?;
            let answers =
                crate::store::postgres::drive(&mut link.wire, link.client.simple_query(&sql)).await?;
            let first = |message: &tokio_postgres::SimpleQueryMessage| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => {
                    Some(row.get(0).unwrap_or_default().to_owned())
                }
                _ => None,
            };
            Ok(answers.iter().filter_map(first).collect())
        })
    }

    /// One number.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        let answer = self.ask(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        answer[0].parse().unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // A server that a test has stopped has nothing to be cleaned.
        let _ = self.say(&format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name));
    }
}

/// Keys of a Redis that are gone when this is dropped.
pub(crate) struct Keys {
    base: String,
    prefix: String,
}

impl Keys {
    /// Fresh ones on the server that tests may use; `None`, said aloud, where none answers.
    pub(crate) fn fresh() -> Option<Keys> {
        let base = server("SLUICE_TEST_REDIS", "redis://127.0.0.1:6379")?;
        Some(Keys { base, prefix: format!("sluice_test_{}/", new_id().simple()) })
    }

    pub(crate) fn url(&self) -> String {
        format!("{}?prefix={}", self.base, self.prefix)
    }

    pub(crate) fn url_through(&self, wire: &Wire) -> String {
        format!("{}?prefix={}", moved(&self.base, wire.addr), self.prefix)
    }

    pub(crate) fn wire(&self) -> Wire {
        Wire::to(place(&self.base))
    }

    /// Forgets everything, as a server does that keeps nothing on its disk and is started again.
    pub(crate) fn forget(&self) {
        let mut connection = redis::Client::open(self.base.as_str())
            .and_then(|client| client.get_connection())
            .expect("reached");
        let pattern = format!("{}*", self.prefix);
        let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query(&mut connection).expect("listed");
        if !keys.is_empty() {
            redis::cmd("DEL").arg(keys).exec(&mut connection).expect("removed");
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.forget();
    }
}

/// The server of this variable, or the usual one, if somebody answers there.
fn server(variable: &str, usual: &str) -> Option<String> {
    let url = std::env::var(variable).unwrap_or_else(|_| usual.to_owned());
    if TcpStream::connect_timeout(&place(&url), Duration::from_millis(500)).is_ok() {
        return Some(url);
    }
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let said =
        writeln!(std::io::stderr(), "SKIPPED {test}: nobody answers at {url}; {variable} names a server");
    said.expect("stderr");
    None
}

/// Host and port of a URL.
fn place(url: &str) -> SocketAddr {
    let (from, to) = span(url);
    url[from..to].to_socket_addrs().expect("a host and a port").next().expect("an address")
}

/// The URL with another host and port.
fn moved(url: &str, addr: SocketAddr) -> String {
    let (from, to) = span(url);
    format!("{}{addr}{}", &url[..from], &url[to..])
}

fn span(url: &str) -> (usize, usize) {
    let from = url.find("://").map_or(0, |at| at + 3);
    let to = url[from..].find(['/', '?']).map_or(url.len(), |at| from + at);
    (url[..to].rfind('@').map_or(from, |at| at + 1), to)
}

/// Waits for a future on a thread of its own, since the caller may be on a runtime already.
pub(crate) fn blocking<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(work)
        };
        scope.spawn(run).join().expect("no panic")
    })
}

/// A port that leads to a server, until it is told to do otherwise.
pub(crate) struct Wire {
    pub(crate) addr: SocketAddr,
    state: Arc<WireState>,
}

#[derive(Default)]
struct WireState {
    mode: AtomicU8,
    open: Mutex<Vec<TcpStream>>,
}

const PASS: u8 = 0;
const LOSE_ANSWERS: u8 = 1;
const AWAY: u8 = 2;
const SLOW: u8 = 3;

impl Wire {
    fn to(server: SocketAddr) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let wire = Wire { addr: listener.local_addr().expect("bound"), state: Arc::default() };
        let state = wire.state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A client that is turned away sees its connection closed.
                if state.mode.load(Ordering::SeqCst) != AWAY {
                    state.clone().join(client, server);
                }
            }
        });
        wire
    }

    /// What the server says from now on is lost, with the connection.
    pub(crate) fn lose_answers(&self) {
        self.state.mode.store(LOSE_ANSWERS, Ordering::SeqCst);
    }

    /// Every connection breaks, and no new one is made.
    pub(crate) fn go_away(&self) {
        self.state.mode.store(AWAY, Ordering::SeqCst);
        for stream in self.state.open.lock().expect("no panic").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Everything takes its time.
    pub(crate) fn slow_down(&self) {
        self.state.mode.store(SLOW, Ordering::SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.state.mode.store(PASS, Ordering::SeqCst);
    }
}

impl WireState {
    fn join(self: Arc<Self>, client: TcpStream, server: SocketAddr) {
        let Ok(server) = TcpStream::connect(server) else { return };
        let twin = |stream: &TcpStream| stream.try_clone().expect("a handle");
        self.open.lock().expect("no panic").extend([twin(&client), twin(&server)]);
        let (up, down) = ((twin(&client), twin(&server)), (server, client));
        let state = self.clone();
        std::thread::spawn(move || state.carry(up, false));
        std::thread::spawn(move || self.carry(down, true));
    }

    fn carry(&self, (mut from, mut to): (TcpStream, TcpStream), is_answer: bool) {
        let mut bytes = [0; 16_384];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            match self.mode.load(Ordering::SeqCst) {
                LOSE_ANSWERS if is_answer => break,
                SLOW => std::thread::sleep(Duration::from_millis(20)),
                _ => {}
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}

/// A Postgres of the test's own, which it may stop.
pub(crate) struct Cluster {
    folder: TempDir,
    port: u16,
}

impl Cluster {
    /// Makes and starts one; `None`, said aloud, where Postgres' programs are not installed.
    pub(crate) fn start() -> Option<Cluster> {
        if !Path::new(PROGRAMS).join("initdb").exists() {
            let said = writeln!(std::io::stderr(), "SKIPPED a Postgres of its own: no initdb in {PROGRAMS}");
            said.expect("stderr");
            return None;
        }
        let folder = TempDir::new().expect("a folder");
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("loopback").port();
        let cluster = Cluster { folder, port };
        let data = cluster.folder.path().display();
        // Postgres refuses to run as root.
        cluster.run(&format!("chown postgres {data} 2>/dev/null; true"), false);
        cluster.run(&format!("{PROGRAMS}/initdb -D {data}/d -U postgres -A trust -N"), true);
        cluster.start_again();
        Some(cluster)
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// As a crash does: nothing is written out.
    pub(crate) fn stop_at_once(&self) {
        let data = self.folder.path().display();
        self.run(&format!("{PROGRAMS}/pg_ctl -D {data}/d -m immediate stop"), true);
    }

    pub(crate) fn start_again(&self) {
        let (data, port) = (self.folder.path().display(), self.port);
        let options = format!("-p {port} -c listen_addresses=127.0.0.1 -k {data}");
        self.run(&format!("{PROGRAMS}/pg_ctl -D {data}/d -w -l {data}/d/log -o '{options}' start"), true);
    }

    fn run(&self, line: &str, as_postgres: bool) {
        let id = Command::new("id").arg("-u").output().expect("a user");
        let is_root = id.stdout.starts_with(b"0\n");
        let mut command = match as_postgres && is_root {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]);
                command.args(["sh", "-c", line]);
                command
            }
            false => {
                let mut command = Command::new("sh");
                command.args(["-c", line]);
                command
            }
        };
        let done = command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let done = done.status().expect("runs");
        assert!(done.success(), "{line}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.folder.path().display();
        let line = format!("{PROGRAMS}/pg_ctl -D {data}/d -m immediate stop; true");
        self.run(&line, true);
    }
}

const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
