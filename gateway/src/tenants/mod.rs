//! Who asks: organisations, their projects and keys, with what each may spend and do.

mod admin;
mod digest;
mod directory;
mod expiry;
mod identity;
mod issue;
mod keys;
mod limits;
mod policy;
mod record;
mod refresh;

pub use admin::AdminAsk;
pub(crate) use admin::admin;
pub use digest::Digest;
pub use expiry::{expiry_ms, is_id};
pub(crate) use identity::short_hash;
pub use identity::{Budget, Identity, Level, LevelKind, Limits, Policy};
pub use issue::{check_key, create_key, list_keys, new_key_id, revoke_key};
pub(crate) use keys::Keys;
pub(crate) use limits::{Gates, Pass, keep_limits};
pub use limits::{Standing, StandingRate};
pub(crate) use policy::check as check_policy;
pub use record::{KeyRecord, KeyState};
pub(crate) use refresh::{keep as keep_keys, once as read_keys};
