//! The answer of a login in a browser, brought by hand: why it is not taken, in words for the person (D26, D28).
//!
//! Must never: tell anything of what was pasted: a code stands in it.

use mcp_authd_oauth::authorization_code::response::NotAnAuthorizationResponse;
use mcp_authd_oauth::secret::SecretText;

use super::AccountName;
use super::roster::Roster;

/// Why what was pasted completes no login. Whichever waits goes on waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCompleted {
    /// It is no answer (RFC 6749, 4.1.2): paste another text.
    #[error("what was pasted {0}")]
    PasteAnother(NotAnAuthorizationResponse),
    /// No login waits for it: begin one.
    #[error("no login waits for what was pasted: it belongs to a login that has ended, or that another machine began")]
    BeginAnother,
    /// The login has its answer, and one counts (D26): look how it ends.
    #[error("the login that this belongs to has been answered already, and an answer counts once")]
    LookHowItEnds,
}

impl NotCompleted {
    /// What the person does next, who meant this account, if any.
    #[must_use]
    pub fn next_step(&self, account: Option<&AccountName>) -> String {
        let name = account.map(|account| format!(" {account}")).unwrap_or_default();
        let said = match self {
            // The address that was to be opened has a state and no code.
            Self::PasteAnother(NotAnAuthorizationResponse::Neither) => {
                "that may be the address to open; copy the one that the browser shows at the end, when it cannot connect, and paste it again"
            }
            Self::PasteAnother(_) => {
                "copy the whole address from the address bar of the browser, as it stands there after the login, and paste it again"
            }
            Self::BeginAnother => return format!("authctl login{name} --paste, and open the address that it shows"),
            Self::LookHowItEnds if account.is_some() => return format!("authctl account show{name}"),
            Self::LookHowItEnds => "authctl status",
        };
        said.to_owned()
    }
}

impl Roster {
    /// Hands what a person has pasted to the login that waits for it, as if the browser had brought it; whose login it is. That login
    /// judges it, and its account's status tells how it ends.
    ///
    /// # Errors
    /// Why no login takes it.
    pub fn complete_sign_in(&self, pasted: &str) -> Result<AccountName, NotCompleted> {
        self.upstream().complete_sign_in(SecretText::new(pasted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use NotAnAuthorizationResponse as Not;

    #[test]
    fn every_refusal_says_what_is_wrong_and_what_to_do_next() {
        let not_answers = [Not::TooLarge, Not::BadCharacters, Not::NotARedirect, Not::Duplicate("code"), Not::NoState];
        let not_answers = not_answers.into_iter().chain([Not::Unusable("code"), Not::CodeAndError, Not::Neither]);
        for why in not_answers.map(NotCompleted::PasteAnother) {
            assert!(why.to_string().starts_with("what was pasted "), "{why}");
            assert!(why.next_step(None).contains("copy") && why.next_step(None).ends_with("paste it again"), "{why:?}");
        }
        assert!(NotCompleted::PasteAnother(Not::Neither).next_step(None).contains("the address to open"));
        assert!(NotCompleted::BeginAnother.next_step(None).starts_with("authctl login --paste"));
        assert_eq!(NotCompleted::LookHowItEnds.next_step(None), "authctl status");
        let work = AccountName::parse("work").ok();
        assert!(NotCompleted::BeginAnother.next_step(work.as_ref()).starts_with("authctl login work --paste"));
        assert_eq!(NotCompleted::LookHowItEnds.next_step(work.as_ref()), "authctl account show work");
    }
}
