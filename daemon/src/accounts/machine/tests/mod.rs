//! The machine against a moved clock: a story for each row of DESIGN section 3, and everything in any order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod adversity;
mod answering;
mod authenticating;
mod in_browser;
mod interrupting;
mod leaving;
mod logging_out;
mod more_access;
mod owed;
mod property;
mod reconfiguring;
mod refreshing;
mod removing;
mod resting;
mod signing_in;
mod staying;
mod world;
