//! The library against a small server of its own, on real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod answers;
#[cfg(feature = "rmcp")]
mod mcp;
mod server;
mod static_tokens;
mod troubles;
mod watching;
