//! A client's socket with the limits that the HTTP implementation doesn't set: patience with slow readers and writers,
//! no TLS, and the difference between a client that only stopped sending and one that has left.

use crate::door::Door;
use crate::edge::conn::Conn;
use futures::future::BoxFuture;
use sluice_experts::Duplex;
use sluice_router::Tick;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// How long the head of a request may take from its first byte, in milliseconds.
const HEAD_MS: u64 = 10_000;
/// How long an HTTP/1 connection may idle between requests, in milliseconds: longer than the 60 s of common balancers,
/// which would otherwise send a request just as it is closed.
const IDLE_MS: u64 = 75_000;
/// How long a client may take nothing of what is to be written, in milliseconds.
const STALL_MS: u64 = 30_000;
/// An end of input this soon after the request, with nothing of the answer sent, is a client that closes its sending
/// half and still reads; later it is a client that has left. On the wire both look alike.
const HALF_CLOSE_MS: u64 = 250;

const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const TLS_HANDSHAKE: u8 = 0x16;

/// A client's socket.
pub(crate) struct Socket {
    stream: Box<dyn Duplex>,
    conn: Arc<Conn>,
    door: Arc<dyn Door>,
    protocol: Protocol,
    /// Bytes by which that was told, until they are read once more.
    first: Vec<u8>,
    /// When the last bytes came.
    heard: Tick,
    /// When the head that is being read began.
    head_began: Tick,
    /// Which request, by [`Conn::begun`], the bytes read since then belong to.
    head_of: usize,
    wrote_since: bool,
    has_half_closed: bool,
    /// The end of input has been seen once, when the request that it came with had not begun yet.
    has_seen_end: bool,
    reading: Option<(Phase, BoxFuture<'static, ()>)>,
    writing: Option<BoxFuture<'static, ()>>,
}

/// What the client speaks, told by its first bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// So many bytes of the HTTP/2 preface.
    Unknown(usize),
    Http1,
    Http2,
}

/// What is being waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Head(usize),
    Idle(usize),
}

impl Socket {
    pub(crate) fn new(stream: Box<dyn Duplex>, conn: Arc<Conn>, door: Arc<dyn Door>) -> Socket {
        let now = door.now();
        Socket {
            stream,
            conn,
            door,
            protocol: Protocol::Unknown(0),
            first: Vec::new(),
            heard: now,
            head_began: now,
            head_of: 0,
            wrote_since: false,
            has_half_closed: false,
            has_seen_end: false,
            reading: None,
            writing: None,
        }
    }

    /// Waits until the client's first bytes have told whether it speaks HTTP/2. Whoever reads next gets them once more,
    /// and what follows them in the same turn: a reader that met them alone would double its buffer for the rest.
    ///
    /// # Errors
    /// As any read, and where nothing has come at all.
    pub(crate) async fn speaks_http2(&mut self) -> io::Result<bool> {
        let mut first = Vec::new();
        while let Protocol::Unknown(seen) = self.protocol {
            let mut bytes = [0; H2_PREFACE.len()];
            match self.read(&mut bytes[seen..]).await? {
                0 if seen == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                0 => break,
                count => first.extend_from_slice(&bytes[seen..seen + count]),
            }
        }
        self.first = first;
        Ok(self.protocol == Protocol::Http2)
    }

    /// Gives the first bytes once more. True when there were any.
    fn give_first(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let count = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first[..count]);
        if count == self.first.len() {
            self.first = Vec::new();
        } else {
            self.first.drain(..count);
        }
        count > 0
    }

    /// Takes note of bytes that came.
    fn hear(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.protocol == Protocol::Unknown(0) && bytes[0] == TLS_HANDSHAKE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a TLS hello on a plain port"));
        }
        self.recognise(bytes);
        self.heard = self.door.now();
        self.wrote_since = false;
        self.reading = None;
        let begun = self.conn.begun();
        if !self.conn.is_answering() && self.head_of != begun {
            self.head_of = begun;
            self.head_began = self.heard;
        }
        Ok(())
    }

    fn recognise(&mut self, bytes: &[u8]) {
        let Protocol::Unknown(seen) = self.protocol else { return };
        let rest = &H2_PREFACE[seen..];
        let common = rest.len().min(bytes.len());
        self.protocol = match (rest[..common] == bytes[..common], common == rest.len()) {
            (true, true) => Protocol::Http2,
            (true, false) => Protocol::Unknown(seen + common),
            (false, _) => Protocol::Http1,
        };
    }

    /// Nothing came: is it time to give up? HTTP/2 has pings for that.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The answer's end begins a new wait, but of itself makes nobody read again.
        self.conn.wake_when_answered(cx.waker());
        if self.protocol == Protocol::Http2 || self.conn.is_answering() {
            self.reading = None;
            return Poll::Pending;
        }
        let begun = self.conn.begun();
        let phase = if self.head_of == begun { Phase::Head(begun) } else { Phase::Idle(begun) };
        if self.reading.as_ref().is_none_or(|(timed, _)| *timed != phase) {
            let until = match phase {
                Phase::Head(_) => self.head_began.plus_ms(HEAD_MS),
                Phase::Idle(_) => self.door.now().plus_ms(IDLE_MS),
            };
            self.reading = Some((phase, self.door.sleep_until(until)));
        }
        let (_, timer) = self.reading.as_mut().expect("set above");
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client sent nothing for too long")))
    }

    /// The client sends nothing more.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let is_prompt = self.door.now() <= self.heard.plus_ms(HALF_CLOSE_MS);
        if self.conn.is_answering() && is_prompt && !self.wrote_since {
            self.has_half_closed = true;
            return self.poll_answered(cx);
        }
        if is_prompt && !std::mem::replace(&mut self.has_seen_end, true) {
            // It may have come together with a request, which begins only when this connection's task has had its turn.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// Hides the end of input until the answer is out, so that it is not taken for a client that has left.
    fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.conn.wake_when_answered(cx.waker());
        if self.conn.is_answering() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Passes on how a write went; one that stalls for too long fails.
    fn poll_progress<T>(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.writing = None;
            self.wrote_since = true;
            return wrote;
        }
        let door = &self.door;
        let timer = self.writing.get_or_insert_with(|| door.sleep_until(door.now().plus_ms(STALL_MS)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client took nothing for too long")))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket = &mut *self;
        if socket.has_half_closed {
            return socket.poll_answered(cx);
        }
        let has_given = socket.give_first(buf);
        let before = buf.filled().len();
        match Pin::new(&mut socket.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) if buf.filled().len() > before => {
                Poll::Ready(socket.hear(&buf.filled()[before..]))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ if has_given => Poll::Ready(Ok(())),
            Poll::Ready(Ok(())) => socket.poll_end(cx),
            Poll::Pending => socket.poll_patience(cx),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.poll_progress(cx, wrote)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.poll_progress(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
