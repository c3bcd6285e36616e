//! Why a request can't go on, who caused it, and what its sender may do next.

use std::fmt;

/// Why a request can't go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Fault {
    /// What happened; a row of `docs/reference/errors.md`.
    pub code: FaultCode,
    /// Whether trying again can help.
    pub retry: Retry,
    /// For people: lower case, no full stop, no prompt text, no secret; says what to do where that isn't plain.
    pub detail: String,
    /// The request's field at fault.
    pub param: Option<String>,
}

/// What happened. Each has one HTTP status, one gRPC status and one OpenAI error type, all in `edge/status.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultCode {
    /// A field is missing, of the wrong type or out of range.
    InvalidValue,
    /// The prompt fits no expert's context window.
    ContextLengthExceeded,
    /// No expert of the route has a feature that the request needs.
    UnsupportedParameter,
    /// Every expert may cost more than the request allows.
    CostBound,
    /// The engine says that the request is wrong.
    UpstreamRejected,
    /// The key is missing, unknown, expired or revoked.
    InvalidApiKey,
    /// The key may not use this route or expert.
    ModelNotAllowed,
    /// Residency or privacy leaves no expert.
    ResidencyViolation,
    /// No route, expert or alias has this name.
    ModelNotFound,
    /// No stored decision has this id.
    DecisionNotFound,
    /// No such path.
    UnknownUrl,
    /// The path exists, but not for this method.
    MethodNotAllowed,
    /// The body is over the limit.
    RequestTooLarge,
    /// The body was not complete in time.
    RequestTimeout,
    /// The client left; nobody reads the answer, only the log.
    ClientGone,
    /// The deadline passed.
    DeadlineExceeded,
    /// Engines failed.
    UpstreamError,
    /// Engines were silent for too long.
    UpstreamTimeout,
    /// Every line is full.
    NoCapacity,
    /// So many requests came that a limit is used up.
    RequestsLimited,
    /// So many tokens were used that a limit is used up.
    TokensLimited,
    /// Every line is too long for the deadline.
    DeadlineUnreachable,
    /// A budget is used up.
    InsufficientQuota,
    /// Money can't be held: the budgets' store or the journal is away.
    LedgerUnavailable,
    /// No expert that keeps the floor is up, and the route refuses others.
    NoCapableExpert,
    /// The gateway is draining.
    Draining,
    /// A bug in the gateway.
    Internal,
}

impl FaultCode {
    /// Every code, for reference pages and tests.
    pub const ALL: &[FaultCode] = &[
        FaultCode::InvalidValue,
        FaultCode::ContextLengthExceeded,
        FaultCode::UnsupportedParameter,
        FaultCode::CostBound,
        FaultCode::UpstreamRejected,
        FaultCode::InvalidApiKey,
        FaultCode::ModelNotAllowed,
        FaultCode::ResidencyViolation,
        FaultCode::ModelNotFound,
        FaultCode::DecisionNotFound,
        FaultCode::UnknownUrl,
        FaultCode::MethodNotAllowed,
        FaultCode::RequestTooLarge,
        FaultCode::RequestTimeout,
        FaultCode::ClientGone,
        FaultCode::DeadlineExceeded,
        FaultCode::UpstreamError,
        FaultCode::UpstreamTimeout,
        FaultCode::NoCapacity,
        FaultCode::RequestsLimited,
        FaultCode::TokensLimited,
        FaultCode::DeadlineUnreachable,
        FaultCode::InsufficientQuota,
        FaultCode::LedgerUnavailable,
        FaultCode::NoCapableExpert,
        FaultCode::Draining,
        FaultCode::Internal,
    ];

