//! Which published resource a typed URL belongs to (RFC 9728, 3.3).
//!
//! RFC 9728 wants them identical. MCP also publishes at the root of an origin, for whatever lies below, and the update of the RFC
//! (draft-mcguinness-oauth-rfc9728bis) allows the same origin with a path that the typed one begins with. Must never: let an
//! origin speak for another (P14, P21), or a path for its neighbour.

use url::Url;

use crate::endpoint::{Endpoint, Loopback};

/// Whether `published` is what was typed, or the origin or a parent path of it; a terminating slash makes no difference.
pub(crate) fn contains(published: &str, typed: &Endpoint) -> bool {
    if published == typed.as_str() {
        return true;
    }
    // What was typed is as near as anything may be here: the origins are equal in the end.
    let Ok(endpoint) = Endpoint::parse(published, Loopback::Allowed) else { return false };
    if endpoint.origin() != typed.origin() || endpoint.origin().is_empty() {
        return false;
    }
    let (Ok(outer), Ok(inner)) = (Url::parse(published), Url::parse(typed.as_str())) else { return false };
    if outer.query().is_some() && outer.query() != inner.query() {
        return false;
    }
    segments(&inner).starts_with(&segments(&outer))
}

/// How many segments its path has.
pub(crate) fn depth(resource: &str) -> usize {
    Url::parse(resource).map_or(0, |url| segments(&url).len())
}

fn segments(url: &Url) -> Vec<&str> {
    let path = url.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn contain(published: &str, typed: &str) -> bool {
        contains(published, &Endpoint::parse(typed, Loopback::Allowed).unwrap())
    }

    #[test]
    fn a_resource_is_what_was_typed_or_its_origin_or_a_parent_path() {
        let typed = "https://mcp.example/a/mcp";
        for good in [
            typed,
            "https://mcp.example",
            "https://mcp.example/",
            "https://mcp.example/a",
            "https://mcp.example/a/",
            "https://mcp.example/a/mcp/",
            "https://MCP.example:443/a/mcp",
        ] {
            assert!(contain(good, typed), "{good}");
        }
        for bad in [
            "https://evil.example/a/mcp",
            "https://mcp.example:8443/a/mcp",
            "http://mcp.example/a/mcp",
            "https://mcp.example.evil.example/a/mcp",
            "https://mcp.example@evil.example/a/mcp",
            "https://mcp.example/a/mc",
            "https://mcp.example/b",
            "https://mcp.example/a/mcp/deeper",
            "https://mcp.example/a/../b",
            "https://mcp.example/a/%2e%2e/b",
            "https://mcp.example/a?x=1",
            "https://mcp.example/a#x",
            "mcp.example/a/mcp",
            "urn:mcp",
            "",
        ] {
            assert!(!contain(bad, typed), "{bad}");
        }
        assert!(contain("https://mcp.example/mcp", "https://mcp.example/mcp?tenant=1"));
        assert!(contain("https://mcp.example?tenant=1", "https://mcp.example/mcp?tenant=1"));
        assert!(!contain("https://mcp.example/mcp?tenant=2", "https://mcp.example/mcp?tenant=1"));
        assert!(
            contain("http://127.0.0.1:8/", "http://127.0.0.1:8/mcp") && !contain("http://127.0.0.1:9/", "http://127.0.0.1:8/mcp")
        );
    }

    proptest! {
        #[test]
        fn no_published_text_speaks_for_another_origin(published in "(https?://)?[a-c.:@/%2e]{0,20}", path in "(/[a-c.]{0,3}){0,3}") {
            let typed = Endpoint::parse(&format!("https://a.b{path}"), Loopback::Refused).unwrap();
            if contains(&published, &typed) {
                prop_assert_eq!(Endpoint::parse(&published, Loopback::Refused).unwrap().origin(), typed.origin());
            }
        }
    }
}
