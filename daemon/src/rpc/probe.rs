//! A URL that a person asks about, and an account that is described by nothing but its URL.
//!
//! Must never: add an account that nobody could log in to, or put anything in the place of what the person has said.

use mcp_authd_oauth::protected_resource::FoundAt;
use mcp_authd_oauth::registration::ClientIdUrl;
use mcp_authd_oauth::terms::{ClientId, Issuer, Resource};
use mcp_authd_oauth::way::FlowWish;
use mcp_authd_proto::shell::word;
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::probe_response::Outcome;

use super::admin::AdminFace;
use super::probed::{hopeless, not_probed, told};
use super::typed::Typed;
use crate::accounts::probe::{Probed, ProbedServer, Question};
use crate::accounts::registry::Target;
use crate::config::AccountDraft;

/// An account as it was described, once the URL behind it is known.
pub(super) enum ByUrl {
    /// It may be written; with what was found, where that was looked for.
    Draft(Box<AccountDraft>, Option<v1::Probed>),
    /// It is there already, under this name.
    Present(String),
    /// Nobody could log in.
    Hopeless(v1::NotWritten, Option<v1::Probed>),
}

impl AdminFace {
    pub(super) async fn probe_url(&self, request: v1::ProbeRequest) -> v1::ProbeResponse {
        let v1::ProbeRequest { url, issuer, client_id } = request;
        let asked = AccountDraft { issuer, client_id, ..AccountDraft::default() };
        let outcome = match self.0.roster.probe(question_of(&asked, &url)).await {
            Ok(probed) => Outcome::Probed(told(&probed, Typed::check(&url, &asked))),
            Err(why) => Outcome::NotProbed(not_probed(&why, Typed::check(&url, &asked))),
        };
        v1::ProbeResponse { outcome: Some(outcome) }
    }

    /// Finds out what the description leaves open.
    pub(super) async fn by_url(&self, draft: AccountDraft, url: String) -> ByUrl {
        let Some(url) = looked_up(&draft, url) else { return ByUrl::Draft(Box::new(draft), None) };
        let present = self.present(&draft, &url);
        match (self.0.roster.probe(question_of(&draft, &url)).await, present) {
            (Ok(probed), present) => {
                let found = told(&probed, Typed::add(&url, &draft));
                if let Some(moved) = self.moved(&probed, &draft) {
                    return ByUrl::Hopeless(moved, Some(found));
                }
                if let Some(name) = present {
                    return ByUrl::Present(name);
                }
                match &probed.server {
                    Some(server) if probed.login_is_possible() => {
                        ByUrl::Draft(Box::new(filled(draft, Published::of(&probed, server))), Some(found))
                    }
                    _ => ByUrl::Hopeless(not_written(hopeless(&probed), found.next_step.clone()), Some(found)),
                }
            }
            // It is there, whether or not its server answers today.
            (Err(_), Some(name)) => ByUrl::Present(name),
            (Err(why), None) => {
                let v1::NotProbed { message, next_step } = not_probed(&why, Typed::add(&url, &draft));
                ByUrl::Hopeless(not_written(message, next_step), None)
            }
        }
    }

    /// The account for this very resource, where the person has described no other one.
    fn present(&self, draft: &AccountDraft, url: &str) -> Option<String> {
        let resource = if draft.resource.is_empty() { url } else { &draft.resource };
        let account = self.0.registry.find(&Target::Resource(Resource::new(resource))).ok()?;
        let name = account.name().as_str();
        let only_named = AccountDraft { name: name.to_owned(), resource: draft.resource.clone(), ..AccountDraft::default() };
        (draft.name.is_empty() || *draft == only_named).then(|| name.to_owned())
    }

    /// The resource has an account, and names its authorization server no more. Nothing of that account may go to another one (P14),
    /// and whether a login there is right is the person's to say: they take the account out, and add it anew. Who names the account's own server has said so already.
    fn moved(&self, probed: &Probed, draft: &AccountDraft) -> Option<v1::NotWritten> {
        let resource = probed.resource.as_ref().filter(|resource| resource.found_at != FoundAt::Nowhere)?;
        let account = self.0.registry.find(&Target::Resource(resource.resource.clone())).ok()?;
        let description = account.description();
        let issuer = description.kind.issuer().filter(|issuer| !resource.authorization_servers.contains(issuer))?;
        if issuer.as_str() == draft.issuer {
            return None;
        }
        let named: Vec<_> = resource.authorization_servers.iter().map(Issuer::as_str).collect();
        let name = account.name();
        let message = format!(
            "The account \"{name}\" belongs to the authorization server {issuer}, but its resource names another one now: {}.",
            named.join(", ")
        );
        let (name, url) = (word(name.as_str()), word(&probed.url));
        let next = format!("if its operator means that: authctl account remove {name}, then: authctl account add {url} {name}");
        Some(not_written(message, next))
    }
}

