//! Both ends of a gateway, as small as can be: a client that sends the same bytes again, and an engine that answers so.
//!
//! They run on the gateway's own thread and are counted with it, so they do nothing that they needn't.

use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A connection on loopback.
pub(crate) struct Peer {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Peer {
    pub(crate) async fn connect(addr: SocketAddr) -> Peer {
        Peer::new(TcpStream::connect(addr).await.expect("the port is open"))
    }

    fn new(stream: TcpStream) -> Peer {
        stream.set_nodelay(true).expect("a TCP socket");
        Peer { stream, read: Vec::with_capacity(64 << 10) }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the other side reads");
    }

    /// Reads until what has come since the last call ends with `mark`.
    pub(crate) async fn until(&mut self, mark: &[u8]) -> &[u8] {
        self.read.clear();
        while !self.read.ends_with(mark) {
            assert!(self.more().await, "closed before its end: {}", String::from_utf8_lossy(&self.read));
        }
        &self.read
    }

    /// Reads one message of HTTP/1.1 to its end; `None` where the other side has closed.
    pub(crate) async fn message(&mut self) -> Option<&[u8]> {
        self.read.clear();
        let mut ends = None;
        loop {
            if ends.is_none() {
                ends = end_of_message(&self.read);
            }
            match ends {
                Some(Ends::After(bytes)) if self.read.len() >= bytes => return Some(&self.read),
                Some(Ends::With(mark)) if self.read.ends_with(mark) => return Some(&self.read),
                _ => {}
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn more(&mut self) -> bool {
        self.stream.read_buf(&mut self.read).await.is_ok_and(|bytes| bytes > 0)
    }
}

enum Ends {
    After(usize),
    With(&'static [u8]),
}

/// `None` until the head is complete.
fn end_of_message(read: &[u8]) -> Option<Ends> {
    let head = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&read[..head]).expect("heads are ASCII");
    if text.contains("transfer-encoding: chunked") {
        return Some(Ends::With(b"0\r\n\r\n"));
    }
    let length =
        text.split_once("content-length: ").and_then(|(_, rest)| rest.split("\r\n").next()?.parse().ok());
    Some(Ends::After(head + length.unwrap_or(0)))
}

/// How an engine answers.
#[derive(Clone)]
pub(crate) enum Answers {
    /// With these bytes, at once.
    Canned(Arc<[u8]>),
    /// Not at all: the connection is handed to whoever waits for it, its request read.
    Handed(mpsc::Sender<Peer>),
}

/// Starts an engine; it ends with the runtime. Returns where it is.
pub(crate) async fn engine(answers: Answers) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let addr = listener.local_addr().expect("it is bound");
    spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            spawn(answer_all(Peer::new(stream), answers.clone()));
        }
    });
    addr
}

async fn answer_all(mut peer: Peer, answers: Answers) {
    while let Some(request) = peer.message().await {
        if request.starts_with(b"GET /metrics") {
            // Nobody is asked for its load again and again.
            peer.send(b"HTTP/1.1 404 none\r\ncontent-length: 0\r\n\r\n").await;
        } else if request.starts_with(b"GET") {
            peer.send(b"HTTP/1.1 200 well\r\ncontent-length: 0\r\n\r\n").await;
        } else {
            match &answers {
                Answers::Canned(answer) => peer.send(answer).await,
                Answers::Handed(to) => {
                    let _ = to.send(peer).await;
                    return;
                }
            }
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "a benchmark has no app that would wait for its tasks")]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

/// One thread for all of them, so that runs are alike.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A chat request as clients send it, about `bytes` of text in it.
pub(crate) fn post_chat(text: &str, is_stream: bool) -> Vec<u8> {
    let body = format!(
        "{{\"messages\":[{{\"role\":\"system\",\"content\":\"You are a helpful assistant.\"}},\
         {{\"role\":\"user\",\"content\":\"{text}\"}}],\"model\":\"auto\",\"max_tokens\":4000,\
         \"temperature\":0.7,\"stream\":{is_stream}}}"
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: sluice.internal:8080\r\naccept: application/json\r\n\
         accept-encoding: identity\r\nuser-agent: OpenAI/Python 1.109.1\r\nauthorization: Bearer {KEY}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The key of the one tenant.
pub(crate) const KEY: &str = "slk_of-the-benchmarks";

/// The head of an engine's stream.
pub(crate) const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";

/// A token's event as vLLM writes it, as a chunk of a body.
pub(crate) fn token_chunk() -> String {
    chunk(&format!("data: {TOKEN}\n\n"))
}

/// The event's data.
pub(crate) const TOKEN: &str = r#"{"id":"chatcmpl-5f3b9d0c7a1e","object":"chat.completion.chunk","created":1700000000,"model":"qwen2-7b","choices":[{"index":0,"delta":{"content":" token"},"logprobs":null,"finish_reason":null}]}"#;

fn chunk(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n", body.len())
}

/// A whole answer of an engine: sixteen tokens, the reason for its end, and usage.
pub(crate) fn canned_answer() -> Arc<[u8]> {
    let events = [
        token_chunk().repeat(16),
        chunk("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"),
        chunk("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":600,\"completion_tokens\":16}}\n\n"),
        chunk("data: [DONE]\n\n"),
        "0\r\n\r\n".to_owned(),
    ];
    Arc::from(format!("{STREAM_HEAD}{}", events.concat()).into_bytes())
}
