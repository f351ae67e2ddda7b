//! From the URL of a resource to its authorization servers, and the scopes to ask for (RFC 9728; MCP, authorization).
//!
//! In order: the resource is asked without a token, for its challenge; then its metadata is looked for where the challenge says
//! so, at the well-known place with the path, at the root; where there is none, the resource's origin is the authorization
//! server, as before RFC 9728. The challenge may name a place at another origin: what is found there counts only if it is about
//! this resource. Must never: send a secret, take a document about another origin (P14), follow a server to an address nearer
//! than the person's own (D9, P21), or go on to a guess where the answer is "later" (D2).

use std::convert::Infallible;
use std::time::Duration;

use crate::challenge::{self, BearerChallenge};
use crate::endpoint::{Endpoint, InvalidEndpoint, Loopback};
use crate::finding::Finding;
use crate::flow::{Flow, Input, Step};
use crate::http::{HttpAnswer, HttpRequest, Method, NothingSent, Patience, Undelivered};
use crate::misbehaved::ServerMisbehaved;
use crate::reach::Reach;
use crate::terms::{Issuer, Resource, Scopes};
use crate::time::Now;
use crate::wire::StatusClass;
use crate::wire::protected_resource::{self, Document, ResourceAnswer};
use crate::wire::retry_after;

mod places;
pub(crate) mod resource;

/// A resource, and what a login for it needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedResource {
    /// The URL as the person typed it.
    pub typed: Resource,
    /// What is sent as `resource` (RFC 8707): as published, byte for byte; as typed where nothing is published.
    pub resource: Resource,
    /// In the order of the document; never empty. The first whose metadata can be used is the one
    /// ([`DiscoveryError::leads_on`](crate::discovery::DiscoveryError::leads_on)). Without metadata about the resource: its
    /// origin, in both spellings, of which at most one can be right.
    pub authorization_servers: Vec<Issuer>,
    /// What to ask for.
    pub scopes: ScopesToAsk,
    /// Where it says so.
    pub found_at: FoundAt,
    /// How near it is: its authorization servers may be no nearer (D9, P21).
    pub reach: Reach,
    /// What is worth telling.
    pub findings: Vec<Finding>,
}

/// Which scopes to ask for (MCP, scope selection strategy).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopesToAsk {
    /// Those of the challenge: authoritative.
    Challenge(Scopes),
    /// All of `scopes_supported`.
    Supported(Scopes),
    /// Nobody says any: the parameter is left out.
    None,
}

/// How many path segments of `url` the identifier of a resource covers, where it is that URL, its origin or a parent path of it: of
/// several resources the one that covers most is meant. `None`: the URL is none of it.
#[must_use]
pub fn covers(resource: &Resource, url: &Resource) -> Option<usize> {
    let typed = Endpoint::parse(url.as_str(), Loopback::Allowed).ok()?;
    resource::contains(resource.as_str(), &typed).then(|| resource::depth(resource.as_str()))
}

impl ScopesToAsk {
    /// The scopes; empty: the parameter is left out.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        match self {
            Self::Challenge(scopes) | Self::Supported(scopes) => scopes.clone(),
            Self::None => Scopes::default(),
        }
    }
}

/// Where the metadata of a resource was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundAt {
    /// Where the challenge said.
    NamedByChallenge(Endpoint),
    /// At a well-known place.
    WellKnown(Endpoint),
    /// Nowhere: a server from before RFC 9728.
    Nowhere,
}

/// Why nothing could be found out about a resource.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// The URL cannot be a resource: another one must be typed.
    #[error("the URL {0}")]
    BadUrl(InvalidEndpoint),
    /// The metadata must not be used.
    #[error(transparent)]
    Misbehaved(ServerMisbehaved),
    /// The resource could not be reached: later.
    #[error("the resource could not be reached: {0}")]
    Unreachable(NothingSent),
    /// The server says "later", answered with a web page, or its answer was lost.
    #[error("the resource did not answer the request for its metadata")]
    Unavailable {
        /// The server's wish, at most one hour.
        retry_after: Option<Duration>,
    },
}

/// The search for the metadata of one resource. At most six requests, none with a secret.
#[derive(Debug)]
pub struct ResourceDiscovery {
    typed: Resource,
    state: State,
}

#[derive(Debug)]
enum State {
    New,
    /// The resource was asked for its challenge, by GET.
    Got(Endpoint),
    /// The same by POST: MCP servers of 2026 know no GET.
    Probed(Endpoint),
    Looking(Box<Search>),
}

