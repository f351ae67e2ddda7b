//! A registration as it is kept, and whether it serves what a login needs.
//!
//! Must never: be used for another issuer (P14, D58), or once its secret is over.

use std::collections::BTreeSet;
use std::num::NonZeroU16;

use super::grant_type::GrantType;
use super::redirect_uri::RedirectUri;
use crate::client_authentication::{ClientAuthentication, NotAuthenticated};
use crate::secret::{ClientSecret, RegistrationAccessToken, SecretText};
use crate::terms::{ClientId, Issuer, TokenEndpointAuthMethod};
use crate::time::WallTime;

/// More of them are not carried along: each had a login of its own.
const MOST_FORMER: usize = 8;

/// What is kept of a client that we registered ourselves (RFC 7591, 3.2.1): one for each issuer, shared by every account there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Whose client it is, byte for byte.
    pub issuer: Issuer,
    /// The client that logins use.
    pub client: RegisteredClient,
    /// Where codes may be sent, as the server has it.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may use, as the server has it.
    pub grant_types: BTreeSet<GrantType>,
    /// Reads and changes the registration (RFC 7592, section 3). We never use it.
    pub registration_access_token: Option<RegistrationAccessToken>,
    /// Where (RFC 7592, section 3): a URL that may hold a secret (D60).
    pub registration_client_uri: Option<SecretText>,
    /// When it was made.
    pub registered_at: WallTime,
    /// Whether the server still knows it.
    pub standing: Standing,
    /// The clients that it replaced. Logins are used to their end with the client that they were issued to.
    pub former: Vec<RegisteredClient>,
}

/// A client, and how it says who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredClient {
    /// Its name at the issuer.
    pub client_id: ClientId,
    /// Its secret, where its method needs one.
    pub client_secret: Option<ClientSecret>,
    /// When that ends.
    pub secret_expires: SecretExpires,
    /// How it authenticates.
    pub auth_method: TokenEndpointAuthMethod,
}

/// When a client secret ends: `client_secret_expires_at` (D58).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretExpires {
    /// Zero, or no secret.
    Never,
    /// Then.
    At(WallTime),
}

/// Whether a server still knows a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As far as we know.
    Good,
    /// It answered `invalid_client` then: no login uses it any more (D46).
    Refused(WallTime),
}

/// At which port of 127.0.0.1 a registered client has its codes sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CallbackPort {
    /// The server has taken none down: any (RFC 8252, 7.3).
    #[default]
    Any,
    /// This one, which a server that compares the whole text needs; any where it is taken.
    Rather(NonZeroU16),
    /// This one: the server has taken no other down.
    Only(NonZeroU16),
}

/// What a login needs of its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantNeeded<'a> {
    /// The device authorization grant.
    Device,
    /// The code grant, with this redirect URI: the very one, or [`RedirectUri::ipv4`] where any port will do.
    Code(&'a RedirectUri),
}

/// Why a registration does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unusable {
    /// The server does not know it any more.
    #[error("the authorization server does not know the registered client any more")]
    Refused,
    /// Its secret is over.
    #[error("the registered client's secret has expired")]
    SecretExpired,
    /// It may not use the grant.
    #[error("the registered client may not log in this way")]
    LacksGrant,
    /// It may not have codes sent there.
    #[error("the registered client may not use this redirect URI")]
    LacksRedirect,
}

impl Registration {
    /// Whether a login may begin with it now.
    ///
    /// # Errors
    /// Why not; the first reason in the order of [`Unusable`].
    pub fn usable_for(&self, grant: GrantNeeded<'_>, now: WallTime) -> Result<(), Unusable> {
        if self.standing != Standing::Good {
            return Err(Unusable::Refused);
        }
        if self.client.is_expired(now) {
            return Err(Unusable::SecretExpired);
        }
        match grant {
            GrantNeeded::Device if !self.grant_types.contains(&GrantType::DeviceCode) => Err(Unusable::LacksGrant),
            GrantNeeded::Code(_) if !self.grant_types.contains(&GrantType::AuthorizationCode) => Err(Unusable::LacksGrant),
            GrantNeeded::Code(used) if !self.redirect_uris.iter().any(|uri| uri.admits(used)) => Err(Unusable::LacksRedirect),
            GrantNeeded::Device | GrantNeeded::Code(_) => Ok(()),
        }
    }

    /// Where a login in a browser is to be answered, where any port would do for us.
    #[must_use]
    pub fn callback_port(&self) -> CallbackPort {
        let ours = || self.redirect_uris.iter().filter(|uri| uri.with_port(0) == RedirectUri::ipv4().with_port(0));
        match ours().find_map(|uri| uri.port().and_then(NonZeroU16::new)) {
            None => CallbackPort::Any,
            Some(port) if ours().any(|uri| uri.port().is_none()) => CallbackPort::Rather(port),
            Some(port) => CallbackPort::Only(port),
        }
    }

    /// The client of this name, present or former: how a grant that was issued to it is refreshed and given back.
    #[must_use]
    pub fn client(&self, client_id: &ClientId) -> Option<&RegisteredClient> {
        std::iter::once(&self.client).chain(&self.former).find(|client| client.client_id == *client_id)
    }

    /// Takes the place of what was kept, and carries its clients along, but for one that the server refuses. Of another issuer
    /// nothing is taken.
    #[must_use]
    pub fn replacing(mut self, kept: Option<Self>) -> Self {
        let Some(kept) = kept.filter(|kept| kept.issuer == self.issuer) else { return self };
        let present = matches!(kept.standing, Standing::Good).then_some(kept.client);
        let known = present.into_iter().chain(kept.former).filter(|client| client.client_id != self.client.client_id);
        self.former.extend(known);
        self.former.truncate(MOST_FORMER);
        self
    }

    /// As it is kept without a client that the server refuses, present or former. `None`: nothing to change.
    #[must_use]
    pub fn without(&self, client_id: &ClientId, now: WallTime) -> Option<Self> {
        if self.client.client_id == *client_id {
            return (self.standing == Standing::Good).then(|| self.clone().refused(now));
        }
        let mut kept = self.clone();
        kept.former.retain(|client| client.client_id != *client_id);
        (kept.former.len() < self.former.len()).then_some(kept)
    }

    /// As it is kept once the server refuses the client: no secret of it is of use any more, and its date still bounds (D59).
    #[must_use]
    pub fn refused(mut self, now: WallTime) -> Self {
        self.standing = Standing::Refused(now);
        self.client.client_secret = None;
        self.registration_access_token = None;
        self.registration_client_uri = None;
        self
    }
}

impl RegisteredClient {
    /// How it says who it is.
    ///
    /// # Errors
    /// Where its method needs a secret and none is kept.
    pub fn authentication(&self) -> Result<ClientAuthentication, NotAuthenticated> {
        ClientAuthentication::by(Some(self.auth_method), self.client_secret.clone())
    }

    /// Whether its secret is over.
    #[must_use]
    pub fn is_expired(&self, now: WallTime) -> bool {
        matches!(self.secret_expires, SecretExpires::At(at) if at <= now)
    }
}
