//! mcp-authd: a per-user daemon that owns OAuth credentials and hands short-lived access tokens to local programs.
//!
//! One refresher that outlives its clients and also owns the 401 path. The map of the rooms, the arrows between them and the
//! invariants stand in `daemon/README.md`.

pub mod accounts;
pub mod config;
pub mod daemon;
pub mod desktop;
pub mod host;
pub mod rpc;
pub mod store;
pub mod upstream;
