//! One feature less, by one: what is left to log in with, and that nothing is called which the server does not say it has.

use mcp_authd_client::status::Revocation;
use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::programs::tool;
use mcp_authd_tests::real_idp::RealIdp;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{ByUrl, IN_BROWSER, PATIENT, is_in_browser, server_or_skip};
use crate::discovered::{add, file, words};

/// What the server does not have, and no login needs.
const NOT_NEEDED: [&str; 6] =
    ["revocation", "introspection,par", "resource-indicators", "oauth-metadata", "oidc-metadata,revocation", "prm"];

async fn logs_in_without(off: &str) {
    let disabled = format!("device,{off}");
    let Some(idp) = server_or_skip("a certified server with less", &["--disable", &disabled]).await else { return };
    let by_url = ByUrl::added(&idp).await;
    assert!(is_in_browser(&by_url.works().await), "{off}");
    let expected = if off.contains("revocation") { Revocation::NoEndpoint } else { Revocation::Sent };
    assert_eq!(tool(&by_url.daemon).sign_out(None).await.unwrap().revocation, expected, "{off}");
}

#[tokio::test]
async fn what_no_login_needs_may_be_missing() {
    let mut logins: JoinSet<()> = NOT_NEEDED.into_iter().map(logs_in_without).collect();
    while let Some(ended) = logins.join_next().await {
        ended.unwrap();
    }
}

/// The server goes on doing what it did, and does not say so any more.
async fn silent_about(idp: &RealIdp, members: Value) {
    idp.configure(&json!({ "metadata": members })).await.unwrap();
    idp.reset().await.unwrap();
}

async fn asked(idp: &RealIdp, endpoint: &str) -> u64 {
    idp.count(&format!("/endpoints/{endpoint}/total")).await.unwrap()
}

#[tokio::test]
async fn an_endpoint_that_is_not_advertised_is_never_called_though_it_is_there() {
    let Some(idp) = server_or_skip("a certified server that keeps silent", PATIENT).await else { return };

    // no device grant, or none in its list: a browser
    let listed = json!({ "grant_types_supported": ["authorization_code", "refresh_token"] });
    for members in [json!({ "device_authorization_endpoint": null }), listed] {
        silent_about(&idp, members.clone()).await;
        assert!(is_in_browser(&ByUrl::added(&idp).await.works().await), "{members}");
        assert_eq!(asked(&idp, "device_authorization").await, 0, "{members}");
    }

    // no authorization endpoint: the device grant; no revocation: a logout says so
    silent_about(&idp, json!({ "authorization_endpoint": null, "revocation_endpoint": null })).await;
    let by_url = ByUrl::added(&idp).await;
    assert!(!is_in_browser(&by_url.works().await));
    assert_eq!(tool(&by_url.daemon).sign_out(None).await.unwrap().revocation, Revocation::NoEndpoint);
    assert_eq!(asked(&idp, "revocation").await, 0);
}

#[tokio::test]
async fn where_nobody_is_registered_a_client_id_is_asked_for_and_one_that_is_given_works() {
    let really = ["--disable", "device,dcr"];
    for settings in [&really[..], IN_BROWSER] {
        let Some(idp) = server_or_skip("a certified server that registers nobody", settings).await else { return };
        silent_about(&idp, json!({ "registration_endpoint": null })).await;

        // given a URL alone: nothing is written, and the whole command is told
        let daemon = Daemon::start(Config::new().text("# mine\n")).await;
        let before = file(&daemon);
        let told = add(&daemon, idp.resource(), &[]).await;
        told.assert_refused(1, &format!("authctl account add {} --client-id ID", idp.resource()));
        assert!(words(&told.err).contains("registers no clients on its own, and no client_id is configured"), "{told:?}");
        assert_eq!(file(&daemon), before);

        // when the person gives one, it works
        let told = add(&daemon, idp.resource(), &["--client-id", "lab-public"]).await;
        assert_eq!(told.code, Some(0), "{told:?}");
        let told = json!({ "account": { "name": "127.0.0.1" } });
        let shown = ByUrl { idp: &idp, daemon, told }.works().await;
        assert!(is_in_browser(&shown));
        assert_eq!((asked(&idp, "registration").await, asked(&idp, "authorization").await), (0, 0), "{settings:?}");
    }
}

#[tokio::test]
async fn a_server_that_ends_its_registrations_before_the_first_login_is_not_asked_for_one() {
    let Some(idp) = server_or_skip("a certified server that stops registering", IN_BROWSER).await else { return };
    let mut by_url = ByUrl::added(&idp).await;
    silent_about(&idp, json!({ "registration_endpoint": null })).await;
    by_url.daemon.restart().await;
    let status = by_url.not_begun().await;
    let message = status.message.as_deref().unwrap_or_default();
    assert!(message.contains("registers no clients on its own"), "{status:?}");
    assert!(status.next_step.as_deref().unwrap_or_default().contains("client_id") || message.contains("client_id"), "{status:?}");
    assert_eq!(asked(&idp, "registration").await, 0);
}

#[tokio::test]
async fn d24_a_server_that_does_not_offer_s256_is_logged_in_to_by_device_grant_or_not_at_all() {
    let Some(idp) = server_or_skip("a certified server without PKCE", PATIENT).await else { return };
    for (methods, section) in [(json!(null), "RFC 8414, section 2; RFC 9700, 2.1.1"), (json!(["plain"]), "RFC 7636, 4.2")] {
        // without a device grant beside it: refused, before anything was registered or opened
        let members = json!({ "code_challenge_methods_supported": methods, "device_authorization_endpoint": null });
        silent_about(&idp, members).await;
        let daemon = Daemon::start(Config::new()).await;
        let told = add(&daemon, idp.resource(), &[]).await;
        told.assert_refused(1, "authctl account add");
        assert!(words(&told.err).contains(section), "{told:?}");
        assert_eq!((asked(&idp, "registration").await, asked(&idp, "authorization").await), (0, 0));

        // with one: no harm
        silent_about(&idp, json!({ "code_challenge_methods_supported": methods })).await;
        assert!(!is_in_browser(&ByUrl::added(&idp).await.works().await));
    }
}
