//! Answers that a person brings: told apart by their state alone, and counted once, like those of a browser.

use futures_util::FutureExt;

use super::browser::visit;
use super::*;

fn answer(query: &str) -> AuthorizationResponse {
    AuthorizationResponse::parse(query).unwrap()
}

fn whose(name: &str) -> AccountName {
    AccountName::parse(name).unwrap()
}

#[tokio::test]
async fn an_answer_brought_by_hand_comes_to_its_own_login_at_whichever_port_that_waits() {
    let callbacks = callbacks();
    let first = callbacks.open(Redirect::default()).unwrap();
    let free = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let second = callbacks.open(fixed(NonZeroU16::new(free).unwrap())).unwrap();
    assert_ne!(first.port(), second.port());
    let mut first = first.belonging_to(&whose("home")).expect(&state("s1"));
    let second = second.belonging_to(&whose("work")).expect(&state("s2"));
    assert_eq!(callbacks.bring(&answer("code=c2&state=s2")), Ok(Some(whose("work"))));
    assert_eq!(code(&second.response().await), "c2");
    assert!((&mut first.arrives).now_or_never().is_none(), "the other one waits on");
    assert_eq!(callbacks.bring(&answer("error=access_denied&state=s1")), Ok(Some(whose("home"))));
    assert_eq!(code(&first.response().await), "an error");
}

#[tokio::test]
async fn d26_a_state_serves_once_whether_a_browser_or_a_person_brings_it() {
    let callbacks = callbacks();
    let by_hand = callbacks.open(Redirect::default()).unwrap().expect(&state("s1"));
    let by_browser = callbacks.open(Redirect::default()).unwrap().expect(&state("s2"));
    let uri = by_hand.redirect_uri();

    assert_eq!(callbacks.bring(&answer("code=c1&state=s1")), Ok(None));
    assert_eq!(callbacks.bring(&answer("code=evil&state=s1")), Err(NotCompleted::LookHowItEnds));
    assert_eq!(visit(&format!("{uri}?code=evil&state=s1")).await.status, 409);
    assert_eq!(code(&by_hand.response().await), "c1");

    assert_eq!(visit(&format!("{uri}?code=c2&state=s2")).await.status, 200);
    assert_eq!(callbacks.bring(&answer("code=evil&state=s2")), Err(NotCompleted::LookHowItEnds));
    assert_eq!(code(&by_browser.response().await), "c2");
}

#[tokio::test]
async fn an_answer_that_no_login_waits_for_is_refused_and_ends_none() {
    let callbacks = callbacks();
    assert_eq!(callbacks.bring(&answer("code=c&state=s1")), Err(NotCompleted::BeginAnother), "nothing is open");
    let mut waits = callbacks.open(Redirect::default()).unwrap().expect(&state("s1"));
    let gone = callbacks.open(Redirect::default()).unwrap().expect(&state("gone"));
    drop(gone);
    for unknown in ["code=c&state=s", "code=c&state=s11", "code=c&state=S1", "code=c&state=gone"] {
        assert_eq!(callbacks.bring(&answer(unknown)), Err(NotCompleted::BeginAnother), "{unknown}");
    }
    assert!((&mut waits.arrives).now_or_never().is_none());
}
