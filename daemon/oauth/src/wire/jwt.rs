//! The payload of a JWT (RFC 7519), read without its signature: it came from the token endpoint over TLS, which vouches for it in the
//! place of a signature (OpenID Connect Core, 3.1.3.7, point 6). No `nonce` is looked for, as none was sent (point 11).
//!
//! Must never: be used to trust anything that came another way.

use std::time::Duration;

use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::GeneralPurposeConfig;
use zeroize::Zeroizing;

use super::identity_answer;
use super::json::{self, Object};
use super::members::{Members, Value};
use crate::terms::{ClientId, Issuer, Subject};
use crate::time::WallTime;

/// Some write padding where the RFC wants none.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// How far the clocks of two machines may be apart (RFC 7519, 4.1.4: "a few minutes").
const LEEWAY: Duration = Duration::from_secs(120);

/// When a token ends by its own words, where it is a JWT that tells (D38).
pub(crate) fn expiry(token: &str) -> Option<WallTime> {
    let payload = payload(token)?;
    // A string is no NumericDate. Who writes one may mean anything by it, and nobody has to guess: a report of rejection decides.
    let is_number = matches!(payload.value("exp"), Some(Value::Number(_)));
    if is_number { date(&payload, "exp") } else { None }
}

/// Whom an ID token is about, where it is one for us and still good (OpenID Connect Core, 3.1.3.7; D41).
pub(crate) fn subject(id_token: &str, issuer: &Issuer, client_id: &ClientId, now: WallTime) -> Option<Subject> {
    let payload = payload(id_token)?;
    if payload.has_duplicates() || payload.text("iss")? != issuer.as_str() {
        return None;
    }
    let audiences = payload.texts("aud");
    let party_fits = payload.value("azp").is_none_or(|party| party.text() == Some(client_id.as_str()));
    if !audiences.contains(&client_id.as_str()) || !party_fits || date(&payload, "exp")? + LEEWAY <= now {
        return None;
    }
    identity_answer::subject(&payload)
}

/// Whether it is a JWT, whatever it says.
pub(crate) fn is_one(text: &str) -> bool {
    payload(text).is_some()
}

fn payload(token: &str) -> Option<Members> {
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else { return None };
    let json = Zeroizing::new(BASE64URL.decode(payload).ok()?);
    match json::object(json.trim_ascii()) {
        Object::Whole(members) => Some(members),
        Object::Broken(_) => None,
    }
}

/// A NumericDate (RFC 7519, section 2).
fn date(payload: &Members, name: &str) -> Option<WallTime> {
    let seconds = payload.value(name)?.number()?.max(0.0);
    let life = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Some(WallTime::from_millis(u64::try_from(life.as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    /// A JWT with this payload.
    pub(crate) fn jwt(payload: &serde_json::Value) -> String {
        format!("e30.{}.c2ln", BASE64URL.encode(payload.to_string()).trim_end_matches('='))
    }

    const NOW: WallTime = WallTime::from_millis(1_000_000_000);

    fn subject_of(payload: &serde_json::Value) -> Option<String> {
        subject(&jwt(payload), &Issuer::new("https://as"), &ClientId::new("me"), NOW).map(|subject| subject.to_string())
    }

    #[test]
    fn d38_a_jwt_tells_when_it_ends() {
        assert_eq!(expiry(&jwt(&serde_json::json!({ "exp": 1_000_060 }))), Some(WallTime::from_millis(1_000_060_000)));
        assert_eq!(expiry(&jwt(&serde_json::json!({ "exp": -1 }))), Some(WallTime::from_millis(0)));
        for other in ["opaque", "a.b", "a.!!.c", "e30.e30.c2ln", "a.W10.c", "..", "a.b.c.d"] {
            assert_eq!(expiry(other), None, "{other}");
        }
        for exp in [serde_json::json!("1000060"), serde_json::json!("soon"), serde_json::json!(null), serde_json::json!([1])] {
            assert_eq!(expiry(&jwt(&serde_json::json!({ "exp": exp }))), None, "{exp}");
        }
    }

    #[test]
    fn d41_an_id_token_counts_only_where_issuer_audience_and_time_fit() {
        let good = serde_json::json!({ "iss": "https://as", "aud": "me", "exp": 1_000_060, "sub": "anna" });
        assert_eq!(subject_of(&good).as_deref(), Some("anna"));
        let with = |name: &str, value: serde_json::Value| {
            let mut changed = good.clone();
            changed.as_object_mut().unwrap().insert(name.to_owned(), value);
            subject_of(&changed)
        };
        assert_eq!(with("aud", serde_json::json!(["you", "me"])).as_deref(), Some("anna"));
        assert_eq!(with("azp", serde_json::json!("me")).as_deref(), Some("anna"));
        for (name, value) in [
            ("iss", serde_json::json!("https://as/")),
            ("iss", serde_json::json!(null)),
            ("aud", serde_json::json!("you")),
            ("aud", serde_json::json!([])),
            ("azp", serde_json::json!("you")),
            ("exp", serde_json::json!(999_000)),
            ("exp", serde_json::json!("never")),
            ("sub", serde_json::json!("")),
            ("sub", serde_json::json!("anna ")),
            ("sub", serde_json::json!(7)),
            ("sub", serde_json::json!("an\u{1b}na")),
            ("sub", serde_json::json!("x".repeat(256))),
        ] {
            assert_eq!(with(name, value.clone()), None, "{name} = {value}");
        }
    }

    proptest! {
        #[test]
        fn no_token_panics(token in "\\PC{0,20}(\\.[A-Za-z0-9_=-]{0,40}){0,3}", raw in any::<Vec<u8>>()) {
            let _ = expiry(&token);
            let _ = expiry(&format!("a.{}.c", BASE64URL.encode(raw)));
        }
    }
}
