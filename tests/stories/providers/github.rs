//! GitHub: errors with status 200, scopes with commas, apps whose tokens end and apps whose tokens do not, a secret for the browser alone.

use mcp_authd_client::status::{Revocation, SignInEnd};
use mcp_authd_client::{Answer, How};
use mcp_authd_tests::persona::{Body, Door, GitHub};
use mcp_authd_tests::programs::{approve, program, prompted, tool};
use mcp_authd_tests::server::{At, Misbehaviour};

use super::{DEVICE_CODE, Stage, assert_life_of, is_renewable, life, scopes, stage};
use crate::written::Written;

const HOST: &str = "provider_parameters = { host = 'HOST' }\n";

async fn at(app: GitHub, lines: &str) -> Stage {
    stage("github", app, &format!("{HOST}{lines}")).await
}

#[tokio::test]
async fn a_github_app_lives_by_device_code_without_a_secret() {
    let stage = at(GitHub::App, "").await;
    let lived = stage.a_whole_life().await;

    // no page with the code in it, a token of 8 hours, nothing to give back at the logout
    let How::Device { verification_uri, verification_uri_complete, .. } = &lived.prompt.how else { panic!("{:?}", lived.prompt) };
    assert_eq!(verification_uri, &format!("{}/login/device", stage.provider.origin()));
    assert_eq!(verification_uri_complete, &None);
    assert_life_of(&lived.first, 28_800);
    assert!(is_renewable(&lived.first));
    assert_eq!(lived.revocation, Revocation::NoEndpoint);

    // and what it was asked
    let began = &stage.provider.heard_at(Door::DeviceAuthorization)[0];
    assert_eq!((began.names(), began.value("client_id"), began.body), (vec!["client_id"], "me", Body::Form));
    let polls = stage.asked_for(DEVICE_CODE);
    assert!(
        polls.iter().all(|poll| poll.status == 200 && poll.names() == ["client_id", "device_code", "grant_type"]),
        "{polls:?}"
    );
    let refreshes = stage.asked_for("refresh_token");
    assert!(refreshes.iter().all(|line| line.status == 200 && line.names() == ["client_id", "grant_type", "refresh_token"]));
    assert_eq!(refreshes.len(), 2, "one that went well, and the one that was told bad_refresh_token");
}

#[tokio::test]
async fn a_github_apps_old_token_is_not_handed_out_while_a_refresh_that_kills_it_is_under_way() {
    at(GitHub::App, "").await.hands_out_no_token_that_a_refresh_has_killed().await;
}

#[tokio::test]
async fn an_oauth_apps_token_has_no_end_and_its_scopes_have_commas() {
    let stage = at(GitHub::OAuthApp, "scopes = ['repo', 'gist']").await;
    let (_, status) = stage.logs_in().await;
    assert_eq!((scopes(&status), life(&status), is_renewable(&status)), (vec!["gist", "repo"], None, false));
    assert_eq!(stage.provider.heard_at(Door::DeviceAuthorization)[0].value("scope"), "gist repo");

    // a report of rejection leads to a login, as there is nothing to refresh with
    let token = stage.token().await;
    let answer = program(&stage.daemon).report_rejected(&token).await.unwrap();
    assert!(matches!(answer, Answer::ShowSignIn(_)), "{answer:?}");
    assert_eq!((stage.asked_for("refresh_token"), stage.provider.refused()), (vec![], vec![]));
}

#[tokio::test]
async fn a_no_and_an_expired_code_are_understood_though_they_come_with_status_200() {
    let stage = at(GitHub::App, "").await;
    stage.is_denied().await;

    stage.provider.behind().script(At::Poll, Misbehaviour::Error("slow_down"));
    prompted(&stage.daemon, "work").await;
    stage.provider.behind().wait_for(|counts| counts.polls_ended("slow_down") == 1).await;
    stage.provider.behind().advance(std::time::Duration::from_secs(901));
    let status = stage.account_is(|status| status.sign_in.is_none() && status.last_sign_in_end != Some(SignInEnd::Denied)).await;
    assert_eq!(status.last_sign_in_end, Some(SignInEnd::Expired), "{status:?}");
    assert!(stage.asked_for(DEVICE_CODE).iter().all(|poll| poll.status == 200));
}

#[tokio::test]
async fn in_a_browser_the_secret_goes_where_github_reads_it() {
    let secret = Written::holding(GitHub::CLIENT_SECRET);
    let lines = format!("flow = 'code'\nscopes = ['repo']\nclient_secret_file = '{}'", secret.path().display());
    let stage = at(GitHub::OAuthApp, &lines).await;
    stage.logs_in().await;
    let exchanged = stage.asked_for("authorization_code");
    let names = ["client_id", "client_secret", "code", "code_verifier", "grant_type", "redirect_uri"];
    assert_eq!((exchanged[0].names(), stage.provider.refused()), (names.to_vec(), vec![]));
    let begun = &stage.provider.heard_at(Door::Authorization)[0];
    assert_eq!((begun.value("code_challenge_method"), begun.value("scope")), ("S256", "repo"));
}

#[tokio::test]
async fn where_the_device_flow_is_switched_off_a_browser_is_next() {
    let secret = Written::holding(GitHub::CLIENT_SECRET);
    let lines = format!("client_secret_file = '{}'", secret.path().display());
    let stage = at(GitHub::WithoutDeviceFlow, &lines).await;
    let prompt = prompted(&stage.daemon, "work").await;
    assert!(matches!(prompt.how, How::Browser { .. }), "{prompt:?}");
    approve(&prompt).await;
    stage.account_is(|status| status.grant.is_some()).await;
    let refused: Vec<_> = stage.provider.refused().into_iter().filter_map(|line| line.refused).collect();
    assert_eq!(refused, ["device_flow_disabled"]);
    assert_eq!(tool(&stage.daemon).sign_out(None).await.unwrap().revocation, Revocation::NoEndpoint);
}
