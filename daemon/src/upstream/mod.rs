//! The authorization servers over HTTP: one loop drives the flows of `oauth`, one transport carries their requests.
//!
//! Must never: keep or save a grant, decide about an account, or know gRPC. A credential goes back only to where it came from
//! (P14).

mod answer;
pub mod drive;
mod form_body;
#[cfg(test)]
mod scripted;
pub mod transport;
#[cfg(test)]
mod transport_tests;
mod undelivered;
