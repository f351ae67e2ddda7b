//! What the accounts see of the authorization servers: where each request goes, and what comes of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod authentication;
mod by_hand;
mod identifying;
mod in_browser;
mod personas;
mod registering;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_authd_oauth::endpoint::{Endpoint, Loopback};
use mcp_authd_oauth::http::{AnswerLost, Body, HttpAnswer, HttpRequest, Method, Patience, Undelivered};
use mcp_authd_oauth::profile::{Profile, ProviderEndpoints};
use mcp_authd_oauth::reach::Reach;
use mcp_authd_oauth::secret::{AccessToken, RefreshToken};
use mcp_authd_oauth::sign_in::{NextStep, PendingSignIn, SignInFailure};
use mcp_authd_oauth::terms::{ClientId, Issuer, Resource, Scopes};
use mcp_authd_oauth::token::{Binding, Granted, OutcomeUnknown, RefreshOutcome};
use tokio::sync::{Semaphore, oneshot};

use super::HttpUpstream;
use super::captured_log::CapturedLog;
use super::drive::Transport;
use super::scripted::{Act, Scripted};
use crate::accounts::gate::Gate;
use crate::accounts::{RefreshRequest, RevokeRequest, SignInRequest, Upstream};
use crate::config::{AccountConfig, AccountName, ClientConfig, Network, ServerConfig};
use crate::host::clock::{Clock, follows_tokio};
use crate::host::tasks::Tasks;

