//! Error answers (RFC 6749, 5.2), also where they come with status 200 (GitHub) or under other names (Google, Supabase).
//!
//! Must never: show a piece of a secret, neither of one that was sent nor of one that came beside the error (D61, P10).

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::members::{Members, Value};
use super::{StatusClass, shown};
use crate::secret::SecretText;
use crate::token::ErrorAnswer;

/// A shared run of so many bytes counts as a piece of a secret (P10).
const PIECE: usize = 8;
/// The longest `error` (see [`ErrorAnswer`]).
const LONGEST_ERROR: usize = 64;
/// The longest description (see [`ErrorAnswer`]).
const LONGEST_DESCRIPTION: usize = 200;
/// More of a description than this is not even searched for secrets.
const SEARCHED: usize = 4096;
/// What stands in the place of an error code that cannot be shown.
const UNREADABLE: &str = "unreadable_error";

/// Members of an answer that hold secrets of their own.
const SECRET_MEMBERS: &[&str] =
    &["access_token", "refresh_token", "id_token", "device_code", "client_secret", "registration_access_token"];

/// An error as the server wrote it: for a decision, not yet for an eye.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawError {
    code: SecretText,
    description: Option<SecretText>,
    beside: Vec<SecretText>,
}

/// What a body says about an error.
#[derive(Debug)]
pub(crate) enum ErrorMember {
    /// A code.
    Error(RawError),
    /// None.
    None,
    /// There is an `error`, and nobody can tell which: it is not a string, or it came twice.
    Unreadable,
}

/// The secrets of a request, and of those before it in the same flow, in every shape in which they went out.
#[derive(Debug, Default)]
pub(crate) struct Sent(Vec<SecretText>);

impl Sent {
    pub(crate) fn new(secrets: Vec<SecretText>) -> Self {
        Self(secrets)
    }

    /// Whether a text holds a piece of any of them, in whichever shape.
    pub(crate) fn is_told_by(&self, text: &str) -> bool {
        let pieces: HashSet<&[u8]> = text.as_bytes().windows(PIECE).collect();
        self.0.iter().flat_map(|secret| shapes(secret.expose())).any(|shape| shares_a_piece(text, &pieces, &shape))
    }

    /// These, and those of the requests before.
    pub(crate) fn and(mut self, before: Self) -> Self {
        self.0.extend(before.0);
        self
    }
}

/// Finds the error. `error_code` stands in for it at Google and Supabase; `null`, `false` and an empty string are no error.
pub(crate) fn read(members: &Members) -> ErrorMember {
    let name = match members.value("error") {
        None | Some(Value::Bool(false)) => "error_code",
        Some(Value::Text(code)) if code.expose().is_empty() => "error_code",
        Some(Value::Text(_)) => "error",
        Some(_) => return ErrorMember::Unreadable,
    };
    let Some(code) = members.text(name) else { return ErrorMember::None };
    if members.is_duplicate(name) {
        return ErrorMember::Unreadable;
    }
    let description = ["error_description", "msg", "message"].iter().find_map(|name| members.text(name));
    ErrorMember::Error(RawError {
        code: SecretText::new(code),
        description: description.map(SecretText::new),
        beside: SECRET_MEMBERS.iter().filter_map(|name| members.text(name)).map(SecretText::new).collect(),
    })
}

impl RawError {
    /// An error that came without a body: in the query of a redirect (RFC 6749, 4.1.2.1).
    pub(crate) fn new(code: SecretText, description: Option<SecretText>) -> Self {
        Self { code, description, beside: Vec::new() }
    }

    /// The code: to compare it, not to show it.
    pub(crate) fn code(&self) -> &str {
        self.code.expose()
    }