/// The search, once the challenge is known or known not to come.
#[derive(Debug)]
struct Search {
    typed: Endpoint,
    /// How near the resource is: as far as its text says, or its answer showed.
    reach: Reach,
    heard: Heard,
    /// The place that the challenge named.
    named: Option<Endpoint>,
    /// The place that was asked, and those that are left.
    at: Endpoint,
    left: std::vec::IntoIter<Endpoint>,
    findings: Vec<Finding>,
}

/// What the resource answered to a request without a token.
#[derive(Debug)]
enum Heard {
    Challenge(BearerChallenge),
    /// It wants no token, or does not say so.
    NoChallenge,
    /// It did not answer: there may be a challenge.
    Silence,
}

impl ResourceDiscovery {
    /// For the URL that a person typed.
    #[must_use]
    pub fn new(typed: Resource) -> Self {
        Self { typed, state: State::New }
    }

    fn ask(self, (endpoint, method, patience): (Endpoint, Method, Patience), state: State) -> Step<Self> {
        Step::Send(HttpRequest { endpoint, method, authorization: None, patience }, Self { state, ..self })
    }

    /// GET first, because it changes nothing anywhere.
    fn begin(self) -> Step<Self> {
        match Endpoint::parse(self.typed.as_str(), Loopback::Allowed) {
            Ok(typed) => self.ask((typed.clone(), Method::Get, Patience::Challenge), State::Got(typed)),
            Err(why) => Step::Done(Err(ResourceError::BadUrl(why))),
        }
    }

    fn got(self, typed: Endpoint, answered: Result<HttpAnswer, Undelivered>) -> Step<Self> {
        match answered {
            Ok(answer) if answer.status == 401 => self.look(typed, (heard(&answer), Some(answer.peer))),
            Err(Undelivered::NothingSent(why)) => Step::Done(Err(ResourceError::Unreachable(why))),
            Ok(_) | Err(Undelivered::AnswerLost(_)) => {
                self.ask((typed.clone(), Method::Probe, Patience::Challenge), State::Probed(typed))
            }
        }
    }

    fn probed(self, typed: Endpoint, answered: Result<HttpAnswer, Undelivered>) -> Step<Self> {
        match answered {
            Ok(answer) => self.look(typed, (heard(&answer), Some(answer.peer))),
            Err(Undelivered::NothingSent(why)) => Step::Done(Err(ResourceError::Unreachable(why))),
            Err(Undelivered::AnswerLost(_)) => self.look(typed, (Heard::Silence, None)),
        }
    }

    fn look(self, typed: Endpoint, (heard, peer): (Heard, Option<Reach>)) -> Step<Self> {
        let reach = typed.reach().max(peer.unwrap_or(Reach::Public));
        // Where it has answered from, nobody leads it nearer between two requests. Where it has not, the person's word stands.
        let nearest = peer.map_or(Reach::ThisMachine, |_| reach);
        let mut places = match places::well_known(&typed, nearest) {
            Ok(places) => places,
            Err(why) => return Step::Done(Err(ResourceError::BadUrl(why))),
        };
        let mut findings = Vec::new();
        let mut named = None;
        match &heard {
            Heard::Challenge(BearerChallenge { resource_metadata: Some(url), .. }) => match Endpoint::named(url, reach) {
                Ok(place) => {
                    places.retain(|other| *other != place);
                    places.insert(0, place.clone());
                    named = Some(place);
                }
                Err(why) => findings.push(Finding::challenge_url(why)),
            },
            Heard::Challenge(_) | Heard::Silence => {}
            Heard::NoChallenge => findings.push(Finding::NoChallenge),
        }
        let mut left = places.into_iter();
        match left.next() {
            Some(at) => self.ask_place(Box::new(Search { typed, reach, heard, named, at, left, findings })),
            None => Step::Done(Err(ResourceError::BadUrl(InvalidEndpoint::NotAUrl))),
        }
    }

    fn ask_place(self, search: Box<Search>) -> Step<Self> {
        self.ask((search.at.clone(), Method::Get, Patience::Metadata), State::Looking(search))
    }

