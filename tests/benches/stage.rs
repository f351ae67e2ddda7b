//! What the measures share: a daemon with a long-lived token, our authorization servers, and the floor's process. All of it is real.

use std::time::Duration;

use anyhow::{Result, bail};
use mcp_authd_client::{Answer, Client, Need, Request, SignInMode, Sockets, Token};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{logged_in, program};
use mcp_authd_tests::server::{AuthorizationServer, Settings};

use crate::floor_process::FloorProcess;
use crate::ping_pong::PingPong;

/// The account whose token lives for an hour.
pub(crate) const LONG: &str = "work";
/// The account whose tokens live for a second each.
pub(crate) const BRIEF: &str = "brief";

/// The shortest life that a server can tell.
const BRIEF_LIFE: Duration = Duration::from_secs(1);

/// Everything.
pub(crate) struct Stage {
    pub(crate) daemon: Daemon,
    pub(crate) floor: PingPong,
    /// tonic, with a constant answer.
    pub(crate) bare_tonic: FloorProcess,
    /// The server of [`BRIEF`].
    pub(crate) brief: AuthorizationServer,
    _long: AuthorizationServer,
    has_brief_login: bool,
}

impl Stage {
    /// The daemon at its usual log level, logged in to [`LONG`].
    pub(crate) async fn set() -> Result<Self> {
        let long = AuthorizationServer::start(Settings::default());
        let brief = AuthorizationServer::start(Settings { access_token_life: BRIEF_LIFE, ..Settings::default() });
        let account = |name, server: &AuthorizationServer| Account::at(name, server.issuer()).scopes(["mcp:read"]);
        let config = Config::new().account(account(LONG, &long)).account(account(BRIEF, &brief));
        let daemon = Daemon::start(config.environment("MCP_AUTHD_LOG", "info")).await;
        logged_in(&daemon, LONG).await;
        let floor = PingPong::start().await?;
        let bare_tonic = FloorProcess::start("bench-bare-tonic", |command, socket| {
            command.arg(socket);
        });
        let bare_tonic = bare_tonic.await?;
        Ok(Self { daemon, floor, bare_tonic, brief, _long: long, has_brief_login: false })
    }

    /// Logs in to [`BRIEF`], once. From then on the daemon refreshes it every now and then.
    pub(crate) async fn log_in_to_brief(&mut self) {
        if !std::mem::replace(&mut self.has_brief_login, true) {
            logged_in(&self.daemon, BRIEF).await;
        }
    }

    /// A program with a connection of its own, that has made its first call.
    pub(crate) async fn connected(&self) -> Result<Client> {
        made_its_first_call(program(&self.daemon)).await
    }

    /// So many of them.
    pub(crate) async fn crowd(&self, programs: usize) -> Result<Vec<Client>> {
        let mut crowd = Vec::with_capacity(programs);
        for _ in 0..programs {
            crowd.push(self.connected().await?);
        }
        Ok(crowd)
    }

    /// So many programs with connections of their own to bare tonic.
    pub(crate) async fn crowd_of_bare_tonic(&self, programs: usize) -> Result<Vec<Client>> {
        let mut crowd = Vec::with_capacity(programs);
        for _ in 0..programs {
            crowd.push(made_its_first_call(Client::new(&Sockets::at(self.bare_tonic.socket()))).await?);
        }
        Ok(crowd)
    }
}

async fn made_its_first_call(client: Client) -> Result<Client> {
    token(&client, LONG).await?;
    Ok(client)
}

/// What a program asks that wants a token and no login.
pub(crate) fn request(account: &str) -> Request {
    Request::new(Need::account(account).client_name("bench")).sign_in(SignInMode::Never)
}

/// A token, or why there is none.
pub(crate) async fn token(client: &Client, account: &str) -> Result<Token> {
    match client.token(request(account)).await? {
        Answer::UseToken(token) => Ok(token),
        other => bail!("there is no token of {account}: {other:?}"),
    }
}
