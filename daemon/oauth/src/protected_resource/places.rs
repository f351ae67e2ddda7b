//! Where the metadata of a resource may be (RFC 9728, 3.1; MCP, authorization server discovery).
//!
//! Must never: lead to another origin than the resource's own.

use crate::endpoint::{Endpoint, InvalidEndpoint};
use crate::reach::Reach;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The well-known places, in the order in which they are asked: with the path and query of the resource, byte for byte; the same
/// without a terminating slash and the query, as many servers and clients write it; at the root. Their name may lead so near.
pub(super) fn well_known(typed: &Endpoint, nearest: Reach) -> Result<Vec<Endpoint>, InvalidEndpoint> {
    let (scheme, rest) = typed.as_str().split_once("://").ok_or(InvalidEndpoint::NotAUrl)?;
    let (authority, behind) =
        rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len())).ok_or(InvalidEndpoint::NotAUrl)?;
    if authority.is_empty() {
        return Err(InvalidEndpoint::NotAUrl);
    }
    let path = behind.split('?').next().unwrap_or_default();
    // A slash that ends the host goes; one that ends the path stays (RFC 9728, 3.1).
    let exact = if path == "/" { behind.strip_prefix('/').unwrap_or(behind) } else { behind };
    let plain = path.strip_suffix('/').unwrap_or(path);
    let mut places = Vec::new();
    for suffix in [exact, plain, ""] {
        let place = Endpoint::named(&format!("{scheme}://{authority}{WELL_KNOWN}{suffix}"), nearest)?;
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(places)
}

/// The resource's origin as an issuer identifier, for a server from before RFC 9728: without and with a slash, since both lead to
/// the same document and nobody has said which one it is.
pub(super) fn origin(typed: &Endpoint) -> Vec<String> {
    let (scheme, rest) = typed.as_str().split_once("://").unwrap_or(("", ""));
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.is_empty() {
        return Vec::new();
    }
    vec![format!("{scheme}://{authority}"), format!("{scheme}://{authority}/")]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::endpoint::Loopback;
    use proptest::prelude::*;

    fn of(typed: &str) -> Vec<String> {
        let typed = Endpoint::parse(typed, Loopback::Allowed).unwrap();
        well_known(&typed, Reach::ThisMachine).unwrap().iter().map(|place| place.as_str().to_owned()).collect()
    }

    #[test]
    fn the_places_are_asked_with_the_path_first_and_at_the_root_last() {
        let root = "https://mcp.example/.well-known/oauth-protected-resource";
        assert_eq!(of("https://mcp.example/a/mcp"), [format!("{root}/a/mcp"), root.to_owned()]);
        assert_eq!(of("https://mcp.example/mcp/"), [format!("{root}/mcp/"), format!("{root}/mcp"), root.to_owned()]);
        assert_eq!(of("https://mcp.example/mcp?x=1"), [format!("{root}/mcp?x=1"), format!("{root}/mcp"), root.to_owned()]);
        for without_path in ["https://mcp.example", "https://mcp.example/"] {
            assert_eq!(of(without_path), [root]);
        }
        for with_query in ["https://mcp.example?x=1", "https://mcp.example/?x=1"] {
            assert_eq!(of(with_query), [format!("{root}?x=1"), root.to_owned()]);
        }
        assert_eq!(of("http://127.0.0.1:8/mcp").len(), 2);
    }

    proptest! {
        #[test]
        fn no_resource_leads_to_another_origin_or_to_more_than_three_places(typed in "https?://[a-z0-9.:\\[\\]-]{1,20}([/?][!-~]{0,10}){0,3}") {
            if let Ok(typed) = Endpoint::parse(&typed, Loopback::Allowed) {
                let places = well_known(&typed, Reach::ThisMachine).unwrap_or_default();
                prop_assert!(places.len() <= 3 && places.iter().all(|place| place.origin() == typed.origin()));
                for origin in origin(&typed) {
                    prop_assert_eq!(Endpoint::parse(&origin, Loopback::Allowed).unwrap().origin(), typed.origin());
                }
            }
        }
    }
}
