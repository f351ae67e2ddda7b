//! A daemon without any OAuth behind it: one account that is as the test says, on two sockets of its own directory.

#![allow(dead_code, reason = "each test program uses its part")]

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::{Stream, StreamExt as _};
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::add_account_response::Outcome as AddOutcome;
use mcp_authd_proto::v1::admin_server::{Admin, AdminServer};
use mcp_authd_proto::v1::remove_account_response::Outcome as RemoveOutcome;
use mcp_authd_proto::v1::token_state::State;
use mcp_authd_proto::v1::tokens_server::{Tokens, TokensServer};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_stream::wrappers::{UnixListenerStream, WatchStream};
use tonic::{Request, Response, Status};

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The daemon. Ends when it is dropped.
pub(crate) struct Daemon {
    directory: tempfile::TempDir,
    face: Face,
    runtime: Option<Runtime>,
}

#[derive(Clone)]
struct Face {
    account: watch::Sender<v1::AccountStatus>,
    cancelled: Arc<AtomicUsize>,
    refuses: Arc<AtomicBool>,
    described: Arc<Mutex<Vec<v1::AccountDescription>>>,
    urls: Arc<Mutex<Vec<String>>>,
    secrets: Arc<Mutex<Vec<v1::SetClientSecretRequest>>>,
    removed: Arc<Mutex<Vec<String>>>,
    reload: Arc<Mutex<Option<v1::ReloadResponse>>>,
    pasted: Arc<Mutex<Vec<String>>>,
    forgotten: Arc<Mutex<Vec<String>>>,
    log: watch::Sender<Vec<v1::LogEntry>>,
}

impl Daemon {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let face = Face {
            account: watch::Sender::new(granted()),
            cancelled: Arc::default(),
            refuses: Arc::default(),
            described: Arc::default(),
            urls: Arc::default(),
            secrets: Arc::default(),
            removed: Arc::default(),
            reload: Arc::default(),
            pasted: Arc::default(),
            forgotten: Arc::default(),
            log: watch::Sender::default(),
        };
        let mut daemon = Self { directory, face, runtime: None };
        daemon.come_back();
        daemon
    }

    /// Ends with all its connections, as a killed daemon does.
    pub(crate) fn leave(&mut self) {
        self.runtime.take();
        for name in ["tokens.sock", "admin.sock"] {
            std::fs::remove_file(self.directory.path().join(name)).ok();
        }
    }

    /// Begins anew on the same paths.
    pub(crate) fn come_back(&mut self) {
        self.leave();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let inside = runtime.enter();
        let listen = |name| UnixListenerStream::new(UnixListener::bind(self.directory.path().join(name)).unwrap());
        let tokens = tonic::transport::Server::builder().add_service(TokensServer::new(self.face.clone()));
        runtime.spawn(tokens.serve_with_incoming(listen("tokens.sock")));
        let admin = tonic::transport::Server::builder().add_service(AdminServer::new(self.face.clone()));
        runtime.spawn(admin.serve_with_incoming(listen("admin.sock")));
        drop(inside);
        self.runtime = Some(runtime);
    }

    /// Refuses to tell its status from now on.
    pub(crate) fn refuse_status(&self) {
        self.face.refuses.store(true, Ordering::SeqCst);
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("tokens.sock")
    }

    pub(crate) fn publish(&self, account: v1::AccountStatus) {
        self.face.account.send_replace(account);
    }

    /// Something has happened.
    pub(crate) fn say(&self, entry: v1::LogEntry) {
        self.face.log.send_modify(|log| log.push(entry));
    }

    pub(crate) fn cancelled(&self) -> usize {
        self.face.cancelled.load(Ordering::SeqCst)
    }

    /// The accounts that it was to add.
    pub(crate) fn described(&self) -> Vec<v1::AccountDescription> {
        self.face.described.lock().unwrap().clone()
    }

    /// The URLs behind which it was to look for them.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.face.urls.lock().unwrap().clone()
    }

    /// The accounts that it was to remove.
    pub(crate) fn removed(&self) -> Vec<String> {
        self.face.removed.lock().unwrap().clone()
    }

    /// The secrets that it was given, with their accounts.
    pub(crate) fn secrets(&self) -> Vec<(String, String)> {
        let given = self.face.secrets.lock().unwrap().clone();
        given.into_iter().map(|given| (given.account, given.client_secret)).collect()
    }

    /// What was pasted.
    pub(crate) fn pasted(&self) -> Vec<String> {
        self.face.pasted.lock().unwrap().clone()
    }

    /// The issuers whose clients were forgotten.
    pub(crate) fn forgotten(&self) -> Vec<String> {
        self.face.forgotten.lock().unwrap().clone()
    }

    /// What it answers to a reload. Nothing: it is too old to know what that is.
    pub(crate) fn answer_reload(&self, answer: v1::reload_response::Outcome) {
        *self.face.reload.lock().unwrap() = Some(v1::ReloadResponse { outcome: Some(answer) });
    }
}

