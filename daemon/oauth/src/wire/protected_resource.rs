//! Protected resource metadata (RFC 9728, section 2).
//!
//! Must never: let a document count that is another resource's (RFC 9728, 3.3), or change what it publishes by a byte (D36).

use super::members::{Members, Value};
use super::{Reading, metadata, read as read_body, shown};
use crate::endpoint::{Endpoint, InvalidEndpoint};
use crate::finding::Finding;
use crate::http::HttpAnswer;
use crate::misbehaved::ServerMisbehaved;
use crate::protected_resource::resource;
use crate::reach::Reach;
use crate::terms::{Issuer, Resource, Scopes};

/// More authorization servers than this are not kept.
const MOST_SERVERS: usize = 16;
const LONGEST_RESOURCE: usize = 200;

/// What a document with a success status says.
#[derive(Debug)]
pub(crate) enum ResourceAnswer {
    /// A good document of this resource.
    Document(Document),
    /// A document that must not be used.
    Misbehaved(ServerMisbehaved),
    /// No document: a web page, half a document. It may pass (D7).
    NoDocument,
}

/// What is used of it.
#[derive(Debug)]
pub(crate) struct Document {
    /// As published.
    pub(crate) resource: Resource,
    /// Those that can be one, in the order of the document.
    pub(crate) authorization_servers: Vec<Issuer>,
    pub(crate) scopes: Option<Scopes>,
    pub(crate) findings: Vec<Finding>,
}

/// Reads the document of the resource that the person typed, which is so near.
pub(crate) fn read(answer: &HttpAnswer, typed: (&Endpoint, Reach)) -> ResourceAnswer {
    let Reading::Whole(members) = read_body(answer) else { return ResourceAnswer::NoDocument };
    document(&members, typed).map_or_else(ResourceAnswer::Misbehaved, ResourceAnswer::Document)
}

fn document(members: &Members, (typed, reach): (&Endpoint, Reach)) -> Result<Document, ServerMisbehaved> {
    if members.has_duplicates() {
        return Err(ServerMisbehaved::DuplicateMember);
    }
    let published = members.text("resource").ok_or(ServerMisbehaved::ResourceMember("resource"))?;
    if !resource::contains(published, typed) {
        return Err(ServerMisbehaved::ResourceMismatch { found: shown::fit(published, LONGEST_RESOURCE) });
    }
    let mut findings = Vec::new();
    if published != typed.as_str() {
        findings.push(Finding::ResourceIsWider { published: shown::fit(published, LONGEST_RESOURCE) });
    }
    let authorization_servers = servers(members, reach, &mut findings)?;
    let scopes = Scopes::from_words(metadata::scopes(members));
    Ok(Document {
        resource: Resource::new(published),
        authorization_servers,
        scopes: (!scopes.is_empty()).then_some(scopes),
        findings,
    })
}

/// Those that can be one. A list of which none can is an error; none at all is not (RFC 9728, section 2).
fn servers(members: &Members, reach: Reach, findings: &mut Vec<Finding>) -> Result<Vec<Issuer>, ServerMisbehaved> {
    let mut servers: Vec<Issuer> = Vec::new();
    let mut broken = Vec::new();
    match members.value("authorization_servers") {
        None => findings.push(Finding::NoAuthorizationServers),
        Some(Value::Text(_) | Value::List(_)) => {
            for text in members.texts("authorization_servers").into_iter().take(MOST_SERVERS) {
                match issuer(text, reach) {
                    Ok(issuer) if !servers.contains(&issuer) => servers.push(issuer),
                    Ok(_) => {}
                    Err(why) => broken.push(why),
                }
            }
            if servers.is_empty() && broken.is_empty() {
                findings.push(Finding::NoAuthorizationServers);
            }
        }
        Some(_) => broken.push(ServerMisbehaved::ResourceMember("authorization_servers")),
    }
    match broken.first() {
        Some(why) if servers.is_empty() => Err(why.clone()),
        _ => {
            findings.extend(broken.into_iter().map(Finding::Broken));
            Ok(servers)
        }
    }
}

fn issuer(text: &str, reach: Reach) -> Result<Issuer, ServerMisbehaved> {
    Endpoint::named(text, reach).map_err(ServerMisbehaved::AuthorizationServer)?;
    if text.contains('?') {
        return Err(ServerMisbehaved::AuthorizationServerWithQuery);
    }
    let authority = text.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default();
    if authority.is_empty() {
        return Err(ServerMisbehaved::AuthorizationServer(InvalidEndpoint::NotAUrl));
    }
    Ok(Issuer::new(text))
}