    /// Its name on the wire, in logs and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            FaultCode::InvalidValue => "invalid_value",
            FaultCode::ContextLengthExceeded => "context_length_exceeded",
            FaultCode::UnsupportedParameter => "unsupported_parameter",
            FaultCode::CostBound => "cost_bound",
            FaultCode::UpstreamRejected => "upstream_rejected",
            FaultCode::InvalidApiKey => "invalid_api_key",
            FaultCode::ModelNotAllowed => "model_not_allowed",
            FaultCode::ResidencyViolation => "residency_violation",
            FaultCode::ModelNotFound => "model_not_found",
            FaultCode::DecisionNotFound => "decision_not_found",
            FaultCode::UnknownUrl => "unknown_url",
            FaultCode::MethodNotAllowed => "method_not_allowed",
            FaultCode::RequestTooLarge => "request_too_large",
            FaultCode::RequestTimeout => "request_timeout",
            FaultCode::ClientGone => "client_gone",
            FaultCode::DeadlineExceeded => "deadline_exceeded",
            FaultCode::UpstreamError => "upstream_error",
            FaultCode::UpstreamTimeout => "upstream_timeout",
            FaultCode::NoCapacity => "no_capacity",
            FaultCode::RequestsLimited | FaultCode::TokensLimited => "rate_limit_exceeded",
            FaultCode::DeadlineUnreachable => "deadline_unreachable",
            FaultCode::InsufficientQuota => "insufficient_quota",
            FaultCode::LedgerUnavailable => "ledger_unavailable",
            FaultCode::NoCapableExpert => "no_capable_expert",
            FaultCode::Draining => "draining",
            FaultCode::Internal => "internal_error",
        }
    }

    /// Whose fault it is.
    pub fn blame(self) -> Blame {
        match self {
            FaultCode::InvalidValue
            | FaultCode::ContextLengthExceeded
            | FaultCode::UnsupportedParameter
            | FaultCode::CostBound
            | FaultCode::UpstreamRejected
            | FaultCode::InvalidApiKey
            | FaultCode::ModelNotAllowed
            | FaultCode::RequestsLimited
            | FaultCode::TokensLimited
            | FaultCode::ResidencyViolation
            | FaultCode::ModelNotFound
            | FaultCode::DecisionNotFound
            | FaultCode::UnknownUrl
            | FaultCode::MethodNotAllowed
            | FaultCode::RequestTooLarge
            | FaultCode::RequestTimeout
            | FaultCode::InsufficientQuota
            | FaultCode::ClientGone => Blame::Caller,
            FaultCode::UpstreamError | FaultCode::UpstreamTimeout => Blame::Expert,
            FaultCode::NoCapacity
            | FaultCode::DeadlineUnreachable
            | FaultCode::LedgerUnavailable
            | FaultCode::NoCapableExpert => Blame::Operator,
            FaultCode::DeadlineExceeded | FaultCode::Draining => Blame::Nobody,
            FaultCode::Internal => Blame::Gateway,
        }
    }
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Who sent the request.
    Caller,
    /// An engine.
    Expert,
    /// Sluice itself.
    Gateway,
    /// Who configured and sized it.
    Operator,
    /// It is in the nature of things.
    Nobody,
}

impl Blame {
    /// As written in messages and metadata.
    pub fn name(self) -> &'static str {
        match self {
            Blame::Caller => "caller",
            Blame::Expert => "expert",
            Blame::Gateway => "gateway",
            Blame::Operator => "operator",
            Blame::Nobody => "nobody",
        }
    }
}

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Not with the same request.
    Never,
    /// After so many milliseconds.
    AfterMs(u32),
}

impl Fault {
    /// A fault that the same request will meet again.
    pub fn new(code: FaultCode, detail: impl Into<String>) -> Fault {
        Fault { code, retry: Retry::Never, detail: detail.into(), param: None }
    }

    /// A fault that may be gone after `ms`.
    pub fn passing(code: FaultCode, ms: u32, detail: impl Into<String>) -> Fault {
        Fault { code, retry: Retry::AfterMs(ms), detail: detail.into(), param: None }
    }

    /// A field with a wrong value.
    pub fn invalid(param: impl Into<String>, detail: impl Into<String>) -> Fault {
        Fault { param: Some(param.into()), ..Fault::new(FaultCode::InvalidValue, detail) }
    }
}

impl fmt::Display for FaultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
