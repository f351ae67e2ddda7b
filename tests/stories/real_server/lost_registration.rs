//! A server that forgets the client which it has registered: one new registration and one login, and never a loop (D46, D59).

use std::time::Duration;

use mcp_authd_client::Need;
use mcp_authd_client::status::SignInEnd;
use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::moved_clocks::Clocks;
use mcp_authd_tests::person::in_browser;
use mcp_authd_tests::programs::{a_token, program, prompt, url, watched};
use mcp_authd_tests::real_idp::RealIdp;
use mcp_authd_tests::skip::skipped;

use super::{ByUrl, IN_BROWSER, PATIENT, assert_nothing_was_guessed, is_in_browser, server_or_skip, user_code};
use crate::authctl::authctl;
use crate::logged_in::refused;

/// Servers prune what they registered long ago.
const LATER: i64 = 2 * 3600;
/// Longer than the pruning takes: only the client is lost, and not the token.
const LONG_LIVED: [&str; 2] = ["--access-token-ttl", "86400"];

/// The person has logged in with a client of which the server will know nothing any more, hours later.
async fn pruned<'a>(idp: &'a RealIdp, story: &str) -> Option<(ByUrl<'a>, Clocks)> {
    let mut clocks = Clocks::make().map_err(|reason| skipped(story, &reason)).ok()?;
    let by_url = ByUrl::added_to(Daemon::start(clocks.over(Config::new())).await, idp).await;
    by_url.works().await;
    clocks.pass(LATER);
    Some((by_url, clocks))
}

async fn registered(idp: &RealIdp) -> u64 {
    idp.count("/clients_registered").await.unwrap()
}

async fn blamed(idp: &RealIdp, grant_type: &str) -> u64 {
    idp.count(&format!("/token/{grant_type}/invalid_client")).await.unwrap()
}

#[tokio::test]
async fn d46_a_registration_that_is_lost_before_a_refresh_leads_to_one_new_one_and_one_login() {
    let (story, settings) = ("a lost registration at a certified server", [IN_BROWSER, &LONG_LIVED].concat());
    let Some(idp) = server_or_skip(story, &settings).await else { return };
    let Some((by_url, _clocks)) = pruned(&idp, story).await else { return };
    let (first, client) = (by_url.token().await, program(&by_url.daemon));
    assert_eq!(idp.forget_clients().await.unwrap(), 1);

    // when three programs report the token, one refresh is refused, and all are shown one login with a new client
    let mut prompts = Vec::new();
    for _ in 0..3 {
        prompts.push(prompt(program(&by_url.daemon).report_rejected(&first).await.unwrap()));
    }
    assert!(prompts.iter().all(|shown| is_in_browser(shown) && shown.how == prompts[0].how), "{prompts:?}");
    let back = idp.approve_in_browser(&url(&prompts[0]), "alice").await.unwrap();
    assert_eq!(in_browser::follow(&back).await.unwrap().status(), 200);

    // then it works, with a refresh too, and each request was sent once
    let need = Need::resource(idp.resource());
    let second =
        watched(&mut client.watch(need), |answer| a_token(answer).filter(|token| token.sha256() != first.sha256())).await;
    by_url.opened(&second).await;
    assert_eq!((registered(&idp).await, blamed(&idp, "refresh_token").await), (2, 1));
    assert_eq!(idp.count("/endpoints/token/total").await.unwrap(), 3);
    assert_nothing_was_guessed(&idp).await;
}

#[tokio::test]
async fn d46_a_registration_that_is_lost_while_a_browser_waits_costs_that_login_and_the_next_one_works() {
    let (story, settings) = ("a registration lost before the exchange", [IN_BROWSER, &LONG_LIVED].concat());
    let Some(idp) = server_or_skip(story, &settings).await else { return };
    let Some((by_url, _clocks)) = pruned(&idp, story).await else { return };

    // given a code that was issued to a client which is forgotten then
    let shown = by_url.prompted().await;
    let back = idp.approve_in_browser(&url(&shown), "alice").await.unwrap();
    idp.forget_clients().await.unwrap();
    in_browser::follow(&back).await.unwrap();
    let status = by_url.is(|status| status.sign_in.is_none()).await;
    assert_eq!(status.last_sign_in_end, Some(SignInEnd::Failed), "{status:?}");
    assert_eq!((registered(&idp).await, blamed(&idp, "authorization_code").await), (1, 1));

    // then the next login registers once, and works
    by_url.works().await;
    assert_eq!((registered(&idp).await, blamed(&idp, "authorization_code").await), (2, 1));
}

#[tokio::test]
async fn d46_a_registration_that_is_lost_under_a_device_login_costs_one_poll_and_the_next_prompts_at_once() {
    let (story, settings) = ("a registration lost under a device login", [PATIENT, &LONG_LIVED].concat());
    let Some(idp) = server_or_skip(story, &settings).await else { return };
    let Some((by_url, mut clocks)) = pruned(&idp, story).await else { return };

    // while it is polled
    by_url.prompted().await;
    idp.forget_clients().await.unwrap();
    let status = by_url.is(|status| status.sign_in.is_none()).await;
    assert_eq!(status.last_sign_in_end, Some(SignInEnd::Failed), "{status:?}");
    assert_eq!(registered(&idp).await, 1);
    by_url.works().await;
    assert_eq!(registered(&idp).await, 2);

    // before it has begun: nobody notices
    clocks.pass(LATER);
    idp.forget_clients().await.unwrap();
    let shown = by_url.prompted().await;
    idp.approve(user_code(&shown), "alice").await.unwrap();
    by_url.is(|status| status.sign_in.is_none()).await;
    assert_eq!(registered(&idp).await, 3);
    assert_eq!(idp.count("/endpoints/device_authorization/outcomes/invalid_client").await.unwrap(), 1);
    let polls = "/token/urn:ietf:params:oauth:grant-type:device_code/invalid_client";
    assert_eq!(idp.count(polls).await.unwrap(), 1);
}

#[tokio::test]
async fn d59_within_the_hour_a_lost_registration_makes_nobody_ask_again_until_the_person_says_so() {
    let Some(idp) = server_or_skip("a registration lost within the hour", IN_BROWSER).await else { return };
    let by_url = ByUrl::added(&idp).await;
    by_url.works().await;
    let first = by_url.token().await;
    idp.forget_clients().await.unwrap();

    // when programs ask over and over
    let program = program(&by_url.daemon);
    refused(program.report_rejected(&first).await.unwrap());
    let before = idp.counts().await.unwrap()["endpoints"].clone();
    for _ in 0..5 {
        // then each is told how long to wait, and what the person can do, and the server hears nothing
        let refusal = refused(program.report_rejected(&first).await.unwrap());
        assert!(refusal.retry_after.is_some_and(|wait| wait > Duration::from_secs(3000)), "{refusal:?}");
    }
    assert_eq!(idp.counts().await.unwrap()["endpoints"], before);
    assert_eq!(registered(&idp).await, 1);

    // until the person says that it is to be registered anew
    let told = authctl(&by_url.daemon, &["client", "forget", idp.issuer()]).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    by_url.works().await;
    assert_eq!(registered(&idp).await, 2);
}
