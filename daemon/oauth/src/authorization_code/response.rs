//! The authorization response (RFC 6749, 4.1.2; RFC 9207): what a browser brings to the redirect URI, or a person by hand.
//!
//! Anybody can send one, so that nothing in it is believed: it is read here and judged where its login is known.
//! Must never: take a parameter twice, or `code` and `error` together (D28), or give an error's words away unjudged (D27).

use std::fmt;

use crate::secret::{AuthorizationCode, SecretText, State};
use crate::wire::error_answer::RawError;
use crate::wire::form;

/// More than any honest response holds, in bytes. A listener cuts off earlier (D30).
const LONGEST: usize = 16 * 1024;
/// The longest `state`: ours have a third of it.
const LONGEST_STATE: usize = 128;
/// The longest `code`: RFC 6749 leaves its size open.
const LONGEST_CODE: usize = 8 * 1024;
/// The longest `error` that is looked at.
const LONGEST_ERROR: usize = 256;
/// The longest `iss`: no issuer of ours is longer.
const LONGEST_ISSUER: usize = 2048;

/// The parameters that count. Others are ignored (RFC 6749, 4.1.2).
const KNOWN: [&str; 5] = ["state", "code", "error", "error_description", "iss"];

/// A response that could be one: not yet known to belong to any login, and not yet judged.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorizationResponse {
    /// Which login it claims to belong to: [`State::sha256`] finds it (D26).
    pub state: State,
    /// What it says.
    pub outcome: ResponseOutcome,
    /// The `iss` parameter (RFC 9207, section 2), byte for byte after decoding; empty where it came without a value.
    pub iss: Option<String>,
}

/// What a response says: one of the two, never both (D28).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseOutcome {
    /// The person agreed (RFC 6749, 4.1.2).
    Code(AuthorizationCode),
    /// No code (RFC 6749, 4.1.2.1).
    Error(AuthorizationError),
}

/// The `error` and the `error_description` of a response. Nobody sees them before the response is judged (RFC 9207, 2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationError(pub(super) RawError);

/// Why a request to the redirect URI is no authorization response. Each is the end of a sentence; none repeats what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAuthorizationResponse {
    /// More than 16 KiB.
    #[error("is larger than 16 KiB")]
    TooLarge,
    /// White space or control characters, as a line that was broken on its way leaves them.
    #[error("holds white space or control characters; it must be one line")]
    BadCharacters,
    /// A pasted text that is a URL of another kind.
    #[error("is not an http or https address")]
    NotARedirect,
    /// The same parameter twice (RFC 6749, 3.1; D28).
    #[error("holds the parameter `{0}` more than once (RFC 6749, 3.1)")]
    Duplicate(&'static str),
    /// No `state` (RFC 6749, 4.1.2; D26).
    #[error("holds no `state` (RFC 6749, 4.1.2)")]
    NoState,
    /// A parameter that cannot be what it claims to be: empty, too long, or with characters that it cannot hold.
    #[error("holds a `{0}` that cannot be one (RFC 6749, appendix A; RFC 9207, section 2)")]
    Unusable(&'static str),
    /// A code and an error (D28).
    #[error("holds both a `code` and an `error` (RFC 6749, 4.1.2)")]
    CodeAndError,
    /// Neither a code nor an error.
    #[error("holds neither a `code` nor an `error` (RFC 6749, 4.1.2)")]
    Neither,
}

impl AuthorizationResponse {
    /// Reads the query of a request to the redirect URI, without its question mark.
    ///
    /// # Errors
    /// Why it is none. The login goes on waiting (D26).
    pub fn parse(query: &str) -> Result<Self, NotAnAuthorizationResponse> {
        let mut parameters = Parameters::read(query)?;
        let state = parameters.take("state").ok_or(NotAnAuthorizationResponse::NoState)?;
        let state = State::new(state.text("state", LONGEST_STATE)?.expose());
        let iss = parameters.take("iss").map(Value::issuer).transpose()?;
        let outcome = match (parameters.take("code"), parameters.take("error")) {
            (Some(_), Some(_)) => return Err(NotAnAuthorizationResponse::CodeAndError),
            (None, None) => return Err(NotAnAuthorizationResponse::Neither),
            (Some(code), None) => ResponseOutcome::Code(AuthorizationCode::new(code.text("code", LONGEST_CODE)?.expose())),
            (None, Some(error)) => {
                let error = error.text("error", LONGEST_ERROR)?;
                // Microsoft's descriptions hold line breaks: they are filtered where they are shown, and cost no login its end.
                let description = parameters.take("error_description").and_then(|value| value.0);
                ResponseOutcome::Error(AuthorizationError(RawError::new(error, description)))
            }
        };
        Ok(Self { state, outcome, iss })
    }

    /// Reads what a person has copied from the address bar of a browser (`authctl login --paste`): the whole address, with or
    /// without its scheme and whatever its host, or its query alone. White space around it does not count.
    ///
    /// # Errors
    /// As [`AuthorizationResponse::parse`], or where it is an address of another kind.
    pub fn parse_redirect(url_or_query: &str) -> Result<Self, NotAnAuthorizationResponse> {
        let text = url_or_query.trim();
        let text = text.split_once('#').map_or(text, |(before, _)| before);
        match text.split_once('?') {
            // A question mark may also stand within a value.
            Some((address, _)) if address.contains(['=', '&']) => Self::parse(text),
            Some((address, query)) => match address.split_once("://") {
                Some((scheme, _)) if !is_web(scheme) => Err(NotAnAuthorizationResponse::NotARedirect),
                _ => Self::parse(query),
            },
            None => Self::parse(text),
        }
    }
}

impl fmt::Debug for AuthorizationResponse {
    /// Without the `iss`: it is anybody's text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, outcome, iss: _ } = self;
        f.debug_struct("AuthorizationResponse").field("state", state).field("outcome", outcome).finish_non_exhaustive()
    }
}

