//! A scripted door behind real listeners, and clients that see every byte.

use futures::future::BoxFuture;
use http::HeaderMap;
use serde_json::Value;
use sluice_gateway::{
    AdminAsk, Door, Fault, Front, Identity, OUTLET_EVENTS, OutEvent, Readiness, Request, Spawn, Standing,
};
use sluice_proto::v1;
use sluice_router::Tick;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot, watch};
use uuid::Uuid;

pub(crate) const LIMIT: usize = 64 << 10;

/// A door whose answers a test writes, event by event or by a script, and whose clock a test may hold.
pub(crate) struct ScriptedDoor {
    clock: Clock,
    ids: AtomicU64,
    script: Option<Script>,
    submitted: mpsc::Sender<Submitted>,
    arrivals: AsyncMutex<mpsc::Receiver<Submitted>>,
    pub(crate) readiness: Mutex<Readiness>,
    pub(crate) refusals: Mutex<Vec<(Front, String, Fault)>>,
}

type Script = Box<dyn Fn(&Request) -> Vec<OutEvent> + Send + Sync>;

enum Clock {
    Real(tokio::time::Instant),
    Held(watch::Sender<u64>),
}

/// A request that reached the door, and the way back to its client.
pub(crate) struct Submitted {
    pub(crate) request: Request,
    pub(crate) outlet: mpsc::Sender<OutEvent>,
}

impl ScriptedDoor {
    /// Answers are written by the test, which takes requests with [`ScriptedDoor::next`].
    pub(crate) fn by_hand() -> Arc<ScriptedDoor> {
        Arc::new(ScriptedDoor::new(Clock::Real(tokio::time::Instant::now()), None))
    }

    /// Like `by_hand`, with time that passes only by [`ScriptedDoor::advance`].
    pub(crate) fn with_held_clock() -> Arc<ScriptedDoor> {
        Arc::new(ScriptedDoor::new(Clock::Held(watch::Sender::new(1_000_000)), None))
    }

    /// Every request gets the same kind of answer at once.
    pub(crate) fn scripted(
        script: impl Fn(&Request) -> Vec<OutEvent> + Send + Sync + 'static,
    ) -> Arc<ScriptedDoor> {
        let clock = Clock::Real(tokio::time::Instant::now());
        Arc::new(ScriptedDoor::new(clock, Some(Box::new(script))))
    }

    fn new(clock: Clock, script: Option<Script>) -> ScriptedDoor {
        let (submitted, arrivals) = mpsc::channel(1_000);
        ScriptedDoor {
            clock,
            ids: AtomicU64::new(1),
            script,
            submitted,
            arrivals: AsyncMutex::new(arrivals),
            readiness: Mutex::new(Readiness::Ready),
            refusals: Mutex::default(),
        }
    }

    /// The next request that reaches the door.
    pub(crate) async fn next(&self) -> Submitted {
        let mut arrivals = self.arrivals.lock().await;
        within(arrivals.recv()).await.expect("the door holds a sender")
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, ms: u64) {
        let Clock::Held(now) = &self.clock else { panic!("only a held clock is advanced") };
        now.send_modify(|now| *now += ms * 1_000);
    }

