//! Answers of a token endpoint (RFC 6749, 5.1 and 5.2), body before status (D17, D18).
//!
//! Must never: let anything but the end of the body keep a refresh token from being read (I9, D43).

use std::time::Duration;

use super::error_answer::{self, ErrorMember, RawError};
use super::members::{Members, Value};
use super::{NoErrorCode, Reading, StatusClass, jwt, read_as};
use crate::http::HttpAnswer;
use crate::misbehaved::{ServerMisbehaved, UnusableToken};
use crate::profile::{AnswerShape, Expiry, ExpirySource};
use crate::secret::{AccessToken, RefreshToken};
use crate::terms::Scopes;
use crate::time::Now;
use crate::token::{Binding, IssuedToken, Life, TokenSuccess, TokenType};

/// The largest token (D39).
const LARGEST_TOKEN: usize = 64 * 1024;
/// No life is believed to be longer (D38).
const LONGEST_LIFE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What a token endpoint said.
#[derive(Debug)]
pub(crate) enum TokenAnswer {
    /// A success answer, good or bad.
    Success(TokenSuccess),
    /// An error, whatever the status.
    Error(RawError, Option<Duration>),
    /// A success status, and a body that nobody can read: the request may have had its effect.
    UnreadableSuccess(ServerMisbehaved),
    /// Another status without a readable error.
    NoErrorCode(NoErrorCode),
}

/// How an answer is to be understood.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Understood<'a> {
    /// Where its members stand.
    pub(crate) shape: &'a AnswerShape,
    /// Who tells how long the token lives.
    pub(crate) expiry: &'a Expiry,
}

/// Reads an answer, as the RFCs have it, to a request that was sent at `requested_at` for a token of this binding.
#[cfg(test)]
pub(crate) fn read(answer: &HttpAnswer, binding: &Binding, requested_at: Now) -> TokenAnswer {
    read_by(answer, binding, requested_at, Understood { shape: &AnswerShape::default(), expiry: &Expiry::default() })
}

/// Reads an answer to a request that was sent at `requested_at` for a token of this binding.
pub(crate) fn read_by(answer: &HttpAnswer, binding: &Binding, requested_at: Now, by: Understood<'_>) -> TokenAnswer {
    let status = StatusClass::of(answer.status);
    let reading = read_as(answer, by.shape);
    let without_code = NoErrorCode::of(status, &reading);
    match reading {
        _ if status == StatusClass::Redirect => TokenAnswer::NoErrorCode(NoErrorCode::Redirect),
        Reading::Whole(members) => match error_answer::read(&members) {
            ErrorMember::Error(error) => TokenAnswer::Error(error, interval(&members)),
            _ if status != StatusClass::Success => TokenAnswer::NoErrorCode(without_code),
            ErrorMember::Unreadable => TokenAnswer::Success(spoilt(&members, ServerMisbehaved::BadMember("error"))),
            ErrorMember::None => TokenAnswer::Success(success(&members, binding, (requested_at, by.expiry))),
        },
        _ if status != StatusClass::Success => TokenAnswer::NoErrorCode(without_code),
        Reading::Broken(members) => broken(&members),
        Reading::Unreadable(why) => TokenAnswer::UnreadableSuccess(why),
    }
}

/// The `interval` that some servers send along with `slow_down` (D13).
fn interval(members: &Members) -> Option<Duration> {
    let seconds = members.value("interval").and_then(Value::number).filter(|seconds| *seconds > 0.0)?;
    Some(life_of(seconds))
}

/// A broken object is unreadable, unless a refresh token stood in it, complete: then the old one is spent, and this one counts (I9).
fn broken(members: &Members) -> TokenAnswer {
    match error_answer::read(members) {
        ErrorMember::None if refresh_token(members).is_some() => {
            TokenAnswer::Success(spoilt(members, ServerMisbehaved::BrokenJson))
        }
        _ => TokenAnswer::UnreadableSuccess(ServerMisbehaved::BrokenJson),
    }
}

fn spoilt(members: &Members, why: ServerMisbehaved) -> TokenSuccess {
    TokenSuccess { refresh_token: refresh_token(members), token: Err(why) }
}

fn success(members: &Members, binding: &Binding, asked: (Now, &Expiry)) -> TokenSuccess {
    TokenSuccess { refresh_token: refresh_token(members), token: issued(members, binding, asked) }
}