const ISSUER: &str = "https://as.example";
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// What a path answers with: path, status, body.
type Answer = (&'static str, u16, String);

/// An authorization server without a network: answers each request by its path, and keeps a list.
#[derive(Clone)]
struct Server {
    answers: Arc<Mutex<Vec<Answer>>>,
    received: Arc<Mutex<Vec<Whole>>>,
    /// One permit for each answer.
    open: Arc<Semaphore>,
}

/// A request as it was received.
struct Whole {
    path: String,
    body: String,
    authorization: Option<String>,
}

impl Server {
    fn new() -> Self {
        let server = Self { answers: Arc::default(), received: Arc::default(), open: Arc::new(Semaphore::new(1_000)) };
        server.answers(
            "/token",
            200,
            r#"{"access_token":"SNTL_AT_2","refresh_token":"SNTL_RT_2","token_type":"Bearer","expires_in":60}"#,
        );
        server.answers(
            "/device",
            200,
            r#"{"device_code":"SNTL_DC_1","user_code":"SNTL-UC","verification_uri":"https://as.example/go","expires_in":600}"#,
        );
        server.answers("/revoke", 200, "");
        server.answers(
            METADATA,
            200,
            r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token","revocation_endpoint":"https://as.example/revoke","device_authorization_endpoint":"https://as.example/device"}"#,
        );
        server
    }

    /// From now on.
    fn answers(&self, path: &'static str, status: u16, body: &str) {
        let mut answers = self.answers.lock().unwrap();
        answers.retain(|(known, ..)| *known != path);
        answers.push((path, status, body.to_owned()));
    }

    /// The paths that were asked, since the last look.
    fn paths(&self) -> Vec<String> {
        self.take().into_iter().map(|(path, _)| path).collect()
    }

    fn take(&self) -> Vec<(String, String)> {
        self.take_whole().into_iter().map(|request| (request.path, request.body)).collect()
    }

    fn take_whole(&self) -> Vec<Whole> {
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

impl Transport for Server {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpAnswer, Undelivered> {
        let path = request.endpoint.as_str().strip_prefix(ISSUER).expect("a request to another host").to_owned();
        let body = match &request.method {
            Method::Get | Method::Probe | Method::PostEmpty => String::new(),
            Method::PostForm(body) | Method::PostJson(body) => body.expose().to_owned(),
        };
        let spends = ["grant_type=refresh_token", "grant_type=authorization_code"].iter().any(|grant| body.contains(grant));
        assert_eq!(request.patience == Patience::Spending, spends, "only what is spent waits for five minutes (D35, D51)");
        let authorization = request.authorization.as_ref().map(|header| header.expose().to_owned());
        self.received.lock().unwrap().push(Whole { path: path.clone(), body, authorization });
        self.open.acquire().await.unwrap().forget();
        let answers = self.answers.lock().unwrap();
        let (_, status, body) = answers.iter().find(|(known, ..)| *known == path).expect("an answer to this path");
        let body = Body::new(body.clone().into_bytes());
        Ok(HttpAnswer {
            status: *status,
            content_type: None,
            retry_after: None,
            www_authenticate: vec![],
            peer: Reach::Public,
            body,
        })
    }
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url, Loopback::Allowed).unwrap()
}

fn account_at(server: ServerConfig) -> AccountConfig {
    AccountConfig {
        name: AccountName::parse("work").unwrap(),
        server,
        client: ClientConfig::PreRegistered(ClientId::new("client-1")),
        flow: None,
        token_endpoint_auth_method: None,
        client_secret_file: None,
        scopes: Scopes::parse("read"),
        resource: Some(Resource::new("https://mcp.example/")),
        audience: None,
        extra_parameters: BTreeMap::new(),
        profile: Arc::default(),
    }
}

fn account() -> AccountConfig {
    account_at(ServerConfig::Issuer(Issuer::new(ISSUER)))
}

fn binding() -> Binding {
    Binding {
        issuer: Some(Issuer::new(ISSUER)),
        token_endpoint: endpoint("https://as.example/token"),
        revocation_endpoint: Some(endpoint("https://as.example/revoke")),
        client_id: ClientId::new("client-1"),
        resource: Some(Resource::new("https://mcp.example/")),
    }
}

fn refresh_request() -> RefreshRequest {
    RefreshRequest { refresh_token: RefreshToken::new("SNTL_RT_1"), binding: binding() }
}

/// Public clients: nobody has a secret.
fn no_secrets() -> Arc<authentication::Keeps> {
    Arc::new(authentication::Keeps::default())
}

fn upstream(server: &Server) -> HttpUpstream<Server> {
    HttpUpstream::over(server.clone(), (&Tasks::new(), &follows_tokio()), no_secrets())
}

/// For an account that holds nothing.
fn asking(scopes: Scopes) -> SignInRequest {
    SignInRequest { scopes, held: None }
}

async fn sign_in(
    upstream: &HttpUpstream<Server>,
    account: AccountConfig,
) -> (Result<Granted, SignInFailure>, Option<PendingSignIn>) {
    let (prompt, mut handed_out) = oneshot::channel();
    let ended = upstream.sign_in(Arc::new(account), asking(Scopes::parse("read")), prompt, Gate::of_nobody()).await;
    (ended, handed_out.try_recv().ok())
}

#[tokio::test]
async fn a_refresh_goes_over_the_network_straight_to_its_token_endpoint() {
    let server =
        Scripted::plain([Act::answer(200, "", r#"{"access_token":"a","refresh_token":"r","token_type":"Bearer"}"#)]).await;
    let issuer = Issuer::new(server.url(""));
    let account = account_at(ServerConfig::Issuer(issuer.clone()));
    let binding = Binding { issuer: Some(issuer), token_endpoint: endpoint(&server.url("/token")), ..binding() };
    let request = RefreshRequest { binding, ..refresh_request() };

    let outcome =
        HttpUpstream::new((&Tasks::new(), &Clock::system()), tokio::sync::watch::channel(Network::default()).1, no_secrets())
            .refresh(Arc::new(account), request)
            .await;

    let RefreshOutcome::Success(success) = outcome else { panic!("{outcome:?}") };
    assert_eq!(success.refresh_token, Some(RefreshToken::new("r")));
    let received = server.received();
    assert_eq!(received.len(), 1, "no discovery stands before a refresh");
    assert!(received[0].starts_with("POST /token ") && received[0].contains("refresh_token=SNTL_RT_1"), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_of_another_server_or_client_is_not_sent() {
    let server = Server::new();
    let elsewhere = |issuer: &str| account_at(ServerConfig::Issuer(Issuer::new(issuer)));
    let by_endpoints = |token_endpoint: &str| {
        account_at(ServerConfig::Endpoints {
            device_authorization_endpoint: endpoint("https://as.example/device"),
            token_endpoint: endpoint(token_endpoint),
            revocation_endpoint: None,
        })
    };
    let other_client = AccountConfig { client: ClientConfig::PreRegistered(ClientId::new("client-2")), ..account() };
    let token = "https://as.example/token";
    for account in [elsewhere("https://evil.example"), elsewhere("https://as.example/"), by_endpoints(token), other_client] {
        let outcome = upstream(&server).refresh(Arc::new(account), refresh_request()).await;
        let RefreshOutcome::Configuration(why) = outcome else { panic!("{outcome:?}") };
        assert!(why.description.unwrap().contains("authctl login work"));
    }
    let request = RefreshRequest { binding: Binding { issuer: None, ..binding() }, ..refresh_request() };
    let moved = by_endpoints("https://evil.example/token");
    let outcome = upstream(&server).refresh(Arc::new(moved), request.clone()).await;
    assert!(matches!(outcome, RefreshOutcome::Configuration(_)), "{outcome:?}");
    assert_eq!(server.paths(), [""; 0]);

    let outcome = upstream(&server).refresh(Arc::new(by_endpoints(token)), request).await;
    assert!(matches!(outcome, RefreshOutcome::Success(_)), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_goes_on_when_whoever_waited_is_gone() {
    let server = Server { open: Arc::new(Semaphore::new(0)), ..Server::new() };
    let tasks = Tasks::new();
    let upstream = HttpUpstream::over(server.clone(), (&tasks, &follows_tokio()), no_secrets());
    let waiting = upstream.refresh(Arc::new(account()), refresh_request());
    assert!(tokio::time::timeout(Duration::from_secs(1), waiting).await.is_err(), "the waiter goes away");
    assert_eq!(server.paths(), ["/token"]);
    server.open.add_permits(1);
    assert!(tasks.finish(Duration::from_secs(1)).await, "the request ends by itself (I7)");
    assert_eq!(server.open.available_permits(), 0, "and its answer was taken");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_the_daemons_end_cuts_off_has_an_unknown_outcome() {
    let server = Server { open: Arc::new(Semaphore::new(0)), ..Server::new() };
    let tasks = Tasks::new();
    let upstream = HttpUpstream::over(server, (&tasks, &follows_tokio()), no_secrets());
    let refresh = upstream.refresh(Arc::new(account()), refresh_request());
    let (outcome, finished) = tokio::join!(refresh, tasks.finish(Duration::from_secs(60)));
    assert!(!finished);
    assert_eq!(outcome, RefreshOutcome::OutcomeUnknown(OutcomeUnknown::AnswerLost(AnswerLost::Interrupted)));
}

#[tokio::test(start_paused = true)]
async fn a_login_finds_its_endpoints_hands_the_prompt_out_and_brings_tokens_bound_to_their_server() {
    let server = Server::new();
    let (ended, prompt) = sign_in(&upstream(&server), account()).await;
    let granted = ended.unwrap();
    assert_eq!(granted.binding, binding());
    assert_eq!(granted.success.refresh_token, Some(RefreshToken::new("SNTL_RT_2")));
    assert_eq!(prompt.unwrap().binding(), &binding());

    let received = server.take();
    let paths: Vec<_> = received.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, [METADATA, "/device", "/token"]);
    assert!(received[1].1.contains("scope=read") && received[1].1.contains("client_id=client-1"), "{received:?}");
    assert!(received[2].1.contains("device_code=SNTL_DC_1"), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn a_login_goes_on_when_nobody_takes_its_prompt() {
    let server = Server::new();
    let (prompt, nobody) = oneshot::channel();
    drop(nobody);
    assert!(upstream(&server).sign_in(Arc::new(account()), asking(Scopes::default()), prompt, Gate::of_nobody()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_login_by_configured_endpoints_asks_for_no_metadata() {
    let server = Server::new();
    let account = account_at(ServerConfig::Endpoints {
        device_authorization_endpoint: endpoint("https://as.example/device"),
        token_endpoint: endpoint("https://as.example/token"),
        revocation_endpoint: None,
    });
    let granted = sign_in(&upstream(&server), account).await.0.unwrap();
    assert_eq!(granted.binding, Binding { issuer: None, revocation_endpoint: None, ..binding() });
    assert_eq!(server.paths(), ["/device", "/token"]);
}

#[tokio::test(start_paused = true)]
async fn metadata_is_read_once_a_day() {
    let server = Server::new();
    let upstream = upstream(&server);
    for expected in [&[METADATA, "/device", "/token"][..], &["/device", "/token"]] {
        sign_in(&upstream, account()).await.0.unwrap();
        assert_eq!(server.paths(), expected);
    }
    tokio::time::advance(Duration::from_secs(24 * 60 * 60)).await;
    sign_in(&upstream, account()).await.0.unwrap();
    assert_eq!(server.paths(), [METADATA, "/device", "/token"]);
}

#[tokio::test(start_paused = true)]
async fn what_did_not_work_is_not_kept() {
    let server = Server::new();
    let upstream = upstream(&server);
    server.answers(METADATA, 503, "");
    let (ended, prompt) = sign_in(&upstream, account()).await;
    assert!(matches!(ended, Err(SignInFailure::Unavailable { .. })) && prompt.is_none(), "{ended:?}");

    let moved = r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token","device_authorization_endpoint":"https://as.example/old"}"#;
    server.answers(METADATA, 200, moved);
    server.answers("/old", 404, "");
    assert_eq!(sign_in(&upstream, account()).await.0, Err(SignInFailure::NoDeviceGrant));
    assert_eq!(server.paths(), [METADATA, METADATA, "/old"]);

    server.answers(METADATA, 200, &moved.replace("/old", "/device"));
    assert!(sign_in(&upstream, account()).await.0.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_server_without_metadata_or_device_grant_is_told_with_a_next_step() {
    let server = Server::new();
    server.answers(METADATA, 404, "");
    server.answers("/.well-known/openid-configuration", 404, "");
    let Err(SignInFailure::Refused(why)) = sign_in(&upstream(&server), account()).await.0 else { panic!("not refused") };
    assert!(why.description.unwrap().contains("configure its endpoints"));

    server.answers(METADATA, 200, r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token"}"#);
    let Err(SignInFailure::NoWay(why)) = sign_in(&upstream(&server), account()).await.0 else { panic!("a way") };
    assert!(matches!(&why.next_step(), NextStep::Words(words) if words.contains("operator")), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_login_from_before_a_restart_is_polled_on_where_it_was_begun() {
    let server = Server::new();
    let pending = sign_in(&upstream(&server), account()).await.1.unwrap();
    server.take();
    let granted = upstream(&server).resume_sign_in(Arc::new(account()), pending.clone(), Gate::of_nobody()).await.unwrap();
    assert_eq!(granted.binding, binding());
    assert_eq!(server.paths(), ["/token"]);

    let other_client = AccountConfig { client: ClientConfig::PreRegistered(ClientId::new("client-2")), ..account() };
    let ended = upstream(&server).resume_sign_in(Arc::new(other_client), pending, Gate::of_nobody()).await;
    assert!(matches!(ended, Err(SignInFailure::Refused(_))), "{ended:?}");
    assert_eq!(server.paths(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn tokens_are_given_back_where_they_came_from_the_refresh_token_first() {
    let server = Server::new();
    let request = RevokeRequest {
        refresh_token: Some(RefreshToken::new("SNTL_RT_1")),
        access_token: Some(AccessToken::new("SNTL_AT_1")),
        binding: binding(),
    };
    // The configuration points elsewhere by now: what came from the old server is still its own (P14).
    let moved = account_at(ServerConfig::Issuer(Issuer::new("https://new.example")));
    upstream(&server).revoke(Arc::new(moved), request).await;
    let received = server.take();
    assert_eq!(received.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["/revoke", "/revoke"]);
    assert!(received[0].1.contains("SNTL_RT_1") && received[1].1.contains("SNTL_AT_1"), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn neither_a_token_nor_a_code_is_logged_in_the_life_of_a_grant() {
    let log = CapturedLog::begin();
    let server = Server::new();
    let upstream = upstream(&server);
    let pending = sign_in(&upstream, account()).await.1.unwrap();
    upstream.resume_sign_in(Arc::new(account()), pending, Gate::of_nobody()).await.unwrap();
    upstream.refresh(Arc::new(account()), refresh_request()).await;
    let tokens = || RevokeRequest { refresh_token: Some(RefreshToken::new("SNTL_RT_2")), access_token: None, binding: binding() };
    upstream.revoke(Arc::new(account()), tokens()).await;
    server.answers("/revoke", 400, r#"{"error":"SNTL_RT_2","error_description":"SNTL_RT_2"}"#);
    upstream.revoke(Arc::new(account()), tokens()).await;
    server.answers("/token", 400, r#"{"error":"invalid_grant","error_description":"SNTL_RT_1 is dead"}"#);
    upstream.refresh(Arc::new(account()), refresh_request()).await;

    let text = log.end();
    assert!(text.contains("a refresh has ended") && text.contains("could not be revoked"), "{text}");
    assert!(!text.contains("SNTL"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn d8_a_login_follows_no_token_endpoint_at_another_host_than_the_one_that_issued_what_is_held() {
    let server = Server::new();
    let upstream = upstream(&server);
    let held = |token_endpoint: &str| Binding { token_endpoint: endpoint(token_endpoint), ..refresh_request().binding };
    let log_in = async |held: Binding, account: AccountConfig| {
        let request = SignInRequest { scopes: Scopes::parse("read"), held: Some(held) };
        upstream.sign_in(Arc::new(account), request, oneshot::channel().0, Gate::of_nobody()).await
    };
    // given metadata that names another host by now: nobody is asked for anything, and the person reads both
    let ended = log_in(held("https://tokens.example/token"), account()).await;
    let Err(SignInFailure::NotBegun(moved)) = &ended else { panic!("{ended:?}") };
    for origin in ["https://as.example", "https://tokens.example"] {
        assert!(moved.why.contains(origin), "{moved:?}");
    }
    let NextStep::Words(next) = &moved.next_step else { panic!("{moved:?}") };
    assert!(next.ends_with("authctl logout work, then: authctl login work"), "{next}");
    assert_eq!(server.paths(), [METADATA]);

    // then another path of the same host, or what a person has named, is no move
    assert!(log_in(held("https://as.example/before/token"), account()).await.is_ok());
    let named = Profile {
        endpoints: ProviderEndpoints { token: Some(endpoint("https://as.example/token")), ..ProviderEndpoints::default() },
        ..Profile::default()
    };
    let named = AccountConfig { profile: Arc::new(named), ..account() };
    assert!(log_in(held("https://tokens.example/token"), named).await.is_ok());
}
