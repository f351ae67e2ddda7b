//! Where a resource and its server may say what they are: each place alone (RFC 9728, 3.1 and 5.1; RFC 8414, 3.1 and 5; D2).

use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::programs::url;
use serde_json::json;

use super::{ByUrl, IN_BROWSER, requests, server_or_skip};
use crate::discovered;

#[tokio::test]
async fn the_resource_s_metadata_is_found_wherever_it_is_and_its_name_is_kept_byte_for_byte() {
    let Some(idp) = server_or_skip("the places of a certified server's resource", IN_BROWSER).await else { return };
    let (itself, origin) = (idp.resource(), idp.origin());
    for (prm_at, challenge, resource) in [
        ("path", "metadata", itself),
        ("path", "bare", itself),
        ("path", "none", itself),
        // Published as an origin: without a slash at its end (RFC 8707, section 2).
        ("root", "metadata", origin),
        ("root", "bare", origin),
        ("root", "none", origin),
        ("elsewhere", "metadata", itself),
        // No document: the origin's own server metadata, and the URL is the resource.
        ("", "bare", itself),
        ("", "none", itself),
    ] {
        // given a resource that tells itself there and nowhere else
        let case = format!("{prm_at:?} {challenge}");
        idp.reset().await.unwrap();
        idp.configure(&json!({ "prm_at": prm_at, "challenge": challenge, "require_resource": true })).await.unwrap();

        // when a person adds it and logs in, by a server that wants the resource's very name at each request
        let by_url = ByUrl::added(&idp).await;
        let file = discovered::file(&by_url.daemon);
        assert!(file.contains(&format!("resource = \"{resource}\"\n")), "{case}: {file}");
        let shown = by_url.works().await;

        // then the token is for what was published
        let named = url(&shown).query_pairs().find(|(name, _)| name == "resource").map(|(_, value)| value.into_owned());
        assert_eq!(named.as_deref(), Some(resource), "{case}");
        assert_eq!(by_url.opened(&by_url.token().await).await.member("aud"), resource, "{case}");
        let exchanges = requests(&idp, "token").await;
        assert!(exchanges.len() == 1 && exchanges[0]["resource"] == resource, "{case}: {exchanges:?}");
    }
}

#[tokio::test]
async fn the_server_s_metadata_is_found_wherever_it_is_also_with_a_path_in_the_issuer() {
    for issuer_path in ["", "/tenant1"] {
        let settings = [IN_BROWSER, &["--issuer-path", issuer_path]].concat();
        let Some(idp) = server_or_skip("the places of a certified server's metadata", &settings).await else { return };
        assert_eq!(idp.issuer(), format!("{}{issuer_path}", idp.origin()));
        for place in ["oauth", "oidc-inserted", "oidc"] {
            idp.configure(&json!({ "metadata_at": place })).await.unwrap();
            let by_url = ByUrl::added(&idp).await;
            by_url.works().await;
            let file = discovered::file(&by_url.daemon);
            assert!(file.contains(&format!("issuer = \"{}\"\n", idp.issuer())), "{place}: {file}");
        }
    }
}

#[tokio::test]
async fn metadata_that_names_another_issuer_is_refused_wherever_it_is() {
    let settings = [IN_BROWSER, &["--issuer-path", "/tenant1"]].concat();
    let Some(idp) = server_or_skip("a certified server with another's name", &settings).await else { return };
    for issuer in [idp.origin().to_owned(), format!("{}/", idp.issuer())] {
        for place in ["oauth", "oidc-inserted", "oidc"] {
            idp.configure(&json!({ "metadata_at": place, "metadata": { "issuer": issuer } })).await.unwrap();
            let daemon = Daemon::start(Config::new()).await;
            let told = discovered::add(&daemon, idp.resource(), &[]).await;
            told.assert_refused(1, "operator");
            assert!(discovered::words(&told.err).contains("(RFC 8414, 3.3)"), "{place}: {told:?}");
        }
    }
    assert_eq!(idp.count("/clients_registered").await.unwrap(), 0);
}
