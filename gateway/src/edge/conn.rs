//! What a connection's socket, its requests and its task tell each other.

use futures::task::AtomicWaker;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use tokio::sync::Notify;

/// One connection, seen from its requests.
#[derive(Default)]
pub(crate) struct Conn {
    /// Requests whose head was in, ever.
    begun: AtomicUsize,
    /// HTTP/1 requests (one, since they come in turn) that are not yet answered.
    open: AtomicUsize,
    first: Notify,
    close: Notify,
    reader: AtomicWaker,
}

impl Conn {
    /// A request's head is in; it is under way until the guard is dropped. `in_turn` is true for HTTP/1.
    pub(crate) fn begin(self: &Arc<Conn>, in_turn: bool) -> UnderWay {
        self.begun.fetch_add(1, Ordering::AcqRel);
        self.first.notify_one();
        if in_turn {
            self.open.fetch_add(1, Ordering::AcqRel);
        }
        UnderWay { conn: in_turn.then(|| self.clone()) }
    }

    /// Requests whose head was in, ever.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::Acquire)
    }

    /// True while an HTTP/1 request is not yet answered.
    pub(crate) fn is_answering(&self) -> bool {
        self.open.load(Ordering::Acquire) > 0
    }

    /// Resolves when the first request has begun; only then does the server know what it speaks, and can say goodbye.
    pub(crate) async fn has_begun(&self) {
        while self.begun() == 0 {
            self.first.notified().await;
        }
    }

    /// Asks for the end of an HTTP/1 connection once its answer is out. HTTP/2 ends a stream without the others.
    pub(crate) fn close_soon(&self) {
        if self.is_answering() {
            self.close.notify_one();
        }
    }

    /// Resolves when somebody asked for the connection's end.
    pub(crate) async fn close_asked(&self) {
        self.close.notified().await;
    }

    /// Wakes `waker` when the HTTP/1 request under way has been answered.
    pub(crate) fn wake_when_answered(&self, waker: &Waker) {
        self.reader.register(waker);
    }
}

/// A request under way.
pub(crate) struct UnderWay {
    conn: Option<Arc<Conn>>,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(conn) = &self.conn {
            conn.open.fetch_sub(1, Ordering::AcqRel);
            conn.reader.wake();
        }
    }
}
