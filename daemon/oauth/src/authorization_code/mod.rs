//! The authorization code grant with PKCE (RFC 6749, 4.1; RFC 7636; RFC 8252): a person answers in a browser on this machine.
//!
//! Must never: send the plain challenge method (D24), trade a code of an answer that was not judged (D27), or send a code twice (D35).

pub mod response;
