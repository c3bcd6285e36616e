//! Engines of the OpenAI dialect that do as told, byte by byte: each request takes the next script of those that its
//! peers share, else the usual one.

use crate::edge_kit::spawn_now;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// What to do with a request that has been read.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    /// The head of an answer that streams.
    Head,
    /// A chunk of it that holds these bytes.
    Raw(String),
    /// A server-sent event with this data.
    Event(String),
    /// A token of the answer.
    Token(String),
    /// A whole refusal: status and further headers.
    Refuse(u16, String),
    Sleep(Duration),
    /// Token after token until the other side closes.
    Flood,
    /// The last chunk: the answer's body ends in good order.
    End,
    /// Waits until the other side closes.
    AwaitClose,
}

/// A script that ends well, with this text.
pub(crate) fn answer(text: &str) -> Vec<Do> {
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1}}"#;
    vec![Do::Head, Do::Token(text.to_owned()), stop(), Do::Event(usage.to_owned()), done(), Do::End]
}

/// The same after a while of silence.
pub(crate) fn answer_after(ms: u64, text: &str) -> Vec<Do> {
    std::iter::once(Do::Sleep(Duration::from_millis(ms))).chain(answer(text)).collect()
}

pub(crate) fn stop() -> Do {
    Do::Event(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#.to_owned())
}

pub(crate) fn done() -> Do {
    Do::Event("[DONE]".to_owned())
}

/// What peers share.
#[derive(Default)]
pub(crate) struct Scripts {
    next: Mutex<VecDeque<Vec<Do>>>,
    usual: Mutex<Vec<Do>>,
    /// Requests that came.
    seen: AtomicUsize,
    /// Requests that are being answered.
    open: AtomicUsize,
    /// When requests were cancelled.
    closed: Mutex<Vec<Instant>>,
}

impl Scripts {
    /// This for every request that has no script of its own.
    pub(crate) fn usually(script: Vec<Do>) -> Arc<Scripts> {
        Arc::new(Scripts { usual: Mutex::new(script), ..Scripts::default() })
    }

    /// One for each of the next requests.
    pub(crate) fn next(&self, scripts: impl IntoIterator<Item = Vec<Do>>) {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).extend(scripts);
    }

    /// Drops the scripts that no request has taken.
    pub(crate) fn forget(&self) {
        self.next.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// When requests were cancelled since the last time that this was asked.
    pub(crate) fn closed(&self) -> Vec<Instant> {
        std::mem::take(&mut self.closed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self) -> Vec<Do> {
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        next.unwrap_or_else(|| self.usual.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn note_closed(&self) {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
    }

    /// Starts a peer that takes from these. Returns its address.
    pub(crate) async fn peer(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        let addr = listener.local_addr().expect("it is bound");
        let scripts = self.clone();
        spawn_now(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let scripts = scripts.clone();
                spawn_now(async move { serve(socket, &scripts).await });
            }
        });
        format!("http://{addr}")
    }
}

/// Answers one request after the other, until the connection ends.
async fn serve(mut socket: TcpStream, scripts: &Scripts) {
    while let Some(head) = request(&mut socket).await {
        let is_probe = head.starts_with("GET");
        let script = if is_probe { vec![Do::Refuse(404, String::new())] } else { scripts.take() };
        scripts.seen.fetch_add(usize::from(!is_probe), Ordering::SeqCst);
        scripts.open.fetch_add(1, Ordering::SeqCst);
        let goes_on = run(&mut socket, script, scripts).await;
        scripts.open.fetch_sub(1, Ordering::SeqCst);
        if !goes_on {
            return;
        }
    }
}

/// Carries a script out. Returns whether the connection can serve again.
async fn run(socket: &mut TcpStream, script: Vec<Do>, scripts: &Scripts) -> bool {
    for act in script {
        let sent = match act {
            Do::Head => write(socket, HEAD).await,
            Do::Raw(bytes) => write(socket, &chunk(&bytes)).await,
            Do::Event(data) => write(socket, &chunk(&format!("data: {data}\n\n"))).await,
            Do::Token(text) => write(socket, &token(&text)).await,
            Do::Refuse(status, headers) => {
                write(socket, &format!("HTTP/1.1 {status} no\r\ncontent-length: 0\r\n{headers}\r\n")).await
            }
            Do::End => write(socket, "0\r\n\r\n").await,
            // Whoever leaves meanwhile is noticed.
            Do::Sleep(time) => tokio::time::timeout(time, hung_up(socket)).await.is_err(),
            Do::Flood => {
                while tokio::time::timeout(Duration::from_millis(1), hung_up(socket)).await.is_err() {
                    if !write(socket, &token(" more")).await {
                        break;
                    }
                }
                false
            }
            Do::AwaitClose => {
                hung_up(socket).await;
                false
            }
        };
        if !sent {
            scripts.note_closed();
            return false;
        }
    }
    true
}

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

fn chunk(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n", body.len())
}

fn token(text: &str) -> String {
    chunk(&format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"))
}

async fn write(socket: &mut TcpStream, text: &str) -> bool {
    socket.write_all(text.as_bytes()).await.is_ok()
}

async fn hung_up(socket: &mut TcpStream) {
    let mut buffer = [0_u8; 256];
    while socket.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
}

/// Reads one request with a content-length; `None` when the connection ends.
async fn request(socket: &mut TcpStream) -> Option<String> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = |line: &str| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok();
            let length: usize = head.lines().find_map(length).unwrap_or(0);
            if body.len() >= length {
                return Some(head.to_owned());
            }
        }
        if socket.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}
