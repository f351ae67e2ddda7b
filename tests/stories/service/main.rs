//! mcp-authd as a service of the user, under a real `systemd --user` manager: each story is told inside one.
//!
//! A program of its own, as it is run by another user. Root only; elsewhere each story is skipped aloud.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod broken;
mod desktop;
mod hand_over;
mod handed;
mod idle;
mod installed;
mod journal;
mod linger;
mod restarts;
mod ruled;
mod units;
mod upgrade;

use std::time::Duration;

use mcp_authd_client::{Need, Request, SignInMode, Token};
use mcp_authd_tests::daemon::{Account, Config};
use mcp_authd_tests::programs::{account_is, approve, prompt, until};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::service::Machine;

/// A machine with one account, and the units; nothing listens yet.
fn installed(machine: &Machine, server: &AuthorizationServer) {
    configured(machine, server);
    machine.install();
}

fn configured(machine: &Machine, server: &AuthorizationServer) {
    machine.configure(&Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"])));
}

/// A server whose tokens end soon; `lasting` makes the next ones last.
fn short_lived() -> AuthorizationServer {
    AuthorizationServer::start(Settings { access_token_life: Duration::from_secs(1), ..Settings::default() })
}

fn lasting(server: &AuthorizationServer) {
    server.change(|settings| settings.access_token_life = Duration::from_secs(3600));
}

/// The person logs in, from a program's first call to the saved grant.
async fn logged_in(machine: &Machine) {
    approve(&prompt(machine.client().token(Need::account("work")).await.unwrap())).await;
    account_is(&machine.tool(), "work", |status| status.grant.is_some() && status.sign_in.is_none()).await;
}

async fn token_ended(machine: &Machine) {
    let tool = machine.tool();
    let ended = |status: &mcp_authd_client::status::AccountStatus| {
        status.grant.as_ref().and_then(|grant| grant.expires_in).is_some_and(|left| left.is_zero())
    };
    // Nothing is told at a token's end: each look is a new one.
    let is_over = async { while !tool.status().await.unwrap().accounts.iter().all(ended) {} };
    tokio::time::timeout(Duration::from_secs(30), is_over).await.unwrap();
}

fn look() -> Request {
    Request::new(Need::account("work")).sign_in(SignInMode::Never).max_wait(Duration::from_secs(20))
}

async fn token(machine: &Machine) -> Token {
    mcp_authd_tests::programs::token(machine.client().token(look()).await.unwrap())
}

async fn service_is(machine: &Machine, state: &str) {
    until(&format!("the service is {state}"), || machine.property("ActiveState") == state).await;
}
