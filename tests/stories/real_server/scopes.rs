//! What is asked for: the challenge's scopes, else those of the resource's metadata, else none at all (MCP, scope selection).

use mcp_authd_tests::programs::url;
use serde_json::json;

use super::{ByUrl, IN_BROWSER, server_or_skip};

#[tokio::test]
async fn the_challenge_goes_before_the_metadata_and_where_nobody_says_any_none_is_sent() {
    let Some(idp) = server_or_skip("the scopes of a certified server", IN_BROWSER).await else { return };
    for (challenge, prm, asked, granted) in [
        ("metadata", json!({}), Some("mcp:read offline_access"), "mcp:read"),
        ("none", json!({}), Some("mcp:admin mcp:read mcp:write offline_access"), "mcp:read mcp:write mcp:admin"),
        ("none", json!({ "scopes_supported": ["mcp:write"] }), Some("mcp:write offline_access"), "mcp:write"),
        // The server's own default counts, and a lone offline_access does not take its place.
        ("none", json!({ "scopes_supported": null }), None, "mcp:read"),
    ] {
        idp.configure(&json!({ "challenge": challenge, "prm": prm })).await.unwrap();
        let by_url = ByUrl::added(&idp).await;
        let shown = by_url.works().await;
        let scope = url(&shown).query_pairs().find(|(name, _)| name == "scope").map(|(_, scope)| scope.into_owned());
        assert_eq!(scope.as_deref(), asked, "{prm}");
        let words = |scope: &str| scope.split(' ').map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
        let served = by_url.opened(&by_url.token().await).await.member("scope");
        assert_eq!(words(&served), words(granted), "{prm}");
    }
}
