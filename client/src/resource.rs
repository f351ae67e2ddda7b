//! Whether a token of a resource may be shown at a URL (RFC 8707, section 2; RFC 9728, 3.3).
//!
//! Must never: let an origin speak for another, or a path for its neighbour.

use tonic::transport::Uri;

/// Whether the URL is this resource, byte for byte, or lies within it: MCP servers publish their origin or a parent path too. The
/// daemon chose it so; what it says is checked here once more.
pub(crate) fn covers(resource: &str, url: &str) -> bool {
    resource == url || within(resource, url).unwrap_or_default()
}

fn within(resource: &str, url: &str) -> Option<bool> {
    let (outer, inner): (Uri, Uri) = (resource.parse().ok()?, url.parse().ok()?);
    let same_origin = origin(&outer)? == origin(&inner)?;
    let same_query = outer.query().is_none() || outer.query() == inner.query();
    let (outer, inner) = (segments(&outer)?, segments(&inner)?);
    Some(same_origin && same_query && inner.starts_with(&outer))
}

/// Scheme, host and port. `None`: it has none, or more than these.
fn origin(uri: &Uri) -> Option<(&str, String, u16)> {
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let usual = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    (!authority.as_str().contains('@')).then(|| (scheme, authority.host().to_ascii_lowercase(), uri.port_u16().unwrap_or(usual)))
}

/// A slash at the end makes no difference. `None`: a path that leads up again.
fn segments(uri: &Uri) -> Option<Vec<&str>> {
    let path = uri.path();
    let segments: Vec<_> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
    let leads_up = |segment: &&str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    (!segments.iter().any(leads_up)).then_some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_serves_at_its_resource_and_within_and_nowhere_else() {
        let url = "https://mcp.example/a/mcp";
        for good in [
            url,
            "https://mcp.example",
            "https://mcp.example/",
            "https://mcp.example/a",
            "https://mcp.example/a/",
            "https://mcp.example/a/mcp/",
            "https://MCP.example:443/a/mcp",
        ] {
            assert!(covers(good, url), "{good}");
        }
        for bad in [
            "https://evil.example/a/mcp",
            "https://mcp.example:8443/a/mcp",
            "http://mcp.example/a/mcp",
            "https://mcp.example.evil.example/a/mcp",
            "https://mcp.example@evil.example/a/mcp",
            "https://u@mcp.example/a",
            "https://mcp.example/a/mc",
            "https://mcp.example/b",
            "https://mcp.example/a/mcp/deeper",
            "https://mcp.example/b/..",
            "https://mcp.example/a?x=1",
            "urn:mcp",
            "work",
            "",
        ] {
            assert!(!covers(bad, url), "{bad}");
        }
        assert!(!covers("https://mcp.example/a", "https://mcp.example/a/../b") && covers("urn:mcp", "urn:mcp"));
    }
}