    fn looked(self, mut search: Box<Search>, answered: Result<HttpAnswer, Undelivered>, now: Now) -> Step<Self> {
        let answer = match answered {
            Ok(answer) => answer,
            Err(Undelivered::NothingSent(why)) => return Step::Done(Err(ResourceError::Unreachable(why))),
            Err(Undelivered::AnswerLost(_)) => return Step::Done(Err(ResourceError::Unavailable { retry_after: None })),
        };
        let unavailable = || ResourceError::Unavailable { retry_after: retry_after::read(&answer, now) };
        Step::Done(match StatusClass::of(answer.status) {
            // As with D2: only "not here" leads on.
            StatusClass::Refusal if (400..500).contains(&answer.status) => {
                if search.named.as_ref() == Some(&search.at) {
                    search.findings.push(Finding::ChallengeLeadsNowhere);
                }
                match search.left.next() {
                    Some(at) => {
                        search.at = at;
                        return self.ask_place(search);
                    }
                    None => search.nowhere(self.typed),
                }
            }
            StatusClass::Refusal | StatusClass::Later => Err(unavailable()),
            StatusClass::Redirect => Err(ResourceError::Misbehaved(ServerMisbehaved::Redirected { status: answer.status })),
            StatusClass::Success => match protected_resource::read(&answer, (&search.typed, search.reach)) {
                ResourceAnswer::Document(document) => Ok(search.found(self.typed, document)),
                ResourceAnswer::Misbehaved(why) => Err(ResourceError::Misbehaved(why)),
                ResourceAnswer::NoDocument => Err(unavailable()),
            },
        })
    }
}

impl Search {
    fn found(self, typed: Resource, document: Document) -> ProtectedResource {
        let Document { resource, authorization_servers, scopes, findings } = document;
        let found_at =
            if self.named.as_ref() == Some(&self.at) { FoundAt::NamedByChallenge(self.at) } else { FoundAt::WellKnown(self.at) };
        let authorization_servers = if authorization_servers.is_empty() { origin(&self.typed) } else { authorization_servers };
        let scopes = to_ask(self.heard, scopes);
        let mut findings = [self.findings, findings].concat();
        if scopes == ScopesToAsk::None {
            findings.push(Finding::NoScopes);
        }
        ProtectedResource { typed, resource, authorization_servers, scopes, found_at, reach: self.reach, findings }
    }

    /// A server from before RFC 9728. Only where the resource has answered: a challenge that was not heard may name a place.
    fn nowhere(mut self, typed: Resource) -> Result<ProtectedResource, ResourceError> {
        if matches!(self.heard, Heard::Silence) {
            return Err(ResourceError::Unavailable { retry_after: None });
        }
        self.findings.push(Finding::NoResourceMetadata);
        let scopes = to_ask(self.heard, None);
        if scopes == ScopesToAsk::None {
            self.findings.push(Finding::NoScopes);
        }
        Ok(ProtectedResource {
            resource: typed.clone(),
            typed,
            authorization_servers: origin(&self.typed),
            scopes,
            found_at: FoundAt::Nowhere,
            reach: self.reach,
            findings: self.findings,
        })
    }
}

fn origin(typed: &Endpoint) -> Vec<Issuer> {
    places::origin(typed).into_iter().map(Issuer::new).collect()
}

fn to_ask(heard: Heard, supported: Option<Scopes>) -> ScopesToAsk {
    match (heard, supported) {
        (Heard::Challenge(BearerChallenge { scope: Some(scopes), .. }), _) => ScopesToAsk::Challenge(scopes),
        (_, Some(scopes)) => ScopesToAsk::Supported(scopes),
        (_, None) => ScopesToAsk::None,
    }
}

fn heard(answer: &HttpAnswer) -> Heard {
    match StatusClass::of(answer.status) {
        _ if answer.status == 401 => challenge::bearer(&answer.www_authenticate).map_or(Heard::NoChallenge, Heard::Challenge),
        StatusClass::Later => Heard::Silence,
        _ => Heard::NoChallenge,
    }
}

impl Flow for ResourceDiscovery {
    type Prompt = Infallible;
    type Output = Result<ProtectedResource, ResourceError>;

    fn handle(mut self, input: Input, now: Now) -> Step<Self> {
        match (std::mem::replace(&mut self.state, State::New), input) {
            (State::New, _) => self.begin(),
            (State::Got(typed), Input::Answered(answered)) => self.got(typed, answered),
            (State::Probed(typed), Input::Answered(answered)) => self.probed(typed, answered),
            (State::Looking(search), Input::Answered(answered)) => self.looked(search, answered, now),
            (_, Input::Begin | Input::Resumed) => Step::Done(Err(ResourceError::Unavailable { retry_after: None })),
        }
    }
}

#[cfg(test)]
mod tests;
