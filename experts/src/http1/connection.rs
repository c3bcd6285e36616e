//! One connection: a request goes out, a response comes in.

use super::HttpError;
use super::head::{self, Head};
use crate::channel::Wire;
use bytes::BytesMut;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncReadExt as _, AsyncWrite as _};

type Stream = MaybeHttpsStream<TokioIo<Wire>>;

/// A connection and what has been read from it.
pub(super) struct Connection {
    stream: TokioIo<Stream>,
    pub(super) read: BytesMut,
    /// How much is asked for at once.
    room: usize,
    /// Whether it has carried a request.
    has_served: bool,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Connection {
        Connection {
            stream: TokioIo::new(stream),
            read: BytesMut::new(),
            room: LEAST_ROOM,
            has_served: false,
        }
    }

    /// Whether nothing has come since the last response: neither bytes, which nobody asked for, nor the end.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.read.is_empty() && self.poll_read(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Lets go of what only a call needs.
    pub(super) fn rest(&mut self) {
        (self.read, self.room) = (BytesMut::new(), LEAST_ROOM);
    }

    /// Reads on; 0 at the end.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.read.reserve(self.room);
        let count = ready!(pin!(self.stream.read_buf(&mut self.read)).poll(cx))?;
        // Whoever sends much gets more room: fewer calls of the system.
        if count >= self.room {
            self.room = (self.room * 2).min(MOST_ROOM);
        }
        Poll::Ready(Ok(count))
    }

    /// Sends a request and reads the response's head, and whether all of the request was sent by then.
    pub(super) async fn exchange(&mut self, head: &[u8], body: &[u8]) -> Result<(Head, bool), HttpError> {
        let is_reused = std::mem::replace(&mut self.has_served, true);
        let mut sending = Sending { parts: [head, body], has_begun: false, has_ended: false };
        let mut broken = None;
        poll_fn(|cx| {
            if broken.is_none()
                && let Poll::Ready(Err(error)) = sending.poll(&mut self.stream, cx)
            {
                if is_reused && !sending.has_begun {
                    return Poll::Ready(Err(HttpError::Unsent));
                }
                broken = Some(error);
            }
            // An engine may refuse a request before it has all of it, and close the connection on the rest.
            let head = ready!(self.poll_head(cx)).map_err(|error| match (broken.take(), error) {
                (Some(error), HttpError::Closed) => error.into(),
                (_, error) => error,
            });
            Poll::Ready(head.map(|head| (head, sending.has_ended)))
        })
        .await
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, HttpError>> {
        loop {
            if ready!(self.poll_read(cx))? == 0 {
                return Poll::Ready(Err(HttpError::Closed));
            }
            if let Some(head) = head::take(&mut self.read)? {
                return Poll::Ready(Ok(head));
            }
        }
    }
}

/// A request on its way.
struct Sending<'a> {
    /// What is left of its head and its body.
    parts: [&'a [u8]; 2],
    /// Whether a byte has left.
    has_begun: bool,
    has_ended: bool,
}

impl Sending<'_> {
    fn poll(&mut self, stream: &mut TokioIo<Stream>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.parts.iter().all(|part| part.is_empty()) {
            let slices = self.parts.map(IoSlice::new);
            let count = ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &slices))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.has_begun = true;
            self.advance(count);
        }
        if !self.has_ended {
            ready!(Pin::new(stream).poll_flush(cx))?;
            self.has_ended = true;
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut count: usize) {
        for part in &mut self.parts {
            let of_it = count.min(part.len());
            *part = &part[of_it..];
            count -= of_it;
        }
    }
}

/// Room for a few events of a stream, or for a short answer.
const LEAST_ROOM: usize = 2 * 1024;
const MOST_ROOM: usize = 64 * 1024;
