//! Authorization server metadata (RFC 8414, section 2; OpenID Connect Discovery 1.0, section 3).
//!
//! Must never: normalise the issuer before it is compared (D1), or let an endpoint through that no request may go to (D3, D4).

use super::members::{Members, Value};
use super::{Reading, read as read_body, shown};
use crate::discovery::{MediaType, ServerMetadata};
use crate::endpoint::Endpoint;
use crate::http::HttpAnswer;
use crate::misbehaved::ServerMisbehaved;
use crate::reach::Reach;
use crate::terms::{self, Issuer};

const LONGEST_ISSUER: usize = 200;
const LONGEST_ENTRY: usize = 200;
const MOST_ENTRIES: usize = 256;

/// What a metadata document with a success status says.
#[derive(Debug)]
pub(crate) enum MetadataAnswer {
    /// A good document of this issuer.
    Metadata(Box<ServerMetadata>),
    /// A document that must not be used.
    Misbehaved(ServerMisbehaved),
    /// No document: a web page, half a document. It may pass (D7).
    NoDocument,
}

/// Reads the document of an issuer, whose endpoints may be as near as this (D3, D9).
pub(crate) fn read(answer: &HttpAnswer, issuer: &Issuer, reach: Reach) -> MetadataAnswer {
    let Reading::Whole(members) = read_body(answer) else { return MetadataAnswer::NoDocument };
    match metadata(&members, issuer, (reach, media_type(answer))) {
        Ok(metadata) => MetadataAnswer::Metadata(Box::new(metadata)),
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
    (reach, media_type): (Reach, MediaType),
) -> Result<ServerMetadata, ServerMisbehaved> {
    if members.has_duplicates() {
        return Err(ServerMisbehaved::DuplicateMember);
    }
    let found = members.text("issuer").ok_or(ServerMisbehaved::MetadataMember("issuer"))?;
    if found != issuer.as_str() {
        return Err(ServerMisbehaved::IssuerMismatch { found: shown::fit(found, LONGEST_ISSUER) });
    }
    let token_endpoint = endpoint(members, "token_endpoint", reach)?.ok_or(ServerMisbehaved::MetadataMember("token_endpoint"))?;
    let mut left_out = Vec::new();
    let mut optional = |member| endpoint(members, member, reach).map_err(|why| left_out.push(why)).unwrap_or_default();
    Ok(ServerMetadata {
        issuer: issuer.clone(),
        token_endpoint,
        authorization_endpoint: endpoint(members, "authorization_endpoint", reach)?,
        device_authorization_endpoint: endpoint(members, "device_authorization_endpoint", reach)?,
        registration_endpoint: endpoint(members, "registration_endpoint", reach)?,
        // No login needs these: a bad one is as good as none.
        revocation_endpoint: optional("revocation_endpoint"),
        introspection_endpoint: optional("introspection_endpoint"),
        userinfo_endpoint: optional("userinfo_endpoint"),
        jwks_uri: optional("jwks_uri"),
        media_type,
        grant_types_supported: list(members, "grant_types_supported"),
        response_types_supported: list(members, "response_types_supported"),
        scopes_supported: scopes(members),
        code_challenge_methods_supported: said(members, "code_challenge_methods_supported"),
        token_endpoint_auth_methods_supported: said(members, "token_endpoint_auth_methods_supported"),
        authorization_response_iss_parameter_supported: flag(members, "authorization_response_iss_parameter_supported"),
        client_id_metadata_document_supported: flag(members, "client_id_metadata_document_supported"),
        left_out,
    })
}

fn endpoint(members: &Members, member: &'static str, reach: Reach) -> Result<Option<Endpoint>, ServerMisbehaved> {
    match members.value(member) {
        None => Ok(None),
        Some(Value::Text(text)) => match Endpoint::named(text.expose(), reach) {
            Ok(endpoint) => Ok(Some(endpoint)),
            Err(why) => Err(ServerMisbehaved::MetadataEndpoint { member, why }),
        },
        Some(_) => Err(ServerMisbehaved::MetadataMember(member)),
    }
}

/// The words of a list that are fit to be shown as they are; another one is none that we would know.
fn list(members: &Members, member: &str) -> Vec<String> {
    let words = members.texts(member).into_iter().take(MOST_ENTRIES);
    words.filter(|word| !word.is_empty() && shown::fit(word, LONGEST_ENTRY) == **word).map(str::to_owned).collect()
}

fn said(members: &Members, member: &str) -> Option<Vec<String>> {
    members.value(member).map(|_| list(members, member))
}

/// `scopes_supported`, as far as each can be sent (RFC 6749, 3.3).
pub(super) fn scopes(members: &Members) -> Vec<String> {
    list(members, "scopes_supported").into_iter().filter(|word| terms::is_scope_token(word)).collect()
}

fn flag(members: &Members, member: &str) -> bool {
    matches!(members.value(member), Some(Value::Bool(true)))
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
        match read(&answer(200, body.to_string()), &Issuer::new("https://as.example"), Reach::Public) {
            MetadataAnswer::Metadata(metadata) => Ok(*metadata),
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
        for member in ["token_endpoint", "device_authorization_endpoint", "authorization_endpoint", "registration_endpoint"] {
            for (bad, why) in [
                ("http://as.example/token", InvalidEndpoint::NotHttps),
                ("https://127.0.0.1/token", InvalidEndpoint::UnexpectedLoopback),
                ("http://localhost/token", InvalidEndpoint::UnexpectedLoopback),
                ("https://u@as.example/token", InvalidEndpoint::UserInfo),
                ("https://as.example/token#x", InvalidEndpoint::Fragment),
                ("https://169.254.169.254/", InvalidEndpoint::UnexpectedPrivate),
                ("javascript:alert(1)", InvalidEndpoint::NotHttps),
                ("file:///etc/passwd", InvalidEndpoint::NotHttps),
                ("--flag", InvalidEndpoint::NotAUrl),
            ] {
                assert_eq!(with(member, json!(bad)), Err(ServerMisbehaved::MetadataEndpoint { member, why }), "{bad}");
            }
            assert_eq!(with(member, json!(5)), Err(ServerMisbehaved::MetadataMember(member)));
        }
    }

    #[test]
    fn an_endpoint_that_no_login_needs_does_not_break_the_others() {
        for member in ["revocation_endpoint", "introspection_endpoint", "userinfo_endpoint", "jwks_uri"] {
            let good = with(member, json!("https://as.example/good")).unwrap();
            let of = |metadata: &ServerMetadata| match member {
                "revocation_endpoint" => metadata.revocation_endpoint.clone(),
                "introspection_endpoint" => metadata.introspection_endpoint.clone(),
                "userinfo_endpoint" => metadata.userinfo_endpoint.clone(),
                _ => metadata.jwks_uri.clone(),
            };
            assert_eq!(of(&good).unwrap().as_str(), "https://as.example/good", "{member}");
            for bad in [json!("http://as.example/revoke"), json!("javascript:x"), json!(7), json!("https://10.0.0.1/")] {
                let metadata = with(member, bad).unwrap();
                assert_eq!(of(&metadata), None, "{member}");
                assert!(metadata.left_out.iter().any(|why| why.to_string().contains(member)), "{member}");
            }
        }
        assert_eq!(with("device_authorization_endpoint", json!(null)).unwrap().device_authorization_endpoint, None);
        assert_eq!(with("token_endpoint", json!(null)), Err(ServerMisbehaved::MetadataMember("token_endpoint")));
    }

    #[test]
    fn what_a_server_does_not_say_is_not_what_it_says_with_an_empty_list() {
        for member in ["code_challenge_methods_supported", "token_endpoint_auth_methods_supported"] {
            let of = |value: Json| {
                let metadata = with(member, value).unwrap();
                match member {
                    "code_challenge_methods_supported" => metadata.code_challenge_methods_supported,
                    _ => metadata.token_endpoint_auth_methods_supported,
                }
            };
            assert_eq!(of(json!(null)), None);
            assert_eq!(of(json!([])), Some(Vec::new()));
            assert_eq!(of(json!({})), Some(Vec::new()));
            assert_eq!(of(json!(["S256", 1, null, "none"])), Some(vec!["S256".to_owned(), "none".to_owned()]));
        }
    }

    #[test]
    fn d19_the_words_of_lists_are_fit_to_be_shown_and_few() {
        let odd = json!(["a", "", "b\u{1b}[31m", "\u{202e}", "x".repeat(300), "c\u{0}", "d e", "e\"", "f"]);
        assert_eq!(with("grant_types_supported", odd.clone()).unwrap().grant_types_supported, ["a", "d e", "e\"", "f"]);
        assert_eq!(with("response_types_supported", odd.clone()).unwrap().response_types_supported, ["a", "d e", "e\"", "f"]);
        assert_eq!(with("scopes_supported", odd).unwrap().scopes_supported, ["a", "f"]);
        let many: Vec<_> = (0..1000).map(|n| n.to_string()).collect();
        assert_eq!(with("scopes_supported", json!(many)).unwrap().scopes_supported.len(), MOST_ENTRIES);
    }

    #[test]
    fn a_switch_is_on_only_where_it_says_true() {
        for (value, on) in
            [(json!(true), true), (json!(false), false), (json!("true"), false), (json!(1), false), (json!(null), false)]
        {
            let iss = with("authorization_response_iss_parameter_supported", value.clone()).unwrap();
            assert_eq!(iss.authorization_response_iss_parameter_supported, on, "{value}");
            let document = with("client_id_metadata_document_supported", value.clone()).unwrap();
            assert_eq!(document.client_id_metadata_document_supported, on, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
            let _ = read(&answer(200, bytes), &Issuer::new("https://as.example"), Reach::ThisMachine);
        }
    }
}
