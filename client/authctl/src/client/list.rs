//! `authctl client list`: the registered clients, a block for each.
//!
//! Must never: leave a part of an issuer out: it has to be typed byte for byte.

use std::time::SystemTime;

use mcp_authd_client::AdminClient;
use mcp_authd_client::admin::{RegisteredClient, RegisteredClients};
use mcp_authd_client::shell::word;
use serde_json::{Value, json};

use crate::cli::client::List;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page, Tone, words};

/// The one grant type whose registered word is a URN (RFC 8628, section 7.2).
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// `authctl client list`.
pub(super) async fn run(list: List) -> Result<Exit, Failure> {
    let told = AdminClient::find()?.clients().await?;
    let text = if list.json { to_json(&told) } else { render(&told, Page::of_stdout()) };
    screen::print(&text)?;
    Ok(Exit::Done)
}

fn render(told: &RegisteredClients, page: Page) -> String {
    if told.clients.is_empty() {
        return page.paragraph(
            "mcp-authd has registered no client. It does so by itself where a server takes such and no client_id is configured.",
        );
    }
    let blocks: Vec<String> = told.clients.iter().map(|client| block(client, told.told_at, page)).collect();
    blocks.join("\n")
}

fn block(client: &RegisteredClient, now: SystemTime, page: Page) -> String {
    let issuer = screen::clean(&client.issuer);
    let mut text = format!("{}\n", page.tint(Tone::Strong, &issuer)) + &page.field("client", &client.client_id);
    match client.refused_at {
        None => text.push_str(&page.whole("standing", "good", Some(Tone::Good))),
        Some(at) => {
            text.push_str(&page.whole("standing", "REFUSED", Some(Tone::Bad)));
            text.push_str(&page.field("why", &format!("The server said {} that it does not know this client.", ago(at, now))));
        }
    }
    text.push_str(&page.field("says who", &authentication(client, now)));
    text.push_str(&page.field("may use", &grants(client)));
    for uri in &client.redirect_uris {
        text.push_str(&page.field("redirect", uri));
    }
    if let Some(at) = client.registered_at {
        text.push_str(&page.field("made", &ago(at, now)));
    }
    if !client.former_client_ids.is_empty() {
        text.push_str(&page.field("before it", &client.former_client_ids.join(", ")));
    }
    if client.refused_at.is_some() {
        text.push_str(&page.whole("next", &format!("authctl client forget {}", word(&client.issuer)), Some(Tone::Strong)));
    }
    text
}

fn authentication(client: &RegisteredClient, now: SystemTime) -> String {
    let method = match client.auth_method.as_str() {
        "none" => return "its name alone (none)".to_owned(),
        method => format!("a secret ({method})"),
    };
    match client.secret_expires_at.map(|at| at.duration_since(now)) {
        None => method,
        Some(Ok(left)) => format!("{method}, which ends in {}", words(left)),
        Some(Err(_)) => format!("{method}, which HAS ENDED"),
    }
}

fn grants(client: &RegisteredClient) -> String {
    let words = client.grant_types.iter().map(|grant| if grant == DEVICE_GRANT { "device_code" } else { grant });
    words.collect::<Vec<_>>().join(", ")
}

fn ago(at: SystemTime, now: SystemTime) -> String {
    now.duration_since(at).map_or_else(|_| "just now".to_owned(), |ago| format!("{} ago", words(ago)))
}

fn to_json(told: &RegisteredClients) -> String {
    json::line(&json!({ "clients": told.clients.iter().map(object).collect::<Vec<_>>() }))
}

fn object(client: &RegisteredClient) -> Value {
    json!({
        "issuer": client.issuer,
        "client_id": client.client_id,
        "auth_method": client.auth_method,
        "standing": if client.refused_at.is_some() { "refused" } else { "good" },
        "registered_at": json::moment(client.registered_at),
        "refused_at": json::moment(client.refused_at),
        "secret_expires_at": json::moment(client.secret_expires_at),
        "grant_types": client.grant_types,
        "redirect_uris": client.redirect_uris,
        "former_client_ids": client.former_client_ids,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::screen::Paint;

    const PAGE: Page = Page { width: 80, paint: Paint::Plain };

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds)
    }

    fn client(issuer: &str) -> RegisteredClient {
        RegisteredClient {
            issuer: issuer.into(),
            client_id: "s6BhdRkqt3".into(),
            auth_method: "none".into(),
            registered_at: Some(at(0)),
            secret_expires_at: None,
            refused_at: None,
            grant_types: vec!["authorization_code".into(), "refresh_token".into(), DEVICE_GRANT.into()],
            redirect_uris: vec!["http://127.0.0.1/callback".into(), "http://[::1]/callback".into()],
            former_client_ids: vec![],
        }
    }

    fn some() -> RegisteredClients {
        let secret = |ends| RegisteredClient {
            auth_method: "client_secret_basic".into(),
            secret_expires_at: ends,
            ..client("https://b.example")
        };
        let refused = RegisteredClient {
            refused_at: Some(at(3600)),
            former_client_ids: vec!["older".into(), "oldest".into()],
            ..client(&format!("https://login.example.com/{}/v2.0", "0123456789abcdef-".repeat(4)))
        };
        RegisteredClients {
            told_at: at(90_000),
            clients: vec![client("https://a.example"), secret(Some(at(200_000))), secret(Some(at(1))), secret(None), refused],
        }
    }

    #[test]
    fn each_client_has_its_block_and_a_refused_one_the_command_that_forgets_it() {
        let shown = render(&some(), PAGE);
        insta::assert_snapshot!(shown);
        let wide: Vec<_> = shown.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(wide.iter().all(|line| line.contains("https://login.example.com/")), "{wide:?}");
    }

    #[test]
    fn nobody_has_a_client_at_first() {
        insta::assert_snapshot!(render(&RegisteredClients { told_at: at(0), clients: vec![] }, PAGE));
    }

    #[test]
    fn the_json_of_the_clients_is_as_documented() {
        insta::assert_snapshot!(to_json(&some()));
    }

    #[test]
    fn what_a_server_calls_itself_runs_in_no_shell_that_the_command_is_pasted_into() {
        for (issuer, typed) in [
            ("https://a.example/$(id)", "'https://a.example/$(id)'"),
            ("https://a.example/`id`", "'https://a.example/`id`'"),
            ("https://a.example/\u{1b}';id;'", "$'https://a.example/\\033\\047;id;\\047'"),
        ] {
            let told = RegisteredClients {
                told_at: at(1),
                clients: vec![RegisteredClient { refused_at: Some(at(0)), ..client(issuer) }],
            };
            let shown = render(&told, PAGE);
            assert!(shown.ends_with(&format!("  next      authctl client forget {typed}\n")), "{shown}");
        }
    }

    #[test]
    fn without_colour_nothing_is_lost_and_no_server_steers_the_terminal() {
        let hostile = RegisteredClient { client_id: "a\u{1b}[2J\u{202e}b".into(), ..client("https://a\u{1b}[2J.example") };
        let told = RegisteredClients { told_at: at(0), clients: vec![hostile] };
        let colour = render(&told, Page { paint: Paint::Colour, ..PAGE });
        let plain: Vec<String> = colour.lines().map(screen::clean).collect();
        assert_eq!(plain.join("\n"), render(&told, PAGE).trim_end());
        assert!(render(&told, PAGE).starts_with("https://a.example\n  client    ab\n"), "{}", render(&told, PAGE));
    }
}
