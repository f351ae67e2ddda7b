//! What stands behind a URL: its protected resource metadata, its authorization servers, and how a login there would go.
//!
//! Bounded: at most six requests for the resource and three for each of four servers, each with the limits of metadata (D6), half
//! a minute in all. Must never: send a secret, register a client, keep what was read, or go on to another server where this one
//! may come back (D2).

use std::time::Duration;

use mcp_authd_oauth::discovery::{Discovery, ServerMetadata};
use mcp_authd_oauth::finding::Finding;
use mcp_authd_oauth::protected_resource::{FoundAt, ProtectedResource, ResourceDiscovery};
use mcp_authd_oauth::registration::{Candidates, ClientChoice, Documents, GrantNeeded, RedirectUri};
use mcp_authd_oauth::terms::{Issuer, Resource, Scopes};
use mcp_authd_oauth::way::{self, Way, Wishes};

use super::Wire;
use super::drive::{Transport, drive};
use super::servers::{begins_at, wishes};
use crate::accounts::probe::{KnownAccounts, NotNow, NotProbed, PassedOver, Probed, ProbedClient, ProbedServer, Question};

/// A probe takes no longer.
const LONGEST: Duration = Duration::from_secs(30);
/// More authorization servers of one resource are not looked at.
const MOST_SERVERS: usize = 4;

/// What a person wants to know, beside what is configured.
#[derive(Clone, Copy)]
struct Asked<'a> {
    question: &'a Question,
    known: &'a KnownAccounts,
}

impl<T: Transport> Wire<T> {
    pub(super) async fn probe(&self, question: Question, known: KnownAccounts) -> Result<Probed, NotProbed> {
        let end = self.clock.now().instant + LONGEST;
        tokio::select! {
            probed = self.look_behind(Asked { question: &question, known: &known }) => probed,
            () = self.clock.sleep_until(end) => Err(NotProbed::Later(NotNow::TimeOver(LONGEST))),
        }
    }

    async fn look_behind(&self, asked: Asked<'_>) -> Result<Probed, NotProbed> {
        let question = asked.question;
        if let Some(issuer) = question.issuer.as_ref().filter(|issuer| issuer.as_str() == question.url) {
            return self.look_at(asked, issuer).await;
        }
        let flow = ResourceDiscovery::new(Resource::new(&question.url));
        let resource = drive(flow, &self.transport, &self.clock, |never| match never {}).await?;
        let mut passed_over = Vec::new();
        for issuer in candidates(question, &resource)? {
            let search = match &question.issuer {
                Some(_) => Discovery::new(issuer.clone()),
                None => Discovery::named_by(issuer.clone(), resource.reach),
            };
            match drive(search, &self.transport, &self.clock, |never| match never {}).await {
                Ok(metadata) => return Ok(self.found(asked, resource, passed_over, metadata).await),
                Err(why) if why.leads_on() => passed_over.push(PassedOver { issuer, why }),
                Err(why) => return Err(NotProbed::Later(NotNow::Server { issuer, why })),
            }
        }
        Ok(Probed { url: question.url.clone(), resource: Some(resource), passed_over, server: None })
    }

    /// An issuer that the person named is no resource: what else answers there does not count.
    async fn look_at(&self, asked: Asked<'_>, issuer: &Issuer) -> Result<Probed, NotProbed> {
        let url = asked.question.url.clone();
        match drive(Discovery::new(issuer.clone()), &self.transport, &self.clock, |never| match never {}).await {
            Ok(metadata) => {
                let server = self.server(asked, metadata, &Scopes::default()).await;
                Ok(Probed { url, resource: None, passed_over: Vec::new(), server: Some(server) })
            }
            Err(why) if why.leads_on() => {
                let passed_over = vec![PassedOver { issuer: issuer.clone(), why }];
                Ok(Probed { url, resource: None, passed_over, server: None })
            }
            Err(why) => Err(NotProbed::Later(NotNow::Server { issuer: issuer.clone(), why })),
        }
    }

