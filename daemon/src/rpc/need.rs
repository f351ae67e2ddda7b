//! A caller's request, checked: from the wire to the accounts' words. What is wrong with it is the caller's to mend.

use std::time::Duration;

use mcp_authd_oauth::secret::TokenHash;
use mcp_authd_oauth::terms::{Resource, Scopes};
use mcp_authd_oauth::time::Now;
use mcp_authd_proto::v1;
use tonic::Status;

use crate::accounts::need::{Need, SignInMode};
use crate::accounts::registry::Target;

/// What `max_wait` is capped at, and what it is where it is absent (DESIGN, section 4).
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(20);
const MOST_SCOPES: usize = 100;
const LONGEST_TEXT: usize = 2048;
const LONGEST_CLIENT_NAME: usize = 60;

/// A checked need, and the account it is asked of.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) target: Target,
    pub(super) scopes: Scopes,
    pub(super) min_validity: Duration,
    pub(super) client_name: String,
}

impl Asked {
    /// Checks a need. `program` names the caller where it does not name itself.
    pub(super) fn check(need: Option<v1::Need>, program: Option<String>) -> Result<Self, Status> {
        let need = need.unwrap_or_default();
        let target = match need.target {
            None => Target::Only,
            Some(v1::need::Target::Account(name)) => Target::Account(checked("account", name)?),
            Some(v1::need::Target::Resource(resource)) => Target::At(Resource::new(checked("resource", resource)?)),
        };
        let client_name = Some(shown(&need.client_name)).filter(|name| !name.is_empty()).or(program);
        Ok(Self {
            target,
            scopes: scopes(need.scopes)?,
            min_validity: duration("min_validity", need.min_validity)?.unwrap_or_default(),
            client_name: client_name.unwrap_or_default(),
        })
    }

    /// The need as the account is asked.
    pub(super) fn need(&self, sign_in: SignInMode, wait: Duration, now: Now) -> Need {
        Need {
            scopes: self.scopes.clone(),
            min_validity: self.min_validity,
            rejected: None,
            sign_in,
            client_name: self.client_name.clone(),
            deadline: now.instant + wait,
        }
    }
}

/// The mode of a call.
pub(super) fn mode(sign_in: i32) -> Result<SignInMode, Status> {
    match v1::SignInMode::try_from(sign_in) {
        Ok(v1::SignInMode::Never) => Ok(SignInMode::Never),
        Ok(v1::SignInMode::Unspecified | v1::SignInMode::StartAndReturn) => Ok(SignInMode::StartAndReturn),
        Ok(v1::SignInMode::StartAndWait) => Ok(SignInMode::StartAndWait),
        Err(_) => Err(Status::invalid_argument("sign_in is a mode that this daemon does not know: update mcp-authd")),
    }
}

/// How long a call may take.
pub(super) fn max_wait(wait: Option<prost_types::Duration>) -> Result<Duration, Status> {
    Ok(duration("max_wait", wait)?.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT))
}

/// The hash of a rejected token: 32 bytes, or empty.
pub(super) fn rejected(hash: &[u8]) -> Result<Option<TokenHash>, Status> {
    if hash.is_empty() {
        return Ok(None);
    }
    let hash = <[u8; 32]>::try_from(hash);
    hash.map(|hash| Some(TokenHash::from_bytes(hash))).map_err(|_| {
        Status::invalid_argument("rejected_sha256 must be the 32 bytes of the SHA-256 of the rejected access token, or empty")
    })
}

/// The name of an account, or the only one where it is empty.
pub(super) fn target(account: String) -> Result<Target, Status> {
    if account.is_empty() { Ok(Target::Only) } else { Ok(Target::Account(checked("account", account)?)) }
}

fn checked(what: &str, text: String) -> Result<String, Status> {
    if text.is_empty() || text.len() > LONGEST_TEXT || text.chars().any(char::is_control) {
        return Err(Status::invalid_argument(format!("{what} must be 1 to {LONGEST_TEXT} bytes without control characters")));
    }
    Ok(text)
}

/// Each must be a scope-token (RFC 6749, 3.3).
fn scopes(words: Vec<String>) -> Result<Scopes, Status> {
    let fits = |word: &String| {
        (1..=256).contains(&word.len()) && word.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
    };
    if words.len() > MOST_SCOPES || !words.iter().all(fits) {
        return Err(Status::invalid_argument(format!(
            "scopes must be at most {MOST_SCOPES} scope-tokens, each a word of printable ASCII without spaces (RFC 6749, 3.3)"
        )));
    }
    Ok(Scopes::from_words(words))
}

fn duration(what: &str, duration: Option<prost_types::Duration>) -> Result<Option<Duration>, Status> {
    let Some(duration) = duration else { return Ok(None) };
    Duration::try_from(duration).map(Some).map_err(|_| Status::invalid_argument(format!("{what} must not be negative")))
}

/// The program's own words, fit for a terminal: no control, bidi or other invisible steering characters (D19).
fn shown(name: &str) -> String {
    let visible = |c: &char| {
        !c.is_control() && !matches!(*c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    name.chars().filter(visible).take(LONGEST_CLIENT_NAME).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wait_is_capped_and_has_a_default() {
        let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        assert_eq!(max_wait(None).unwrap(), LONGEST_WAIT);
        assert_eq!(max_wait(seconds(3600)).unwrap(), LONGEST_WAIT);
        assert_eq!(max_wait(seconds(3)).unwrap(), Duration::from_secs(3));
        assert!(max_wait(seconds(-3)).is_err());
    }

    #[test]
    fn a_program_that_names_itself_cannot_steer_a_terminal() {
        let need = v1::Need { client_name: "a\u{1b}[2Jb\u{202e}c\n".to_owned(), ..v1::Need::default() };
        assert_eq!(Asked::check(Some(need), None).unwrap().client_name, "a[2Jbc");
        let nameless = Asked::check(None, Some("editor".to_owned())).unwrap();
        assert_eq!(nameless.client_name, "editor");
    }

    #[test]
    fn what_is_no_scope_token_is_refused() {
        for word in ["a b", "", "a\"b", "a\\b", "\u{e9}", "a\n"] {
            assert!(scopes(vec![word.to_owned()]).is_err(), "{word:?}");
        }
        assert!(scopes(vec!["mcp:read".to_owned()]).is_ok());
    }

    #[test]
    fn a_hash_has_32_bytes_or_none() {
        assert_eq!(rejected(&[]).unwrap(), None);
        assert!(rejected(&[1; 31]).is_err());
        assert!(rejected(&[1; 32]).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn no_request_makes_a_panic(account in ".*", words in prop::collection::vec(".*", 0..5), seconds in any::<i64>(), nanos in any::<i32>(), name in ".*") {
            let need = v1::Need {
                target: Some(v1::need::Target::Account(account)),
                scopes: words,
                min_validity: Some(prost_types::Duration { seconds, nanos }),
                client_name: name,
            };
            drop(Asked::check(Some(need), None));
        }
    }
}