fn is_web(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// The known parameters of a query, each at most once.
#[derive(Default)]
struct Parameters(Vec<(&'static str, Value)>);

/// A decoded value; `None` where it is no UTF-8.
struct Value(Option<SecretText>);

impl Parameters {
    fn read(query: &str) -> Result<Self, NotAnAuthorizationResponse> {
        if query.len() > LONGEST {
            return Err(NotAnAuthorizationResponse::TooLarge);
        }
        if query.bytes().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control()) {
            return Err(NotAnAuthorizationResponse::BadCharacters);
        }
        let mut parameters = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = form::decode(name.as_bytes());
            let Some(name) = KNOWN.into_iter().find(|known| name.as_deref() == Some(*known)) else { continue };
            if parameters.0.iter().any(|(read, _)| *read == name) {
                return Err(NotAnAuthorizationResponse::Duplicate(name));
            }
            parameters.0.push((name, Value(form::decode(value.as_bytes()).map(SecretText::new))));
        }
        Ok(parameters)
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(read, _)| *read == name)?;
        Some(self.0.swap_remove(at).1)
    }
}

impl Value {
    /// RFC 6749, appendix A: visible characters and the space (VSCHAR), one at least.
    fn text(self, name: &'static str, longest: usize) -> Result<SecretText, NotAnAuthorizationResponse> {
        let fits = |text: &SecretText| {
            let text = text.expose();
            !text.is_empty() && text.len() <= longest && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        };
        self.0.filter(fits).ok_or(NotAnAuthorizationResponse::Unusable(name))
    }