/// A file that no daemon can write.
pub(crate) fn read_only() -> v1::NotWritten {
    v1::NotWritten {
        message: "The file cannot be written: Read-only file system.".into(),
        next_step: "authctl reload, once it stands there".into(),
        text: "[accounts.read-only]\nissuer = \"https://auth.example.com\"\n".into(),
        problems: vec![],
    }
}

/// A file in which line 2 is wrong, and something about the whole of it.
pub(crate) fn broken() -> v1::NotWritten {
    let problem = |line, message: &str| v1::ConfigProblem { line, message: message.into() };
    v1::NotWritten {
        message: "The file as it stands does not hold.".into(),
        next_step: String::new(),
        text: String::new(),
        problems: vec![problem(0, "This file may be written by others. Run: chmod go-w x"), problem(2, "`isuer` is no key.")],
    }
}

/// Account "github" in this health.
pub(crate) fn account(health: v1::Health) -> v1::AccountStatus {
    v1::AccountStatus { name: "github".into(), health: health.into(), ..v1::AccountStatus::default() }
}

/// Account "github", logged in.
pub(crate) fn granted() -> v1::AccountStatus {
    v1::AccountStatus { grant: Some(v1::GrantStatus::default()), ..account(v1::Health::Good) }
}

/// Account "github" with a login that waits.
pub(crate) fn waiting() -> v1::AccountStatus {
    waiting_with("7", "ABCD-1234")
}

/// Account "github" with this login that waits, for a quarter of an hour.
pub(crate) fn waiting_with(id: &str, user_code: &str) -> v1::AccountStatus {
    let device = v1::Device {
        user_code: user_code.into(),
        verification_uri: "https://github.com/login/device".into(),
        verification_uri_complete: format!("https://github.com/login/device?user_code={user_code}"),
    };
    let sign_in = v1::SignIn {
        id: id.into(),
        how: Some(v1::sign_in::How::Device(device)),
        expires_in: Some(prost_types::Duration { seconds: 899, nanos: 0 }),
        ..v1::SignIn::default()
    };
    v1::AccountStatus { sign_in: Some(sign_in), ..account(v1::Health::SigningIn) }
}

/// Account "github" with a login that waits for a browser.
pub(crate) fn waiting_for_a_browser() -> v1::AccountStatus {
    let redirect = "http%3A%2F%2F127.0.0.1%3A43215%2Fcallback";
    let authorization_uri = format!("https://github.com/login/oauth/authorize?client_id=a&redirect_uri={redirect}&state=s1");
    let how = Some(v1::sign_in::How::Browser(v1::Browser { authorization_uri }));
    let sign_in = waiting().sign_in.map(|sign_in| v1::SignIn { how, ..sign_in });
    v1::AccountStatus { sign_in, issuer: "https://github.com".into(), ..waiting() }
}

#[tonic::async_trait]
impl Tokens for Face {
    async fn get_token(&self, request: Request<v1::GetTokenRequest>) -> Result<Response<v1::TokenState>, Status> {
        let known = Some(v1::need::Target::Account("github".into()));
        let state = if request.into_inner().need.unwrap_or_default().target == known {
            v1::TokenState {
                account: "github".into(),
                revision: 1,
                state: Some(State::Token(v1::AccessToken {
                    access_token: "tok-1".into(),
                    token_type: "Bearer".into(),
                    ..v1::AccessToken::default()
                })),
            }
        } else {
            let refusal = v1::Refusal {
                reason: v1::Reason::NoSuchAccount.into(),
                message: "There is no such account.".into(),
                ..v1::Refusal::default()
            };
            v1::TokenState { state: Some(State::Refusal(refusal)), ..v1::TokenState::default() }
        };
        Ok(Response::new(state))
    }

