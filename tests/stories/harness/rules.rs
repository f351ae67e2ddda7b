//! The server is right: metadata, the page, polls, rotation and its reuse detection, the ends of tokens.

use std::time::Duration;

use mcp_authd_tests::person;
use mcp_authd_tests::plain_http::{fetch, fetch_with_token, post_form};
use mcp_authd_tests::server::{
    At, AuthorizationServer, CannotAnswer, EarlyPolls, MetadataForm, Misbehaviour, OlderAccessTokens, Rotation, Settings, Spoilt,
};
use serde_json::json;

use crate::guest::{Guest, ask_for_login, poll, refresh, status_at_resource};

#[tokio::test]
async fn metadata_stands_at_all_three_places_and_names_the_issuer_byte_for_byte() {
    let server = AuthorizationServer::start(Settings { issuer_path: "/tenant1".to_owned(), ..Settings::default() });
    let origin = server.issuer().strip_suffix("/tenant1").unwrap();
    for place in [
        format!("{origin}/.well-known/oauth-authorization-server/tenant1"),
        format!("{origin}/.well-known/openid-configuration/tenant1"),
        format!("{origin}/tenant1/.well-known/openid-configuration"),
    ] {
        let found = fetch(&place).await.unwrap();
        assert_eq!((found.status, found.member("issuer").as_str()), (200, server.issuer()), "{place}");
        assert_eq!(found.member("token_endpoint"), server.token_endpoint());
    }
    assert_eq!(fetch(&format!("{origin}/.well-known/oauth-authorization-server")).await.unwrap().status, 404);

    server.change(|settings| {
        settings.metadata = vec![MetadataForm::OpenIdAppended];
        settings.metadata_answers = vec![Spoilt::With("issuer", json!("https://elsewhere.example"))];
    });
    assert_eq!(fetch(&format!("{origin}/.well-known/oauth-authorization-server/tenant1")).await.unwrap().status, 404);
    let wrong = fetch(&format!("{origin}/tenant1/.well-known/openid-configuration")).await.unwrap();
    assert_eq!(wrong.member("issuer"), "https://elsewhere.example");
}

#[tokio::test]
async fn a_person_approves_on_the_page_and_the_client_is_paid_out_once() {
    let server = AuthorizationServer::start(Settings { early_polls: EarlyPolls::Tolerated, ..Settings::default() });
    let prompt = ask_for_login(&server).await;
    let (device_code, user_code) = (prompt.member("device_code"), prompt.member("user_code"));
    assert_eq!(poll(&server, &device_code).await.unwrap().member("error"), "authorization_pending");
    assert_eq!(server.pending()[0].user_code, user_code);

    person::approve(&prompt.member("verification_uri"), &user_code).await.unwrap();
    let tokens = poll(&server, &device_code).await.unwrap();
    assert!(tokens.member("access_token").starts_with("SNTL_AT_") && tokens.member("refresh_token").starts_with("SNTL_RT_"));
    assert_eq!(fetch_with_token(&server.resource(), &tokens.member("access_token")).await.unwrap().member("sub"), "alice");
    assert_eq!(poll(&server, &device_code).await.unwrap().member("error"), "invalid_grant");
    let counts = server.wait_for(|counts| counts.grants_started == 1).await;
    assert_eq!((counts.device_authorizations, counts.approvals, counts.polls, counts.polls_ended("ok")), (1, 1, 3, 1));
    assert!(server.pending().is_empty());
}

#[tokio::test]
async fn somebody_else_can_approve_and_anybody_can_deny() {
    let server = AuthorizationServer::start(Settings::default());
    let prompt = ask_for_login(&server).await;
    person::approve_as("bob", &prompt.member("verification_uri"), &prompt.member("user_code")).await.unwrap();
    let tokens = poll(&server, &prompt.member("device_code")).await.unwrap();
    assert_eq!(fetch_with_token(&server.resource(), &tokens.member("access_token")).await.unwrap().member("sub"), "bob");

    let prompt = ask_for_login(&server).await;
    // Opened by the address that holds the code already.
    person::deny(&prompt.member("verification_uri_complete"), &prompt.member("user_code")).await.unwrap();
    assert_eq!(poll(&server, &prompt.member("device_code")).await.unwrap().member("error"), "access_denied");
    assert!(person::approve(&prompt.member("verification_uri"), &prompt.member("user_code")).await.is_err(), "answered before");
}

