//! Whom a login belongs to, where its answer did not tell: who is asked, with what, and for how long.

use mcp_authd_oauth::profile::{HostRewrite, Profile, ProviderEndpoints};

use super::authentication::Keeps;
use super::*;

const BEARER: &str = "Bearer SNTL_AT_2";

/// A server that tells subjects, and gives no ID tokens.
fn telling() -> Server {
    let server = Server::new();
    server.answers(METADATA, 200, &with("https://as.example/userinfo", "https://as.example/introspect"));
    server.answers("/userinfo", 200, r#"{"sub":"anna"}"#);
    server.answers("/introspect", 200, r#"{"active":true,"sub":"anna"}"#);
    server
}

fn with(userinfo: &str, introspection: &str) -> String {
    format!(
        r#"{{"issuer":"https://as.example","token_endpoint":"https://as.example/token","revocation_endpoint":"https://as.example/revoke",
        "device_authorization_endpoint":"https://as.example/device","userinfo_endpoint":"{userinfo}","introspection_endpoint":"{introspection}"}}"#
    )
}

async fn log_in(upstream: &HttpUpstream<Server>, account: AccountConfig, scopes: &str) -> (Granted, PendingSignIn) {
    let (prompt, handed_out) = oneshot::channel();
    let granted = upstream.sign_in(Arc::new(account), asking(Scopes::parse(scopes)), prompt, Gate::of_nobody()).await.unwrap();
    (granted, handed_out.await.unwrap())
}

fn subject(granted: &Granted) -> Option<&str> {
    granted.success.token.as_ref().unwrap().subject.as_ref().map(|subject| subject.as_str())
}

