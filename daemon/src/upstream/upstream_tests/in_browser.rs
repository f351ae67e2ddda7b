//! A login in a browser, from the metadata to the tokens: the listener is real, the server is scripted.

use std::collections::BTreeMap;

use mcp_authd_oauth::authorization_code::judge::IssParameter;
use mcp_authd_oauth::profile::{self, Profile};
use mcp_authd_oauth::registration;
use mcp_authd_oauth::sign_in::{PendingCode, PendingSignIn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// No device grant is left.
const CODE_ONLY: &str = r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token","revocation_endpoint":"https://as.example/revoke",
    "authorization_endpoint":"https://as.example/authorize?tenant=1","code_challenge_methods_supported":["S256"],
    "authorization_response_iss_parameter_supported":true}"#;

pub(super) fn code_only() -> Server {
    let server = Server::new();
    server.answers(METADATA, 200, CODE_ONLY);
    server
}

/// Begins a login, lets `person` answer it, and tells how it ended.
async fn log_in(server: &Server, person: impl AsyncFnOnce(&PendingCode)) -> Result<Granted, SignInFailure> {
    let upstream = upstream(server);
    let (prompt, handed_out) = oneshot::channel();
    let login = upstream.sign_in(Arc::new(account()), asking(Scopes::parse("read")), prompt, Gate::of_nobody());
    let answer = async {
        let Ok(PendingSignIn::Code(pending)) = handed_out.await else { panic!("no login in a browser") };
        person(&pending).await;
    };
    tokio::join!(login, answer).0
}

pub(super) fn query_of(pending: &PendingCode) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(pending.authorization_url.as_str()).unwrap();
    url.query_pairs().into_owned().collect()
}

/// What a browser does with the redirect; the page it shows.
async fn open(pending: &PendingCode, response: &str) -> String {
    let uri = reqwest::Url::parse(pending.redirect_uri.as_str()).unwrap();
    let host = format!("{}:{}", uri.host_str().unwrap(), uri.port().unwrap());
    let mut browser = TcpStream::connect(&host).await.unwrap();
    let request = format!("GET {}?{response} HTTP/1.1\r\nHost: {host}\r\n\r\n", uri.path());
    browser.write_all(request.as_bytes()).await.unwrap();
    // The client closes (RFC 9112, 9.6): whoever waits for the server to do so waits for a reset.
    let mut page = Vec::new();
    while !page.ends_with(b"</html>\n") {
        assert_ne!(browser.read_buf(&mut page).await.unwrap(), 0, "{}", String::from_utf8_lossy(&page));
    }
    String::from_utf8(page).unwrap()
}

#[tokio::test]
async fn a_server_without_a_device_grant_is_logged_in_to_in_a_browser() {
    let server = code_only();
    let granted = log_in(&server, async |pending| {
        let sent = query_of(pending);
        assert_eq!(sent["tenant"], "1");
        assert_eq!((&*sent["response_type"], &*sent["code_challenge_method"]), ("code", "S256"));
        assert_eq!((&*sent["scope"], &*sent["resource"]), ("read", "https://mcp.example/"));
        assert_eq!(sent["redirect_uri"], pending.redirect_uri.as_str());
        assert_eq!(sent["code_challenge"], pending.verifier.challenge());
        assert_eq!(pending.iss_parameter, IssParameter::Promised);
        let page = open(pending, &format!("code=SNTL_code&state={}&iss=https%3A%2F%2Fas.example", sent["state"])).await;
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    })
    .await
    .unwrap();
    assert_eq!(granted.binding, binding());
    assert_eq!(server.paths(), [METADATA, "/token"]);
}

#[tokio::test]
async fn consent_is_asked_for_where_offline_access_is_unless_the_account_or_a_provider_s_profile_knows_better() {
    let by_hand = AccountConfig { extra_parameters: [("prompt".to_owned(), "login".to_owned())].into(), ..account() };
    let known = Profile { name: "known".to_owned(), ..(*account().profile).clone() };
    let known = AccountConfig { profile: Arc::new(known), ..account() };
    for (account, scopes, prompt_parameter) in [
        (account(), "offline_access read", Some("consent")),
        (account(), "read", None),
        (by_hand, "offline_access", Some("login")),
        (known, "offline_access", None),
    ] {
        let upstream = upstream(&code_only());
        let (prompt, handed_out) = oneshot::channel();
        let login = tokio::spawn(upstream.sign_in(Arc::new(account), asking(Scopes::parse(scopes)), prompt, Gate::of_nobody()));
        let Ok(PendingSignIn::Code(pending)) = handed_out.await else { panic!("no login in a browser") };
        assert_eq!(query_of(&pending).get("prompt").map(String::as_str), prompt_parameter, "{scopes}");
        login.abort();
    }
}

