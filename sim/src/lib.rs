//! A GPU worker in virtual time, behind both protocols.

mod answering;
mod batches;
mod clock;
mod faults;
mod grpc;
mod grpc_batch;
mod http;
mod outside;
mod pool;
mod prefix;
mod profile;
mod server;
mod text;
mod timing;
mod tokens;
mod whole_batch;
mod worker;

pub use faults::{Fault, Faults};
pub use outside::Outside;
pub use pool::{Capacity, Chain, Event, Pool, TooLong};
pub use profile::{Profile, ProfileError};
pub use server::{Running, SimConfig, start};
pub use text::{Answer, Answers, Filler};
pub use timing::Timing;
pub use tokens::count_tokens;
pub use whole_batch::WholeBatch;
