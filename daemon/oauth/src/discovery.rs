//! Finding a server's endpoints from its issuer identifier (RFC 8414, section 3; OpenID Connect Discovery 1.0, section 4).
//!
//! Must never: ask another server than the issuer, or take a document that names another issuer (D1).

use std::convert::Infallible;
use std::time::Duration;

use crate::endpoint::{Endpoint, InvalidEndpoint, Loopback};
use crate::flow::{Flow, Input, Step};
use crate::http::{HttpAnswer, HttpRequest, Method, NothingSent, Patience, Undelivered};
use crate::misbehaved::ServerMisbehaved;
use crate::reach::Reach;
use crate::terms::Issuer;
use crate::time::Now;
use crate::wire::StatusClass;
use crate::wire::metadata::{self, MetadataAnswer};
use crate::wire::retry_after;

/// What a server says about itself (RFC 8414, section 2), as far as it is used, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerMetadata {
    /// The issuer: the configured one, byte for byte.
    pub issuer: Issuer,
    /// RFC 6749, 3.2.
    pub token_endpoint: Endpoint,
    /// RFC 6749, 3.1.
    pub authorization_endpoint: Option<Endpoint>,
    /// RFC 8628, section 4.
    pub device_authorization_endpoint: Option<Endpoint>,
    /// RFC 7591, section 3.
    pub registration_endpoint: Option<Endpoint>,
    /// RFC 7009, section 2.
    pub revocation_endpoint: Option<Endpoint>,
    /// RFC 7662, section 2.
    pub introspection_endpoint: Option<Endpoint>,
    /// OpenID Connect Core 1.0, 5.3.
    pub userinfo_endpoint: Option<Endpoint>,
    /// RFC 7517.
    pub jwks_uri: Option<Endpoint>,
    /// How the document was labelled.
    pub media_type: MediaType,
    /// As the server lists them, fit to be shown. Empty where it lists none.
    pub grant_types_supported: Vec<String>,
    /// The same.
    pub response_types_supported: Vec<String>,
    /// The same; each can be sent as it is.
    pub scopes_supported: Vec<String>,
    /// `None`: not said, which by RFC 8414 means no PKCE (RFC 7636; D24).
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// `None`: not said, which by RFC 8414 means `client_secret_basic`.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether every authorization response has an `iss` (RFC 9207, section 3).
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether a `client_id` may be the URL of a document (Client ID Metadata Document, section 5).
    pub client_id_metadata_document_supported: bool,
    /// Endpoints that no login needs, left out because no request may go there.
    pub left_out: Vec<ServerMisbehaved>,
}

/// The `Content-Type` of a metadata document (RFC 8414, 3.2; D7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// JSON, as it must be.
    Json,
    /// Something else, or nothing, over valid JSON; tolerated, and worth a line in the log.
    Other,
}

/// Why there is no metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The issuer cannot be one: the configuration must be changed.
    #[error("the issuer {0}")]
    BadIssuer(InvalidEndpoint),
    /// The issuer holds a query: the configuration must be changed (RFC 8414, section 2).
    #[error("the issuer must not hold a query (RFC 8414, section 2)")]
    IssuerWithQuery,
    /// No document at any of the well-known places: the endpoints must be configured.
    #[error("the authorization server publishes no metadata; configure its endpoints")]
    NotFound,
    /// The document must not be used.
    #[error(transparent)]
    Misbehaved(ServerMisbehaved),
    /// The server could not be reached: later.
    #[error("the authorization server could not be reached: {0}")]
    Unreachable(NothingSent),
    /// The server says "later", answered with a web page, or its answer was lost.
    #[error("the authorization server did not answer the request for its metadata")]
    Unavailable {
        /// The server's wish, at most one hour.
        retry_after: Option<Duration>,
    },
}

impl DiscoveryError {
    /// Whether another authorization server of the same resource may be tried in its place. Not where it may come back: whoever
    /// goes on then ends at another server than the last time (D2).
    #[must_use]
    pub fn leads_on(&self) -> bool {
        match self {
            Self::BadIssuer(_)
            | Self::IssuerWithQuery
            | Self::NotFound
            | Self::Misbehaved(_)
            | Self::Unreachable(NothingSent::LeadsNearer) => true,
            Self::Unreachable(_) | Self::Unavailable { .. } => false,
        }
    }
}

/// The search for the metadata of one issuer.
#[derive(Debug)]
pub struct Discovery {
    issuer: Issuer,
    named_by: NamedBy,
    state: State,
}

/// Who has named the issuer.
#[derive(Debug, Clone, Copy)]
enum NamedBy {
    /// A person: it may be anywhere, and its endpoints where it is.
    Person,
    /// A resource: no nearer than that one.
    Resource(Reach),
}

#[derive(Debug)]
enum State {
    New,
    /// One place was asked; these are left.
    Asked {
        left: std::vec::IntoIter<Endpoint>,
        nearest: Reach,
    },
}

