//! Time goes on: other versions of the wire and of the records, the configuration under load, and a long run (B33-B35, B38).
//!
//! `wire/` keeps what was spoken before, `first` being the wire before accounts could be added by command. Whoever releases puts the
//! wire of that release beside it, and names it in `descriptors.rs`.

mod ahead;
mod behind;
mod descriptors;
pub(crate) mod records;
mod reloads;
mod skew;
mod soak;
