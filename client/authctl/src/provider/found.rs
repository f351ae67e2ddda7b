//! What stands behind a URL, for a person and for a program.
//!
//! Must never: leave out what a server breaks, or show what only looks like a login that is possible.

use mcp_authd_client::admin::{Finding, MetadataPlace, Probed, ProbedClient, ProbedResource, ProbedServer, ScopesFrom, Way};
use serde_json::{Map, Value, json};

use crate::json;
use crate::screen::{self, Page, Tone};

/// The page.
pub(super) fn report(found: &Probed, page: Page) -> String {
    let mut text = page.paragraph(&headline(found));
    if let Some(resource) = &found.resource {
        text.push_str(&of_resource(resource, page));
    }
    for passed in &found.passed_over {
        text.push_str(&page.whole("unusable", &passed.issuer, None));
        text.push_str(&page.field("", &passed.message));
    }
    if let Some(server) = &found.server {
        text.push_str(&of_server(server, found.resource.as_ref(), page));
    }
    let all = || findings(found);
    text.push_str(&list("What is broken:", all().filter(|finding| finding.is_breach), page));
    text.push_str(&list("What is worth knowing:", all().filter(|finding| !finding.is_breach), page));
    match &found.next_step {
        Some(next) => format!("{text}\n{}", page.whole("next", next, None)),
        None => text,
    }
}

/// What matters of it once the account is there.
pub(crate) fn summary(found: &Probed, page: Page) -> String {
    let resource = found.resource.as_ref();
    let mut text = resource.map(|resource| page.whole("resource", &resource.resource, None)).unwrap_or_default();
    if let Some(server) = &found.server {
        text.push_str(&of_login(server, resource, page));
    }
    text
}

fn headline(found: &Probed) -> String {
    let what = if found.resource.is_some() { "protected resource" } else { "authorization server" };
    let lacks_a_client = found.server.as_ref().is_some_and(|server| server.client == ProbedClient::Missing);
    let can = match found.login_possible {
        true => "a login there is possible",
        false if lacks_a_client => "a login there needs a client_id from you",
        false => "nobody can log in there as it stands",
    };
    format!("{} is a {what}, and {can}.", found.url).replacen(" a authorization", " an authorization", 1)
}

fn of_resource(resource: &ProbedResource, page: Page) -> String {
    let mut text = page.whole("resource", &resource.resource, None);
    match &resource.metadata_url {
        Some(url) => {
            text.push_str(&page.whole("metadata", url, None));
            text.push_str(&page.field("", place(resource.metadata_place)));
        }
        None => text.push_str(&page.field("metadata", place(resource.metadata_place))),
    }
    text
}

fn of_server(server: &ProbedServer, resource: Option<&ProbedResource>, page: Page) -> String {
    let mut text = page.whole("server", &server.issuer, None);
    for (name, url) in &server.endpoints {
        text.push_str(&page.whole(short(name), url, None));
    }
    text + &of_login(server, resource, page)
}

fn of_login(server: &ProbedServer, resource: Option<&ProbedResource>, page: Page) -> String {
    let tone = if server.way.is_some() { Tone::Good } else { Tone::Bad };
    let (way, why) = (way(server.way), without_stop(&server.why));
    let mut text = page.field("login", &format!("{way}: {why}")).replacen(way, &page.tint(tone, way), 1);
    if server.way.is_some() {
        text.push_str(&of_client(server, page));
        text.push_str(&page.field("scopes", &scopes(server, resource)));
    }
    text
}

fn of_client(server: &ProbedServer, page: Page) -> String {
    let message = without_stop(&server.client_message);
    match &server.client_id {
        Some(client_id) => page.whole("client", client_id, None) + &page.field("", message),
        None => page.field("client", message),
    }
}

fn scopes(server: &ProbedServer, resource: Option<&ProbedResource>) -> String {
    let who = match resource.map(|resource| resource.scopes_from) {
        Some(ScopesFrom::Challenge) => "the challenge",
        Some(ScopesFrom::Metadata) => "the metadata",
        _ => "",
    };
    let all = server.scopes.join(" ");
    match (who, server.scopes.iter().any(|scope| scope == "offline_access")) {
        _ if all.is_empty() => "none is asked for".to_owned(),
        ("", _) => all,
        (who, true) => format!("{all} (as {who} says, and to stay logged in)"),
        (who, false) => format!("{all} (as {who} says)"),
    }
}

fn findings(found: &Probed) -> impl Iterator<Item = &Finding> {
    let resource = found.resource.iter().flat_map(|resource| &resource.findings);
    resource.chain(found.server.iter().flat_map(|server| &server.findings))
}

/// Each sentence hanging under its dash.
fn list<'f>(title: &str, findings: impl Iterator<Item = &'f Finding>, page: Page) -> String {
    let mut text = String::new();
    for finding in findings {
        if text.is_empty() {
            text.push_str(&format!("\n{title}\n"));
        }
        for (index, line) in screen::fill(&screen::clean(&finding.message), page.width.saturating_sub(4)).iter().enumerate() {
            text.push_str(&format!("{}{line}\n", if index == 0 { "  - " } else { "    " }));
        }
    }
    text
}

