//! Whether a connection may serve another request: some engines close theirs without a word.
//!
//! llama-server announces keep-alive and yet closes after every stream, so that a request right behind meets a dying
//! connection. It might have been read or not; sending it again could make the engine work (and bill) twice. So the
//! connection is given up beforehand: for engines known to do it, and for a while after any connection died that way.

use http::HeaderMap;
use http::header::SERVER;
use std::sync::atomic::{AtomicU32, Ordering};

/// Responses after a silent death whose connections are not used again. A restart of the engine looks the same, and
/// for a distant vendor new connections are dear, so trust comes back.
const WARY: u32 = 100;

/// What one endpoint has shown.
#[derive(Default)]
pub(super) struct Reuse {
    wary: AtomicU32,
}

impl Reuse {
    /// A response's head has come; whether its connection may be used again.
    pub(super) fn note_response(&self, headers: &HeaderMap) -> bool {
        let is_wary =
            self.wary.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let closes = headers.get(SERVER).is_some_and(|server| server.as_bytes().starts_with(b"llama.cpp"));
        !is_wary && !closes
    }

    /// A connection ended after a request had been sent and before anything was answered.
    pub(super) fn note_death(&self) {
        self.wary.store(WARY, Ordering::Relaxed);
    }
}
