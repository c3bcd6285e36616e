//! A claim on an idempotency key: what is kept in the place that gateways share, and what it means to the next to come.

use sluice_proto::v1;

/// What stands under an idempotency key.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Claim {
    /// How far it is.
    #[prost(enumeration = "State", tag = "1")]
    pub(super) state: i32,
    /// What was asked.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) hash: Vec<u8>,
    /// The gateway that serves it.
    #[prost(message, required, tag = "3")]
    pub(super) by: Server,
    /// The id of the request that laid it.
    #[prost(bytes = "vec", tag = "4")]
    pub(super) request: Vec<u8>,
    /// When that request has ended for certain, in milliseconds since 1970.
    #[prost(int64, tag = "5")]
    pub(super) until_ms: i64,
    /// When it is forgotten, in milliseconds since 1970.
    #[prost(int64, tag = "6")]
    pub(super) expires_ms: i64,
    /// What was answered; empty while it runs, and where it was too large to be kept.
    #[prost(message, repeated, tag = "7")]
    pub(super) events: Vec<v1::GenerateEvent>,
    /// Why the answer came to no end.
    #[prost(message, optional, tag = "8")]
    pub(super) fault: Option<KeptFault>,
    /// The answer was too large to be kept.
    #[prost(bool, tag = "9")]
    pub(super) is_too_large: bool,
}

/// How far a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
pub(super) enum State {
    /// Its request came to nothing and cost nothing: the key is free again. It is not removed at once, so that
    /// whoever has seen an earlier version can't take a later one for it.
    Free = 0,
    /// Its request is being served.
    Running = 1,
    /// It has an outcome.
    Done = 2,
}

/// One start of one gateway.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Server {
    /// The gateway's own name, which outlives its restarts.
    #[prost(string, tag = "1")]
    pub(super) gateway: String,
    /// Which start: above all earlier ones.
    #[prost(uint64, tag = "2")]
    pub(super) epoch: u64,
    /// The start's own id.
    #[prost(bytes = "vec", tag = "3")]
    pub(super) start: Vec<u8>,
}

/// A fault as it is kept.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct KeptFault {
    #[prost(string, tag = "1")]
    pub(super) code: String,
    #[prost(string, tag = "2")]
    pub(super) detail: String,
    #[prost(string, optional, tag = "3")]
    pub(super) param: Option<String>,
}

/// What a claim means to a request that finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The key may be taken.
    Open,
    /// Somebody else's request stands under it.
    OtherRequest,
    /// The same request is being served.
    Wait,
    /// The same request has an outcome.
    Repeat,
    /// The same request has an outcome that was not kept.
    TooLarge,
}

impl Claim {
    /// What it means at `now_ms` to a request for `hash`; `is_dead` says of a running one that nobody serves it.
    pub(super) fn meaning(&self, hash: &[u8], now_ms: i64, is_dead: bool) -> Meaning {
        if self.expires_ms <= now_ms {
            return Meaning::Open;
        }
        match self.state() {
            State::Free => Meaning::Open,
            State::Running if is_dead || self.until_ms <= now_ms => Meaning::Open,
            _ if self.hash != hash => Meaning::OtherRequest,
            State::Running => Meaning::Wait,
            State::Done if self.is_too_large => Meaning::TooLarge,
            State::Done => Meaning::Repeat,
        }
    }
}
