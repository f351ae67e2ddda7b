//! What the log is told of logins, each with its account.
//!
//! Must never: tell a code, or a token.

use std::fmt::Display;

use super::Account;
use super::sign_in::Start;
use crate::accounts::grant::{Purpose, SignInEnd};

impl Account {
    pub(super) fn tell_login_begun(&self, start: &Start) {
        // Empty where the person asked.
        let asked_by = Some(&*start.asked_by).filter(|name| !name.is_empty());
        tracing::info!(account = %self.policy.config.name, purpose = purpose(start.purpose), asked_by, "a login has begun");
    }

    pub(super) fn tell_login(&self, with: Purpose) {
        tracing::info!(account = %self.policy.config.name, purpose = purpose(with), "a login has ended well");
    }

    pub(super) fn tell_end_of_login(&self, end: SignInEnd) {
        self.tell_vain_login(&in_words(end));
    }

    pub(super) fn tell_vain_login(&self, why: &impl Display) {
        tracing::info!(account = %self.policy.config.name, %why, "a login has ended without tokens");
    }
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::First => "first",
        Purpose::Again => "again",
        Purpose::MoreAccess => "more access",
    }
}

fn in_words(end: SignInEnd) -> &'static str {
    match end {
        SignInEnd::Granted => "it has ended well",
        SignInEnd::Denied => "the person refused it",
        SignInEnd::Cancelled => "it was ended here",
        SignInEnd::Expired => "nobody answered in time",
        SignInEnd::Failed => "it failed",
        SignInEnd::OtherSubject => "another user has logged in than the account's",
        SignInEnd::NoSubject => "nobody told which user has logged in",
    }
}