#[tokio::test]
async fn the_page_shows_who_asks_escapes_it_runs_no_script_and_does_nothing_on_get() {
    let server = AuthorizationServer::start(Settings::default());
    let form =
        [("client_id", "<script>alert(1)</script>"), ("scope", "mcp:read \"x\""), ("resource", "http://127.0.0.1/mcp?a&b")];
    let prompt = post_form(&server.device_authorization_endpoint(), &form).await.unwrap();
    let page = fetch(&prompt.member("verification_uri_complete")).await.unwrap();
    let text = page.text();
    assert!(text.contains("&lt;script&gt;alert(1)") && !text.contains("<script"), "{text}");
    assert!(text.contains("<li>mcp:read</li><li>&quot;x&quot;</li>") && text.contains("http://127.0.0.1/mcp?a&amp;b"));
    assert!(
        text.contains(&prompt.member("user_code"))
            && text.contains("<label for=\"user_code\">")
            && text.contains("<html lang=\"en\">")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("style-src 'sha256-") && !policy.contains("unsafe"));
    assert_eq!(server.pending().len(), 1, "a GET answers nothing");

    let empty = fetch(&prompt.member("verification_uri")).await.unwrap();
    assert!(empty.status == 200 && empty.text().contains("name=\"user_code\""));
    let unknown = fetch(&format!("{}?user_code=%22%3E%3Cb%3E", prompt.member("verification_uri"))).await.unwrap();
    assert!(unknown.status == 404 && unknown.text().contains("role=\"alert\"") && !unknown.text().contains("<b>"));
}

#[tokio::test]
async fn a_code_may_be_typed_in_any_case_and_ends_with_its_time() {
    let server = AuthorizationServer::start(Settings::default());
    let prompt = ask_for_login(&server).await;
    let typed = prompt.member("user_code").to_lowercase().replace('-', " ");
    assert_eq!(server.approve(&typed), Ok(()));
    assert_eq!(server.approve(&typed), Err(CannotAnswer::Answered));
    assert_eq!(server.approve("BCDF-BCDF"), Err(CannotAnswer::Unknown));

    let late = ask_for_login(&server).await;
    server.advance(Duration::from_secs(601));
    assert_eq!(server.approve(&late.member("user_code")), Err(CannotAnswer::Expired));
    assert_eq!(poll(&server, &late.member("device_code")).await.unwrap().member("error"), "expired_token");
}

#[tokio::test]
async fn an_early_poll_is_counted_and_slowed_down() {
    let server = AuthorizationServer::start(Settings { interval: Duration::from_secs(5), ..Settings::default() });
    let device_code = ask_for_login(&server).await.member("device_code");
    assert_eq!(poll(&server, &device_code).await.unwrap().member("error"), "authorization_pending");
    assert_eq!(poll(&server, &device_code).await.unwrap().member("error"), "slow_down");
    server.advance(Duration::from_secs(6));
    assert_eq!(poll(&server, &device_code).await.unwrap().member("error"), "slow_down", "the interval is 10 s by now");
    server.advance(Duration::from_secs(15));
    assert_eq!(poll(&server, &device_code).await.unwrap().member("error"), "authorization_pending");
    assert_eq!(server.counts().early_polls, 2);

    server.script(At::Poll, Misbehaviour::SlowDown);
    server.advance(Duration::from_secs(15));
    assert_eq!(poll(&server, &device_code).await.unwrap().member("error"), "slow_down");
    server.advance(Duration::from_secs(16));
    assert_eq!(poll(&server, &device_code).await.unwrap().member("error"), "slow_down", "the interval is 20 s by now");
}

#[tokio::test]
async fn strict_rotation_revokes_the_family_at_the_first_reuse() {
    let server = AuthorizationServer::start(Settings::default());
    let guest = Guest::signed_in(&server).await;
    let bystander = Guest::signed_in(&server).await;
    let next = guest.refresh().await.unwrap();
    assert_ne!(next.member("refresh_token"), guest.refresh_token);
    server.counts().assert_no_race_was_lost();

    assert_eq!(guest.refresh().await.unwrap().member("error"), "invalid_grant");
    let counts = server.counts();
    assert_eq!((counts.reuses_detected, counts.families_revoked, counts.refreshes_ok()), (1, 1, 1));
    assert_eq!(status_at_resource(&server, &next.member("access_token")).await, 401, "the whole family is gone");
    assert_eq!(refresh(&server, &next.member("refresh_token")).await.unwrap().member("error"), "invalid_grant");
    assert_eq!(status_at_resource(&server, &bystander.access_token).await, 200, "another login is not touched");
    assert!(std::panic::catch_unwind(|| counts.assert_no_race_was_lost()).is_err());
}

