//! The operating system: clocks, entropy, tasks, directories, locks, sockets, signals, hardening.
//!
//! Must never: know accounts, flows or secrets.

pub mod clock;
pub mod entropy;
pub mod tasks;
