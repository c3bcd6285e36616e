//! Why an answer didn't come, and whose fault that is.

use crate::sample::FaultKind;
use std::error::Error;
use std::io;
use tonic::{Code, Status};

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault.
    pub kind: FaultKind,
    /// The target's code, or a short name of what happened.
    pub code: String,
    /// In words, for people.
    pub detail: String,
}

impl Failure {
    /// A failure.
    pub fn new(kind: FaultKind, code: impl Into<String>, detail: impl Into<String>) -> Failure {
        Failure { kind, code: code.into(), detail: detail.into() }
    }

    /// What an HTTP status other than 200 means, with the code of its error body where there is one.
    pub(super) fn of_status(status: u16, code: Option<String>, message: &str) -> Failure {
        let kind = match status {
            429 | 503 | 529 => FaultKind::Refused,
            408 | 504 => FaultKind::Timeout,
            400..=499 => FaultKind::Request,
            _ => FaultKind::Target,
        };
        let code = code.unwrap_or_else(|| status.to_string());
        // A 503 may also be an engine that failed; what says so by its code is not a refusal.
        let kind = if code.starts_with("upstream_") && kind == FaultKind::Refused {
            FaultKind::Target
        } else {
            kind
        };
        Failure::new(kind, code, format!("the target answered {status}: {message}"))
    }

    /// What a gRPC status means; `has_begun` when something of the answer had come.
    pub(super) fn of_grpc(status: &Status, has_begun: bool) -> Failure {
        if status.source().is_some() {
            return Failure::of_connection(status, has_begun);
        }
        let kind = match status.code() {
            Code::ResourceExhausted | Code::Unavailable => FaultKind::Refused,
            Code::DeadlineExceeded => FaultKind::Timeout,
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated => FaultKind::Request,
            _ => FaultKind::Target,
        };
        let kind = if has_begun && kind != FaultKind::Timeout { FaultKind::Broken } else { kind };
        Failure::new(
            kind,
            name(status.code()),
            format!("the target answered {:?}: {}", status.code(), status.message()),
        )
    }

    /// What a broken or impossible connection means.
    pub(super) fn of_connection(error: &(dyn Error + 'static), has_begun: bool) -> Failure {
        let detail = words(error);
        let io = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>());
        if let Some(code) = io.and_then(own_fault) {
            return Failure::new(FaultKind::Tester, code, detail);
        }
        if has_begun {
            return Failure::new(FaultKind::Broken, "broken", detail);
        }
        match causes(error).find_map(connect_code).or_else(|| io.and_then(unreachable)) {
            Some(code) => Failure::new(FaultKind::Connect, code, detail),
            None => Failure::new(FaultKind::Target, "connection_lost", detail),
        }
    }
}

/// An error and its causes.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// An error and its causes on one line, none twice.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error).map(ToString::to_string) {
        if !text.ends_with(&cause) {
            let gap = if text.is_empty() { "" } else { ": " };
            text = format!("{text}{gap}{cause}");
        }
    }
    text
}

/// What this process ran out of.
fn own_fault(error: &io::Error) -> Option<&'static str> {
    // EMFILE and ENFILE; ENOMEM and ENOBUFS; EADDRNOTAVAIL, the local ports.
    match error.raw_os_error()? {
        24 | 23 => Some("too_many_files"),
        12 | 105 => Some("no_memory"),
        99 => Some("no_local_ports"),
        _ => None,
    }
}

fn unreachable(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some("connection_refused"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Some("unreachable"),
        _ => None,
    }
}

/// Errors whose type says that no connection was made.
fn connect_code(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let refused = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).find_map(unreachable);
    let is_connect = error
        .downcast_ref::<hyper_util::client::legacy::Error>()
        .is_some_and(hyper_util::client::legacy::Error::is_connect)
        || error.to_string().starts_with("dns error")
        || error.to_string().starts_with("tcp connect error");
    is_connect.then(|| refused.unwrap_or("no_connection"))
}

/// A gRPC code as it is written on the wire.
fn name(code: Code) -> String {
    let mut name = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(c.to_uppercase());
    }
    name
}
