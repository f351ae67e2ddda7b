//! The operating system: clocks, entropy, memory, tasks, directories, locks, sockets, signals, hardening, and where the log goes.
//!
//! Must never: know accounts, flows or secrets.

pub mod activation;
pub mod clock;
pub mod directories;
pub mod doorway;
pub mod entropy;
pub mod folder;
pub mod hand_over;
pub mod hardening;
pub mod inherited;
pub mod lock;
pub mod log;
pub mod memory;
pub mod notify;
pub mod peer;
pub mod private_file;
pub mod signals;
pub mod sockets;
pub mod tasks;