    type WatchTokenStream = Answers<v1::TokenState>;

    async fn watch_token(&self, _request: Request<v1::Need>) -> Result<Response<Self::WatchTokenStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_accounts(&self, _: Request<v1::ListAccountsRequest>) -> Result<Response<v1::ListAccountsResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[tonic::async_trait]
impl Admin for Face {
    async fn start_sign_in(&self, _: Request<v1::StartSignInRequest>) -> Result<Response<v1::AccountStatus>, Status> {
        Ok(Response::new(self.account.borrow().clone()))
    }

    async fn cancel_sign_in(&self, _: Request<v1::CancelSignInRequest>) -> Result<Response<v1::AccountStatus>, Status> {
        self.cancelled.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(self.account.borrow().clone()))
    }

    /// The answer with the code "good" logs in, the one with the code "other" another account.
    async fn complete_sign_in(
        &self,
        request: Request<v1::CompleteSignInRequest>,
    ) -> Result<Response<v1::CompleteSignInResponse>, Status> {
        use v1::complete_sign_in_response::Outcome;
        let pasted = request.into_inner().redirect;
        let outcome = if pasted.contains("code=good") {
            self.account.send_replace(granted());
            Outcome::Account("github".into())
        } else if pasted.contains("code=other") {
            Outcome::Account("other".into())
        } else {
            Outcome::NotCompleted(v1::NotCompleted {
                message: "What was pasted holds no `state` (RFC 6749, 4.1.2).".into(),
                next_step: "copy the whole address, and paste it again".into(),
            })
        };
        self.pasted.lock().unwrap().push(pasted);
        Ok(Response::new(v1::CompleteSignInResponse { outcome: Some(outcome) }))
    }

    async fn list_clients(&self, _: Request<v1::ListClientsRequest>) -> Result<Response<v1::ListClientsResponse>, Status> {
        let client = v1::RegisteredClient {
            issuer: "https://as.example".into(),
            client_id: "s6BhdRkqt3".into(),
            auth_method: "none".into(),
            grant_types: vec!["refresh_token".into()],
            redirect_uris: vec!["http://127.0.0.1/callback".into()],
            ..v1::RegisteredClient::default()
        };
        Ok(Response::new(v1::ListClientsResponse { clients: vec![client] }))
    }

    async fn forget_client(
        &self,
        request: Request<v1::ForgetClientRequest>,
    ) -> Result<Response<v1::ForgetClientResponse>, Status> {
        let issuer = request.into_inner().issuer;
        let forgotten = issuer == "https://as.example";
        self.forgotten.lock().unwrap().push(issuer);
        Ok(Response::new(v1::ForgetClientResponse { forgotten, renewed_no_more: vec![] }))
    }

    async fn list_profiles(&self, _: Request<v1::ListProfilesRequest>) -> Result<Response<v1::ListProfilesResponse>, Status> {
        let provider = v1::ProviderProfile {
            name: "entra".into(),
            origin: v1::ProfileOrigin::Shipped.into(),
            text: "[providers.entra]\n".into(),
            parameters: vec![v1::ProviderParameter { name: "tenant".into(), usual: String::new() }],
            client: v1::ClientNeeded::Any.into(),
            device: v1::WayOffered::Yes.into(),
            browser: v1::WayOffered::AsAdvertised.into(),
            meaning: vec!["It has manners of its own.".into()],
        };
        Ok(Response::new(v1::ListProfilesResponse { providers: vec![provider] }))
    }

    async fn sign_out(&self, request: Request<v1::SignOutRequest>) -> Result<Response<v1::SignOutResponse>, Status> {
        let account = request.into_inner().account;
        let erased = account != "full-disk";
        Ok(Response::new(v1::SignOutResponse { account, erased, revocation: v1::Revocation::Sent.into() }))
    }

    type WatchAccountsStream = Answers<v1::AccountStatus>;

    async fn watch_accounts(&self, _: Request<v1::WatchAccountsRequest>) -> Result<Response<Self::WatchAccountsStream>, Status> {
        Ok(Response::new(Box::pin(WatchStream::new(self.account.subscribe()).map(Ok))))
    }

