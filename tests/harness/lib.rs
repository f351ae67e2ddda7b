//! The harness of the proof: everything a story needs around the daemon, and nothing of the daemon itself.
//!
//! | room | what it is |
//! |---|---|
//! | [`server`] | our own authorization server: scriptable, with every way to misbehave, and an approve page for people |
//! | [`person`] | the person: opens the approve page and answers it |
//! | [`daemon`] | the real `mcp-authd` as a child process, in directories of its own |
//! | [`programs`] | programs that want tokens, by the client library; [`bare`]: what the library never says |
//! | [`real_idp`] | somebody else's authorization server: a certified one, run with Node (`tests/idp`) |
//! | [`mcp_hosts`] | real MCP clients (the official SDK, run with Node, `tests/mcp`) that start copies of a stdio server |
//! | [`conformance`] | the public MCP conformance suite, run with a Node of its own (`tests/conformance`) |
//! | [`moved_clocks`] | a daemon whose clocks are moved while it runs, by a library before libc's |
//! | [`desktop`] | a desktop on a session bus of its own: a notification service and a portal, with manners |
//! | [`listening`] | the ports that a program has open, as the kernel lists them |
//! | [`sentinel`] | finds a leaked secret: every secret that [`server`] issues carries a mark |
//! | [`persona`] | providers as they are documented, and some odd ones: our own server in the words of another |
//! | [`plain_http`] | one request, one connection, no cleverness |
//! | [`started`] | daemons that a program has started: found by the lock of their store, ended with the story |
//! | [`replaced`] | a program that is replaced while it runs, as packages do it |
//! | [`skip`] | a story that cannot run here says so aloud, and fails in CI |
//!
//! A story in short:
//!
//! ```no_run
//! # use mcp_authd_tests::{daemon::{Account, Config, Daemon}, person, server::{AuthorizationServer, Settings}};
//! # async fn story() {
//! let server = AuthorizationServer::start(Settings::default());
//! let daemon = Daemon::start(Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"]))).await;
//! // ... a program asks `daemon.tokens_socket()` for a token and is told a code ...
//! # let (uri, code) = ("", "");
//! person::approve(uri, code).await.expect("the page takes the code");
//! server.wait_for(|counts| counts.grants_started == 1).await;
//! # }
//! ```
//!
//! Must never: be used by a program that runs outside of tests and demos, or know the daemon's inner rooms. It may panic: it is a test.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the harness is a test: what cannot be set up ends the story, with a sentence"
)]

pub mod bare;
pub mod conformance;
pub mod daemon;
pub mod desktop;
pub mod listening;
pub mod mcp_hosts;
pub mod moved_clocks;
mod node;
pub mod person;
pub mod persona;
pub mod plain_http;
pub mod programs;
pub mod real_idp;
pub mod replaced;
pub mod sentinel;
pub mod server;
pub mod service;
pub mod skip;
pub mod started;
