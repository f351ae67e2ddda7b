//! The authorization code grant with PKCE (RFC 6749, 4.1; RFC 7636; RFC 8252): a person answers in a browser, and a code comes back.
//!
//! [`request::begin`] makes the URL to open, [`response::AuthorizationResponse`] reads what comes back, [`judge::judge`] decides
//! whether it counts, [`exchange::ExchangeFlow`] trades the code in. What lies between them is a
//! [`PendingCode`](crate::sign_in::PendingCode), which outlives a restart.
//!
//! Must never: send the plain challenge method (D24), trade in a code of a response that was not judged (D27), or send a code twice
//! (D35).

pub mod exchange;
pub mod judge;
pub mod pkce;
pub mod request;
pub mod response;
#[cfg(test)]
mod tests;
