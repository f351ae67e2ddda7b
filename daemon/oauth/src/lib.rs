//! OAuth 2.0 as pure state machines: flows, wire bodies, secrets and terms, in the words of the RFCs.
//!
//! Must never: do I/O, read a clock, or draw randomness of its own. Time comes in as [`time::Now`].

pub mod authorization_code;
mod binding;
pub mod challenge;
pub mod client_authentication;
pub mod device;
pub mod discovery;
pub mod endpoint;
pub mod extra_parameters;
pub mod finding;
pub mod flow;
pub mod http;
pub mod identity;
pub mod misbehaved;
pub mod profile;
pub mod protected_resource;
pub mod reach;
pub mod refresh;
pub mod registration;
pub mod revocation;
pub mod secret;
pub mod sign_in;
pub mod terms;
pub mod time;
pub mod token;
pub mod way;
mod wire;
