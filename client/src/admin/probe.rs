//! What stands behind a URL: the daemon looks, and tells how a login there would go. Nothing is saved, and no account is needed.
//!
//! Must never: ask a server by itself; the daemon alone talks to servers.

use std::time::Duration;

use mcp_authd_proto::v1;
use mcp_authd_proto::v1::probe_response::Outcome;

use super::AdminClient;
use super::accounts::unknown_outcome;
use crate::call::{self, GRACE};
use crate::convert::filled;
use crate::error::CallError;

/// How long the daemon looks, at most.
pub(super) const LONGEST_PROBE: Duration = Duration::from_secs(30);

/// What a person wants to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// The URL of a protected resource, or an issuer.
    pub url: String,
    /// One of the authorization servers that the resource names. `None`: the first that can be used.
    pub issuer: Option<String>,
    /// The client that an account would have.
    pub client_id: Option<String>,
}

/// What became of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probing {
    /// Something stands there.
    Found(Box<Probed>),
    /// Nothing is known.
    Nothing(NotProbed),
}

/// Why nothing is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotProbed {
    /// Why.
    pub message: String,
    /// What to do next.
    pub next_step: Option<String>,
}

/// What stands behind a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probed {
    /// As it was typed.
    pub url: String,
    /// `None`: the URL is that of an authorization server.
    pub resource: Option<ProbedResource>,
    /// The authorization servers that were looked at in vain, in order.
    pub passed_over: Vec<PassedOver>,
    /// The one that a login would go to. `None`: none can be used.
    pub server: Option<ProbedServer>,
    /// Whether somebody could log in.
    pub login_possible: bool,
    /// What to do next.
    pub next_step: Option<String>,
}

/// A protected resource (RFC 9728).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProbedResource {
    /// As it is sent (RFC 8707): as published, byte for byte.
    pub resource: String,
    /// Where its metadata stands.
    pub metadata_url: Option<String>,
    /// How that place was found.
    pub metadata_place: MetadataPlace,
    /// As it names them.
    pub authorization_servers: Vec<String>,
    /// Who says which scopes to ask for.
    pub scopes_from: ScopesFrom,
    /// What is worth telling.
    pub findings: Vec<Finding>,
}

/// How the place of the metadata was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataPlace {
    /// The challenge named it (RFC 9728, 5.1).
    Challenge,
    /// It is a well-known one (RFC 9728, 3.1).
    WellKnown,
    /// There is none: the resource's origin is taken for the authorization server.
    Nowhere,
    /// This program does not know the daemon's word.
    #[default]
    Unknown,
}

/// Who says which scopes to ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScopesFrom {
    /// The challenge.
    Challenge,
    /// The metadata.
    Metadata,
    /// Nobody.
    Nobody,
    /// This program does not know the daemon's word.
    #[default]
    Unknown,
}

/// An authorization server that cannot be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// Which.
    pub issuer: String,
    /// Why not.
    pub message: String,
}

/// An authorization server (RFC 8414).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProbedServer {
    /// Its issuer identifier.
    pub issuer: String,
    /// The members of its metadata that name an endpoint, with the endpoint.
    pub endpoints: Vec<(String, String)>,
    /// What a login would ask for. Empty: no `scope` is sent.
    pub scopes: Vec<String>,
    /// How a login would go. `None`: not at all.
    pub way: Option<Way>,
    /// Why so.
    pub why: String,
    /// Which client it would use.
    pub client: ProbedClient,
    /// The client's name, where it has one already.
    pub client_id: Option<String>,
    /// The client in words.
    pub client_message: String,
    /// What is worth telling.
    pub findings: Vec<Finding>,
}

/// How a login would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Way {
    /// By a code that is typed on another device (RFC 8628).
    Device,
    /// In a browser (RFC 6749, 4.1; RFC 7636).
    Code,
    /// This program does not know the daemon's word.
    Unknown,
}

/// Which client a login would use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProbedClient {
    /// The one that the person gave.
    Configured,
    /// The URL of a metadata document.
    MetadataDocument,
    /// One that was registered before (RFC 7591).
    Registered,
    /// One would be registered at the first login.
    ToBeRegistered,
    /// A person has to give one.
    Missing,
    /// It could not be found out, or there is no way to log in.
    #[default]
    Unknown,
}