/// Readable is any text of sensible length: it goes back to its server percent-encoded, so that no character in it can harm.
fn refresh_token(members: &Members) -> Option<RefreshToken> {
    members.text("refresh_token").filter(|token| token.len() <= LARGEST_TOKEN).map(RefreshToken::new)
}

fn issued(members: &Members, binding: &Binding, (requested_at, expiry): (Now, &Expiry)) -> Result<IssuedToken, ServerMisbehaved> {
    if members.has_duplicates() {
        return Err(ServerMisbehaved::DuplicateMember);
    }
    let access_token = access_token(members)?;
    let token_type = token_type(members)?;
    let scopes = scopes(members)?;
    let life = life(members, &access_token, requested_at, expiry);
    // Without a configured issuer there is nothing to check an ID token against: its subject does not count (D41).
    let subject = binding
        .issuer
        .as_ref()
        .zip(members.text("id_token"))
        .and_then(|(issuer, id_token)| jwt::subject(id_token, issuer, &binding.client_id, requested_at.wall));
    Ok(IssuedToken { access_token, token_type, requested_at, life, scopes, subject })
}

fn access_token(members: &Members) -> Result<AccessToken, ServerMisbehaved> {
    let unusable = match members.value("access_token") {
        None => return Err(ServerMisbehaved::NoToken),
        Some(Value::Damaged) => UnusableToken::BadCharacters,
        Some(Value::Text(token)) => match token.expose() {
            "" => UnusableToken::Empty,
            large if large.len() > LARGEST_TOKEN => UnusableToken::TooLarge,
            // RFC 6749, A.12: visible characters and the space.
            good if good.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => return Ok(AccessToken::new(good)),
            _ => UnusableToken::BadCharacters,
        },
        Some(_) => UnusableToken::NotText,
    };
    Err(ServerMisbehaved::UnusableAccessToken(unusable))
}

/// D37. A missing type is taken for Bearer, as all but the strictest clients do.
fn token_type(members: &Members) -> Result<TokenType, ServerMisbehaved> {
    let named = match members.value("token_type") {
        None => return Ok(TokenType::Unnamed),
        Some(Value::Text(text)) => text.expose(),
        Some(_) => return Err(ServerMisbehaved::BadMember("token_type")),
    };
    if named.is_empty() {
        return Ok(TokenType::Unnamed);
    }
    if named.eq_ignore_ascii_case("bearer") {
        return Ok(TokenType::Bearer);
    }
    // The server's own word is not repeated: it could be anything.
    let known = ["DPoP", "MAC", "PoP", "N_A"].into_iter().find(|known| named.eq_ignore_ascii_case(known));
    Err(ServerMisbehaved::TokenType(known.unwrap_or("an unknown one")))
}

/// The granted scopes. An empty `scope` is none by the grammar (RFC 6749, 3.3), and as good as absent.
fn scopes(members: &Members) -> Result<Option<Scopes>, ServerMisbehaved> {
    match members.value("scope") {
        None => return Ok(None),
        Some(Value::Text(_) | Value::List(_)) => {}
        Some(_) => return Err(ServerMisbehaved::BadMember("scope")),
    }
    let granted = members.texts("scope").into_iter().flat_map(|text| text.split([' ', ','])).filter(|word| is_scope(word));
    Ok(Some(Scopes::from_words(granted)).filter(|scopes| !scopes.is_empty()))
}

