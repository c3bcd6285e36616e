//! Why an engine did not answer: what happened, whose fault it was, whether elsewhere may help.

use std::time::Duration;

/// A call that failed, before or after its first event.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{detail}")]
pub struct ExpertError {
    /// What happened.
    pub kind: ErrorKind,
    /// For people: lower case, no full stop, no prompt text, no secret.
    pub detail: String,
}

/// What happened. The gateway maps each kind to a fault of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// No connection: refused, unreachable, TLS failure or connect timeout. Nothing was sent.
    Unreachable,
    /// The engine is full (429, 503 with `retry-after`): not ill, but busy.
    Busy {
        /// When it says to come back.
        retry_after: Option<Duration>,
        /// Whether the quota of our account is used up, which every replica with the same key shares, and not this
        /// engine's own room.
        is_quota: bool,
    },
    /// The engine says that the request itself is wrong (400, 404, 413, 422): elsewhere won't help.
    Rejected {
        /// The HTTP status that it answered with, or that its gRPC status stands for.
        status: u16,
    },
    /// The prompt is too long for this engine: another expert may take it.
    ContextTooLong,
    /// The engine refuses our key (401, 403): the operator's fault.
    Unauthorised,
    /// The engine failed by itself (5xx).
    Failed,
    /// No first event in time.
    FirstTokenTimeout,
    /// The stream fell silent.
    IdleTimeout,
    /// The connection broke, or ended without saying that the answer is complete.
    Truncated,
    /// The engine sent something that is not its protocol.
    Protocol,
    /// The deadline passed.
    Deadline,
    /// It was not sent: the batches before it take longer than its deadline allows, by so many milliseconds.
    Late {
        /// By how much.
        by_ms: u32,
    },
}

impl ExpertError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> ExpertError {
        ExpertError { kind, detail: detail.into() }
    }

    /// Whether another replica or expert may succeed where this one failed.
    pub fn may_succeed_elsewhere(&self) -> bool {
        match self.kind {
            ErrorKind::Rejected { .. } | ErrorKind::Deadline => false,
            ErrorKind::Unreachable
            | ErrorKind::Busy { .. }
            | ErrorKind::ContextTooLong
            | ErrorKind::Unauthorised
            | ErrorKind::Failed
            | ErrorKind::FirstTokenTimeout
            | ErrorKind::IdleTimeout
            | ErrorKind::Truncated
            | ErrorKind::Protocol
            | ErrorKind::Late { .. } => true,
        }
    }

    /// Whether this tells that the replica is ill; a busy engine or a bad request does not.
    pub fn is_ill_health(&self) -> bool {
        match self.kind {
            ErrorKind::Busy { .. }
            | ErrorKind::Rejected { .. }
            | ErrorKind::ContextTooLong
            | ErrorKind::Deadline
            | ErrorKind::Late { .. } => false,
            ErrorKind::Unreachable
            | ErrorKind::Unauthorised
            | ErrorKind::Failed
            | ErrorKind::FirstTokenTimeout
            | ErrorKind::IdleTimeout
            | ErrorKind::Truncated
            | ErrorKind::Protocol => true,
        }
    }
}
