//! Clients that nobody configured: registered once, used by every account of their issuer, and renewed once when their server does
//! not know them any more (D46, D57-D59).

use std::net::TcpListener;

use mcp_authd_oauth::registration::{AskForClient, ClientIdUrl, Standing};
use mcp_authd_oauth::sign_in::{NextStep, PendingSignIn};
use mcp_authd_oauth::token::ErrorAnswer;
use mcp_authd_oauth::way::FlowWish;

use super::authentication::Keeps;
use super::*;

const REGISTER: &str = "/register";
const DEVICE: &str =
    r#"{"device_code":"SNTL_DC_1","user_code":"SNTL-UC","verification_uri":"https://as.example/go","expires_in":600}"#;

/// A server that registers clients, with a device grant.
fn registering() -> Server {
    let server = Server::new();
    server.answers(
        METADATA,
        200,
        r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token","revocation_endpoint":"https://as.example/revoke",
            "device_authorization_endpoint":"https://as.example/device","registration_endpoint":"https://as.example/register",
            "authorization_endpoint":"https://as.example/authorize","code_challenge_methods_supported":["S256"]}"#,
    );
    server.answers(REGISTER, 201, r#"{"client_id":"dyn-1","token_endpoint_auth_method":"none"}"#);
    server
}

fn over(server: &Server, keeps: &Keeps) -> HttpUpstream<Server> {
    HttpUpstream::over(server.clone(), (&Tasks::new(), &follows_tokio()), Arc::new(keeps.clone()))
}

fn found() -> AccountConfig {
    AccountConfig { client: ClientConfig::Found { document: None }, ..account() }
}

async fn log_in(upstream: &HttpUpstream<Server>, account: AccountConfig) -> Result<Granted, SignInFailure> {
    let (prompt, _) = oneshot::channel();
    upstream.sign_in(Arc::new(account), asking(Scopes::parse("read")), prompt, Gate::of_nobody()).await
}

#[tokio::test(start_paused = true)]
async fn a_client_is_registered_once_kept_and_used_by_every_account_of_its_issuer() {
    let (server, keeps) = (registering(), Keeps::default());
    let upstream = over(&server, &keeps);
    let granted = log_in(&upstream, found()).await.unwrap();
    assert_eq!(granted.binding.client_id.as_str(), "dyn-1");
    assert_eq!(keeps.registered.lock().unwrap().len(), 1);
    let received = server.take();
    assert_eq!(received.iter().map(|request| request.0.as_str()).collect::<Vec<_>>(), [METADATA, REGISTER, "/device", "/token"]);
    assert!(received[1].1.contains("native") && received[1].1.contains("device_code"), "{}", received[1].1);
    assert!(received[2].1.contains("client_id=dyn-1"), "{}", received[2].1);

    let other = AccountConfig { name: AccountName::parse("other").unwrap(), ..found() };
    assert!(log_in(&upstream, other).await.is_ok());
    let after_a_restart = over(&server, &keeps);
    assert!(log_in(&after_a_restart, found()).await.is_ok());
    assert_eq!(server.paths(), ["/device", "/token", METADATA, "/device", "/token"]);
}

