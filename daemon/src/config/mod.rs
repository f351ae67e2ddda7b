//! The configuration: from a file to checked values, every error at once with its line.
//!
//! Must never: know accounts' state, flows, the store or the wire.

mod account;

pub use account::{AccountConfig, AccountName, ServerConfig};
