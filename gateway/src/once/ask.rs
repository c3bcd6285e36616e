//! What is asked under an idempotency key: where its claim lies, and whether two requests are the same.

use crate::request::{Hints, Request};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

/// A request with an idempotency key.
pub(super) struct Ask {
    /// The claim's name in the place that gateways share.
    pub(super) path: String,
    /// What was asked, as a SHA-256.
    pub(super) hash: Vec<u8>,
}

impl Ask {
    /// The ask of this request under this key. A key belongs to whoever sent it: another key holder's is another.
    pub(super) fn of(request: &Request, key: &str) -> Ask {
        let who = &request.identity;
        let name = match who.line() {
            Some(_) => format!("{}/{}/{}/{key}", who.tenant, who.project, who.key),
            None => format!("{}//{:016x}/{key}", who.tenant, request.tenant),
        };
        let shard = Sha256::digest(&name)[0];
        Ask { path: format!("{}{name}", shard_path(shard)), hash: hash(request) }
    }
}

/// Claims lie in 256 parts, so that a sweep need not hold all of them at once.
pub(super) fn shard_path(shard: u8) -> String {
    format!("once/{shard:02x}/")
}

/// Everything that decides what is answered, and by whom. Not what names the request, when it must end, or whether it
/// streams: a repeat may differ in those.
fn hash(request: &Request) -> Vec<u8> {
    let Hints { floor, max_cost, domain, tags, residency, privacy, idempotency_key: _ } = &request.hints;
    let hints = (floor, max_cost.map(|cost| cost.0), domain, tags, residency, privacy);
    let hints = serde_json::to_vec(&hints).expect("hints are plain data");
    let mut hash = Sha256::new();
    hash.update((hints.len() as u64).to_be_bytes());
    hash.update(hints);
    hash.update(request.body.encode_to_vec());
    hash.finalize().to_vec()
}