/// RFC 6749, 3.3, `scope-token`.
fn is_scope(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// D38.
fn life(members: &Members, access_token: &AccessToken, requested_at: Now, expiry: &Expiry) -> Life {
    let by_jwt = || jwt::expiry(access_token.expose()).map(|end| end.since(requested_at.wall));
    let told = match (expiry.source, members.value("expires_in")) {
        (ExpirySource::Fixed(life), _) => Some(life),
        (ExpirySource::ExpiresIn, Some(value)) => value.number().map(life_of),
        (ExpirySource::ExpiresIn, None) | (ExpirySource::Jwt, _) => by_jwt(),
    };
    told.or(expiry.fallback).map_or(Life::Unknown, |life| Life::Known(life.min(LONGEST_LIFE).saturating_sub(expiry.skew)))
}

/// Seconds as a life: nothing below zero, nothing above a year.
pub(super) fn life_of(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST_LIFE).min(LONGEST_LIFE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::endpoint::{Endpoint, Loopback};
    use crate::terms::{ClientId, Issuer};
    use crate::time::{Instant, WallTime};
    use crate::wire::jwt::tests::jwt;
    use crate::wire::tests::answer;
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::{Value as Json, json};

    const NOW: Now = Now { instant: Instant::from_millis(7_000), wall: WallTime::from_millis(1_000_000_000) };

    fn binding() -> Binding {
        Binding {
            issuer: Some(Issuer::new("https://as.example")),
            token_endpoint: Endpoint::parse("https://as.example/token", Loopback::Refused).unwrap(),
            revocation_endpoint: None,
            client_id: ClientId::new("me"),
            resource: None,
        }
    }

    fn of(body: impl AsRef<[u8]>) -> TokenSuccess {
        match read(&answer(200, body), &binding(), NOW) {
            TokenAnswer::Success(success) => success,
            other => panic!("{other:?}"),
        }
    }

    fn with(name: &str, value: Json) -> TokenSuccess {
        let mut body =
            json!({ "access_token": "SNTL_AT", "refresh_token": "SNTL_RT", "token_type": "Bearer", "expires_in": 3600 });
        body.as_object_mut().unwrap().insert(name.to_owned(), value);
        of(body.to_string())
    }

    fn spoilt_but_saved(success: TokenSuccess) -> ServerMisbehaved {
        assert_eq!(success.refresh_token, Some(RefreshToken::new("SNTL_RT")));
        success.token.unwrap_err()
    }

    #[test]
    fn a_plain_answer_is_a_token_whose_life_counts_from_its_request() {
        let success = with("scope", json!("a b"));
        let token = success.token.unwrap();
        assert_eq!(token.access_token.expose(), "SNTL_AT");
        assert_eq!(token.requested_at, NOW);
        assert_eq!(token.life, Life::Known(Duration::from_secs(3600)));
        assert_eq!(token.scopes, Some(Scopes::parse("a b")));
        assert_eq!(token.subject, None);
    }

    #[test]
    fn d37_only_bearer_is_understood_in_any_case_and_a_missing_type_is_tolerated() {
        for (fine, is) in [
            (json!("bearer"), TokenType::Bearer),
            (json!("BEARER"), TokenType::Bearer),
            (json!(null), TokenType::Unnamed),
            (json!(""), TokenType::Unnamed),
        ] {
            assert_eq!(with("token_type", fine).token.unwrap().token_type, is);
        }
        assert_eq!(spoilt_but_saved(with("token_type", json!("dpop"))), ServerMisbehaved::TokenType("DPoP"));
        assert_eq!(spoilt_but_saved(with("token_type", json!("SNTL"))), ServerMisbehaved::TokenType("an unknown one"));
        assert_eq!(spoilt_but_saved(with("token_type", json!(1))), ServerMisbehaved::BadMember("token_type"));
    }

    #[test]
    fn d38_a_life_is_understood_however_it_is_written() {
        let known = |seconds| Life::Known(Duration::from_secs(seconds));
        let year = 365 * 24 * 3600;
        for (written, wanted) in [
            (json!(3600), known(3600)),
            (json!("3600"), known(3600)),
            (json!(3600.0), known(3600)),
            (json!("7.2e3"), known(7200)),
            (json!(0), known(0)),
            (json!(-5), known(0)),
            (json!("-5"), known(0)),
            (json!(year + 1), known(year)),
            (json!("99999999999999999999999999"), known(year)),
            (json!("1e999"), known(year)),
            (json!(null), Life::Unknown),
            (json!("soon"), Life::Unknown),
            (json!("inf"), Life::Unknown),
            (json!(true), Life::Unknown),
            (json!({}), Life::Unknown),
        ] {
            assert_eq!(with("expires_in", written.clone()).token.unwrap().life, wanted, "{written}");
        }
        assert_eq!(of(r#"{"access_token":"a","expires_in":1e999}"#).token.unwrap().life, known(year));
    }

    #[test]
    fn d38_without_expires_in_the_jwt_tells() {
        let life = |exp: i64| of(json!({ "access_token": jwt(&json!({ "exp": exp })) }).to_string()).token.unwrap().life;
        assert_eq!(life(1_000_060), Life::Known(Duration::from_secs(60)));
        assert_eq!(life(999_000), Life::Known(Duration::ZERO));
        assert_eq!(life(i64::MAX), Life::Known(LONGEST_LIFE));
        assert_eq!(of(r#"{"access_token":"opaque"}"#).token.unwrap().life, Life::Unknown);
    }

    #[test]
    fn d39_a_token_that_could_inject_a_header_is_refused_after_the_refresh_token_is_saved() {
        for bad in ["a\r\nX: y", "a\u{0}", "caf\u{e9}", "\u{7f}"] {
            let why = spoilt_but_saved(with("access_token", json!(bad)));
            assert_eq!(why, ServerMisbehaved::UnusableAccessToken(UnusableToken::BadCharacters), "{bad:?}");
        }
        let bytes = b"{\"access_token\":\"a\xff\",\"refresh_token\":\"SNTL_RT\"}";
        assert_eq!(spoilt_but_saved(of(bytes)), ServerMisbehaved::UnusableAccessToken(UnusableToken::BadCharacters));
        let large = spoilt_but_saved(with("access_token", json!("x".repeat(LARGEST_TOKEN + 1))));
        assert_eq!(large, ServerMisbehaved::UnusableAccessToken(UnusableToken::TooLarge));
        assert!(with("access_token", json!("x".repeat(LARGEST_TOKEN))).token.is_ok());
    }

    #[test]
    fn d40_scopes_come_with_commas_or_spaces_or_as_a_list() {
        for written in [json!("a b"), json!("b,a"), json!(["a", "b"]), json!(["a b"])] {
            assert_eq!(with("scope", written).token.unwrap().scopes, Some(Scopes::parse("a b")));
        }
        for absent in [json!(null), json!(""), json!([])] {
            assert_eq!(with("scope", absent).token.unwrap().scopes, None);
        }
        assert_eq!(with("scope", json!("a \u{1b}[31m b\u{202e}")).token.unwrap().scopes, Some(Scopes::parse("a")));
        assert_eq!(spoilt_but_saved(with("scope", json!(7))), ServerMisbehaved::BadMember("scope"));
    }

    #[test]
    fn d41_the_subject_of_an_id_token_for_us_counts_and_of_any_other_not() {
        let id_token = |aud: &str| jwt(&json!({ "iss": "https://as.example", "aud": aud, "exp": 1_000_060, "sub": "anna" }));
        assert_eq!(with("id_token", json!(id_token("me"))).token.unwrap().subject.unwrap().as_str(), "anna");
        for other in [json!(id_token("you")), json!("garbage"), json!(5)] {
            assert_eq!(with("id_token", other).token.unwrap().subject, None);
        }
    }

    #[test]
    fn d42_a_duplicate_is_an_error_after_the_refresh_token_is_saved() {
        let body = r#"{"access_token":"a","access_token":"b","refresh_token":"SNTL_RT"}"#;
        assert_eq!(spoilt_but_saved(of(body)), ServerMisbehaved::DuplicateMember);
        let body = r#"{"access_token":"a","refresh_token":"SNTL_OLD","refresh_token":"SNTL_RT"}"#;
        assert_eq!(spoilt_but_saved(of(body)), ServerMisbehaved::DuplicateMember);
        assert_eq!(
            spoilt_but_saved(of("access_token=a&access_token=b&refresh_token=SNTL_RT")),
            ServerMisbehaved::DuplicateMember
        );
    }

    #[test]
    fn d44_without_an_access_token_the_refresh_token_is_still_read() {
        assert_eq!(spoilt_but_saved(of(r#"{"refresh_token":"SNTL_RT"}"#)), ServerMisbehaved::NoToken);
        assert_eq!(spoilt_but_saved(with("access_token", json!(null))), ServerMisbehaved::NoToken);
        assert_eq!(
            spoilt_but_saved(with("access_token", json!(""))),
            ServerMisbehaved::UnusableAccessToken(UnusableToken::Empty)
        );
        assert_eq!(
            spoilt_but_saved(with("access_token", json!([]))),
            ServerMisbehaved::UnusableAccessToken(UnusableToken::NotText)
        );
        assert_eq!(of("{}"), TokenSuccess { refresh_token: None, token: Err(ServerMisbehaved::NoToken) });
    }

    #[test]
    fn d43_a_complete_refresh_token_in_a_broken_answer_is_saved() {
        assert_eq!(spoilt_but_saved(of(r#"{"refresh_token":"SNTL_RT","access_token":"SNT"#)), ServerMisbehaved::BrokenJson);
        for lost in [r#"{"access_token":"a","refresh_token":"SNTL"#, r#"{"access_token":"a","refresh_token":"SNTL_RT""#, "{"] {
            let read = read(&answer(200, lost), &binding(), NOW);
            assert!(matches!(read, TokenAnswer::UnreadableSuccess(ServerMisbehaved::BrokenJson)), "{lost}");
        }
    }

    #[test]
    fn d18_the_body_counts_before_the_status() {
        for status in [200, 201, 400, 403, 428, 429, 500, 999] {
            let read = read(&answer(status, r#"{"error":"authorization_pending","access_token":"x"}"#), &binding(), NOW);
            assert!(matches!(read, TokenAnswer::Error(error, None) if error.code() == "authorization_pending"), "{status}");
        }
        for (status, body, wanted) in [
            (302, r#"{"error":"x"}"#, NoErrorCode::Redirect),
            (503, "<html>", NoErrorCode::Later),
            (429, "{}", NoErrorCode::Later),
            (400, "{}", NoErrorCode::Object),
            (401, "", NoErrorCode::Page),
            (400, r#"{"error":"invalid_grant""#, NoErrorCode::Page),
        ] {
            let read = read(&answer(status, body), &binding(), NOW);
            assert!(matches!(read, TokenAnswer::NoErrorCode(found) if found == wanted), "{status} {body}");
        }
        assert_eq!(spoilt_but_saved(with("error", json!({ "code": 1 }))), ServerMisbehaved::BadMember("error"));
    }

    /// JSON values, right and wrong, as text: some are not even JSON.
    fn damage() -> impl Strategy<Value = Vec<u8>> {
        let fixed: Vec<Vec<u8>> = [
            "null",
            "true",
            "12",
            "-1e400",
            "[]",
            "{}",
            "[[{\"a\":[]}]]",
            "{\"refresh_token\":\"evil\"}",
            "\"\"",
            "\"\\ud800\"",
            "\"\\q\"",
            "\"a\\u0000\"",
            "nul",
            "NaN",
            "'x'",
            "",
            "\"DPoP\"",
            "\"}\"",
            "\"\\\"\"",
        ]
        .into_iter()
        .map(|text| text.as_bytes().to_vec())
        .chain([b"\"\xff\xc0\"".to_vec(), b"\"\x01\n\"".to_vec(), b"\xff".to_vec()])
        .collect();
        prop_oneof![select(fixed), any::<String>().prop_map(|text| json!(text).to_string().into_bytes())]
    }

    proptest! {
        #[test]
        fn no_bytes_panic(status in any::<u16>(), bytes in any::<Vec<u8>>(), text in "[{<]?[\"a-z_:,=&{}\\[\\]\\\\]{0,60}") {
            let _ = read(&answer(status, bytes), &binding(), NOW);
            let _ = read(&answer(status, text), &binding(), NOW);
        }

        #[test]
        fn a_success_answer_with_one_damaged_member_still_yields_its_refresh_token(
            which in select(vec!["access_token", "token_type", "expires_in", "scope", "id_token", "error_uri", "extra"]),
            damage in damage(),
            twice in any::<bool>(),
            order in Just((0..7_usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let good = [
                ("access_token", "\"SNTL_AT\""), ("token_type", "\"Bearer\""), ("expires_in", "3600"), ("scope", "\"a\""),
                ("id_token", "\"a.b.c\""), ("refresh_token", "\"SNTL_RT\""), ("extra", "{\"a\":[1]}"),
            ];
            let mut members: Vec<Vec<u8>> = Vec::new();
            for (name, value) in order.iter().filter_map(|at| good.get(*at)) {
                if *name != which || twice {
                    members.push(format!("\"{name}\":{value}").into_bytes());
                }
            }
            let mut damaged = format!("\"{which}\":").into_bytes();
            damaged.extend(&damage);
            members.insert(order.first().copied().unwrap_or_default().min(members.len()), damaged);
            let body = [b"{".to_vec(), members.join(&b","[..]), b"}".to_vec()].concat();
            prop_assert_eq!(of(&body).refresh_token, Some(RefreshToken::new("SNTL_RT")), "{}", String::from_utf8_lossy(&body));
        }
    }
}
