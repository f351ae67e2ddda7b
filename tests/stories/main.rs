//! Stories: a real daemon, a real socket, a real authorization server, and what a person or a program sees.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod accounts;
mod authctl;
mod benches;
mod browser;
mod by_hand;
mod client_secret;
mod conformance;
mod demo;
mod desktop;
mod discovered;
mod doctor;
mod identity;
mod log;
mod logged_in;
mod login;
mod mcp;
mod misbehaviour;
mod more_access;
mod packages;
mod providers;
mod real_server;
mod refresh;
mod rejection;
mod reload;
mod resident;
mod restart;
mod sockets;
mod starting;
mod store;
mod storm;
mod token_file;
mod written;