#[tokio::test(start_paused = true)]
async fn of_many_logins_at_once_one_registers() {
    let (server, keeps) = (registering(), Keeps::default());
    let upstream = over(&server, &keeps);
    let logins = (0..20).map(|_| log_in(&upstream, found()));
    let ended = futures_util::future::join_all(logins).await;
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    assert_eq!(server.paths().iter().filter(|path| *path == REGISTER).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn d58_a_registered_client_s_secret_goes_to_its_server_in_its_way_also_at_a_refresh() {
    let (server, keeps) = (registering(), Keeps::default());
    server.answers(
        REGISTER,
        201,
        r#"{"client_id":"dyn-2","client_secret":"SNTL_CS_dyn","client_secret_expires_at":0,"token_endpoint_auth_method":"client_secret_post"}"#,
    );
    let upstream = over(&server, &keeps);
    let granted = log_in(&upstream, found()).await.unwrap();
    let request = RefreshRequest { refresh_token: RefreshToken::new("SNTL_RT_1"), binding: granted.binding };
    upstream.refresh(Arc::new(found()), request).await;
    let received = server.take();
    let (_, refresh) = received.last().unwrap();
    assert!(refresh.contains("client_id=dyn-2&client_secret=SNTL_CS_dyn"), "{refresh}");
    assert!(!received[1].1.contains("SNTL"), "{}", received[1].1);
}

#[tokio::test(start_paused = true)]
async fn d46_a_client_that_was_pruned_is_renewed_once_before_anybody_is_prompted() {
    let (server, keeps) = (registering(), Keeps::default());
    let upstream = over(&server, &keeps);
    log_in(&upstream, found()).await.unwrap();
    server.take();
    // An hour later the server has thrown its clients away, and gives new ones other names.
    tokio::time::advance(Duration::from_secs(2 * 60 * 60)).await;
    server.answers("/device", 401, r#"{"error":"invalid_client"}"#);
    server.answers(REGISTER, 201, r#"{"client_id":"dyn-9","token_endpoint_auth_method":"none"}"#);
    let ended = log_in(&upstream, found()).await;
    // It refuses the new one too: then a person must look, and nothing goes round in circles.
    let Err(SignInFailure::NotBegun(why)) = ended else { panic!("{ended:?}") };
    assert_eq!(why.next_step, AskForClient::next_step());
    assert_eq!(server.paths().iter().filter(|path| *path == REGISTER).count(), 1);
    assert!(keeps.registered.lock().unwrap().last().unwrap().standing != Standing::Good);

    server.answers("/device", 200, DEVICE);
    let ended = log_in(&upstream, found()).await;
    assert!(matches!(ended, Err(SignInFailure::Unavailable { retry_after: Some(_) })), "{ended:?}");
    assert_eq!(server.paths().iter().filter(|path| *path == REGISTER).count(), 0, "D59: not within the hour");
    tokio::time::advance(Duration::from_secs(60 * 60)).await;
    assert_eq!(log_in(&upstream, found()).await.unwrap().binding.client_id.as_str(), "dyn-9");
}

#[tokio::test(start_paused = true)]
async fn d46_a_refresh_of_a_pruned_client_ends_the_grant_and_a_configured_client_s_does_not() {
    let (server, keeps) = (registering(), Keeps::default());
    let upstream = over(&server, &keeps);
    let granted = log_in(&upstream, found()).await.unwrap();
    server.answers("/token", 401, r#"{"error":"invalid_client"}"#);
    let request = RefreshRequest { refresh_token: RefreshToken::new("SNTL_RT_1"), binding: granted.binding };
    let outcome = upstream.refresh(Arc::new(found()), request).await;
    assert!(
        matches!(outcome, RefreshOutcome::DeadGrant(ErrorAnswer { ref error, .. }) if error == "invalid_client"),
        "{outcome:?}"
    );
    assert!(keeps.registered.lock().unwrap().last().unwrap().standing != Standing::Good);

    let outcome = upstream.refresh(Arc::new(account()), refresh_request()).await;
    assert!(matches!(outcome, RefreshOutcome::Configuration(_)), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_we_have_not_registered_is_not_given_up_for_invalid_client() {
    let (server, keeps) = (registering(), Keeps::default());
    server.answers("/token", 401, r#"{"error":"invalid_client"}"#);
    // The configuration has lost its client_id while nothing ran: it may come back.
    let outcome = over(&server, &keeps).refresh(Arc::new(found()), refresh_request()).await;
    assert!(matches!(outcome, RefreshOutcome::Configuration(_)), "{outcome:?}");
    assert!(keeps.registered.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn d59_a_login_that_is_cancelled_in_its_registration_leaves_the_server_alone_for_an_hour() {
    // One answer, for the metadata; the registration is never answered.
    let (server, keeps) = (Server { open: Arc::new(Semaphore::new(1)), ..registering() }, Keeps::default());
    let upstream = over(&server, &keeps);
    let cancelled = tokio::time::timeout(Duration::from_secs(1), log_in(&upstream, found())).await;
    assert!(cancelled.is_err());
    assert_eq!(server.paths(), [METADATA, REGISTER]);
    server.open.add_permits(100);
    let ended = log_in(&upstream, found()).await;
    assert!(matches!(ended, Err(SignInFailure::Unavailable { retry_after: Some(_) })), "{ended:?}");
    assert_eq!(server.paths().iter().filter(|path| *path == REGISTER).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_metadata_document_goes_before_a_registration_where_the_server_takes_it() {
    let document = ClientIdUrl::parse("https://me.example/client.json").unwrap();
    let account = AccountConfig { client: ClientConfig::Found { document: Some(document) }, ..account() };
    let (server, keeps) = (registering(), Keeps::default());
    let takes_it = r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token",
        "device_authorization_endpoint":"https://as.example/device","registration_endpoint":"https://as.example/register",
        "client_id_metadata_document_supported":true}"#;
    server.answers(METADATA, 200, takes_it);
    let granted = log_in(&over(&server, &keeps), account.clone()).await.unwrap();
    assert_eq!(granted.binding.client_id.as_str(), "https://me.example/client.json");
    assert!(keeps.registered.lock().unwrap().is_empty());

    let granted = log_in(&over(&registering(), &keeps), account).await.unwrap();
    assert_eq!(granted.binding.client_id.as_str(), "dyn-1");
}

#[tokio::test(start_paused = true)]
async fn where_no_client_can_be_had_a_person_is_asked_for_one() {
    let (server, keeps) = (Server::new(), Keeps::default());
    let ended = log_in(&over(&server, &keeps), found()).await;
    let Err(SignInFailure::NotBegun(why)) = ended else { panic!("{ended:?}") };
    assert!(why.to_string().contains("https://as.example"), "{why}");
    assert_eq!(why.next_step, AskForClient::next_step());

    let (server, keeps) = (registering(), Keeps::default());
    server.answers(REGISTER, 403, r#"{"error":"access_denied"}"#);
    let ended = log_in(&over(&server, &keeps), found()).await;
    assert!(matches!(&ended, Err(SignInFailure::NotBegun(why)) if why.next_step == AskForClient::next_step()), "{ended:?}");
}

#[tokio::test]
async fn a_client_that_may_not_use_the_device_grant_is_sent_to_a_browser() {
    // Keycloak says `invalid_grant` where the grant is switched off for the client.
    let refusals = [(400, r#"{"error":"unauthorized_client"}"#), (400, r#"{"error":"invalid_grant"}"#), (404, "Not Found")];
    for refusal in refusals {
        let (server, keeps) = (registering(), Keeps::default());
        server.answers("/device", refusal.0, refusal.1);
        let upstream = over(&server, &keeps);
        let (prompt, handed_out) = oneshot::channel();
        let login = tokio::spawn(upstream.sign_in(Arc::new(found()), asking(Scopes::parse("read")), prompt, Gate::of_nobody()));
        let Ok(PendingSignIn::Code(pending)) = handed_out.await else { panic!("no login in a browser") };
        assert!(pending.authorization_url.as_str().starts_with("https://as.example/authorize?"), "{pending:?}");
        assert_eq!(server.paths(), [METADATA, REGISTER, "/device"]);
        login.abort();
    }
}

fn port_of(uri: &str) -> u16 {
    uri.trim_start_matches("http://127.0.0.1:").trim_end_matches("/callback").parse().unwrap()
}

/// The redirect URI of the login in a browser that begins now, and what is registered for it, if anything.
async fn redirected(server: &Server, keeps: &Keeps) -> (String, Option<serde_json::Value>) {
    let (prompt, handed_out) = oneshot::channel();
    let browser = AccountConfig { flow: Some(FlowWish::Code), ..found() };
    let login =
        tokio::spawn(over(server, keeps).sign_in(Arc::new(browser), asking(Scopes::parse("read")), prompt, Gate::of_nobody()));
    let Ok(PendingSignIn::Code(pending)) = handed_out.await else { panic!("no login in a browser") };
    login.abort();
    // The listener lingers for a browser that comes late.
    let uri = pending.redirect_uri.as_str().to_owned();
    while TcpListener::bind(("127.0.0.1", port_of(&uri))).is_err() {
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let registered = server.take().into_iter().find(|(path, _)| path == REGISTER);
    (uri, registered.map(|(_, json)| serde_json::from_str(&json[json.find('{').unwrap()..]).unwrap()))
}

#[tokio::test(start_paused = true)]
async fn the_exact_port_is_registered_and_each_login_comes_back_there_also_after_a_restart() {
    let (server, keeps) = (registering(), Keeps::default());
    let (first, registered) = redirected(&server, &keeps).await;
    let uris = registered.unwrap()["redirect_uris"].clone();
    assert_eq!(uris, serde_json::json!([first, "http://127.0.0.1/callback", "http://[::1]/callback"]));
    assert_eq!(redirected(&server, &keeps).await, (first, None));
}

#[tokio::test(start_paused = true)]
async fn where_the_registered_port_is_taken_another_one_is_tried_unless_the_server_knows_no_other() {
    for only in [false, true] {
        let (server, keeps) = (registering(), Keeps::default());
        let (first, _) = redirected(&server, &keeps).await;
        if only {
            let mut kept = keeps.registered.lock().unwrap();
            kept.last_mut().unwrap().redirect_uris.truncate(1);
        }
        let port = port_of(&first);
        let _squatter = TcpListener::bind(("127.0.0.1", port)).unwrap();
        if only {
            let browser = AccountConfig { flow: Some(FlowWish::Code), ..found() };
            let ended = log_in(&over(&server, &keeps), browser).await;
            assert!(matches!(&ended, Err(SignInFailure::NotBegun(why)) if why.why.contains(&port.to_string())), "{ended:?}");
        } else {
            let (other, registered) = redirected(&server, &keeps).await;
            assert!(other != first && registered.is_none(), "{other}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn d46_a_login_from_before_a_restart_whose_client_was_pruned_says_so_and_the_next_one_has_a_new_client() {
    let (server, keeps) = (registering(), Keeps::default());
    let (prompt, handed_out) = oneshot::channel();
    server.answers("/token", 400, r#"{"error":"authorization_pending"}"#);
    let login =
        tokio::spawn(over(&server, &keeps).sign_in(Arc::new(found()), asking(Scopes::parse("read")), prompt, Gate::of_nobody()));
    let pending = handed_out.await.unwrap();
    login.abort();
    tokio::time::advance(Duration::from_secs(2 * 60 * 60)).await;
    server.answers("/token", 401, r#"{"error":"invalid_client"}"#);
    let PendingSignIn::Device(mut waiting) = pending else { panic!("a device login") };
    waiting.expires = follows_tokio().now().instant + Duration::from_secs(600);
    let resumed = over(&server, &keeps).resume_sign_in(Arc::new(found()), PendingSignIn::Device(waiting), Gate::of_nobody());
    let ended = resumed.await;
    assert!(matches!(&ended, Err(SignInFailure::NotBegun(why)) if why.next_step == NextStep::LogIn), "{ended:?}");
    assert!(keeps.registered.lock().unwrap().last().unwrap().standing != Standing::Good);
}

#[tokio::test(start_paused = true)]
async fn i11_the_end_of_a_refresh_does_not_wait_for_another_account_s_registration() {
    let (server, keeps) = (registering(), Keeps::default());
    let upstream = over(&server, &keeps);
    let granted = log_in(&upstream, found()).await.unwrap();
    server.answers("/token", 401, r#"{"error":"invalid_client"}"#);
    let _registering = upstream.wire.clients.turns.take(&Issuer::new(ISSUER)).await;
    let request = RefreshRequest { refresh_token: RefreshToken::new("SNTL_RT_1"), binding: granted.binding };
    let refresh = upstream.refresh(Arc::new(found()), request);
    let outcome = tokio::time::timeout(Duration::from_secs(60), refresh).await;
    assert!(matches!(outcome, Ok(RefreshOutcome::DeadGrant(_))), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn no_server_chooses_the_port_at_which_the_clients_of_others_are_answered() {
    let (server, keeps) = (registering(), Keeps::default());
    log_in(&over(&server, &keeps), found()).await.unwrap();
    server.take();
    for hostile in ["http://127.0.0.1:22/callback", "http://127.0.0.1:41234/callback"] {
        let mut kept = keeps.registered.lock().unwrap().last().unwrap().clone();
        kept.issuer = Issuer::new("https://a.example");
        kept.redirect_uris = vec![mcp_authd_oauth::registration::RedirectUri::parse(hostile).unwrap()];
        *keeps.registered.lock().unwrap() = vec![kept];
        let (uri, registered) = redirected(&server, &keeps).await;
        assert_ne!(uri, hostile);
        assert_eq!(registered.unwrap()["redirect_uris"][0], serde_json::json!(uri));
    }
}