/// What is to be found out about, if anything is.
fn looked_up(draft: &AccountDraft, url: String) -> Option<String> {
    if !url.is_empty() {
        return Some(url);
    }
    let server = [
        &draft.issuer,
        &draft.device_authorization_endpoint,
        &draft.token_endpoint,
        &draft.revocation_endpoint,
        &draft.token_file,
        &draft.provider,
    ];
    (!draft.resource.is_empty() && server.into_iter().all(String::is_empty)).then(|| draft.resource.clone())
}

/// What the login of such an account would meet behind the URL. What does not hold in the draft is told when it is written.
fn question_of(draft: &AccountDraft, url: &str) -> Question {
    let AccountDraft { issuer, client_id, flow, client_id_metadata_document: document, .. } = draft;
    Question {
        url: url.to_owned(),
        issuer: (!issuer.is_empty()).then(|| Issuer::new(issuer)),
        client_id: (!client_id.is_empty()).then(|| ClientId::new(client_id)),
        document: ClientIdUrl::parse(document).ok(),
        flow: FlowWish::parse(flow),
    }
}

/// What was published, byte for byte.
struct Published {
    resource: String,
    issuer: String,
    scopes: Vec<String>,
}

impl Published {
    fn of(probed: &Probed, server: &ProbedServer) -> Self {
        Self {
            resource: probed.resource.as_ref().map(|resource| resource.resource.to_string()).unwrap_or_default(),
            issuer: server.metadata.issuer.to_string(),
            scopes: server.scopes.iter().map(str::to_owned).collect(),
        }
    }
}

/// What the person has said stands; a resource that an issuer knows nothing of, too. The issuer is the one that was chosen.
fn filled(draft: AccountDraft, published: Published) -> AccountDraft {
    let Published { resource, issuer, scopes } = published;
    AccountDraft {
        resource: if draft.resource.is_empty() { resource } else { draft.resource },
        scopes: if draft.scopes.is_empty() { scopes } else { draft.scopes },
        issuer,
        ..draft
    }
}

fn not_written(message: String, next_step: String) -> v1::NotWritten {
    v1::NotWritten { message, next_step, ..v1::NotWritten::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://mcp.example/mcp?a=1&b=$(id)";

    #[test]
    fn only_a_description_without_a_server_is_looked_up() {
        let resource = || AccountDraft { resource: URL.to_owned(), ..AccountDraft::default() };
        assert_eq!(looked_up(&resource(), String::new()).as_deref(), Some(URL));
        assert_eq!(looked_up(&AccountDraft::default(), URL.to_owned()).as_deref(), Some(URL));
        let text = || "x".to_owned();
        for described in [
            AccountDraft { issuer: text(), ..resource() },
            AccountDraft { device_authorization_endpoint: text(), ..resource() },
            AccountDraft { token_endpoint: text(), ..resource() },
            AccountDraft { token_file: text(), ..resource() },
            AccountDraft { provider: text(), ..resource() },
            AccountDraft { client_id: text(), ..AccountDraft::default() },
        ] {
            assert_eq!(looked_up(&described, String::new()), None, "{described:?}");
        }
    }

    #[test]
    fn what_the_person_has_said_stands_whatever_was_found() {
        let published = |resource: &str| Published {
            resource: resource.to_owned(),
            issuer: "https://as.example/".to_owned(),
            scopes: vec!["published".to_owned()],
        };
        let said = AccountDraft {
            name: "work".to_owned(),
            resource: "https://mcp.example/said".to_owned(),
            scopes: vec!["said".to_owned()],
            client_id: "said".to_owned(),
            ..AccountDraft::default()
        };
        for resource in ["https://mcp.example/published", ""] {
            let expected = AccountDraft { issuer: "https://as.example/".to_owned(), ..said.clone() };
            assert_eq!(filled(said.clone(), published(resource)), expected, "published: {resource}");
            let unsaid = filled(AccountDraft::default(), published(resource));
            assert_eq!((unsaid.resource.as_str(), unsaid.scopes), (resource, vec!["published".to_owned()]));
        }
    }
}
