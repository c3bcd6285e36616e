//! The driver against servers that know what they sent and when: real sockets, both dialects.

mod cancel;
mod faults;
mod mock;
mod stall;
mod times;
