//! The person's side of `admin.sock`: begin, cancel and end logins, look, stop the daemon; accounts by command in a file of their own.
//!
//! Must never: ask for or receive a token.

mod accounts;
mod by_hand;
mod clients;
mod examine;
mod log;
mod probe;
mod providers;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mcp_authd_proto::v1;
use mcp_authd_proto::v1::admin_client::AdminClient as Stub;
use tonic::Streaming;
use tonic::transport::Channel;

use crate::call::{self, GRACE, SILENCE_LIMIT};
use crate::clock::Clock;
use crate::connect::{Line, Sockets, Which};
use crate::convert::wire_duration;
use crate::error::{CallError, ConnectError};
use crate::need::LONGEST_WAIT;
use crate::start::Patience;
use crate::status::{self, AccountStatus, DaemonStatus, SignedOut};

pub use accounts::{AccountDescription, Added, ConfigProblem, NotWritten, Reloaded, Reloading, Removed};
pub use by_hand::Completion;
pub use clients::{ForgottenClient, RegisteredClient, RegisteredClients};
pub use examine::{ConfigState, Examination, Examined};
pub use log::{LogEntries, LogEntry, LogKind, LogLevel, LogQuery};
pub use probe::{
    Finding, MetadataPlace, NotProbed, PassedOver, Probed, ProbedClient, ProbedResource, ProbedServer, Probing, Question,
    ScopesFrom, Way,
};
pub use providers::{ClientNeeded, ProfileOrigin, ProviderParameter, ProviderProfile, WayOffered};

/// The person's side of `admin.sock`.
#[derive(Debug, Clone)]
pub struct AdminClient {
    line: Arc<Line>,
}

/// How to begin a login.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartSignIn {
    /// The account. `None`: the only one.
    pub account: Option<String>,
    /// Although the account holds a good token.
    pub again: bool,
    /// Although it may put another subject into the account (P19).
    pub replace: bool,
}

impl AdminClient {
    /// The daemon that the environment names. Nothing is connected yet.
    ///
    /// # Errors
    /// [`ConnectError::NoPlace`] where no place for the socket is known.
    pub fn find() -> Result<Self, ConnectError> {
        Ok(Self::new(&Sockets::find()?))
    }

    /// The daemon at these sockets. Nothing is connected yet.
    #[must_use]
    pub fn new(sockets: &Sockets) -> Self {
        Self { line: Arc::new(Line::new(sockets, Which::Admin)) }
    }

    /// The same with another time limit for connecting (default: 2 s).
    #[must_use]
    pub fn with_connect_limit(self, limit: Duration) -> Self {
        Self { line: Arc::new(self.line.with_connect_limit(limit)) }
    }

    /// The same, starting no daemon where none runs.
    #[must_use]
    pub fn never_starting(self) -> Self {
        Self { line: Arc::new(self.line.never_starting()) }
    }

    /// The socket that has answered last. `None`: none has yet.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.line.reached()
    }

    /// Begins a login, or joins the one that waits. Answers when there is a prompt, after 20 s at the latest.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn start_sign_in(&self, start: StartSignIn) -> Result<AccountStatus, CallError> {
        let request = v1::StartSignInRequest {
            account: start.account.unwrap_or_default(),
            max_wait: wire_duration(LONGEST_WAIT),
            again: start.again,
            replace: start.replace,
        };
        let answer = self.call(LONGEST_WAIT.saturating_add(GRACE), || async {
            call::message("StartSignIn", self.stub().start_sign_in(request.clone()).await)
        });
        status::account(answer.await?)
    }

    /// Ends the waiting login. The credential is not touched.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn cancel_sign_in(&self, account: Option<String>) -> Result<AccountStatus, CallError> {
        let request = v1::CancelSignInRequest { account: account.unwrap_or_default() };
        let answer =
            self.call(SILENCE_LIMIT, async || call::message("CancelSignIn", self.stub().cancel_sign_in(request.clone()).await));
        status::account(answer.await?)
    }

    /// Forgets the grant and the waiting login, and revokes upstream where that is possible (RFC 7009).
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn sign_out(&self, account: Option<String>) -> Result<SignedOut, CallError> {
        let request = v1::SignOutRequest { account: account.unwrap_or_default() };
        let answer = self.call(SILENCE_LIMIT, async || call::message("SignOut", self.stub().sign_out(request.clone()).await));
        Ok(status::signed_out(answer.await?))
    }

    /// First the account (or every account) as it is, then each change.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn watch_accounts(&self, account: Option<String>) -> Result<AccountChanges, CallError> {
        let request = v1::WatchAccountsRequest { account: account.unwrap_or_default() };
        let stream =
            self.call(SILENCE_LIMIT, async || call::message("WatchAccounts", self.stub().watch_accounts(request.clone()).await));
        Ok(AccountChanges(stream.await?))
    }

    /// The daemon and every account at one moment.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn status(&self) -> Result<DaemonStatus, CallError> {
        let answer =
            self.call(SILENCE_LIMIT, async || call::message("Status", self.stub().status(v1::StatusRequest::default()).await));
        status::daemon(answer.await?, SystemTime::UNIX_EPOCH + Clock::Kernel.wall())
    }

    /// Ends the daemon as SIGTERM does. It may take up to a minute to leave.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer. [`CallError::Interrupted`]: it has left before it answered.
    pub async fn stop(&self) -> Result<(), CallError> {
        let answer = self.call(SILENCE_LIMIT, async || call::message("Stop", self.stub().stop(v1::StopRequest {}).await));
        answer.await.map(|v1::StopResponse {}| ())
    }

    async fn call<T, F>(&self, limit: Duration, call: impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        self.line.call(limit, Patience::Caller, call).await
    }

    fn stub(&self) -> Stub<Channel> {
        Stub::new(self.line.channel())
    }
}

/// The changes of the accounts, as they come.
#[derive(Debug)]
pub struct AccountChanges(Streaming<v1::AccountStatus>);

impl AccountChanges {
    /// Waits for the next state of an account.
    ///
    /// # Errors
    /// [`CallError::Interrupted`] where the daemon has left; any other [`CallError`] as it says.
    pub async fn next(&mut self) -> Result<AccountStatus, CallError> {
        let change = self.0.message().await.map_err(|status| call::failure("WatchAccounts", &status))?;
        status::account(change.ok_or(CallError::Interrupted)?)
    }
}
