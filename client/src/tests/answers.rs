//! What comes over the wire becomes the answer named after what the caller does next.

use std::time::Duration;

use mcp_authd_proto::v1;
use mcp_authd_proto::v1::token_state::State;
use sha2::{Digest as _, Sha256};

use super::server::{Server, refusal, sign_in, token};
use crate::clock::Clock;
use crate::clock::tests::Hand;
use crate::{Answer, CallError, How, Need, Reason, Request, SignInMode};

#[tokio::test]
async fn a_token_is_to_be_used_and_makes_a_header() {
    let server = Server::start([Ok(token("tok-1", Some(60)))]);
    let Answer::UseToken(token) = server.client().token(Need::account("github")).await.unwrap() else { panic!() };
    assert_eq!(token.expose(), "tok-1");
    assert_eq!(token.authorization_header().expose(), "Bearer tok-1");
    assert_eq!((token.account(), token.revision(), token.resource()), ("github", 3, Some("https://mcp.example/")));
    assert!(token.remaining().unwrap() <= Duration::from_secs(60));
}

#[tokio::test]
async fn a_login_is_to_be_shown() {
    let server = Server::start([Ok(sign_in())]);
    let Answer::ShowSignIn(sign_in) = server.client().token(Need::account("github")).await.unwrap() else { panic!() };
    assert!(matches!(sign_in.how, How::Device { user_code, verification_uri_complete: None, .. } if user_code == "ABCD-1234"));
}

#[tokio::test]
async fn what_passes_by_itself_is_to_be_tried_later_and_the_rest_given_up() {
    let later = [v1::Reason::Unavailable, v1::Reason::NotSaved, v1::Reason::Locked];
    let never = [v1::Reason::LoginRequired, v1::Reason::Denied, v1::Reason::AccountMismatch, v1::Reason::NoSuchAccount];
    let script = later.iter().chain(&never).map(|reason| Ok(refusal(*reason, None)));
    let server = Server::start(script.chain([Ok(refusal(v1::Reason::TooManyPrompts, Some(60)))]));
    let client = server.client();
    for reason in later {
        let answer = client.token(Need::account("github")).await.unwrap();
        assert!(matches!(answer, Answer::TryLater(_)), "{reason:?}");
    }
    for reason in never {
        let answer = client.token(Need::account("github")).await.unwrap();
        assert!(matches!(answer, Answer::GiveUp(_)), "{reason:?}");
    }
    let Answer::TryLater(refusal) = client.token(Need::account("github")).await.unwrap() else { panic!() };
    assert_eq!((refusal.reason, refusal.retry_after), (Reason::TooManyPrompts, Some(Duration::from_secs(60))));
}

#[tokio::test]
async fn the_need_goes_over_the_wire_as_it_was_built() {
    let server = Server::start([Ok(token("tok-1", None))]);
    let need = Need::resource("https://mcp.example/").scope("repo").min_validity(Duration::from_secs(300)).client_name("editor");
    server.client().token(Request::new(need).sign_in(SignInMode::Never).max_wait(Duration::from_secs(9))).await.unwrap();
    let asked = server.asked().remove(0);
    assert_eq!((asked.sign_in(), asked.max_wait.unwrap().seconds), (v1::SignInMode::Never, 9));
    let need = asked.need.unwrap();
    assert_eq!(need.target, Some(v1::need::Target::Resource("https://mcp.example/".into())));
    assert_eq!((need.scopes, need.min_validity.unwrap().seconds, need.client_name), (vec!["repo".into()], 300, "editor".into()));
}

#[tokio::test]
async fn a_token_of_another_account_or_resource_is_not_handed_out() {
    let server = Server::start([Ok(token("tok-1", None)), Ok(token("tok-2", None)), Ok(sign_in())]);
    let client = server.client();
    for need in [Need::account("gitlab"), Need::resource("https://other.example/"), Need::account("gitlab")] {
        let error = client.token(need).await.unwrap_err();
        assert!(matches!(error, CallError::WrongAnswer { .. }));
        assert!(!error.to_string().contains("tok-"));
    }
}

#[tokio::test]
async fn a_token_of_a_resource_around_the_url_is_handed_out() {
    let server = Server::start([Ok(token("tok-1", None))]);
    let answer = server.client().token(Need::resource("https://mcp.example/tenant/mcp")).await.unwrap();
    assert!(matches!(answer, Answer::UseToken(token) if token.expose() == "tok-1"));
}

#[tokio::test]
async fn a_token_that_would_break_a_header_is_not_handed_out() {
    let server = Server::start([Ok(token("tok\r\nEvil: 1", None)), Ok(token("", None)), Ok(token("tok en", None))]);
    let client = server.client();
    for _ in 0..3 {
        assert!(matches!(client.token(Need::only_account()).await, Err(CallError::WrongAnswer { .. })));
    }
}

#[tokio::test]
async fn a_refusal_before_any_account_was_found_is_an_answer() {
    let mut nameless = refusal(v1::Reason::NoSuchAccount, None);
    nameless.account.clear();
    let server = Server::start([Ok(nameless)]);
    let Answer::GiveUp(refusal) = server.client().token(Need::account("gone")).await.unwrap() else { panic!() };
    assert_eq!((refusal.reason, refusal.account), (Reason::NoSuchAccount, None));
}

#[tokio::test]
async fn only_the_hash_of_a_rejected_token_travels_with_the_same_need() {
    let server = Server::start([Ok(token("tok-1", None)), Ok(token("tok-2", None))]);
    let client = server.client();
    let Answer::UseToken(first) = client.token(Need::account("github").scope("repo")).await.unwrap() else { panic!() };
    let Answer::UseToken(second) = client.report_rejected(&first).await.unwrap() else { panic!() };
    assert_eq!(second.expose(), "tok-2");
    let asked = server.asked();
    assert_eq!(asked[0].need, asked[1].need);
    assert_eq!((asked[0].rejected_sha256.len(), &asked[1].rejected_sha256[..]), (0, &Sha256::digest(b"tok-1")[..]));
}

#[tokio::test]
async fn the_accounts_are_listed() {
    let server = Server::start([]);
    assert_eq!(server.client().accounts().await.unwrap()[0].name, "github");
}

#[tokio::test]
async fn debug_shows_neither_token_nor_code() {
    let server = Server::start([Ok(token("tok-1", None)), Ok(sign_in())]);
    let client = server.client();
    let answer = client.token(Need::only_account()).await.unwrap();
    let Answer::UseToken(token) = &answer else { panic!() };
    let shown = format!("{answer:?} {:?} {:?}", token.authorization_header(), client.token(Need::only_account()).await);
    assert!(shown.contains("github") && !shown.contains("tok-1") && !shown.contains("ABCD"), "{shown}");
}

#[tokio::test]
async fn an_answer_that_lay_unread_ends_by_the_wall_clock() {
    let mut state = token("tok-1", Some(3600));
    let Some(State::Token(access)) = &mut state.state else { panic!() };
    access.expires_at = Some(prost_types::Timestamp { seconds: 1_800_000_010, nanos: 0 });
    let server = Server::start([Ok(state)]);
    let client = server.client().with_clock(Clock::Hand(Hand::default().into()));
    let Answer::UseToken(token) = client.token(Need::only_account()).await.unwrap() else { panic!() };
    assert_eq!(token.remaining(), Some(Duration::from_secs(10)));
}