fn place(place: MetadataPlace) -> &'static str {
    match place {
        MetadataPlace::Challenge => "where the resource's challenge says (RFC 9728, 5.1)",
        MetadataPlace::WellKnown => "at a well-known place (RFC 9728, 3.1)",
        MetadataPlace::Nowhere => "none; the resource's origin is taken for its server",
        _ => "at a place that this program has no word for",
    }
}

fn way(way: Option<Way>) -> &'static str {
    match way {
        Some(Way::Device) => "by a code on any device (RFC 8628)",
        Some(Way::Code) => "in a browser, with PKCE (RFC 7636)",
        Some(_) => "in a way that this program has no word for",
        None => "not possible",
    }
}

/// An endpoint's name as it fits before its value.
fn short(name: &str) -> &str {
    match name {
        "device_authorization_endpoint" => "device",
        "authorization_endpoint" => "authorize",
        "token_endpoint" => "token",
        "registration_endpoint" => "register",
        "revocation_endpoint" => "revoke",
        other => other,
    }
}

fn without_stop(text: &str) -> &str {
    text.trim_end_matches('.')
}

/// The same for a program.
pub(super) fn to_json(found: &Probed) -> String {
    json::line(&value(found))
}

/// The same as a part of something else.
pub(crate) fn value(found: &Probed) -> Value {
    let passed_over: Vec<Value> =
        found.passed_over.iter().map(|passed| json!({ "issuer": passed.issuer, "message": passed.message })).collect();
    json!({
        "outcome": "found",
        "url": found.url,
        "login_possible": found.login_possible,
        "next_step": found.next_step,
        "resource": found.resource.as_ref().map(resource_json),
        "passed_over": passed_over,
        "server": found.server.as_ref().map(server_json),
    })
}

fn resource_json(resource: &ProbedResource) -> Value {
    let place = match resource.metadata_place {
        MetadataPlace::Challenge => Some("challenge"),
        MetadataPlace::WellKnown => Some("well_known"),
        MetadataPlace::Nowhere => Some("nowhere"),
        _ => None,
    };
    let scopes_from = match resource.scopes_from {
        ScopesFrom::Challenge => Some("challenge"),
        ScopesFrom::Metadata => Some("metadata"),
        ScopesFrom::Nobody => Some("nobody"),
        _ => None,
    };
    json!({
        "resource": resource.resource,
        "metadata_url": resource.metadata_url,
        "metadata_place": place,
        "authorization_servers": resource.authorization_servers,
        "scopes_from": scopes_from,
        "findings": findings_json(&resource.findings),
    })
}

fn server_json(server: &ProbedServer) -> Value {
    let endpoints: Map<String, Value> =
        server.endpoints.iter().map(|(name, url)| (name.clone(), Value::from(url.as_str()))).collect();
    let way = match server.way {
        Some(Way::Device) => Some("device"),
        Some(Way::Code) => Some("code"),
        _ => None,
    };
    let client = match server.client {
        ProbedClient::Configured => Some("configured"),
        ProbedClient::MetadataDocument => Some("metadata_document"),
        ProbedClient::Registered => Some("registered"),
        ProbedClient::ToBeRegistered => Some("to_be_registered"),
        ProbedClient::Missing => Some("missing"),
        _ => None,
    };
    json!({
        "issuer": server.issuer,
        "endpoints": endpoints,
        "scopes": server.scopes,
        "way": way,
        "why": server.why,
        "client": client,
        "client_id": server.client_id,
        "client_message": server.client_message,
        "findings": findings_json(&server.findings),
    })
}

