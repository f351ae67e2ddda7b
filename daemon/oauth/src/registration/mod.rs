//! Becoming a client of an authorization server (RFC 7591; Client ID Metadata Documents), and which client is used where.
//!
//! [`ClientChoice`] says which client a login uses. Where that is [`ClientChoice::Register`], a [`RegistrationFlow`] makes one; what it
//! brings is kept under its issuer, and the choice is made anew. [`after_invalid_client`] says what follows when a server does not
//! know its client any more. All of it is bounded: at most one registration for an issuer in an hour, and none leads to a second
//! login (D59).
//!
//! Must never: use a registration for another issuer than its own (P14, D58), tell a server the machine or its user (D65), or let
//! a server's answer widen where codes may be sent (D59).

mod attempts;
mod choice;
mod client_id_url;
mod error;
mod flow;
mod grant_type;
mod invalid_client;
mod kept;
mod metadata;
mod redirect_uri;
#[cfg(test)]
mod tests;

pub use attempts::Attempts;
pub use choice::{AskForClient, Candidates, ClientChoice, Documents, WhyAsk, WhyRegister};
pub use client_id_url::{ClientIdUrl, NotAClientIdUrl};
pub use error::{ChangedMetadata, RegistrationError};
pub use flow::RegistrationFlow;
pub use grant_type::GrantType;
pub use invalid_client::{AfterInvalidClient, NextLogin, UsedClient, after_invalid_client};
pub use kept::{CallbackPort, GrantNeeded, RegisteredClient, Registration, SecretExpires, Standing, Unusable};
pub use metadata::{GrantsWanted, RegistrationRequest};
pub use redirect_uri::{NotARedirectUri, RedirectUri};
