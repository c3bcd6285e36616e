//! The wire: gRPC package `sluice.v1` as generated code, and the OpenAI JSON shapes. No behaviour.

pub mod openai;

/// The generated types of `sluice.v1`, documented in `proto/sluice/v1/*.proto`.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod v1 {
    tonic::include_proto!("sluice.v1");
}

/// The encoded file descriptors, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sluice.bin"));