    async fn found(
        &self,
        Asked { question, known }: Asked<'_>,
        resource: ProtectedResource,
        passed_over: Vec<PassedOver>,
        metadata: ServerMetadata,
    ) -> Probed {
        let is_the_server = is_unprotected(&resource) && is_typed(&resource, &metadata.issuer);
        let resource = (!is_the_server).then_some(resource);
        // Nobody has named the spellings that were tried before the right one.
        let is_named = resource.as_ref().is_some_and(|resource| resource.found_at != FoundAt::Nowhere);
        let asked = resource.as_ref().map(|resource| resource.scopes.scopes()).unwrap_or_default();
        let server = self.server(Asked { question, known }, metadata, &asked).await;
        let passed_over = if is_named { passed_over } else { Vec::new() };
        Probed { url: question.url.clone(), resource, passed_over, server: Some(server) }
    }

    async fn server(&self, Asked { question, known }: Asked<'_>, metadata: ServerMetadata, asked: &Scopes) -> ProbedServer {
        let account = known.at(&metadata.issuer, &question.url);
        let profile = account.map(|account| account.profile.clone()).unwrap_or_default();
        // What the person says now goes before what is configured.
        let flow = question.flow.or(account.and_then(|account| account.flow));
        let choice = way::choose(begins_at(&profile, &metadata), Some(&metadata), Wishes { flow, ..wishes(&profile) });
        let client = match &choice {
            Ok(choice) => Some(self.client_there(question, &metadata, &choice.way).await),
            Err(_) => None,
        };
        let scopes = way::scopes_to_send(asked, &metadata);
        ProbedServer { scopes, choice, client, findings: way::findings(&metadata), metadata }
    }

    /// What a login would use. What is kept is read, and nothing is registered.
    async fn client_there(&self, question: &Question, metadata: &ServerMetadata, way: &Way) -> ProbedClient {
        let kept = match &question.client_id {
            Some(_) => None,
            None => match self.vault.registration(&metadata.issuer).await {
                Ok(kept) => kept,
                Err(why) => return ProbedClient::Unread(why),
            },
        };
        let candidates = Candidates {
            issuer: &metadata.issuer,
            pre_registered: question.client_id.as_ref(),
            document: question.document.as_ref(),
            documents: documents(metadata),
            kept: kept.as_ref(),
            registration_endpoint: metadata.registration_endpoint.as_ref(),
            not_before: self.clients.not_before(&metadata.issuer),
        };
        let redirect = RedirectUri::ipv4();
        let grant = match way {
            Way::DeviceGrant { .. } => GrantNeeded::Device,
            Way::Code { .. } => GrantNeeded::Code(&redirect),
        };
        ClientChoice::of(&candidates, grant, self.clock.now()).into()
    }
}

fn documents(metadata: &ServerMetadata) -> Documents {
    if metadata.client_id_metadata_document_supported { Documents::Supported } else { Documents::NotSupported }
}

/// The authorization servers to look at, in order.
fn candidates(question: &Question, resource: &ProtectedResource) -> Result<Vec<Issuer>, NotProbed> {
    let named = &resource.authorization_servers;
    match &question.issuer {
        Some(chosen) if resource.found_at == FoundAt::Nowhere || named.contains(chosen) => Ok(vec![chosen.clone()]),
        Some(chosen) => Err(NotProbed::AnotherIssuer { chosen: chosen.clone(), named: named.clone() }),
        None if is_unprotected(resource) => Ok(own_issuers(resource)),
        None => Ok(named.iter().take(MOST_SERVERS).cloned().collect()),
    }
}

/// Nothing is published about it and it asks for no token: it may be an authorization server itself.
fn is_unprotected(resource: &ProtectedResource) -> bool {
    resource.found_at == FoundAt::Nowhere && resource.findings.contains(&Finding::NoChallenge)
}

/// Whether what was typed is this server: its name, or the origin that it is known by. What has a path of its own at the origin is a
/// resource there, also where it says nothing of itself, as before RFC 9728.
fn is_typed(resource: &ProtectedResource, issuer: &Issuer) -> bool {
    let typed = resource.typed.as_str();
    let is_origin = typed.split_once("://").is_some_and(|(_, rest)| !rest.trim_end_matches('/').contains(['/', '?']));
    typed == issuer.as_str() || (is_origin && resource.authorization_servers.contains(issuer))
}

/// What was typed as an issuer, then its origin. A server counts only if it calls itself so, byte for byte (D1).
fn own_issuers(resource: &ProtectedResource) -> Vec<Issuer> {
    let typed = Issuer::new(resource.typed.as_str());
    let origins = resource.authorization_servers.iter().filter(|origin| **origin != typed);
    std::iter::once(typed.clone()).chain(origins.cloned()).collect()
}
