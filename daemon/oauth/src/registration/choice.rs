//! Which client a login uses: pre-registered, a metadata document, one that is registered, one to be registered, or none (D46, D57-D59).
//!
//! Must never: use a registration of another issuer (P14), or ask a server for a second one within the hour (D59).

use std::time::Duration;

use super::attempts;
use super::client_id_url::ClientIdUrl;
use super::kept::{GrantNeeded, RegisteredClient, Registration, Unusable};
use super::redirect_uri::RedirectUri;
use crate::endpoint::Endpoint;
use crate::sign_in::{NextStep, NotBegun};
use crate::terms::{ClientId, Issuer};
use crate::time::{Instant, Now};
use crate::wire::shown;

const LONGEST_ISSUER: usize = 200;

/// What there is to choose from.
#[derive(Debug, Clone, Copy)]
pub struct Candidates<'a> {
    /// Whose client is looked for.
    pub issuer: &'a Issuer,
    /// The configured `client_id`.
    pub pre_registered: Option<&'a ClientId>,
    /// The configured URL of our metadata document.
    pub document: Option<&'a ClientIdUrl>,
    /// Whether the server takes such a URL.
    pub documents: Documents,
    /// What is kept for this issuer.
    pub kept: Option<&'a Registration>,
    /// Where the server registers clients, from its metadata or the configuration. Never guessed.
    pub registration_endpoint: Option<&'a Endpoint>,
    /// Of [`super::Attempts::not_before`].
    pub not_before: Option<Instant>,
}

/// `client_id_metadata_document_supported` of the server's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Documents {
    /// True.
    Supported,
    /// False, or not told.
    NotSupported,
}

/// The client of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientChoice {
    /// The configured one. Its secret and method are those of the account.
    PreRegistered(ClientId),
    /// The configured URL: a public client.
    MetadataDocument(ClientId),
    /// The registered one.
    Registered(RegisteredClient),
    /// Register one there, keep it in the place of what is kept, and choose again. One at a time for an issuer.
    Register {
        /// The registration endpoint.
        endpoint: Endpoint,
        /// Why.
        why: WhyRegister,
    },
    /// One would be registered, but not yet. Another way to log in may have its client all the same.
    Wait {
        /// How long, at most an hour.
        left: Duration,
        /// Why.
        why: WhyRegister,
    },
    /// A person must tell one.
    AskForClient(AskForClient),
}

/// Why a registration is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhyRegister {
    /// None is kept for this issuer.
    #[error("no client is registered at the authorization server")]
    NoneKept,
    /// The kept one does not serve.
    #[error(transparent)]
    Renewal(Unusable),
}

/// What a person is asked for, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the authorization server {} {why}", shown::fit(.issuer.as_str(), LONGEST_ISSUER))]
pub struct AskForClient {
    /// Where.
    pub issuer: Issuer,
    /// Why.
    pub why: WhyAsk,
}

impl AskForClient {
    /// What a person does where no client can be had without one.
    #[must_use]
    pub fn next_step() -> NextStep {
        NextStep::Words(format!(
            "register mcp-authd there as a native (public) client with the redirect URI {}, write the id that it gets into the account \
             in config.toml as client_id = \"...\", then: authctl reload",
            RedirectUri::ipv4()
        ))
    }
}

impl From<AskForClient> for NotBegun {
    fn from(ask: AskForClient) -> Self {
        Self { why: ask.to_string(), next_step: AskForClient::next_step() }
    }
}

/// Why no client can be had without a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhyAsk {
    /// The server offers no registration.
    #[error("registers no clients on its own, and no client_id is configured")]
    NoRegistration,
    /// The same, and the configured document is of no use there.
    #[error("registers no clients on its own and does not take the URL of a client metadata document")]
    DocumentNotSupported,
    /// The kept registration does not serve, and the server registers no more.
    #[error("registers no clients on its own any more, and {0}")]
    NotRenewable(Unusable),
    /// The configured client is not one of this server.
    #[error("does not know the configured client_id, or not this way of authentication")]
    PreRegisteredRefused,
    /// The server does not accept the metadata document.
    #[error("does not accept the configured client metadata document")]
    DocumentRefused,
    /// The server does not take the client that it has just registered.
    #[error("does not take the client that it has registered itself")]
    NewClientRefused,
}

impl Candidates<'_> {
    /// Whether the configuration names a client that the server takes.
    pub(super) fn is_configured(&self) -> bool {
        self.pre_registered.is_some() || (self.document.is_some() && self.documents == Documents::Supported)
    }
}

impl ClientChoice {
    /// The first of: the configured client, the configured document where the server takes it, the kept registration where it
    /// serves, a registration, a person.
    #[must_use]
    pub fn of(candidates: &Candidates<'_>, grant: GrantNeeded<'_>, now: Now) -> Self {
        let Candidates { issuer, pre_registered, document, documents, kept, registration_endpoint, not_before } = *candidates;
        if let Some(client_id) = pre_registered {
            return Self::PreRegistered(client_id.clone());
        }
        if let Some(url) = document
            && documents == Documents::Supported
        {
            return Self::MetadataDocument(url.client_id());
        }
        // Whoever brings the registration of another issuer brings none.
        let kept = kept.filter(|kept| kept.issuer == *issuer);
        let why = match kept.map(|kept| (kept, kept.usable_for(grant, now.wall))) {
            Some((kept, Ok(()))) => return Self::Registered(kept.client.clone()),
            Some((_, Err(why))) => WhyRegister::Renewal(why),
            None => WhyRegister::NoneKept,
        };
        let Some(endpoint) = registration_endpoint else {
            let why = match (why, document) {
                (WhyRegister::Renewal(why), _) => WhyAsk::NotRenewable(why),
                (WhyRegister::NoneKept, Some(_)) => WhyAsk::DocumentNotSupported,
                (WhyRegister::NoneKept, None) => WhyAsk::NoRegistration,
            };
            return Self::AskForClient(AskForClient { issuer: issuer.clone(), why });
        };
        match attempts::wait(kept, not_before, now) {
            Some(left) => Self::Wait { left, why },
            None => Self::Register { endpoint: endpoint.clone(), why },
        }
    }
}