fn paths(received: &[Whole]) -> Vec<&str> {
    received.iter().map(|request| request.path.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn p19_a_login_without_an_id_token_asks_the_userinfo_endpoint_once_with_its_token() {
    let server = telling();
    let (granted, _) = log_in(&upstream(&server), account(), "openid").await;
    assert_eq!(subject(&granted), Some("anna"));
    assert_eq!(granted.success.refresh_token, Some(RefreshToken::new("SNTL_RT_2")), "and the rest is as it came");
    assert_eq!(granted.binding, binding());

    let received = server.take_whole();
    assert_eq!(paths(&received), [METADATA, "/device", "/token", "/userinfo"]);
    let shown: Vec<_> = received.iter().map(|request| request.authorization.as_deref()).collect();
    assert_eq!(shown, [None, None, None, Some(BEARER)], "the token goes there, and nowhere else");
    assert_eq!(received[3].body, "");
}

#[tokio::test(start_paused = true)]
async fn a_public_client_without_openid_asks_nobody() {
    let server = telling();
    let (granted, _) = log_in(&upstream(&server), account(), "read").await;
    assert_eq!(subject(&granted), None);
    assert_eq!(paths(&server.take_whole()), [METADATA, "/device", "/token"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_secret_asks_by_introspection_where_userinfo_would_not_speak() {
    let server = telling();
    let upstream = HttpUpstream::over(server.clone(), (&Tasks::new(), &follows_tokio()), Arc::new(Keeps::secret("SNTL_CS")));
    let (granted, _) = log_in(&upstream, account(), "read").await;
    assert_eq!(subject(&granted), Some("anna"));
    let received = server.take_whole();
    assert_eq!(paths(&received), [METADATA, "/device", "/token", "/introspect"]);
    assert!(received[3].authorization.as_ref().unwrap().starts_with("Basic "));
    assert_eq!(received[3].body, "token=SNTL_AT_2&token_type_hint=access_token");
}

#[tokio::test(start_paused = true)]
async fn p14_the_token_goes_to_no_endpoint_that_the_servers_document_may_not_name() {
    for near in ["https://127.0.0.1/userinfo", "http://as.example/userinfo", "https://10.0.0.1/userinfo", "javascript:alert(1)"] {
        let server = telling();
        server.answers(METADATA, 200, &with(near, near));
        let (granted, _) = log_in(&upstream(&server), account(), "openid").await;
        assert_eq!(subject(&granted), None, "{near}");
        assert_eq!(paths(&server.take_whole()), [METADATA, "/device", "/token"], "{near}");
    }
}

#[tokio::test(start_paused = true)]
async fn p14_a_token_of_an_endpoint_that_was_configured_is_not_shown_to_one_that_was_found() {
    let endpoints = ProviderEndpoints { token: Some(endpoint("https://as.example/token")), ..ProviderEndpoints::default() };
    let profile = Arc::new(Profile { endpoints, ..Profile::default() });
    let server = telling();
    let (granted, _) = log_in(&upstream(&server), AccountConfig { profile, ..account() }, "openid").await;
    assert_eq!(subject(&granted), None);
    assert_eq!(paths(&server.take_whole()), [METADATA, "/device", "/token"]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_the_metadata_names_wrongly_is_mended_here_too() {
    let rewrite = HostRewrite { from: "wrong.example".into(), to: "as.example".into() };
    let profile = Arc::new(Profile { host_rewrites: vec![rewrite], ..Profile::default() });
    let server = telling();
    server.answers(METADATA, 200, &with("https://wrong.example/userinfo", "https://wrong.example/introspect"));
    let (granted, _) = log_in(&upstream(&server), AccountConfig { profile, ..account() }, "openid").await;
    assert_eq!(subject(&granted), Some("anna"));
}

#[tokio::test(start_paused = true)]
async fn whatever_the_endpoint_answers_the_login_ends_well() {
    for (status, body) in [(401, ""), (404, "<html>"), (500, ""), (302, ""), (200, "<html>"), (200, "{}"), (200, r#"{"sub":""}"#)]
    {
        let server = telling();
        server.answers("/userinfo", status, body);
        let (granted, _) = log_in(&upstream(&server), account(), "openid").await;
        assert_eq!(subject(&granted), None, "{status} {body}");
        assert_eq!(server.paths().len(), 4, "asked once: {status} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_endpoint_holds_a_login_for_five_seconds_and_no_longer() {
    async fn time_of_a_login(server: &Server) -> (Duration, Granted) {
        let begun = tokio::time::Instant::now();
        let (granted, _) = log_in(&upstream(server), account(), "openid").await;
        (begun.elapsed(), granted)
    }
    let quick = time_of_a_login(&telling()).await.0;
    // Metadata, a code and the token are answered, and nothing after that.
    let silent = Server { open: Arc::new(Semaphore::new(3)), ..telling() };
    let (slow, granted) = time_of_a_login(&silent).await;
    let held = slow.saturating_sub(quick);
    assert!(held >= Duration::from_millis(4_900) && held <= Duration::from_millis(5_100), "{held:?}");
    assert_eq!(subject(&granted), None);
    assert_eq!(silent.paths().last().unwrap(), "/userinfo");
}

#[tokio::test(start_paused = true)]
async fn a_login_from_before_a_restart_asks_where_its_servers_document_says_what_it_said() {
    let server = telling();
    let pending = log_in(&upstream(&server), account(), "openid").await.1;
    server.take();
    let granted = upstream(&server).resume_sign_in(Arc::new(account()), pending.clone(), Gate::of_nobody()).await.unwrap();
    assert_eq!(subject(&granted), Some("anna"));
    assert_eq!(server.paths(), ["/token", METADATA, "/userinfo"]);

    // P14: a document that names another token endpoint by now is not the one that the token came by.
    let moved = with("https://as.example/userinfo", "https://as.example/introspect").replace("/token\"", "/new\"");
    for (status, document) in [(200, moved.as_str()), (503, ""), (404, "")] {
        server.answers(METADATA, status, document);
        server.answers("/.well-known/openid-configuration", status, "");
        let granted = upstream(&server).resume_sign_in(Arc::new(account()), pending.clone(), Gate::of_nobody()).await.unwrap();
        assert_eq!(subject(&granted), None);
        assert!(!server.paths().contains(&"/userinfo".to_owned()), "{document}");
    }
}

#[tokio::test(start_paused = true)]
async fn p10_neither_a_token_nor_a_subject_that_repeats_one_is_logged() {
    let log = CapturedLog::begin();
    let server = telling();
    server.answers("/userinfo", 200, r#"{"sub":"SNTL_AT_2","error_description":"SNTL_AT_2"}"#);
    let (granted, _) = log_in(&upstream(&server), account(), "openid").await;
    assert_eq!(subject(&granted), None);
    let text = log.end();
    assert!(text.contains("whom the login belongs to is not known") && !text.contains("SNTL"), "{text}");
}