    /// Whether the code itself says that it may pass (RFC 6749, 4.1.2.1; `rate_limit_exceeded` is Google's).
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self.code(), "temporarily_unavailable" | "server_error" | "slow_down" | "rate_limit_exceeded")
    }

    /// A code that says so, or a code that no RFC knows under a status that says so (D16). A known refusal is one under any status
    /// (D17).
    pub(crate) fn may_pass_under(&self, status: u16) -> bool {
        self.may_pass() || (StatusClass::of(status) == StatusClass::Later && !self.is_refusal())
    }

    /// Whether the code is a known one that no waiting changes (RFC 6749, 5.2; RFC 8707, section 2; RFC 8628; GitHub).
    pub(crate) fn is_refusal(&self) -> bool {
        self.is_configuration()
            || self.is_dead_grant()
            || matches!(self.code(), "bad_verification_code" | "incorrect_device_code")
    }

    /// Whether the client, or what it asks for, is not as the server wants it (D46, D47).
    pub(crate) fn is_configuration(&self) -> bool {
        matches!(
            self.code(),
            "invalid_client"
                | "invalid_scope"
                | "invalid_target"
                | "unauthorized_client"
                | "unsupported_grant_type"
                | "invalid_request"
                | "incorrect_client_credentials"
                | "device_flow_disabled"
        )
    }

    /// Whether the grant is dead (D45): the RFC's word, GitHub's, Supabase's, Slack's.
    pub(crate) fn is_dead_grant(&self) -> bool {
        matches!(self.code(), "invalid_grant" | "bad_refresh_token" | "refresh_token_not_found" | "invalid_refresh_token")
    }

    /// Whether the description says that the refresh token is at fault: Atlassian says so under `unauthorized_client`.
    pub(crate) fn blames_the_refresh_token(&self) -> bool {
        let said = self.description.as_ref().map(|text| text.expose().to_ascii_lowercase().replace('_', " "));
        said.is_some_and(|said| {
            said.contains("refresh token is invalid")
                || said.contains("refresh token is not valid")
                || said.trim_end_matches('.').trim() == "invalid refresh token"
        })
    }

    /// As it may be shown.
    pub(crate) fn shown(&self, status: u16, sent: &Sent) -> ErrorAnswer {
        let shapes: Vec<_> = sent.0.iter().chain(&self.beside).flat_map(|secret| shapes(secret.expose())).collect();
        let tells = |text: &str| {
            let pieces: HashSet<&[u8]> = text.as_bytes().windows(PIECE).collect();
            shapes.iter().any(|shape| shares_a_piece(text, &pieces, shape))
        };
        let code: String = self.code.expose().chars().filter(char::is_ascii_graphic).collect();
        let code = if code.is_empty() || tells(self.code.expose()) || tells(&code) { UNREADABLE.to_owned() } else { code };
        ErrorAnswer {
            error: code.chars().take(LONGEST_ERROR).collect(),
            description: self.description.as_ref().and_then(|text| description(text.expose(), tells)),
            status,
        }
    }
}

fn description(raw: &str, tells: impl Fn(&str) -> bool) -> Option<String> {
    // Searched as it came and as it is shown: characters that are stripped could have cut a secret into pieces.
    let raw = raw.get(..raw.floor_char_boundary(SEARCHED))?;
    let whole = shown::fit(raw, SEARCHED);
    if whole.is_empty() || tells(raw) || tells(&whole) {
        return None;
    }
    Some(shown::fit(&whole, LONGEST_DESCRIPTION))
}

/// The secret as it is, and as a server may tell it in hex, or in base64 after one or two other bytes or none (P10).
fn shapes(secret: &str) -> Vec<Zeroizing<String>> {
    let mut hex = Zeroizing::new(String::with_capacity(2 * secret.len()));
    for byte in secret.bytes() {
        hex.extend([byte >> 4, byte & 15].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
    }
    let mut shapes = vec![Zeroizing::new(secret.to_owned()), Zeroizing::new(hex.to_ascii_uppercase()), hex];
    for before in ["", "\0", "\0\0"] {
        let text = Zeroizing::new(format!("{before}{secret}"));
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = Zeroizing::new(engine.encode(text.as_bytes()));
            // The first characters of a later phase and the last one are the neighbours' too.
            let own = encoded.get(if before.is_empty() { 0 } else { 1 + before.len() }..encoded.len().saturating_sub(1));
            shapes.push(Zeroizing::new(own.unwrap_or_default().to_owned()));
        }
    }
    shapes.retain(|shape| shape.as_str() == secret || shape.len() >= PIECE);
    shapes
}

