//! A machine with one daemon, whose accounts are logged in, and what the campaigns of this room ask of them.
//!
//! Must never: assert what a campaign is about.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use mcp_authd_client::status::{AccountStatus, GrantStatus, Health};
use mcp_authd_client::{AdminClient, Answer, Refusal, Token};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::plain_http;
use mcp_authd_tests::programs::{account_is, code, look, program, prompted, token, tool};
use mcp_authd_tests::server::{AuthorizationServer, Settings};

/// One daemon and the authorization server of all its accounts.
pub(crate) struct Machine {
    pub(crate) server: AuthorizationServer,
    pub(crate) daemon: Daemon,
    pub(crate) accounts: Vec<String>,
}

impl Machine {
    /// Its directories and its server, and no process yet.
    pub(crate) fn prepare(accounts: usize, settings: Settings) -> Self {
        Self::prepare_as(accounts, settings, |config| config)
    }

    /// The same, with more in the configuration.
    pub(crate) fn prepare_as(accounts: usize, settings: Settings, more: impl FnOnce(Config) -> Config) -> Self {
        let server = AuthorizationServer::start(settings);
        let accounts: Vec<String> = (0..accounts).map(|number| format!("account-{number}")).collect();
        let of = |config: Config, name: &String| config.account(Account::at(name, server.issuer()).scopes(["mcp:read"]));
        let config = more(accounts.iter().fold(Config::new(), of));
        let daemon = Daemon::prepare(config);
        fs::DirBuilder::new().mode(0o700).create(records(&daemon)).unwrap();
        Self { server, daemon, accounts }
    }

    /// A daemon that serves, and the first token of each account.
    pub(crate) async fn with(accounts: usize, settings: Settings) -> (Self, Vec<Token>) {
        let mut machine = Self::prepare(accounts, settings);
        machine.daemon.start_again().await;
        let tokens = machine.log_in().await;
        (machine, tokens)
    }

    /// Logs in to every account. Their tokens.
    pub(crate) async fn log_in(&self) -> Vec<Token> {
        for account in &self.accounts {
            let prompt = prompted(&self.daemon, account).await;
            self.server.approve(code(&prompt)).unwrap();
        }
        self.all_are(|status| status.grant.is_some() && status.sign_in.is_none()).await;
        self.tokens().await
    }

    /// The token of each account, by a program that has just come.
    pub(crate) async fn tokens(&self) -> Vec<Token> {
        let program = program(&self.daemon);
        let mut tokens = Vec::with_capacity(self.accounts.len());
        for account in &self.accounts {
            tokens.push(token(look(&program, account).await));
        }
        tokens
    }

    /// Every account is served this very token.
    pub(crate) async fn assert_serves(&self, expected: &[Token], when: &str) {
        assert_eq!(hashes(&self.tokens().await), hashes(expected), "{when}");
    }

    /// The authorization server takes these tokens.
    pub(crate) async fn assert_accepted(&self, tokens: &[Token], when: &str) {
        for token in tokens {
            let answered = plain_http::fetch_with_token(&self.server.resource(), token.expose()).await.unwrap();
            assert_eq!(answered.status, 200, "{when}");
        }
    }

    /// Waits until every account is so. Asks for no token.
    pub(crate) async fn all_are(&self, so: impl Fn(&AccountStatus) -> bool) {
        let tool: AdminClient = tool(&self.daemon);
        for account in &self.accounts {
            account_is(&tool, account, &so).await;
        }
    }

    /// Waits until every account has been refreshed since its login, durably, and is well.
    pub(crate) async fn all_are_refreshed(&self) {
        self.all_are(|status| {
            let refreshed = |grant: &GrantStatus| grant.refreshed_at.is_some() && !grant.refreshing;
            status.health == Health::Good && status.grant.as_ref().is_some_and(refreshed)
        })
        .await;
    }

    /// Every account tells that it could not be saved.
    pub(crate) async fn all_tell_that_they_are_not_saved(&self) {
        self.all_are(|status| {
            status.health == Health::Degraded && status.message.as_ref().is_some_and(|told| told.starts_with("Not saved"))
        })
        .await;
    }
}

/// A refusal, whatever the program should do next.
pub(crate) fn refused(answer: Answer) -> Refusal {
    match answer {
        Answer::TryLater(refusal) | Answer::GiveUp(refusal) => refusal,
        other => panic!("a refusal was to come, and not {other:?}"),
    }
}

/// Names tokens without telling them.
pub(crate) fn hashes(tokens: &[Token]) -> Vec<[u8; 32]> {
    tokens.iter().map(Token::sha256).collect()
}

/// The folder of the records.
pub(crate) fn records(daemon: &Daemon) -> PathBuf {
    daemon.dirs().state().join("mcp-authd")
}

/// The folder of the sockets.
pub(crate) fn sockets(daemon: &Daemon) -> PathBuf {
    daemon.dirs().runtime().join("mcp-authd")
}

pub(crate) fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}