#[tokio::test]
async fn a_window_of_grace_serves_a_spent_token_again_and_then_no_more() {
    let server =
        AuthorizationServer::start(Settings { rotation: Rotation::Grace(Duration::from_secs(60)), ..Settings::default() });
    let guest = Guest::signed_in(&server).await;
    guest.refresh().await.unwrap();
    let again = guest.refresh().await.unwrap();
    assert_eq!(status_at_resource(&server, &again.member("access_token")).await, 200);
    assert_eq!((server.counts().grace_replays, server.counts().reuses_detected), (1, 0));

    server.advance(Duration::from_secs(61));
    assert_eq!(guest.refresh().await.unwrap().member("error"), "invalid_grant");
    assert_eq!((server.counts().grace_replays, server.counts().families_revoked), (1, 1));
}

#[tokio::test]
async fn a_server_without_rotation_repeats_or_omits_the_refresh_token() {
    let server = AuthorizationServer::start(Settings { rotation: Rotation::Never, ..Settings::default() });
    let guest = Guest::signed_in(&server).await;
    assert_eq!(guest.refresh().await.unwrap().member("refresh_token"), guest.refresh_token);
    server.change(|settings| settings.rotation = Rotation::Omit);
    assert_eq!(guest.refresh().await.unwrap().json().get("refresh_token"), None);
    assert_eq!(guest.refresh().await.unwrap().status, 200);
    assert_eq!(server.counts().refreshes_ok(), 3);
}

#[tokio::test]
async fn a_refresh_by_another_client_or_for_another_resource_or_for_more_scope_is_refused() {
    let server = AuthorizationServer::start(Settings::default());
    let guest = Guest::signed_in(&server).await;
    let with = |name: &'static str, value: &'static str| {
        let (endpoint, token) = (server.token_endpoint(), guest.refresh_token.clone());
        async move {
            let client = if name == "client_id" { value } else { "guest" };
            let mut form = vec![("client_id", client), ("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
            if name != "client_id" {
                form.push((name, value));
            }
            post_form(&endpoint, &form).await.unwrap().member("error")
        }
    };
    assert_eq!(with("client_id", "thief").await, "invalid_grant");
    assert_eq!(with("resource", "https://elsewhere.example").await, "invalid_target");
    assert_eq!(with("scope", "mcp:admin").await, "invalid_scope");
    assert_eq!(with("client_id", "guest").await, "", "and the token was not spent by any of it");
    assert_eq!(with("grant_type", "refresh_token").await, "invalid_request", "a parameter stands twice");
}

#[tokio::test]
async fn tokens_end_by_time_by_revocation_and_by_the_person() {
    let server = AuthorizationServer::start(Settings::default());
    let [a, b, c, d] = [
        Guest::signed_in(&server).await,
        Guest::signed_in(&server).await,
        Guest::signed_in(&server).await,
        Guest::signed_in(&server).await,
    ];
    assert!(server.revoke_access_token(&a.access_token) && !server.revoke_access_token(&a.access_token));
    assert_eq!(status_at_resource(&server, &a.access_token).await, 401);
    assert_eq!(a.refresh().await.unwrap().status, 200, "its refresh token lives");

    let revoked = post_form(&server.revocation_endpoint(), &[("token", &b.refresh_token), ("client_id", "guest")]).await.unwrap();
    assert_eq!((revoked.status, status_at_resource(&server, &b.access_token).await), (200, 401));
    let unknown = post_form(&server.revocation_endpoint(), &[("token", "never seen"), ("client_id", "guest")]).await.unwrap();
    assert_eq!((unknown.status, server.counts().revocations, server.counts().revocations_effective), (200, 2, 1));

    server.expire_all_access_tokens();
    let refused = fetch_with_token(&server.resource(), &c.access_token).await.unwrap();
    assert!(refused.status == 401 && refused.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
    let fresh = c.refresh().await.unwrap().member("access_token");
    server.advance(Duration::from_secs(3599));
    assert_eq!(status_at_resource(&server, &fresh).await, 200);
    server.advance(Duration::from_secs(2));
    assert_eq!(status_at_resource(&server, &fresh).await, 401);

    assert_eq!(server.end_grants(), 3);
    assert_eq!(d.refresh().await.unwrap().member("error"), "invalid_grant");
    assert_eq!(server.counts().families_revoked, 0, "that was no reuse");
}

#[tokio::test]
async fn a_refresh_can_end_the_older_access_tokens() {
    let server = AuthorizationServer::start(Settings { after_refresh: OlderAccessTokens::End, ..Settings::default() });
    let guest = Guest::signed_in(&server).await;
    let next = guest.refresh().await.unwrap().member("access_token");
    assert_eq!((status_at_resource(&server, &guest.access_token).await, status_at_resource(&server, &next).await), (401, 200));
}
