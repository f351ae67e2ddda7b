//! What servers echo, and what the daemon writes into its log at trace (P10).
//!
//! Each account meets one kind of echo, at every request that carries a secret: a start of a login, polls, a refresh, a revocation.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mcp_authd_client::Need;
use mcp_authd_client::admin::{LogQuery, StartSignIn};
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::admin_client::AdminClient;
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{account_is, approve, program, prompted, token, tool, until};
use mcp_authd_tests::sentinel::{self, Wanted};
use mcp_authd_tests::server::{At, AuthorizationServer, ClientMethod, ConfidentialClient, EarlyPolls, Misbehaviour, Settings};

use crate::effort::{figures, rounds};
use mcp_authd_tests::bare::channel;

const CLIENT: &str = "confidential:1";
/// A mark, and a part of which no piece may be told.
const SECRET: &str = "SNTL_CS_000000_7c6f1e0b9a58d3c2-end";

/// A name, and what makes it of a text.
type Named<T> = (&'static str, fn(&str) -> T);

/// How a server may write a secret down.
const SHAPES: [Named<String>; 7] = [
    ("as it is", str::to_owned),
    ("without its beginning", |secret| secret.get(15..).unwrap_or(secret).to_owned()),
    ("in hex", |secret| secret.bytes().map(|byte| format!("{byte:02x}")).collect()),
    ("in capital hex", |secret| secret.bytes().map(|byte| format!("{byte:02X}")).collect()),
    ("in base64", |secret| STANDARD.encode(secret)),
    ("in base64, behind one byte", |secret| STANDARD.encode(format!("\"{secret}\""))),
    ("in base64url, behind two", |secret| URL_SAFE_NO_PAD.encode(format!("t={secret};"))),
];

/// Where it may stand: a status, a `Retry-After`, a body.
const PLACES: [Named<(u16, Option<String>, String)>; 8] = [
    ("a description", |text| (503, None, format!(r#"{{"error":"server_error","error_description":"no {text}"}}"#))),
    ("an unknown error", |text| (400, None, format!(r#"{{"error":"odd","error_description":"{text} is odd"}}"#))),
    ("the error", |text| (503, None, format!(r#"{{"error":"{text}"}}"#))),
    ("half an object", |text| (503, None, format!(r#"{{"error":"server_error","{text}":"{text}"#))),
    ("a page", |text| (502, None, format!("<!doctype html><title>{text}</title>{text}"))),
    ("a form", |text| (429, None, format!("error=slow_down&error_description={text}&{text}={text}"))),
    ("a header", |text| (503, Some(text.to_owned()), String::new())),
    ("no text", |text| (500, None, format!("\u{1b}[2J{text}\u{0}{text}\r\n"))),
];

fn echo((shape, place): (usize, usize), secrets: &[String]) -> Misbehaviour {
    let text: Vec<String> = secrets.iter().map(|secret| SHAPES[shape].1(secret)).collect();
    let (code, retry_after, body) = PLACES[place].1(&text.join(" "));
    Misbehaviour::Status { code, retry_after, body }
}

/// The newest secrets of a server, and that of the client.
fn newest(server: &AuthorizationServer, kinds: &[&str], count: usize) -> Vec<String> {
    let all = server.issued();
    let of =
        |kind: &str| all.iter().rev().filter(|secret| secret.get(5..7) == Some(kind)).take(count).cloned().collect::<Vec<_>>();
    kinds.iter().flat_map(|kind| of(kind)).chain([SECRET.to_owned()]).collect()
}

#[tokio::test]
async fn p10_a_server_that_echoes_secrets_in_any_shape_brings_none_into_the_log() {
    // given an account for each kind of echo, at a client with a secret
    let client =
        ConfidentialClient { client_id: CLIENT.to_owned(), client_secret: SECRET.to_owned(), method: ClientMethod::Basic };
    let settings = Settings { clients: vec![client], early_polls: EarlyPolls::Tolerated, ..Settings::default() };
    let server = AuthorizationServer::start(settings);
    let all: Vec<(usize, usize)> =
        (0..SHAPES.len()).flat_map(|shape| (0..PLACES.len()).map(move |place| (shape, place))).collect();
    // The short form goes through all shapes and all places, not through all pairs.
    let kinds: Vec<_> = all.iter().copied().filter(|(shape, place)| rounds(1, 0) == 1 || (shape + place) % 5 == 0).collect();
    let names: Vec<String> = (0..kinds.len()).map(|number| format!("kind-{number}")).collect();
    let account = |name: &String| Account::at(name, server.issuer()).client_id(CLIENT);
    let daemon = Daemon::start(names.iter().map(account).fold(Config::new(), Config::account)).await;
    let mut admin = AdminClient::new(channel(daemon.admin_socket()).await);
    let given = v1::SetClientSecretRequest { account: names[0].clone(), client_secret: SECRET.to_owned() };
    admin.set_client_secret(given).await.unwrap();
    let start = |name: &str| StartSignIn { account: Some(name.to_owned()), ..StartSignIn::default() };
    let mut told = Vec::new();

    // when the server echoes at the start of each login, and the person begins it again
    let mut prompts = Vec::new();
    for (name, kind) in names.iter().zip(&kinds) {
        server.script(At::DeviceAuthorization, echo(*kind, &newest(&server, &[], 0)));
        told.push(format!("{:?}", tool(&daemon).start_sign_in(start(name)).await.unwrap()));
        assert_eq!(server.script_left(At::DeviceAuthorization), 0, "nothing was echoed");
        prompts.push(prompted(&daemon, name).await);
    }
    // and at the polls: what may pass, so that the logins go on
    let passing = kinds.iter().filter(|(_, place)| PLACES[*place].0 != "an unknown error");
    for kind in passing {
        server.script(At::Poll, echo(*kind, &newest(&server, &["DC"], kinds.len())));
    }
    server.wait_for(|counts| counts.polls > 0).await;
    for prompt in &prompts {
        approve(prompt).await;
    }
    for name in &names {
        account_is(&tool(&daemon), name, |status| status.grant.is_some() && status.sign_in.is_none()).await;
    }
    assert_eq!(server.script_left(At::Poll), 0, "every echo at a poll was heard");
    // and at a refresh of each
    for (name, kind) in names.iter().zip(&kinds) {
        let client = program(&daemon);
        let present = token(client.token(Need::account(name)).await.unwrap());
        server.script(At::Refresh, echo(*kind, &newest(&server, &["RT", "AT"], kinds.len())));
        told.push(format!("{:?}", client.report_rejected(&present).await.unwrap()));
        assert_eq!(server.script_left(At::Refresh), 0, "nothing was echoed");
    }
    // and at its end
    for (name, kind) in names.iter().zip(&kinds) {
        let at_end = echo(*kind, &newest(&server, &["RT", "AT"], kinds.len()));
        // The refresh token is given back, then the access token.
        server.script_times(At::Revocation, 2, &at_end);
        told.push(format!("{:?}", tool(&daemon).sign_out(Some(name.clone())).await.unwrap()));
        until("both were given back", || server.script_left(At::Revocation) == 0).await;
    }
    told.push(format!("{:?}", tool(&daemon).status().await.unwrap()));
    // and the person reads all that is kept of it
    let kept = tool(&daemon).log(LogQuery { last: u32::MAX, ..LogQuery::default() }).await.unwrap();
    assert!(!kept.is_empty());
    told.extend(kept.iter().map(|entry| format!("{entry:?}")));

    // then neither the log nor any answer holds a secret, in no shape, nor the first characters of one
    let log = daemon.logs();
    assert!(log.contains("TRACE"), "the log is at trace");
    let issued = server.issued();
    let wanted = [
        Wanted::kinds(&["RT", "CS", "DC", "AT"]),
        Wanted::pieces(issued.iter().map(String::as_str).filter(|secret| !secret.starts_with("SNTL-")).chain([SECRET])),
    ];
    for wanted in wanted {
        for line in log.lines().chain(told.iter().map(String::as_str)) {
            if let Some((what, at)) = wanted.found_in(line.as_bytes()) {
                panic!("{what} stands at byte {at} of: {}", line.get(..at).unwrap_or_default());
            }
        }
    }
    assert_eq!(sentinel::in_bytes(log.as_bytes()), None);
    figures(
        "p10",
        format!(
            "{} kinds of echo at 4 requests each, {} secrets, {} KiB of log at trace, 0 found",
            kinds.len(),
            issued.len(),
            log.len() / 1024
        ),
    );
}