    /// Any text: it is only compared. A value that is empty is one, and equals no issuer.
    fn issuer(self) -> Result<String, NotAnAuthorizationResponse> {
        let fits = |text: &SecretText| text.expose().len() <= LONGEST_ISSUER && !text.expose().contains(char::is_control);
        let text = self.0.filter(fits).ok_or(NotAnAuthorizationResponse::Unusable("iss"))?;
        Ok(text.expose().to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use NotAnAuthorizationResponse as Not;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    fn read(query: &str) -> Result<(String, String, Option<String>), Not> {
        AuthorizationResponse::parse(query).map(|response| {
            let outcome = match response.outcome {
                ResponseOutcome::Code(code) => code.expose().to_owned(),
                ResponseOutcome::Error(error) => format!("!{}", error.0.code()),
            };
            (response.state.expose().to_owned(), outcome, response.iss)
        })
    }

    fn plain(state: &str, outcome: &str) -> Result<(String, String, Option<String>), Not> {
        Ok((state.to_owned(), outcome.to_owned(), None))
    }

    #[test]
    fn the_responses_of_the_rfcs_are_read() {
        // RFC 6749, 4.1.2 and 4.1.2.1.
        assert_eq!(read("code=SplxlOBeZQQYbYS6WxSbIA&state=xyz"), plain("xyz", "SplxlOBeZQQYbYS6WxSbIA"));
        assert_eq!(read("error=access_denied&state=xyz"), plain("xyz", "!access_denied"));
        // RFC 9207, 2.1 and 2.3.
        let code = "code=x1848ZT64p4IirMPT0R-X3141MFPTuBX-VFL_cvaplMH58&state=ZWVlNDBlYzA1NjdkMDNhYjg3ZjUxZjAyNGQzMTM2NzI\
            &iss=https%3A%2F%2Fhonest.as.example";
        assert_eq!(read(code).unwrap().2.as_deref(), Some("https://honest.as.example"));
        let error = "error=access_denied&state=N2JjNGJhY2JiZjRhYzA3MGJkMzNmMDE5OWJhZmJhZjA&iss=https%3A%2F%2Fhonest.as.example";
        assert_eq!(read(error).unwrap().1, "!access_denied");
    }

    #[test]
    fn values_are_decoded_like_a_form_and_unknown_parameters_are_ignored() {
        assert_eq!(read("scope=a&scope=b&c%6Fde=4%2F0A+b%2Bc&session_state=&state=x%79z&%ff=1&="), plain("xyz", "4/0A b+c"));
        assert_eq!(read("state=s&code=c&iss="), Ok(("s".to_owned(), "c".to_owned(), Some(String::new()))));
    }

    #[test]
    fn d28_a_duplicate_is_refused_however_it_is_spelled() {
        for (query, name) in [
            ("code=a&code=a&state=s", "code"),
            ("code=a&c%6fde=b&state=s", "code"),
            ("code=a&state=s&state=", "state"),
            ("error=a&error&state=s", "error"),
            ("code=a&state=s&iss=x&iss=x", "iss"),
            ("error=a&state=s&error_description=x&error_description=y", "error_description"),
            ("code=a&state=s&error_description=x&error_description=%ff", "error_description"),
        ] {
            assert_eq!(read(query), Err(Not::Duplicate(name)), "{query}");
        }
    }

    #[test]
    fn d28_a_code_together_with_an_error_is_refused_and_so_is_neither() {
        for both in ["code=a&error=b&state=s", "error=&code=a&state=s", "state=s&code&error=b"] {
            assert_eq!(read(both), Err(Not::CodeAndError), "{both}");
        }
        for neither in ["state=s", "state=s&error_description=x", "state=s&Code=a", "state=s#code=a", "state=s;code=a"] {
            assert_eq!(read(neither), Err(Not::Neither), "{neither}");
        }
    }

    #[test]
    fn d26_without_a_state_of_sensible_length_there_is_no_response() {
        for none in ["", "code=a", "STATE=s&code=a", "&&&", "?state=s&code=a"] {
            assert_eq!(read(none), Err(Not::NoState), "{none}");
        }
        assert!(read(&format!("code=a&state={}", "s".repeat(LONGEST_STATE))).is_ok());
        for bad in [String::new(), "s".repeat(LONGEST_STATE + 1), "%00".into(), "s%0a".into(), "%ff".into(), "\u{e9}".into()] {
            assert_eq!(read(&format!("code=a&state={bad}")), Err(Not::Unusable("state")), "{bad}");
        }
    }

    #[test]
    fn what_no_parameter_can_hold_is_refused() {
        for (query, name) in [
            ("state=s&code=", "code"),
            ("state=s&code=a%0d%0aSet-Cookie", "code"),
            ("state=s&code=%e9", "code"),
            ("state=s&error", "error"),
            ("state=s&error=a%1b%5b2J", "error"),
            ("state=s&code=a&iss=https://as.example%00", "iss"),
            ("state=s&code=a&iss=%ff", "iss"),
        ] {
            assert_eq!(read(query), Err(Not::Unusable(name)), "{query}");
        }
        assert_eq!(read(&format!("state=s&code={}", "a".repeat(LONGEST_CODE + 1))), Err(Not::Unusable("code")));
        assert_eq!(read(&format!("state=s&code=a&iss={}", "a".repeat(LONGEST_ISSUER + 1))), Err(Not::Unusable("iss")));
        assert_eq!(read(&format!("state=s&code=a&x={}", "a".repeat(LONGEST))), Err(Not::TooLarge));
        for broken in ["state=s&code=a b", "state=s&code=a\nb", "state=s&code=a&x=\0", "state=s&code=a\r\n"] {
            assert_eq!(read(broken), Err(Not::BadCharacters), "{broken:?}");
        }
    }

    #[test]
    fn a_description_with_line_breaks_or_without_sense_costs_no_login_its_end() {
        for description in ["AADSTS65004%3a+declined.%0d%0aTrace+ID%3a+0f8f", "%ff%fe", "", "%1b%5b2J"] {
            let query = format!("error=access_denied&error_description={description}&state=s");
            assert_eq!(read(&query), plain("s", "!access_denied"), "{description}");
        }
    }

    #[test]
    fn a_person_may_paste_the_address_or_its_query() {
        for text in [
            "http://127.0.0.1:8080/callback?code=a&state=s",
            "  https://relay.example/x/?code=a&state=s\r\n",
            "HTTP://[::1]:1/callback?code=a&state=s#_=_",
            "127.0.0.1:8080/callback?code=a&state=s",
            "/callback?code=a&state=s",
            "?code=a&state=s",
            "code=a&state=s\n",
            "code=a&state=s&x=https://as.example/?y",
        ] {
            let response = AuthorizationResponse::parse_redirect(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(response, AuthorizationResponse::parse("code=a&state=s").unwrap(), "{text}");
        }
        let paste = |text| AuthorizationResponse::parse_redirect(text).unwrap_err();
        assert_eq!(paste("javascript://x/?code=a&state=s"), Not::NotARedirect);
        assert_eq!(paste("file:///x?code=a&state=s"), Not::NotARedirect);
        assert_eq!(paste("http://127.0.0.1/callback?code=a\n&state=s"), Not::BadCharacters);
        assert_eq!(paste("http://127.0.0.1/callback#code=a&state=s"), Not::NoState);
        assert_eq!(paste(""), Not::NoState);
    }

    #[test]
    fn no_debug_and_no_sentence_repeats_what_came() {
        let query = "state=SNTL_ST&error=SNTL_ER&error_description=SNTL_ED&iss=SNTL_IS";
        assert!(!format!("{:?}", AuthorizationResponse::parse(query)).contains("SNTL"));
        assert!(!format!("{:?}", AuthorizationResponse::parse("state=SNTL_ST&code=SNTL_CO&iss=SNTL_IS")).contains("SNTL"));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_has_sense(
            any in any::<String>(), near in "([a-z?:/#]{0,3}(state|code|error|iss|error_description|x)=?[a-z%0-9&+]{0,4}&?){0,6}",
        ) {
            for text in [any, near] {
                for response in [AuthorizationResponse::parse(&text), AuthorizationResponse::parse_redirect(&text)].into_iter().flatten() {
                    prop_assert!(!response.state.expose().is_empty() && response.state.expose().len() <= LONGEST_STATE);
                    if let ResponseOutcome::Code(code) = &response.outcome {
                        prop_assert!(!code.expose().is_empty() && !code.expose().contains(char::is_control));
                    }
                }
            }
        }

        #[test]
        fn what_a_server_writes_is_read_the_same_in_any_order_and_never_with_a_duplicate(
            (state, code) in ("[ -~]{1,128}", "[ -~]{1,200}"), iss in proptest::option::of("[a-z:/.\u{e9} +%&=]{0,40}"),
            order in any::<bool>(), twice in proptest::option::of((select(KNOWN.to_vec()), "[a-z]{0,3}", any::<Index>())),
        ) {
            let mut pairs = vec![("state", state.as_str()), ("code", code.as_str()), ("x", "1"), ("x", "2")];
            pairs.extend(iss.as_deref().map(|iss| ("iss", iss)));
            if order {
                pairs.reverse();
            }
            let repeated = twice.as_ref().filter(|(name, ..)| pairs.iter().any(|(sent, _)| sent == name));
            if let Some((name, value, at)) = repeated {
                pairs.insert(at.index(pairs.len() + 1), (name, value));
            }
            let query = form::encode(&pairs);
            let wanted = match repeated {
                Some((name, ..)) => Err(Not::Duplicate(name)),
                None => Ok((state.clone(), code.clone(), iss.clone())),
            };
            prop_assert_eq!(read(query.expose()), wanted);
        }
    }
}