    async fn status(&self, _: Request<v1::StatusRequest>) -> Result<Response<v1::StatusResponse>, Status> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Status::permission_denied("not you"));
        }
        Ok(Response::new(v1::StatusResponse {
            version: "0.1.0".into(),
            started_at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            key_state: v1::KeyState::Open.into(),
            accounts: vec![self.account.borrow().clone()],
            config_path: "/etc/authd/config.toml".into(),
            ..v1::StatusResponse::default()
        }))
    }

    async fn add_account(&self, request: Request<v1::AddAccountRequest>) -> Result<Response<v1::AddAccountResponse>, Status> {
        let request = request.into_inner();
        let described = request.account.unwrap_or_default();
        let name = described.name.clone();
        self.urls.lock().unwrap().push(request.url);
        self.described.lock().unwrap().push(described);
        let outcome = match name.as_str() {
            "read-only" => AddOutcome::NotWritten(read_only()),
            "broken" => AddOutcome::NotWritten(broken()),
            "github" => AddOutcome::Present(account(v1::Health::Good)),
            "too-new" => return Err(Status::unimplemented("")),
            _ => AddOutcome::Added(v1::AccountStatus { name, ..account(v1::Health::LoginRequired) }),
        };
        Ok(Response::new(v1::AddAccountResponse { outcome: Some(outcome), found: None }))
    }

    async fn probe(&self, request: Request<v1::ProbeRequest>) -> Result<Response<v1::ProbeResponse>, Status> {
        let url = request.into_inner().url;
        let outcome = if url.contains("down") {
            v1::probe_response::Outcome::NotProbed(v1::NotProbed {
                message: "The resource could not be reached.".into(),
                next_step: format!("authctl provider check {url} (when it can be reached)"),
            })
        } else {
            let login_possible = !url.contains("broken");
            v1::probe_response::Outcome::Probed(v1::Probed { url, login_possible, ..v1::Probed::default() })
        };
        Ok(Response::new(v1::ProbeResponse { outcome: Some(outcome) }))
    }

    async fn remove_account(
        &self,
        request: Request<v1::RemoveAccountRequest>,
    ) -> Result<Response<v1::RemoveAccountResponse>, Status> {
        let account = request.into_inner().account;
        self.removed.lock().unwrap().push(account.clone());
        let outcome = if account == "read-only" {
            RemoveOutcome::NotWritten(read_only())
        } else {
            let erased = account != "full-disk";
            RemoveOutcome::Removed(v1::SignOutResponse { account, erased, revocation: v1::Revocation::Sent.into() })
        };
        Ok(Response::new(v1::RemoveAccountResponse { outcome: Some(outcome) }))
    }

    async fn set_client_secret(
        &self,
        request: Request<v1::SetClientSecretRequest>,
    ) -> Result<Response<v1::SetClientSecretResponse>, Status> {
        let request = request.into_inner();
        let account = request.account.clone();
        self.secrets.lock().unwrap().push(request);
        Ok(Response::new(v1::SetClientSecretResponse { account }))
    }

    async fn reload(&self, _: Request<v1::ReloadRequest>) -> Result<Response<v1::ReloadResponse>, Status> {
        let answer = self.reload.lock().unwrap().clone();
        answer.map(Response::new).ok_or_else(|| Status::unimplemented(""))
    }

    type WatchLogStream = Answers<v1::LogEntry>;

    /// Keeps to `after` and `follow`; the account and the number of the last ones are the real daemon's matter.
    async fn watch_log(&self, request: Request<v1::WatchLogRequest>) -> Result<Response<Self::WatchLogStream>, Status> {
        let asked = request.into_inner();
        let mut told = asked.after;
        let looks: Answers<Vec<v1::LogEntry>> = if asked.follow {
            Box::pin(WatchStream::new(self.log.subscribe()).map(Ok))
        } else {
            Box::pin(tokio_stream::once(Ok(self.log.borrow().clone())))
        };
        let new = looks.flat_map(move |log| {
            let new: Vec<_> = log.unwrap_or_default().into_iter().filter(|entry| entry.number > told).collect();
            told = new.last().map_or(told, |last| last.number);
            tokio_stream::iter(new.into_iter().map(Ok))
        });
        Ok(Response::new(Box::pin(new)))
    }

    async fn stop(&self, _: Request<v1::StopRequest>) -> Result<Response<v1::StopResponse>, Status> {
        Ok(Response::new(v1::StopResponse {}))
    }
}
