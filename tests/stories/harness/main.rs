//! The harness proves itself: a story is worth what the server in it is worth.
//!
//! [`rules`]: the server is right. [`clients`]: it knows its clients. [`codes`]: its authorization codes. [`faults`]: it is wrong as scripted. [`children`]: the daemon's life, the certified server.
//!
//! Must never: need the daemon. Everything here is asked with plain HTTP, and a stand-in takes the daemon's place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

mod children;
mod clients;
mod codes;
mod faults;
mod guest;
mod personas;
mod rules;