    /// Resolves when the head of the first request is in: every request gets an id then.
    pub(crate) async fn first_head(&self) {
        within(async {
            while self.ids.load(Ordering::Relaxed) == 1 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// How many timers wait on a held clock.
    pub(crate) fn timers(&self) -> usize {
        let Clock::Held(now) = &self.clock else { panic!("only a held clock counts its timers") };
        now.receiver_count()
    }

    pub(crate) fn set_readiness(&self, readiness: Readiness) {
        *self.readiness.lock().expect("no test panics while it holds this") = readiness;
    }

    pub(crate) fn refused_codes(&self) -> Vec<&'static str> {
        self.refusals
            .lock()
            .expect("no test panics while it holds this")
            .iter()
            .map(|(_, _, fault)| fault.code.name())
            .collect()
    }
}

impl Door for ScriptedDoor {
    fn now(&self) -> Tick {
        match &self.clock {
            Clock::Real(start) => Tick(start.elapsed().as_micros() as u64),
            Clock::Held(now) => Tick(*now.borrow()),
        }
    }

    fn unix_seconds(&self) -> u64 {
        1_700_000_000
    }

    fn new_id(&self) -> Uuid {
        Uuid::from_u64_pair(0, self.ids.fetch_add(1, Ordering::Relaxed))
    }

    fn sleep_until(&self, tick: Tick) -> BoxFuture<'static, ()> {
        match &self.clock {
            Clock::Real(start) => Box::pin(tokio::time::sleep_until(*start + Duration::from_micros(tick.0))),
            Clock::Held(now) => {
                let mut now = now.subscribe();
                Box::pin(async move {
                    if now.wait_for(|now| *now >= tick.0).await.is_err() {
                        std::future::pending::<()>().await;
                    }
                })
            }
        }
    }

    fn identify(&self, _key: Option<&str>) -> Result<Arc<Identity>, Fault> {
        Ok(Arc::new(Identity::everybody()))
    }

    fn standing(&self, _identity: &Identity) -> Standing {
        Standing::default()
    }

    fn submit(&self, request: Request) -> mpsc::Receiver<OutEvent> {
        assert_ne!(request.body.model, "panic", "a bug that a test asked for");
        let (outlet, events) = mpsc::channel(OUTLET_EVENTS);
        match &self.script {
            Some(script) => {
                let answer = script(&request);
                spawn_now(async move {
                    for event in answer {
                        if outlet.send(event).await.is_err() {
                            return;
                        }
                    }
                });
            }
            None => self.submitted.try_send(Submitted { request, outlet }).expect("room for every request"),
        }
        events
    }

    fn refused(&self, front: Front, label: &str, _tenant: &str, fault: &Fault) {
        self.refusals.lock().expect("no test panics while it holds this").push((
            front,
            label.to_owned(),
            fault.clone(),
        ));
    }

    fn explain(&self, request: Request) -> Result<v1::ExplainResponse, Fault> {
        let receipt = serde_json::json!({ "model": request.body.model, "floor": request.hints.floor });
        Ok(v1::ExplainResponse { receipt_json: receipt.to_string(), ..Default::default() })
    }

    fn receipt(
        &self,
        _identity: &Identity,
        decision_id: String,
    ) -> BoxFuture<'static, Result<v1::ExplainResponse, Fault>> {
        Box::pin(async move {
            match decision_id.as_str() {
                "known" => Ok(v1::ExplainResponse {
                    receipt_json: r#"{"id":"known"}"#.to_owned(),
                    ..Default::default()
                }),
                _ => Err(Fault::new(
                    sluice_gateway::FaultCode::DecisionNotFound,
                    "no stored decision has this id",
                )),
            }
        })
    }

    fn models(&self, _identity: &Identity) -> Vec<v1::Model> {
        let model = |id: &str, kind: &str| v1::Model { id: id.to_owned(), kind: kind.to_owned() };
        vec![model("auto", "route"), model("meta/llama-3", "expert")]
    }

    fn readiness(&self) -> Readiness {
        self.readiness.lock().expect("no test panics while it holds this").clone()
    }

    fn max_body_bytes(&self) -> usize {
        LIMIT
    }

    fn metrics(&self) -> String {
        "# TYPE sluice_requests_total counter\nsluice_requests_total 1\n".to_owned()
    }

    fn admin(&self, _key: Option<String>, _ask: AdminAsk) -> BoxFuture<'static, Result<Value, Fault>> {
        Box::pin(std::future::ready(Ok(Value::Null)))
    }

    fn pools(&self) -> String {
        r#"{"pools":[]}"#.to_owned()
    }
}

/// A listener that serves until it is told to stop or dropped.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<oneshot::Receiver<()>>,
}

impl Server {
    /// Begins the drain.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().expect("stopped once").send(());
    }

    /// Resolves when the drain is complete.
    pub(crate) async fn ended(&mut self) {
        within(self.ended.take().expect("waited for once")).await.expect("serving ends by itself");
    }
}

pub(crate) async fn serve(door: &Arc<ScriptedDoor>) -> Server {
    start(door.clone(), false).await
}

pub(crate) async fn serve_admin(door: &Arc<ScriptedDoor>) -> Server {
    start(door.clone(), true).await
}

async fn start(door: Arc<ScriptedDoor>, is_admin: bool) -> Server {
    let bound = sluice_gateway::listen(([127, 0, 0, 1], 0).into()).await.expect("a free port");
    let addr = bound.addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let (end, ended) = oneshot::channel();
    let until = async move {
        let _ = stopped.await;
    };
    spawn_now(async move {
        match is_admin {
            true => bound.serve_admin(door, spawner(), until).await,
            false => bound.serve(door, spawner(), until).await,
        }
        let _ = end.send(());
    });
    Server { addr, stop: Some(stop), ended: Some(ended) }
}

fn spawner() -> Spawn {
    Arc::new(|_, task| spawn_now(task))
}

#[allow(clippy::disallowed_methods, reason = "tests stand in for the app, which owns spawning")]
pub(crate) fn spawn_now(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

/// Fails a test that would hang, long after anything healthy has come.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("nothing came for 20 s")
}