#[tokio::test]
async fn p19_a_login_in_a_browser_asks_whom_it_belongs_to_as_well() {
    let server = code_only();
    server.answers(METADATA, 200, &CODE_ONLY.replace('{', r#"{"userinfo_endpoint":"https://as.example/userinfo","#));
    server.answers("/token", 200, r#"{"access_token":"SNTL_AT_3","token_type":"Bearer","scope":"read openid"}"#);
    server.answers("/userinfo", 200, r#"{"sub":"anna"}"#);
    let granted = log_in(&server, async |pending| {
        open(pending, &format!("code=SNTL_code&state={}&iss=https%3A%2F%2Fas.example", query_of(pending)["state"])).await;
    })
    .await
    .unwrap();
    assert_eq!(granted.success.token.unwrap().subject.unwrap().as_str(), "anna");
    assert_eq!(server.paths(), [METADATA, "/token", "/userinfo"]);
}

#[tokio::test]
async fn p20_an_answer_in_the_name_of_another_server_ends_the_login_and_no_code_is_sent() {
    for iss in ["", "&iss=https%3A%2F%2Fevil.example", "&iss=https%3A%2F%2Fas.example%2F"] {
        let server = code_only();
        let ended = log_in(&server, async |pending| {
            open(pending, &format!("code=SNTL_code&state={}{iss}", query_of(pending)["state"])).await;
        })
        .await;
        assert!(matches!(ended, Err(SignInFailure::Misbehaved(_))), "{ended:?}");
        assert_eq!(server.paths(), [METADATA]);
    }
}

#[tokio::test]
async fn d26_an_answer_with_another_state_is_refused_and_the_login_goes_on() {
    let server = code_only();
    let granted = log_in(&server, async |pending| {
        let page = open(pending, "code=SNTL_evil&state=0123456789012345678901234567890123456789012").await;
        assert!(page.starts_with("HTTP/1.1 400"), "{page}");
        open(pending, &format!("code=SNTL_code&state={}&iss=https%3A%2F%2Fas.example", query_of(pending)["state"])).await;
    })
    .await;
    assert!(granted.is_ok(), "{granted:?}");
    assert_eq!(server.paths(), [METADATA, "/token"]);
}

#[tokio::test]
async fn a_refusal_in_the_browser_is_a_refusal() {
    let ended = log_in(&code_only(), async |pending| {
        let refusal = format!("error=access_denied&state={}&iss=https%3A%2F%2Fas.example", query_of(pending)["state"]);
        open(pending, &refusal).await;
    })
    .await;
    assert_eq!(ended, Err(SignInFailure::Denied));
}

#[tokio::test]
async fn a_login_in_a_browser_from_before_a_restart_is_answered_at_its_old_port() {
    let server = code_only();
    let (prompt, handed_out) = oneshot::channel();
    let before = upstream(&server);
    let login = tokio::spawn(before.sign_in(Arc::new(account()), asking(Scopes::parse("read")), prompt, Gate::of_nobody()));
    let Ok(PendingSignIn::Code(pending)) = handed_out.await else { panic!("no login in a browser") };
    login.abort();
    assert!(login.await.unwrap_err().is_cancelled());
    drop(before);
    // The port closes a moment after its last login; a daemon that starts finds it free, as the one before is gone.
    let address = pending.redirect_uri.as_str().trim_start_matches("http://").trim_end_matches("/callback").to_owned();
    while TcpStream::connect(&address).await.is_ok() {
        tokio::task::yield_now().await;
    }

    let after = upstream(&server);
    let resumed = after.resume_sign_in(Arc::new(account()), PendingSignIn::Code(pending.clone()), Gate::of_nobody());
    let answered = async {
        while TcpStream::connect(&address).await.is_err() {
            tokio::task::yield_now().await;
        }
        open(&pending, &format!("code=SNTL_code&state={}&iss=https%3A%2F%2Fas.example", query_of(&pending)["state"])).await
    };
    let (granted, _) = tokio::join!(resumed, answered);
    assert!(granted.is_ok(), "{granted:?}");
}

#[tokio::test]
async fn a_login_whose_old_port_is_taken_ends_and_names_the_port() {
    let server = code_only();
    let squatter = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = squatter.local_addr().unwrap().port();
    let (prompt, handed_out) = oneshot::channel();
    let upstream = upstream(&server);
    let login = tokio::spawn(upstream.sign_in(Arc::new(account()), asking(Scopes::parse("read")), prompt, Gate::of_nobody()));
    let Ok(PendingSignIn::Code(pending)) = handed_out.await else { panic!("no login in a browser") };
    login.abort();
    let redirect_uri = mcp_authd_oauth::terms::RedirectUri::new(format!("http://127.0.0.1:{port}/callback"));
    let pending = PendingSignIn::Code(PendingCode { redirect_uri, ..pending });
    // Where any port will do, the next login takes another; where this one only, it has to be made free.
    let fixed = Profile {
        redirect: profile::Redirect::Exact(registration::RedirectUri::ipv4().with_port(port)),
        ..(*account().profile).clone()
    };
    let fixed = AccountConfig { profile: Arc::new(fixed), ..account() };
    let free_it = format!("see which program it is (ss -ltnp 'sport = :{port}'), end it, and log in again");
    for (account, next) in [(account(), NextStep::LogIn), (fixed, NextStep::Words(free_it))] {
        let ended = upstream.resume_sign_in(Arc::new(account), pending.clone(), Gate::of_nobody()).await;
        let Err(SignInFailure::NotBegun(why)) = ended else { panic!("{ended:?}") };
        assert!(why.to_string().contains(&format!("port {port} of 127.0.0.1 is taken")), "{why}");
        assert_eq!(why.next_step, next);
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_nobody_answers_in_a_browser_ends_by_time() {
    let ended = log_in(&code_only(), async |_| {}).await;
    assert_eq!(ended, Err(SignInFailure::Expired));
}