/// Something that is worth telling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finding {
    /// Whether a rule is broken; else less is offered than could be.
    pub is_breach: bool,
    /// One sentence, with the RFC's section where there is one.
    pub message: String,
}

impl AdminClient {
    /// Finds out what stands behind a URL. Takes half a minute at the most.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn probe(&self, question: Question) -> Result<Probing, CallError> {
        let request = v1::ProbeRequest {
            url: question.url,
            issuer: question.issuer.unwrap_or_default(),
            client_id: question.client_id.unwrap_or_default(),
        };
        let limit = LONGEST_PROBE.saturating_add(GRACE);
        let answer = self.call(limit, || async { call::message("Probe", self.stub().probe(request.clone()).await) });
        match answer.await?.outcome {
            Some(Outcome::Probed(found)) => Ok(Probing::Found(Box::new(probed(found)))),
            Some(Outcome::NotProbed(why)) => {
                Ok(Probing::Nothing(NotProbed { message: why.message, next_step: filled(why.next_step) }))
            }
            None => Err(unknown_outcome()),
        }
    }
}

pub(super) fn probed(wire: v1::Probed) -> Probed {
    Probed {
        url: wire.url,
        resource: wire.resource.map(resource),
        passed_over: wire
            .passed_over
            .into_iter()
            .map(|passed| PassedOver { issuer: passed.issuer, message: passed.message })
            .collect(),
        server: wire.server.map(server),
        login_possible: wire.login_possible,
        next_step: filled(wire.next_step),
    }
}

fn resource(wire: v1::ProbedResource) -> ProbedResource {
    ProbedResource {
        metadata_place: match wire.metadata_place() {
            v1::MetadataPlace::Challenge => MetadataPlace::Challenge,
            v1::MetadataPlace::WellKnown => MetadataPlace::WellKnown,
            v1::MetadataPlace::Nowhere => MetadataPlace::Nowhere,
            v1::MetadataPlace::Unspecified => MetadataPlace::Unknown,
        },
        scopes_from: match wire.scopes_from() {
            v1::ScopesFrom::Challenge => ScopesFrom::Challenge,
            v1::ScopesFrom::Metadata => ScopesFrom::Metadata,
            v1::ScopesFrom::Nobody => ScopesFrom::Nobody,
            v1::ScopesFrom::Unspecified => ScopesFrom::Unknown,
        },
        resource: wire.resource,
        metadata_url: filled(wire.metadata_url),
        authorization_servers: wire.authorization_servers,
        findings: findings(wire.findings),
    }
}

fn server(wire: v1::ProbedServer) -> ProbedServer {
    let way = match v1::Way::try_from(wire.way) {
        Ok(v1::Way::Unspecified) => None,
        Ok(v1::Way::Device) => Some(Way::Device),
        Ok(v1::Way::Code) => Some(Way::Code),
        Err(_) => Some(Way::Unknown),
    };
    let client = match wire.client() {
        v1::ProbedClient::Configured => ProbedClient::Configured,
        v1::ProbedClient::MetadataDocument => ProbedClient::MetadataDocument,
        v1::ProbedClient::Registered => ProbedClient::Registered,
        v1::ProbedClient::ToBeRegistered => ProbedClient::ToBeRegistered,
        v1::ProbedClient::Missing => ProbedClient::Missing,
        v1::ProbedClient::Unspecified => ProbedClient::Unknown,
    };
    ProbedServer {
        issuer: wire.issuer,
        endpoints: wire.endpoints.into_iter().map(|endpoint| (endpoint.name, endpoint.url)).collect(),
        scopes: wire.scopes,
        way,
        why: wire.why,
        client,
        client_id: filled(wire.client_id),
        client_message: wire.client_message,
        findings: findings(wire.findings),
    }
}

fn findings(wire: Vec<v1::ProbeFinding>) -> Vec<Finding> {
    wire.into_iter().map(|finding| Finding { is_breach: finding.is_breach, message: finding.message }).collect()
}