pub(crate) fn started() -> OutEvent {
    OutEvent::Started(Box::new(v1::Started {
        decision_id: "dec-1".to_owned(),
        expert: "law-7b".to_owned(),
        pool: "law-a".to_owned(),
        route: "auto".to_owned(),
        floor_held: true,
        decide_us: 100,
        replica: 2,
        replayed: false,
    }))
}

pub(crate) fn text(text: &str) -> OutEvent {
    OutEvent::Delta(v1::TextDelta { text: text.to_owned(), delta_json: String::new() })
}

pub(crate) fn delta(json: &str) -> OutEvent {
    OutEvent::Delta(v1::TextDelta { text: String::new(), delta_json: json.to_owned() })
}

pub(crate) fn finished() -> OutEvent {
    OutEvent::Finished(Box::new(v1::Finished {
        finish_reason: "stop".to_owned(),
        usage: Some(v1::Usage {
            prompt_tokens: 12,
            cached_tokens: 4,
            output_tokens: 3,
            ..v1::Usage::default()
        }),
        cost_nanousd: 1_500,
        baseline_nanousd: 9_000,
        simulated: true,
        truncated: String::new(),
    }))
}

/// `Hello`, in two pieces.
pub(crate) fn hello(_: &Request) -> Vec<OutEvent> {
    vec![started(), text("Hel"), text("lo"), finished()]
}

/// The body of a small chat request, with more fields.
pub(crate) fn chat(more: &str) -> String {
    format!(r#"{{"model":"auto","messages":[{{"role":"user","content":"secret question"}}]{more}}}"#)
}

/// An HTTP/1.1 answer as it came.
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl RawAnswer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }

    /// `error.code` of a well-formed error body.
    pub(crate) fn error_code(&self) -> String {
        let body = self.json();
        let error = body["error"].as_object().unwrap_or_else(|| panic!("no error: {body}"));
        let keys: Vec<&str> = error.keys().map(String::as_str).collect();
        assert_eq!(keys, ["message", "type", "param", "code"]);
        error["code"].as_str().expect("a code").to_owned()
    }
}

/// Sends bytes on a connection of their own and reads until it closes.
pub(crate) async fn exchange(addr: SocketAddr, bytes: &[u8]) -> RawAnswer {
    let mut stream = connect(addr).await;
    stream.write_all(bytes).await.expect("sent");
    read_answer(&mut stream).await
}

pub(crate) async fn connect(addr: SocketAddr) -> TcpStream {
    TcpStream::connect(addr).await.expect("the port is open")
}

/// Reads to the end of the connection and takes the answer apart.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> RawAnswer {
    parse_answer(&read_to_end(stream).await)
}

/// All bytes until the connection closes, in whichever way.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = within(stream.read_to_end(&mut all)).await;
    all
}

/// Reads until `mark` has come; returns everything so far.
pub(crate) async fn read_until(stream: &mut TcpStream, mark: &str) -> String {
    let mut all = Vec::new();
    while !String::from_utf8_lossy(&all).contains(mark) {
        let n = within(stream.read_buf(&mut all)).await.expect("readable");
        assert_ne!(n, 0, "closed before {mark:?}: {}", String::from_utf8_lossy(&all));
    }
    String::from_utf8(all).expect("UTF-8")
}

pub(crate) fn parse_answer(all: &[u8]) -> RawAnswer {
    let split = all.windows(4).position(|four| four == b"\r\n\r\n");
    let split = split.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(all)));
    let head = std::str::from_utf8(&all[..split]).expect("ASCII");
    let mut lines = head.split("\r\n");
    let status_line = lines.next().expect("a status line");
    let status = status_line.split(' ').nth(1).expect("a status").parse().expect("a number");
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        let name = http::HeaderName::try_from(name).expect("a name");
        headers.append(name, value.parse().expect("a value"));
    }
    let is_chunked = headers.get("transfer-encoding").is_some_and(|value| value == "chunked");
    let body = if is_chunked { unchunk(&all[split + 4..]) } else { all[split + 4..].to_vec() };
    RawAnswer { status, headers, body }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).expect("hex"), 16).expect("hex");
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 2 + size + 2..];
    }
    body
}

/// The bytes of a POST of JSON that asks for the connection to be closed afterwards.
pub(crate) fn post(path: &str, more_headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n{more_headers}\r\n{body}"
    )
    .into_bytes()
}

pub(crate) fn post_chat(more_headers: &str, body: &str) -> Vec<u8> {
    post("/v1/chat/completions", more_headers, body)
}

pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").into_bytes()
}
