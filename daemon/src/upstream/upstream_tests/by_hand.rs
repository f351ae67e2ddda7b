//! Logins whose browser is on another machine, and clients that a person has forgotten.

use mcp_authd_oauth::authorization_code::response::NotAnAuthorizationResponse;
use mcp_authd_oauth::secret::SecretText;

use super::authentication::Keeps;
use super::in_browser::{code_only, query_of};
use super::*;
use crate::accounts::paste::NotCompleted;

/// Begins a login in a browser, lets `person` paste, and tells how it ended.
async fn log_in(server: &Server, person: impl FnOnce(&HttpUpstream<Server>, &str)) -> Result<Granted, SignInFailure> {
    let upstream = upstream(server);
    let (prompt, handed_out) = oneshot::channel();
    let login = upstream.sign_in(Arc::new(account()), asking(Scopes::parse("read")), prompt, Gate::of_nobody());
    let answer = async {
        let Ok(PendingSignIn::Code(pending)) = handed_out.await else { panic!("no login in a browser") };
        person(&upstream, &query_of(&pending)["state"]);
    };
    tokio::join!(login, answer).0
}

fn pasted(text: String) -> SecretText {
    SecretText::new(text)
}

#[tokio::test]
async fn a_login_is_completed_by_the_address_or_its_query_that_a_person_pastes() {
    let answer = |state: &str| format!("code=SNTL_code&state={state}&iss=https%3A%2F%2Fas.example");
    let ways: [fn(String) -> String; 4] = [
        |answer| format!("http://127.0.0.1:43210/callback?{answer}"),
        |answer| format!("  http://localhost:1/elsewhere?{answer}#_=_\n"),
        |answer| format!("?{answer}"),
        |answer| answer,
    ];
    for way in ways {
        let server = code_only();
        let granted = log_in(&server, |upstream, state| {
            let account = upstream.complete_sign_in(pasted(way(answer(state))));
            assert_eq!(account.unwrap().as_str(), "work");
        });
        assert_eq!(granted.await.unwrap().binding, binding());
        assert_eq!(server.paths(), [METADATA, "/token"]);
    }
}

#[tokio::test]
async fn what_is_pasted_wrongly_is_refused_without_being_told_or_logged_and_the_login_waits_on() {
    let log = CapturedLog::begin();
    let server = code_only();
    let granted = log_in(&server, |upstream, state| {
        use NotAnAuthorizationResponse as Not;
        for (text, why) in [
            (String::new(), NotCompleted::PasteAnother(Not::NoState)),
            ("SNTL_words without a query".to_owned(), NotCompleted::PasteAnother(Not::BadCharacters)),
            (format!("ftp://SNTL/?code=SNTL_c&state={state}"), NotCompleted::PasteAnother(Not::NotARedirect)),
            (format!("https://as.example/authorize?client_id=SNTL&state={state}"), NotCompleted::PasteAnother(Not::Neither)),
            (format!("code=SNTL_c&state={state}&code=SNTL_d"), NotCompleted::PasteAnother(Not::Duplicate("code"))),
            (format!("code=SNTL_c&error=SNTL_e&state={state}"), NotCompleted::PasteAnother(Not::CodeAndError)),
            ("code=SNTL_c&state=SNTL_other".to_owned(), NotCompleted::BeginAnother),
        ] {
            let refused = upstream.complete_sign_in(pasted(text.clone())).unwrap_err();
            assert_eq!(refused, why, "{text}");
            assert!(!format!("{refused} {refused:?} {}", refused.next_step(None)).contains("SNTL"), "{refused}");
        }
        let right = format!("code=SNTL_code&state={state}&iss=https%3A%2F%2Fas.example");
        upstream.complete_sign_in(pasted(right.clone())).unwrap();
        assert_eq!(upstream.complete_sign_in(pasted(right)), Err(NotCompleted::LookHowItEnds));
    });
    assert!(granted.await.is_ok());
    let log = log.end();
    assert!(log.contains("brought by hand") && !log.contains("SNTL") && !log.contains("code="), "{log}");
}

#[tokio::test]
async fn p20_an_answer_of_another_server_is_judged_also_where_a_person_brings_it() {
    let server = code_only();
    let ended = log_in(&server, |upstream, state| {
        upstream.complete_sign_in(pasted(format!("code=SNTL_c&state={state}&iss=https%3A%2F%2Fevil.example"))).unwrap();
    });
    assert!(matches!(ended.await, Err(SignInFailure::Misbehaved(_))));
    assert_eq!(server.paths(), [METADATA]);
}

#[tokio::test]
async fn a_client_is_forgotten_also_where_whoever_asked_has_gone() {
    let (tasks, vault) = (Tasks::new(), Keeps::default());
    let upstream = HttpUpstream::over(Server::new(), (&tasks, &follows_tokio()), Arc::new(vault.clone()));
    upstream.forget_client(Issuer::new(ISSUER)).await.unwrap();
    assert_eq!(vault.forgotten(), [ISSUER]);
    let asked = tokio::spawn(upstream.forget_client(Issuer::new("https://b.example")));
    while vault.forgotten().len() < 2 && !asked.is_finished() {
        tokio::task::yield_now().await;
    }
    asked.abort();
    let _ = asked.await;
    assert!(tasks.finish(Duration::from_secs(5)).await);
    assert_eq!(vault.forgotten(), [ISSUER, "https://b.example"]);
}
