//! A login in a browser: code + PKCE at a server without a device grant, answered at the daemon's one callback listener.

mod authctl;
mod certified;
mod daemon_ends;
mod many_at_once;
mod one_login;
mod wrong_answers;
mod wrong_servers;

use std::collections::{BTreeMap, BTreeSet};

use mcp_authd_client::status::SignInEnd;
use mcp_authd_client::{Answer, Need, Refusal, Request, SignIn, SignInMode, Token};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::listening;
use mcp_authd_tests::plain_http::fetch_with_token;
use mcp_authd_tests::programs::{account_is, program, tool, until, url};
use mcp_authd_tests::server::{AuthorizationServer, Settings};

use crate::logged_in::assert_helps;

/// A server without a device grant, and a daemon with one account there.
async fn daemon_at(settings: Settings) -> (AuthorizationServer, Daemon) {
    let server = AuthorizationServer::start(settings);
    let account = Account::at("work", server.issuer()).scopes(["mcp:read"]).resource(&server.resource());
    let daemon = Daemon::start(Config::new().account(account)).await;
    (server, daemon)
}

fn work() -> Need {
    Need::account("work")
}

fn never() -> Request {
    Request::new(work()).sign_in(SignInMode::Never)
}

/// What the URL of a prompt asks for.
fn asked(shown: &SignIn) -> BTreeMap<String, String> {
    url(shown).query_pairs().into_owned().collect()
}

/// Where the answer of a prompt is awaited.
fn port_of(shown: &SignIn) -> u16 {
    let back = asked(shown).remove("redirect_uri").expect("a way back");
    let port = back.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix("/callback"));
    port.and_then(|port| port.parse().ok()).unwrap_or_else(|| panic!("{back} is no way back to this machine"))
}

/// The daemon has this one port open for others, at loopback alone.
async fn listens_only_at(daemon: &Daemon, port: u16) {
    if cfg!(target_os = "linux") {
        until("the callback listener is seen", || !listening::of(daemon.pid()).is_empty()).await;
        let ports: BTreeSet<u16> = listening::of(daemon.pid()).iter().map(std::net::SocketAddr::port).collect();
        assert!(ports.iter().all(|found| *found == port), "{ports:?}, and only {port} was to be open");
        assert!(listening::of(daemon.pid()).iter().all(|address| address.ip().is_loopback()));
    }
    assert!(!listening::nobody_at(port));
}

/// Nobody waits at the port any more, and the daemon has no other open.
async fn stops_listening(daemon: &Daemon, port: u16) {
    until("the callback listener is closed", || listening::of(daemon.pid()).is_empty() && listening::nobody_at(port)).await;
}

/// A login that has ended without a grant: what a program is told that would begin one.
async fn refused(daemon: &Daemon, end: SignInEnd) -> Refusal {
    let status = account_is(&tool(daemon), "work", |status| status.sign_in.is_none() && status.last_sign_in_end.is_some()).await;
    assert_eq!(status.last_sign_in_end, Some(end), "{status:?}");
    match program(daemon).token(work()).await.unwrap() {
        Answer::GiveUp(refusal) | Answer::TryLater(refusal) => {
            assert_helps(&refusal);
            refusal
        }
        other => panic!("a refusal was to come, and not {other:?}"),
    }
}

/// Who the resource takes the bearer for.
async fn subject_of(server: &AuthorizationServer, token: &Token) -> String {
    let served = fetch_with_token(&server.resource(), token.expose()).await.unwrap();
    assert_eq!(served.status, 200, "{}", served.text());
    served.member("sub")
}

/// The paths that were asked for, each once.
fn paths(server: &AuthorizationServer) -> BTreeSet<String> {
    server.log().into_iter().map(|line| line.path).collect()
}