/// Whether the text, which has these pieces, holds the secret, or eight bytes in a row of it.
fn shares_a_piece(text: &str, pieces: &HashSet<&[u8]>, secret: &str) -> bool {
    if secret.len() < PIECE {
        return !secret.is_empty() && text.contains(secret);
    }
    secret.as_bytes().windows(PIECE).any(|piece| pieces.contains(piece))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::super::{Reading, read as read_body, tests::answer};
    use super::*;
    use proptest::prelude::*;

    fn error_of(body: &str) -> ErrorMember {
        match read_body(&answer(400, body)) {
            Reading::Whole(members) => read(&members),
            other => panic!("{other:?}"),
        }
    }

    fn raw(body: &str) -> RawError {
        match error_of(body) {
            ErrorMember::Error(error) => error,
            other => panic!("{other:?}"),
        }
    }

    fn sent(secret: &str) -> Sent {
        Sent::new(vec![SecretText::new(secret)])
    }

    #[test]
    fn d17_an_error_is_found_under_every_name_that_servers_give_it() {
        for (body, code) in [
            (r#"{"error":"invalid_grant"}"#, "invalid_grant"),
            ("error=bad_refresh_token", "bad_refresh_token"),
            (r#"{"code":400,"error_code":"refresh_token_not_found","msg":"Invalid Refresh Token"}"#, "refresh_token_not_found"),
            (r#"{"error_code":"rate_limit_exceeded"}"#, "rate_limit_exceeded"),
            (r#"{"ok":false,"error":"invalid_refresh_token"}"#, "invalid_refresh_token"),
        ] {
            assert_eq!(raw(body).code(), code);
        }
    }

    #[test]
    fn what_is_no_error_is_none_and_what_nobody_can_read_is_unreadable() {
        for body in [r#"{"error":null}"#, r#"{"error":""}"#, r#"{"error":false}"#, r#"{"error_code":0}"#, "{}"] {
            assert!(matches!(error_of(body), ErrorMember::None), "{body}");
        }
        for body in [r#"{"error":{"code":403}}"#, r#"{"error":true}"#, r#"{"error":7}"#, r#"{"error":"a","error":"b"}"#] {
            assert!(matches!(error_of(body), ErrorMember::Unreadable), "{body}");
        }
    }

    #[test]
    fn d61_a_description_that_echoes_a_secret_or_a_piece_of_it_is_dropped() {
        let said = |text: &str| {
            let body = serde_json::json!({ "error": "invalid_grant", "error_description": text }).to_string();
            raw(&body).shown(400, &sent("SNTL_RT_0123456789")).description
        };
        assert_eq!(said("Token has been revoked").as_deref(), Some("Token has been revoked"));
        for echo in
            ["token SNTL_RT_0123456789 is bad", "token SNTL_RT_...", "..23456789", "SNTL_RT\u{200b}_0123\u{202e}45678\u{200b}9"]
        {
            assert_eq!(said(echo), None, "{echo}");
        }
        assert!(said(&format!("{}SNTL_RT_0123456789", "x".repeat(5000))).is_some_and(|said| !said.contains("SNTL")));
    }

    #[test]
    fn p10_a_description_that_echoes_a_secret_in_hex_or_base64_is_dropped() {
        let secret = "SNTL_RT_000001_0123456789abcdef?~";
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        let mut echoes = vec![hex.to_uppercase(), hex[20..40].to_owned(), hex];
        echoes.extend(["", "a", "ab", "abc"].map(|before| STANDARD_NO_PAD.encode(format!("{before}{secret}"))));
        echoes.extend(["", "a", "ab", "abc"].map(|before| URL_SAFE_NO_PAD.encode(format!("{before}{secret} is bad"))));
        for echo in echoes {
            let body = serde_json::json!({ "error": "invalid_grant", "error_description": format!("cannot take {echo}.") });
            assert_eq!(raw(&body.to_string()).shown(400, &sent(secret)).description, None, "{echo}");
        }
        let others = serde_json::json!({ "error": "x", "error_description": "Trace ID: 0f8fad5b-d9cb-469f-a165-70867728950e" });
        assert!(raw(&others.to_string()).shown(400, &sent(secret)).description.is_some());
    }

    #[test]
    fn d61_a_secret_beside_the_error_or_as_the_error_is_not_shown_either() {
        let error = raw(r#"{"error":"x","error_description":"use SNTL_AT_1234","access_token":"SNTL_AT_1234"}"#);
        assert_eq!(error.shown(400, &Sent::new(Vec::new())).description, None);
        assert_eq!(raw(r#"{"error":"no SNTL_RT_1"}"#).shown(400, &sent("SNTL_RT_1")).error, UNREADABLE);
        assert_eq!(raw(r#"{"error":"SNTL"}"#).shown(400, &sent("SNTL")).error, UNREADABLE);
        assert!(!format!("{error:?}").contains("SNTL"));
    }

    #[test]
    fn d61_what_is_shown_is_cut_and_has_no_control_characters() {
        let body = serde_json::json!({ "error": "a\u{1b}[31m\u{e9}b".repeat(100), "error_description": "\u{1b}[2Jtext\u{202e}".repeat(100) });
        let shown = raw(&body.to_string()).shown(400, &sent("secret-secret"));
        assert_eq!(shown.error.len(), LONGEST_ERROR);
        assert!(shown.error.bytes().all(|byte| byte.is_ascii_graphic()));
        let description = shown.description.unwrap();
        assert!(description.chars().count() <= LONGEST_DESCRIPTION && description.starts_with("texttext"));
    }

    #[test]
    fn atlassian_blames_the_refresh_token_in_words() {
        let blames = |text: &str| {
            raw(&serde_json::json!({ "error": "unauthorized_client", "error_description": text }).to_string())
                .blames_the_refresh_token()
        };
        assert!(blames("refresh_token is invalid"));
        assert!(blames("The Refresh Token is not valid."));
        assert!(blames("Invalid refresh token."));
        assert!(!blames("Invalid grant type refresh_token for this client"));
        assert!(!blames("This client may not use refresh_token"));
    }

    proptest! {
        #[test]
        fn no_error_text_shows_eight_bytes_of_a_secret(before in "[a-z ]{0,20}", secret in "[A-Z0-9_]{8,40}", from in 0..32_usize) {
            let echo = secret.get(from.min(secret.len() - PIECE)..).unwrap();
            let body = serde_json::json!({ "error": format!("{before}{echo}"), "error_description": format!("{before}{echo}") });
            let shown = raw(&body.to_string()).shown(400, &sent(&secret));
            prop_assert_eq!(shown.error, UNREADABLE);
            prop_assert_eq!(shown.description, None);
        }
    }
}
