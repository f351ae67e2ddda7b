//! The laws of the house, as tests: who may know whom, where tasks and clocks are born, what no file may hold.
//!
//! The arrows are read from `daemon/README.md`. Each law is first tried on a small violation, so that it can fail.
//! Must never: be softened to let a change through. Change the map in `daemon/README.md` first, and say why.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod arrows;
mod campaigns;
mod clocks;
mod manual;
mod map;
mod names;
mod packages;
mod shape;
mod starts;
mod tree;
mod unsafety;
mod waits;
mod wire;
mod words;

/// Fails with everything that breaks a law, one a line.
#[track_caller]
fn obeyed(law: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{law}\n  {}\n{} broken", broken.join("\n  "), broken.len());
}
