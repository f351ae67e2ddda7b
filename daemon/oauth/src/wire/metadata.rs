//! Authorization server metadata (RFC 8414, section 2; OpenID Connect Discovery 1.0, section 3).
//!
//! Must never: normalise the issuer before it is compared (D1), or let an endpoint through that no request may go to (D3, D4).

use super::members::{Members, Value};
use super::{Reading, read as read_body, shown};
use crate::discovery::{MediaType, ServerMetadata};
use crate::endpoint::{Endpoint, Loopback};
use crate::http::HttpAnswer;
use crate::misbehaved::ServerMisbehaved;
use crate::terms::Issuer;

const LONGEST_ISSUER: usize = 200;

/// What a metadata document with a success status says.
#[derive(Debug)]
pub(crate) enum MetadataAnswer {
    /// A good document of this issuer.
    Metadata(ServerMetadata),
    /// A document that must not be used.
    Misbehaved(ServerMisbehaved),
    /// No document: a web page, half a document. It may pass (D7).
    NoDocument,
}

/// Reads the document of an issuer. Loopback endpoints count only where the issuer is loopback itself (D3).
pub(crate) fn read(answer: &HttpAnswer, issuer: &Issuer, loopback: Loopback) -> MetadataAnswer {
    let Reading::Whole(members) = read_body(answer) else { return MetadataAnswer::NoDocument };
    match metadata(&members, issuer, (loopback, media_type(answer))) {
        Ok(metadata) => MetadataAnswer::Metadata(metadata),
        Err(why) => MetadataAnswer::Misbehaved(why),
    }
}

fn media_type(answer: &HttpAnswer) -> MediaType {
    let essence = answer.content_type.as_deref().and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    let is_json = essence.eq_ignore_ascii_case("application/json") || essence.to_ascii_lowercase().ends_with("+json");
    if is_json { MediaType::Json } else { MediaType::Other }
}

fn metadata(
    members: &Members,
    issuer: &Issuer,
    (loopback, media_type): (Loopback, MediaType),
) -> Result<ServerMetadata, ServerMisbehaved> {
    if members.has_duplicates() {
        return Err(ServerMisbehaved::DuplicateMember);
    }
    let found = members.text("issuer").ok_or(ServerMisbehaved::MetadataMember("issuer"))?;
    if found != issuer.as_str() {
        return Err(ServerMisbehaved::IssuerMismatch { found: shown::fit(found, LONGEST_ISSUER) });
    }
    let token_endpoint =
        endpoint(members, "token_endpoint", loopback)?.ok_or(ServerMisbehaved::MetadataMember("token_endpoint"))?;
    Ok(ServerMetadata {
        issuer: issuer.clone(),
        token_endpoint,
        device_authorization_endpoint: endpoint(members, "device_authorization_endpoint", loopback)?,
        // No login needs it: a bad one is as good as none.
        revocation_endpoint: endpoint(members, "revocation_endpoint", loopback).unwrap_or_default(),
        media_type,
        grant_types_supported: members
            .texts("grant_types_supported")
            .into_iter()
            .map(|text| shown::fit(text, LONGEST_ISSUER))
            .collect(),
    })
}

fn endpoint(members: &Members, member: &'static str, loopback: Loopback) -> Result<Option<Endpoint>, ServerMisbehaved> {
    match members.value(member) {
        None => Ok(None),
        Some(Value::Text(text)) => match Endpoint::parse(text.expose(), loopback) {
            Ok(endpoint) => Ok(Some(endpoint)),
            Err(why) => Err(ServerMisbehaved::MetadataEndpoint { member, why }),
        },
        Some(_) => Err(ServerMisbehaved::MetadataMember(member)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::endpoint::InvalidEndpoint;
    use crate::wire::tests::answer;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    fn with(name: &str, value: Json) -> Result<ServerMetadata, ServerMisbehaved> {
        let mut body = json!({
            "issuer": "https://as.example", "token_endpoint": "https://as.example/token", "grant_types_supported": ["a", 1, "b"],
            "device_authorization_endpoint": "https://as.example/device", "revocation_endpoint": "https://as.example/revoke",
            "jwks_uri": "javascript:alert(1)", "service_documentation": 12,
        });
        body.as_object_mut().unwrap().insert(name.to_owned(), value);
        match read(&answer(200, body.to_string()), &Issuer::new("https://as.example"), Loopback::Refused) {
            MetadataAnswer::Metadata(metadata) => Ok(metadata),
            MetadataAnswer::Misbehaved(why) => Err(why),
            MetadataAnswer::NoDocument => panic!("no document"),
        }
    }

    #[test]
    fn a_good_document_is_read_whatever_its_other_members_are() {
        let metadata = with("x", json!(1)).unwrap();
        assert_eq!(metadata.token_endpoint.as_str(), "https://as.example/token");
        assert_eq!(metadata.device_authorization_endpoint.unwrap().as_str(), "https://as.example/device");
        assert_eq!(metadata.revocation_endpoint.unwrap().as_str(), "https://as.example/revoke");
        assert_eq!(metadata.grant_types_supported, ["a", "b"]);
    }

    #[test]
    fn d1_the_issuer_is_compared_byte_for_byte() {
        for other in [
            "https://as.example/",
            "https://AS.example",
            "https://as.example:443",
            "https://evil.example",
            "https://as.example\u{0}",
        ] {
            assert!(matches!(with("issuer", json!(other)), Err(ServerMisbehaved::IssuerMismatch { .. })), "{other}");
        }
        for none in [json!(null), json!(7), json!(["https://as.example"])] {
            assert_eq!(with("issuer", none), Err(ServerMisbehaved::MetadataMember("issuer")));
        }
    }

    #[test]
    fn d3_d4_an_endpoint_that_no_request_may_go_to_refuses_the_document() {
        for member in ["token_endpoint", "device_authorization_endpoint"] {
            for (bad, why) in [
                ("http://as.example/token", InvalidEndpoint::NotHttps),
                ("https://127.0.0.1/token", InvalidEndpoint::UnexpectedLoopback),
                ("http://localhost/token", InvalidEndpoint::UnexpectedLoopback),
                ("https://u@as.example/token", InvalidEndpoint::UserInfo),
                ("https://as.example/token#x", InvalidEndpoint::Fragment),
                ("--flag", InvalidEndpoint::NotAUrl),
            ] {
                assert_eq!(with(member, json!(bad)), Err(ServerMisbehaved::MetadataEndpoint { member, why }), "{bad}");
            }
            assert_eq!(with(member, json!(5)), Err(ServerMisbehaved::MetadataMember(member)));
        }
    }

    #[test]
    fn an_endpoint_that_no_login_needs_does_not_break_the_others() {
        for bad in [json!("http://as.example/revoke"), json!("javascript:x"), json!(7)] {
            assert_eq!(with("revocation_endpoint", bad).unwrap().revocation_endpoint, None);
        }
        assert_eq!(with("device_authorization_endpoint", json!(null)).unwrap().device_authorization_endpoint, None);
        assert_eq!(with("token_endpoint", json!(null)), Err(ServerMisbehaved::MetadataMember("token_endpoint")));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            let _ = read(&answer(200, bytes), &Issuer::new("https://as.example"), Loopback::Allowed);
        }
    }
}
