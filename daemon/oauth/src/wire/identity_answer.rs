//! Answers of a userinfo endpoint (OpenID Connect Core, 5.3.2) and of an introspection endpoint (RFC 7662, 2.2).
//!
//! Must never: take a web page, a form or a JWT for an answer, or keep anything of it but the subject.

use super::members::{Members, Value};
use super::{Reading, StatusClass, jwt, read as read_body, text_of};
use crate::http::HttpAnswer;
use crate::identity::NoIdentity;
use crate::terms::Subject;
use crate::token::Binding;

/// The longest subject (OpenID Connect Core, section 2).
const LONGEST_SUBJECT: usize = 255;

/// Which endpoint was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// OpenID Connect Core, 5.3.
    Userinfo,
    /// RFC 7662.
    Introspection,
}

/// Whom a token of this binding belongs to.
pub(crate) fn read(answer: &HttpAnswer, asked: Asked, binding: &Binding) -> Result<Subject, NoIdentity> {
    if StatusClass::of(answer.status) != StatusClass::Success {
        return Err(NoIdentity::Refused { status: answer.status });
    }
    let body = text_of(answer.body.expose());
    if body.first() != Some(&b'{') {
        let is_jwt = std::str::from_utf8(body).is_ok_and(jwt::is_one);
        return Err(if is_jwt { NoIdentity::Signed } else { NoIdentity::NotAnObject });
    }
    let members = match read_body(answer) {
        Reading::Whole(members) if !members.has_duplicates() => members,
        _ => return Err(NoIdentity::NotAnObject),
    };
    if asked == Asked::Introspection {
        if !matches!(members.value("active"), Some(Value::Bool(true))) {
            return Err(NoIdentity::Inactive);
        }
        let is_ours = |name, ours: Option<&str>| match (members.value(name), ours) {
            (Some(named), Some(ours)) => named.text() == Some(ours),
            _ => true,
        };
        let issuer = binding.issuer.as_ref().map(|issuer| issuer.as_str());
        if !is_ours("iss", issuer) || !is_ours("client_id", Some(binding.client_id.as_str())) {
            return Err(NoIdentity::NotOurs);
        }
    }
    subject(&members).ok_or(NoIdentity::NoSubject)
}

/// The `sub`, where it can be compared and shown as it is. White space around it would hide that two subjects differ.
pub(super) fn subject(members: &Members) -> Option<Subject> {
    let fits = |sub: &&str| sub.len() <= LONGEST_SUBJECT && sub.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    members.text("sub").filter(fits).filter(|sub| sub.trim() == *sub).map(Subject::new)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::endpoint::{Endpoint, Loopback};
    use crate::terms::{ClientId, Issuer};
    use crate::wire::jwt::tests::jwt;
    use crate::wire::tests::answer;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    fn binding() -> Binding {
        Binding {
            issuer: Some(Issuer::new("https://as.example")),
            token_endpoint: Endpoint::parse("https://as.example/token", Loopback::Refused).unwrap(),
            revocation_endpoint: None,
            client_id: ClientId::new("me"),
            resource: None,
        }
    }

    fn told(asked: Asked, status: u16, body: impl AsRef<[u8]>) -> Result<String, NoIdentity> {
        read(&answer(status, body), asked, &binding()).map(|subject| subject.to_string())
    }

    #[test]
    fn only_a_success_with_an_object_tells_a_subject() {
        for asked in [Asked::Userinfo, Asked::Introspection] {
            let good = r#"{"sub":"anna","active":true,"email":"SNTL@mail.example","more":{"sub":"bob"}}"#;
            for status in [200, 201] {
                assert_eq!(told(asked, status, good).as_deref(), Ok("anna"));
            }
            for status in [302, 400, 401, 403, 404, 405, 429, 500, 503] {
                assert_eq!(told(asked, status, good), Err(NoIdentity::Refused { status }));
            }
            let twice = r#"{"sub":"anna","active":true,"sub":"bob"}"#;
            let large = format!(r#"{{"sub":"anna","active":true,"x":"{}"}}"#, "x".repeat(2 * 1024 * 1024));
            for bad in
                ["", "<html>sub</html>", "sub=anna&active=true", "[]", "\"anna\"", r#"{"sub":"anna","active":tr"#, twice, &large]
            {
                assert_eq!(told(asked, 200, bad), Err(NoIdentity::NotAnObject));
            }
            assert_eq!(told(asked, 200, jwt(&json!({ "sub": "anna", "active": true }))), Err(NoIdentity::Signed));
        }
    }

    #[test]
    fn a_subject_is_text_that_can_be_compared_and_shown() {
        for asked in [Asked::Userinfo, Asked::Introspection] {
            let with = |sub: Json| told(asked, 200, json!({ "sub": sub, "active": true }).to_string());
            for good in ["a", "auth0|5f7c8ec7c33c6c004bbafe82", "Anna Smith", &"x".repeat(255)] {
                assert_eq!(with(json!(good)).as_deref(), Ok(good));
            }
            for bad in ["", " ", "anna ", "\tanna", "an\u{1b}[31mna", "an\u{0}na", "\u{e4}nna", "an\u{202e}na", &"x".repeat(256)]
            {
                assert_eq!(with(json!(bad)), Err(NoIdentity::NoSubject), "{bad:?}");
            }
            for bad in [json!(null), json!(7), json!(true), json!(["anna"]), json!({ "sub": "anna" })] {
                assert_eq!(with(bad.clone()), Err(NoIdentity::NoSubject), "{bad}");
            }
            let damaged = b"{\"active\":true,\"sub\":\"an\xffna\"}";
            assert_eq!(told(asked, 200, damaged), Err(NoIdentity::NoSubject));
        }
    }

    #[test]
    fn an_introspection_counts_only_of_a_living_token_that_is_ours() {
        let with = |name: &str, value: Json| {
            let mut body = json!({ "active": true, "sub": "anna" });
            body.as_object_mut().unwrap().insert(name.to_owned(), value);
            told(Asked::Introspection, 200, body.to_string())
        };
        for inactive in [json!(false), json!("true"), json!(1), json!(null)] {
            assert_eq!(with("active", inactive.clone()), Err(NoIdentity::Inactive), "{inactive}");
        }
        for (name, value) in [("iss", json!("https://as.example/")), ("iss", json!(7)), ("client_id", json!("you"))] {
            assert_eq!(with(name, value.clone()), Err(NoIdentity::NotOurs), "{name} = {value}");
        }
        for (name, value) in [("iss", json!("https://as.example")), ("client_id", json!("me")), ("aud", json!("other"))] {
            assert_eq!(with(name, value.clone()).as_deref(), Ok("anna"), "{name} = {value}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_a_subject_can_be_shown(bytes in any::<Vec<u8>>(), sub in any::<String>()) {
            for asked in [Asked::Userinfo, Asked::Introspection] {
                let _ = told(asked, 200, &bytes);
                if let Ok(shown) = told(asked, 200, json!({ "sub": sub, "active": true }).to_string()) {
                    prop_assert_eq!(crate::wire::shown::fit(&shown, 255), sub.as_str());
                }
            }
        }
    }
}
