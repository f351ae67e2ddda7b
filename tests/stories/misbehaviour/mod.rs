//! A server that breaks every rule, and what the person reads then (D11-D20, D37-D56; B4, B5, B17-B21).
//!
//! Tables: each case has a server of its own and an account of its name, all at one daemon, all at once. So each table proves in
//! passing that one misbehaving server delays no other account (I11).

mod at_login;
mod at_polls;
mod at_refresh;
mod lost_answers;
mod spoilt_answers;

use std::collections::HashMap;
use std::future::Future;

use mcp_authd_client::status::AccountStatus;
use mcp_authd_client::{AdminClient, Client};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{program, tool};
use mcp_authd_tests::server::{At, AuthorizationServer, RequestRecord, Settings};
use tokio::task::{Id, JoinSet, LocalSet};

/// One case of a table, with what is particular about it.
struct Case<T> {
    name: &'static str,
    settings: Settings,
    about: T,
}

/// Where a case is played.
struct Stage {
    name: &'static str,
    server: AuthorizationServer,
    program: Client,
    tool: AdminClient,
}

impl Stage {
    /// The account as the person sees it.
    async fn account(&self) -> AccountStatus {
        let status = self.tool.status().await.unwrap();
        status.accounts.into_iter().find(|account| account.name == self.name).unwrap()
    }

    /// What the server received there, without secrets.
    fn received(&self, at: At) -> Vec<RequestRecord> {
        let grant_type =
            |wanted: &str, record: &RequestRecord| record.grant_type.as_deref().is_some_and(|is| is.contains(wanted));
        let is_there = |record: &RequestRecord| match at {
            At::Refresh => grant_type("refresh_token", record),
            At::Poll => grant_type("device_code", record),
            At::DeviceAuthorization => record.path.ends_with("/device_authorization"),
            _ => unreachable!("no table asks for it"),
        };
        self.server.log().into_iter().filter(is_there).collect()
    }
}

/// Plays every case, all at once, at one daemon; tells those that fail by their names.
async fn play<T, F: Future<Output = ()> + 'static>(cases: Vec<Case<T>>, act: impl Fn(Stage, T) -> F) {
    let servers: Vec<AuthorizationServer> = cases.iter().map(|case| AuthorizationServer::start(case.settings.clone())).collect();
    let account = |(case, server): (&Case<T>, &AuthorizationServer)| Account::at(case.name, server.issuer()).scopes(["mcp:read"]);
    let config = cases.iter().zip(&servers).map(account).fold(Config::new(), Config::account);
    let daemon = Daemon::start(config).await;

    let (local, mut playing, mut names) = (LocalSet::new(), JoinSet::new(), HashMap::<Id, &str>::new());
    for (Case { name, about, .. }, server) in cases.into_iter().zip(servers) {
        let stage = Stage { name, server, program: program(&daemon), tool: tool(&daemon) };
        names.insert(playing.spawn_local_on(act(stage, about), &local).id(), name);
    }
    let mut failed = Vec::new();
    while let Some(ended) = local.run_until(playing.join_next()).await {
        if let Err(failure) = ended {
            failed.push(format!("{}: {failure}", names[&failure.id()]));
        }
    }
    assert!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), names.len(), failed.join("\n"));
}
