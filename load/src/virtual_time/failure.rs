//! Why a try or a request failed, in the gateway's own words.

use crate::sample::FaultKind;
use sluice_router::{Help, NoRoute, Reason};

/// Why a try, or the whole request, failed; the codes are the gateway's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    pub(super) code: &'static str,
    pub(super) kind: FaultKind,
    pub(super) help: Help,
    pub(super) connection_lost: bool,
}

impl Failure {
    pub(super) fn new(help: Help, code: &'static str, kind: FaultKind) -> Failure {
        Failure { code, kind, help, connection_lost: false }
    }

    fn last(code: &'static str, kind: FaultKind) -> Failure {
        Failure::new(Help::Nothing, code, kind)
    }

    pub(super) fn full() -> Failure {
        Failure::new(Help::OtherPool, "no_capacity", FaultKind::Refused)
    }

    pub(super) fn all_down() -> Failure {
        Failure::new(Help::OtherPool, "upstream_error", FaultKind::Target)
    }

    pub(super) fn late() -> Failure {
        Failure::new(Help::OtherPool, "deadline_unreachable", FaultKind::Refused)
    }

    pub(super) fn deadline() -> Failure {
        Failure::last("deadline_exceeded", FaultKind::Timeout)
    }

    /// Nobody may answer: the reason that is nearest to mending decides what the client is told.
    pub(super) fn no_route(error: &NoRoute) -> Failure {
        let any = |wanted: fn(&Reason) -> bool| error.reasons.iter().flat_map(|(_, why)| why).any(wanted);
        if error.reasons.iter().any(|(_, reason)| reason.is_none()) {
            Failure::last("no_capable_expert", FaultKind::Refused)
        } else if any(|reason| matches!(reason, Reason::Down)) {
            Failure::last("no_capacity", FaultKind::Refused)
        } else if any(|reason| matches!(reason, Reason::Deadline)) {
            Failure::last("deadline_unreachable", FaultKind::Refused)
        } else if any(|reason| matches!(reason, Reason::MaxCost)) {
            Failure::last("cost_bound", FaultKind::Request)
        } else if any(|reason| matches!(reason, Reason::Context)) {
            Failure::last("context_length_exceeded", FaultKind::Request)
        } else if any(|reason| matches!(reason, Reason::Feature(_))) {
            Failure::last("unsupported_parameter", FaultKind::Request)
        } else if any(|reason| matches!(reason, Reason::Residency | Reason::Privacy)) {
            Failure::last("residency_violation", FaultKind::Request)
        } else {
            Failure::last("no_capable_expert", FaultKind::Refused)
        }
    }
}
