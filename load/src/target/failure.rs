//! Why an answer didn't come, and whose fault that is.

use crate::sample::FaultKind;
use std::error::Error;
use std::io;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

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
        let code = code.unwrap_or_else(|| status.to_string());
        let kind = kind_of_code(&code).unwrap_or(match status {
            429 | 503 | 529 => FaultKind::Refused,
            408 | 504 => FaultKind::Timeout,
            400..=499 => FaultKind::Request,
            _ => FaultKind::Target,
        });
        Failure::new(kind, code, format!("the target answered {status}: {message}"))
    }

    /// What a gRPC status means; `has_begun` when something of the answer had come.
    pub(super) fn of_grpc(status: &Status, has_begun: bool) -> Failure {
        if status.source().is_some() {
            return Failure::of_connection(status, has_begun);
        }
        // Sluice says by its own code what the few codes of gRPC can't tell apart.
        let reason = status.get_details_error_info().map(|info| info.reason).filter(|code| !code.is_empty());
        let code = reason.unwrap_or_else(|| name(status.code()));
        let kind = kind_of_code(&code).unwrap_or(match status.code() {
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
        });
        let kind = if has_begun && kind != FaultKind::Timeout { FaultKind::Broken } else { kind };
        let detail = format!("the target answered {:?}: {}", status.code(), status.message());
        Failure::new(kind, code, detail)
    }

    /// What an error in the middle of a stream means.
    pub(super) fn of_event(code: Option<String>, message: &str, has_begun: bool) -> Failure {
        let code = code.unwrap_or_else(|| "error".to_owned());
        let kind =
            if has_begun { FaultKind::Broken } else { kind_of_code(&code).unwrap_or(FaultKind::Target) };
        Failure::new(kind, code, format!("the stream ended with an error: {message}"))
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

/// Codes of `docs/reference/errors.md` whose status alone would tell less.
fn kind_of_code(code: &str) -> Option<FaultKind> {
    match code {
        "upstream_error" | "upstream_timeout" | "internal_error" => Some(FaultKind::Target),
        "no_capacity" | "no_capable_expert" | "draining" => Some(FaultKind::Refused),
        "request_too_large" => Some(FaultKind::Request),
        _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn a_status_of_grpc_says_whose_fault_it_is() {
        use FaultKind::{Broken, Refused, Request, Target, Timeout};
        for (code, reason, has_begun, kind, name) in [
            (Code::Unavailable, "", false, Refused, "UNAVAILABLE"),
            (Code::Unavailable, "upstream_error", false, Target, "upstream_error"),
            (Code::Unavailable, "no_capacity", false, Refused, "no_capacity"),
            (Code::DeadlineExceeded, "", true, Timeout, "DEADLINE_EXCEEDED"),
            (Code::DeadlineExceeded, "upstream_timeout", false, Target, "upstream_timeout"),
            (Code::ResourceExhausted, "request_too_large", false, Request, "request_too_large"),
            (Code::InvalidArgument, "", false, Request, "INVALID_ARGUMENT"),
            (Code::Internal, "internal_error", true, Broken, "internal_error"),
            (Code::Unknown, "", false, Target, "UNKNOWN"),
        ] {
            let details = match reason {
                "" => ErrorDetails::new(),
                reason => ErrorDetails::with_error_info(reason, "sluice", []),
            };
            let failure = Failure::of_grpc(&Status::with_error_details(code, "x", details), has_begun);
            assert_eq!((failure.kind, failure.code.as_str()), (kind, name), "{code:?} {reason}");
        }
    }

    #[test]
    fn what_this_process_ran_out_of_is_its_own_fault() {
        for (number, code) in [(24, "too_many_files"), (99, "no_local_ports"), (105, "no_memory")] {
            let failure = Failure::of_connection(&io::Error::from_raw_os_error(number), false);
            assert_eq!((failure.kind, failure.code.as_str()), (FaultKind::Tester, code));
        }
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(Failure::of_connection(&refused, false).kind, FaultKind::Connect);
        assert_eq!(Failure::of_connection(&io::Error::other("reset"), true).kind, FaultKind::Broken);
    }
}