impl Discovery {
    /// For an issuer that a person configured. Where it answers from says how near its endpoints may be: only an issuer on a
    /// private network or on this machine has endpoints there (D3, D9, P21).
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        Self { issuer, named_by: NamedBy::Person, state: State::New }
    }

    /// For an issuer that a resource so near has named: neither it nor its endpoints may be nearer (P21).
    #[must_use]
    pub fn named_by(issuer: Issuer, resource: Reach) -> Self {
        Self { issuer, named_by: NamedBy::Resource(resource), state: State::New }
    }

    fn ask_next(self, mut left: std::vec::IntoIter<Endpoint>, nearest: Reach) -> Step<Self> {
        let Some(endpoint) = left.next() else { return Step::Done(Err(DiscoveryError::NotFound)) };
        let endpoint = match self.state {
            State::New => endpoint,
            // It has answered from there: nobody leads it nearer between two requests.
            State::Asked { .. } => endpoint.within(nearest),
        };
        let request = HttpRequest { endpoint, method: Method::Get, authorization: None, patience: Patience::Metadata };
        Step::Send(request, Self { state: State::Asked { left, nearest }, ..self })
    }

    fn answered(self, answer: &HttpAnswer, left: std::vec::IntoIter<Endpoint>, nearest: Reach, now: Now) -> Step<Self> {
        let unavailable = || DiscoveryError::Unavailable { retry_after: retry_after::read(answer, now) };
        Step::Done(match StatusClass::of(answer.status) {
            // D2: only "not here" leads on. Whoever falls through on "later" may end at another server's document.
            StatusClass::Refusal if (400..500).contains(&answer.status) => return self.ask_next(left, nearest),
            StatusClass::Refusal | StatusClass::Later => Err(unavailable()),
            StatusClass::Redirect => Err(DiscoveryError::Misbehaved(ServerMisbehaved::Redirected { status: answer.status })),
            StatusClass::Success => match metadata::read(answer, &self.issuer, nearest) {
                MetadataAnswer::Metadata(metadata) => Ok(*metadata),
                MetadataAnswer::Misbehaved(why) => Err(DiscoveryError::Misbehaved(why)),
                MetadataAnswer::NoDocument => Err(unavailable()),
            },
        })
    }
}

impl Flow for Discovery {
    type Prompt = Infallible;
    type Output = Result<ServerMetadata, DiscoveryError>;

    fn handle(self, input: Input, now: Now) -> Step<Self> {
        match (&self.state, input) {
            (State::New, _) => match places(&self.issuer, self.named_by) {
                Ok((places, nearest)) => self.ask_next(places.into_iter(), nearest),
                Err(why) => Step::Done(Err(why)),
            },
            (State::Asked { left, nearest }, Input::Answered(Ok(answer))) => {
                let nearest = match self.named_by {
                    NamedBy::Person => (*nearest).max(answer.peer),
                    NamedBy::Resource(_) => *nearest,
                };
                let left = left.clone();
                self.answered(&answer, left, nearest, now)
            }
            (State::Asked { .. }, Input::Answered(Err(Undelivered::NothingSent(why)))) => {
                Step::Done(Err(DiscoveryError::Unreachable(why)))
            }
            (State::Asked { .. }, _) => Step::Done(Err(DiscoveryError::Unavailable { retry_after: None })),
        }
    }
}

/// Where the document may be, in the order in which it is looked for (D2), and how near its endpoints may be as far as text says
/// (D3, D9).
fn places(issuer: &Issuer, named_by: NamedBy) -> Result<(Vec<Endpoint>, Reach), DiscoveryError> {
    let checked = Endpoint::parse(issuer.as_str(), Loopback::Allowed).map_err(DiscoveryError::BadIssuer)?;
    let (place_nearest, nearest) = match named_by {
        NamedBy::Person => (Reach::ThisMachine, checked.reach()),
        NamedBy::Resource(reach) => (reach, reach),
    };
    if issuer.as_str().contains('?') {
        return Err(DiscoveryError::IssuerWithQuery);
    }
    let not_a_url = || DiscoveryError::BadIssuer(InvalidEndpoint::NotAUrl);
    let (scheme, rest) = issuer.as_str().split_once("://").ok_or_else(not_a_url)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.is_empty() {
        return Err(not_a_url());
    }
    // RFC 8414, 3.1: a terminating slash goes before the path is put behind the well-known part.
    let path = path.strip_suffix('/').unwrap_or(path);
    let origin = format!("{scheme}://{authority}");
    let texts = if path.is_empty() {
        vec![format!("{origin}/.well-known/oauth-authorization-server"), format!("{origin}/.well-known/openid-configuration")]
    } else {
        vec![
            format!("{origin}/.well-known/oauth-authorization-server/{path}"),
            format!("{origin}/.well-known/openid-configuration/{path}"),
            format!("{origin}/{path}/.well-known/openid-configuration"),
        ]
    };
    let places: Result<_, _> = texts.iter().map(|text| Endpoint::named(text, place_nearest)).collect();
    Ok((places.map_err(DiscoveryError::BadIssuer)?, nearest))
}

#[cfg(test)]
mod tests;
