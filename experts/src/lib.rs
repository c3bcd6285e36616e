//! How Sluice talks to engines: one dialect a file, one call, one stream of events.

mod call;
mod channel;
mod codec;
mod dial;
mod error;
mod hook;
mod http1;
mod patience;
mod protocol;
mod report;
mod retry_after;
mod scrub;
mod wire;

pub use call::{Answer, Answers, Call, Endpoint, Engine, Event, Events, Finish, Reports, Secret, Usage};
pub use codec::{SseError, SseEvent, SseParser};
pub use dial::{Dial, DialError, Duplex, Tcp};
pub use error::{ErrorKind, ExpertError};
pub use hook::{Hook, hook_uri};
pub use protocol::{Connect, EndpointError, PROTOCOLS, Row as ProtocolRow, protocol};
pub use report::{DIALECTS, Dialect, LoadReport};