fn findings_json(findings: &[Finding]) -> Vec<Value> {
    findings.iter().map(|finding| json!({ "is_breach": finding.is_breach, "message": finding.message })).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::screen::Paint;
    use mcp_authd_client::admin::PassedOver;

    const PAGE: Page = Page { width: 80, paint: Paint::Plain };

    fn finding(is_breach: bool, message: &str) -> Finding {
        Finding { is_breach, message: message.into() }
    }

    pub(crate) fn good() -> Probed {
        let endpoint = |name: &str, path: &str| (name.to_owned(), format!("https://auth.example.com/{path}"));
        Probed {
            url: "https://mcp.example.com/mcp".into(),
            resource: Some(ProbedResource {
                resource: "https://mcp.example.com/mcp".into(),
                metadata_url: Some("https://mcp.example.com/.well-known/oauth-protected-resource/mcp".into()),
                metadata_place: MetadataPlace::Challenge,
                authorization_servers: vec!["https://auth.example.com".into()],
                scopes_from: ScopesFrom::Challenge,
                findings: vec![],
            }),
            passed_over: vec![],
            server: Some(ProbedServer {
                issuer: "https://auth.example.com".into(),
                endpoints: vec![
                    endpoint("device_authorization_endpoint", "device"),
                    endpoint("authorization_endpoint", "authorize"),
                    endpoint("token_endpoint", "token"),
                    endpoint("registration_endpoint", "register"),
                ],
                scopes: vec!["mcp:read".into(), "offline_access".into()],
                way: Some(Way::Device),
                why: "the server advertises device authorization".into(),
                client: ProbedClient::ToBeRegistered,
                client_id: None,
                client_message:
                    "mcp-authd registers itself at the first login: no client is registered at the authorization server".into(),
                findings: vec![finding(
                    false,
                    "The server has no revocation endpoint; a logout cannot revoke there (RFC 7009, section 2).",
                )],
            }),
            login_possible: true,
            next_step: Some("authctl account add https://mcp.example.com/mcp".into()),
        }
    }

    fn broken() -> Probed {
        let mismatch = "The metadata names the issuer \"https://evil.example\", which is not the configured one (RFC 8414, 3.3).";
        let resource = ProbedResource {
            scopes_from: ScopesFrom::Nobody,
            findings: vec![
                finding(
                    true,
                    "The challenge's `resource_metadata` must not lead to a private address from a public one (RFC 9728, 5.1).",
                ),
                finding(false, "Nothing says which scopes the resource wants; none is asked for."),
            ],
            ..good().resource.unwrap_or_default()
        };
        Probed {
            resource: Some(resource),
            passed_over: vec![PassedOver { issuer: "https://auth.example.com".into(), message: mismatch.into() }],
            server: None,
            login_possible: false,
            next_step: Some("ask the operator of the resource".into()),
            ..good()
        }
    }

    fn without_a_client() -> Probed {
        let server = ProbedServer {
            scopes: vec![],
            way: Some(Way::Code),
            why: "the server offers no device authorization, and the server offers the authorization code with PKCE".into(),
            client: ProbedClient::Missing,
            client_message: "the server registers no clients on its own, and no client_id is configured".into(),
            findings: vec![],
            ..good().server.unwrap_or_default()
        };
        Probed {
            url: "https://auth.example.com".into(),
            resource: None,
            server: Some(server),
            login_possible: false,
            next_step: Some("authctl account add https://auth.example.com --client-id ID".into()),
            ..good()
        }
    }

    fn without_a_way() -> Probed {
        let server = ProbedServer {
            way: None,
            why: "the server offers no device authorization; and the server's PKCE does not offer S256".into(),
            client: ProbedClient::Unknown,
            ..without_a_client().server.unwrap_or_default()
        };
        Probed { server: Some(server), ..without_a_client() }
    }

    #[test]
    fn what_is_200_characters_long_is_shown_whole_and_only_what_is_copied_is_wide() {
        let long = |letter: &str| format!("https://{}.example", letter.repeat(190));
        let server = ProbedServer {
            issuer: long("i"),
            client_id: Some("c".repeat(200)),
            scopes: vec!["s".repeat(200)],
            client_message: "m".repeat(200),
            ..good().server.unwrap_or_default()
        };
        let found = Probed {
            url: long("u"),
            passed_over: vec![PassedOver { issuer: long("p"), message: "w".repeat(200) }],
            server: Some(server),
            next_step: Some(format!("authctl account add {}", long("u"))),
            ..good()
        };
        let shown = report(&found, PAGE);
        let joined = shown.replace(['\n', ' '], "");
        for whole in [long("u"), long("i"), long("p"), "c".repeat(200), "s".repeat(200), "m".repeat(200), "w".repeat(200)] {
            assert!(joined.contains(&whole), "{whole}: {shown}");
        }
        let wide: Vec<&str> = shown.lines().filter(|line| line.chars().count() > 80).map(|line| line[..12].trim()).collect();
        assert_eq!(wide, ["unusable", "server", "client", "next"]);
    }

    #[test]
    fn a_server_where_a_login_is_possible_is_told_with_everything_that_it_takes() {
        insta::assert_snapshot!(report(&good(), PAGE));
    }

    #[test]
    fn what_a_server_breaks_is_told_with_its_section_and_nobody_is_sent_there() {
        insta::assert_snapshot!(report(&broken(), PAGE));
    }

    #[test]
    fn a_missing_client_and_a_missing_way_end_in_what_to_do() {
        let client = ("mine".to_owned(), "the one that you gave".to_owned());
        let server = ProbedServer { client_id: Some(client.0), client_message: client.1, ..good().server.unwrap_or_default() };
        let given = Probed { server: Some(server), ..good() };
        insta::assert_snapshot!([without_a_client(), without_a_way(), given].map(|found| report(&found, PAGE)).join("----\n"));
    }

    #[test]
    fn only_what_is_copied_whole_is_wider_than_the_page() {
        for found in [good(), broken(), without_a_client(), without_a_way()] {
            let shown = report(&found, PAGE);
            assert!(shown.lines().all(|line| line.chars().count() <= 80 || line.contains("://")), "{shown}");
        }
    }

    #[test]
    fn the_json_of_what_was_found_is_as_documented() {
        insta::assert_snapshot!(to_json(&good()) + &to_json(&broken()));
    }
}
