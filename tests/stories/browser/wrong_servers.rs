//! The server itself is wrong: no S256, a token endpoint that loses, refuses or takes its time.

use mcp_authd_client::status::SignInEnd;
use mcp_authd_client::{Reason, Request, SignInMode};
use mcp_authd_tests::listening;
use mcp_authd_tests::person::in_browser;
use mcp_authd_tests::programs::{Crowd, a_token, account_is, program, prompt, prompted, refusal, token, tool, url, watched};
use mcp_authd_tests::server::{At, Commit, Misbehaviour, Pkce, Settings};

use super::{daemon_at, never, paths, port_of, refused, stops_listening, subject_of, work};

#[tokio::test]
async fn d24_a_server_that_does_not_offer_s256_is_refused_with_the_next_step_and_nobody_is_sent_there() {
    for (pkce, said) in [(Pkce::PlainOnly, "does not offer S256"), (Pkce::Unstated, "does not say that it can do PKCE")] {
        // given
        let (server, daemon) = daemon_at(Settings { pkce, ..Settings::in_browser() }).await;

        // when programs and the person ask
        let refused = refusal(program(&daemon).token(work()).await.unwrap());

        // then
        assert_eq!(refused.reason, Reason::Configuration);
        assert!(refused.message.contains(said), "{refused:?}");
        assert!(refused.next_step.contains("config.toml"), "{refused:?}");
        assert_eq!(paths(&server).into_iter().collect::<Vec<_>>(), ["/.well-known/oauth-authorization-server"]);
        assert!(listening::of(daemon.pid()).is_empty());
    }
}

async fn a_lost_answer_ends_the_login(lost: Misbehaviour) {
    // given a server whose answer to the exchange is lost, after it has done its work
    let (server, daemon) = daemon_at(Settings::in_browser()).await;
    server.script(At::Exchange, lost.clone());
    let waiting = Crowd::of(8, &daemon).begin(1, Request::new(work()).sign_in(SignInMode::StartAndWait));
    let shown = prompt(program(&daemon).token(work()).await.unwrap());

    // when the person approves
    in_browser::approve(&url(&shown)).await.unwrap();

    // then all are told what to do, and the code was sent once
    for refused in waiting.answers().await.into_iter().map(refusal) {
        assert_eq!(refused.next_step, "authctl login work", "{lost:?}: {refused:?}");
        assert_eq!(refused.reason, Reason::LoginRequired, "{lost:?}: {refused:?}");
    }
    let status = account_is(&tool(&daemon), "work", |status| status.sign_in.is_none()).await;
    assert_eq!(status.last_sign_in_end, Some(SignInEnd::Failed));
    let counts = server.counts();
    assert_eq!((counts.exchanges, counts.codes_redeemed, counts.codes_reused), (1, 1, 0), "{lost:?}");
    stops_listening(&daemon, port_of(&shown)).await;

    // and the next login works
    in_browser::approve(&url(&prompted(&daemon, "work").await)).await.unwrap();
    let token = watched(&mut program(&daemon).watch(work()), a_token).await;
    assert_eq!(subject_of(&server, &token).await, "alice");
    assert_eq!((server.counts().exchanges, server.counts().codes_reused), (2, 0));
}

#[tokio::test]
async fn d35_an_exchange_whose_answer_is_lost_is_sent_once_and_ends_with_a_sentence_and_a_next_step() {
    a_lost_answer_ends_the_login(Misbehaviour::Drop(Commit::After)).await;
}

#[tokio::test]
async fn d35_an_exchange_whose_answer_breaks_off_is_sent_once() {
    a_lost_answer_ends_the_login(Misbehaviour::Truncate).await;
}

#[tokio::test]
async fn while_the_token_endpoint_takes_its_time_the_login_waits_and_nothing_is_sent_twice() {
    // given a server that holds the answer to the exchange
    let (server, daemon) = daemon_at(Settings::in_browser()).await;
    server.script(At::Exchange, Misbehaviour::Hold(Commit::After));
    let mut waiting = Crowd::of(8, &daemon).begin(1, Request::new(work()).sign_in(SignInMode::StartAndWait));
    waiting.taken().await;
    let shown = prompt(program(&daemon).token(never()).await.unwrap());
    let back = in_browser::answer("approve", &url(&shown), &[]).await.unwrap();

    // when the browser has its page already, and the person loads it again
    assert_eq!(in_browser::follow(&back).await.unwrap().status(), 200);
    server.wait_for(|counts| counts.held == 1).await;
    assert_eq!(waiting.open(), 8);

    // then all wait for the one exchange
    server.release();
    for answer in waiting.answers().await {
        assert_eq!(subject_of(&server, &token(answer)).await, "alice");
    }
    assert_eq!((server.counts().exchanges, server.counts().codes_reused), (1, 0));
    stops_listening(&daemon, port_of(&shown)).await;
}

#[tokio::test]
async fn a_token_endpoint_that_refuses_the_code_ends_the_login_and_another_login_is_the_next_step() {
    let (server, daemon) = daemon_at(Settings::in_browser()).await;
    server.script(At::Exchange, Misbehaviour::EchoSecrets { status: 400, error: "invalid_grant" });
    let shown = prompt(program(&daemon).token(work()).await.unwrap());
    in_browser::approve(&url(&shown)).await.unwrap();
    let over = refused(&daemon, SignInEnd::Failed).await;
    let said = "The authorization server does not take the code that it gave: invalid_grant.";
    assert_eq!((over.message.as_str(), over.next_step.as_str()), (said, "authctl login work"));
    assert_eq!(server.counts().exchanges, 1);
    stops_listening(&daemon, port_of(&shown)).await;
}
