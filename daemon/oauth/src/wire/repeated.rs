//! What a success answer says about its token goes on to programs and to screens: no word of it may repeat a secret (P5, P10).
//!
//! Must never: touch a token.

use super::error_answer::Sent;
use crate::secret::SecretText;
use crate::terms::Scopes;
use crate::token::{IssuedToken, TokenSuccess};

/// The same without the scopes, and without the subject, that hold a piece of what was sent, or a whole token of the answer: a token
/// may honestly be made of its subject and its scopes.
pub(crate) fn left_out(success: TokenSuccess, sent: &Sent) -> TokenSuccess {
    let TokenSuccess { refresh_token, token } = success;
    let mut own: Vec<_> = refresh_token.iter().map(|token| SecretText::new(token.expose())).collect();
    own.extend(token.iter().map(|token| SecretText::new(token.access_token.expose())));
    let tells = |text: &str| sent.is_told_by(text) || own.iter().any(|token| text.contains(token.expose()));
    let token = token.map(|token| IssuedToken {
        scopes: token.scopes.map(|scopes| Scopes::from_words(scopes.iter().filter(|scope| !tells(scope)))),
        subject: token.subject.filter(|subject| !tells(subject.as_str())),
        ..token
    });
    TokenSuccess { refresh_token, token }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::secret::{AccessToken, RefreshToken};
    use crate::terms::Subject;
    use crate::time::{Instant, Now, WallTime};
    use crate::token::{Life, TokenType};

    fn success(scopes: &str, subject: &str) -> TokenSuccess {
        TokenSuccess {
            refresh_token: Some(RefreshToken::new("SNTL_RT_new_0123456789")),
            token: Ok(IssuedToken {
                access_token: AccessToken::new("SNTL_AT_new_0123456789"),
                token_type: TokenType::Bearer,
                requested_at: Now { instant: Instant::from_millis(0), wall: WallTime::from_millis(0) },
                life: Life::Unknown,
                scopes: Some(Scopes::parse(scopes)),
                subject: Some(Subject::new(subject)),
            }),
        }
    }

    #[test]
    fn p10_no_scope_and_no_subject_repeats_a_secret_and_the_rest_stays() {
        let sent = Sent::new(vec![SecretText::new("SNTL_RT_old_9876543210")]);
        for secret in [
            "SNTL_RT_old_9876543210",
            "x-SNTL_RT_new_0123456789-x",
            "SNTL_AT_new_0123456789",
            "534e544c5f52545f6f6c645f39383736353433323130",
        ] {
            let left = left_out(success(&format!("read {secret} https://mcp.example/write"), secret), &sent).token.unwrap();
            assert_eq!(left.scopes, Some(Scopes::parse("read https://mcp.example/write")), "{secret}");
            assert_eq!(left.subject, None, "{secret}");
        }
        let honest = success("read SNTL_AT_new", "_RT_new_01234");
        assert_eq!(left_out(honest.clone(), &sent), honest);
    }
}
