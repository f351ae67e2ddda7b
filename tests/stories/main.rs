//! Stories: a real daemon, a real socket, a real authorization server, and what a person or a program sees.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod authctl;
mod benches;
mod demo;
mod logged_in;
mod login;
mod misbehaviour;
mod real_server;
mod refresh;
mod rejection;
mod restart;
mod sockets;
mod store;
mod storm;
