//! The campaigns: each fault of the list by its number, many times over, with its figure (B.. and P.. of the requirements).
//!
//! `tests/run` runs a short form of each; `tests/campaign NUMBER` runs it whole and prints its `FIGURES`. What a campaign proves, how
//! it is run and what it measured stands in the table of `tests/README.md`.
//!
//! | room | what goes wrong |
//! |---|---|
//! | `kills` | the daemon is killed: at every system call, at random, with answers on the way (B1-B6) |
//! | `machine` | the disk, the clock, the folders; several daemons (B7-B16) |
//! | `servers` | the authorization server: dead, hanging, flapping, lying; herds (B17-B21, B28-B31) |
//! | `clients` | floods, slow and hostile peers, a stopped daemon (B22-B27, B36, P16) |
//! | `change` | other versions of the wire and of the records, reloads, a long time (B33-B35, B38) |
//! | `parsers` | bytes that nobody sane would write (P26) |
//! | `secrets` | what must not leave, whatever is asked (P5, P7, P10, P11) |
//!
//! Must never: assert a time but as a watchdog of ten times its figure, or try again what failed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests: what cannot be set up ends the campaign, with a sentence; figures go to standard error"
)]

mod as_it_is;
mod change;
mod clients;
mod effort;
mod kills;
mod latencies;
mod machine;
mod parsers;
mod random;
mod secrets;
mod servers;
mod vitals;
