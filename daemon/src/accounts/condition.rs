//! How an account is, told in the log: once for each change, and not for what only passes.
//!
//! Must never: tell the same twice because the words of a server differ.

use super::AccountName;
use super::need::LoginReason;
use super::status::{Health, Trouble};

/// Tells of one account.
#[derive(Debug)]
pub(super) struct Teller {
    account: AccountName,
    told: Condition,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Well,
    Troubled(&'static str),
    LoginRequired(&'static str),
    SignedOut,
    Locked,
    WrongKey,
}

impl Teller {
    /// That it is well goes without saying.
    pub(super) fn new(account: AccountName) -> Self {
        Self { account, told: Condition::Well }
    }

    /// Looks at what is published.
    pub(super) fn look(&mut self, health: &Health) {
        let account = self.account.clone();
        match self.news(health) {
            None => {}
            Some(Condition::Well) => tracing::info!(%account, "all is well again"),
            Some(Condition::Troubled(trouble)) => {
                tracing::warn!(%account, trouble, why = why(health), "something is wrong; it goes on by itself");
            }
            Some(Condition::LoginRequired(why)) => tracing::warn!(%account, why, "a person has to log in"),
            Some(Condition::SignedOut) => tracing::info!(%account, "logged out"),
            Some(Condition::Locked) => tracing::warn!(%account, "the records are locked: the key of the store is not open"),
            Some(Condition::WrongKey) => tracing::warn!(%account, "the records were sealed with another key"),
        }
    }

    /// What is to be told.
    fn news(&mut self, health: &Health) -> Option<Condition> {
        let condition = condition(health)?;
        let before = std::mem::replace(&mut self.told, condition);
        // The login, which is told, has mended it.
        let is_told = condition == Condition::Well && matches!(before, Condition::LoginRequired(_) | Condition::SignedOut);
        (before != condition && !is_told).then_some(condition)
    }
}

/// `None`: it passes, or is told where accounts come and go.
fn condition(health: &Health) -> Option<Condition> {
    Some(match health {
        Health::Loading | Health::SigningOut | Health::Removing(_) | Health::Removed => return None,
        Health::Good => Condition::Well,
        Health::Degraded(trouble) => Condition::Troubled(name(trouble)),
        Health::LoginRequired(reason) => Condition::LoginRequired(because(*reason)),
        Health::SignedOut => Condition::SignedOut,
        Health::Locked => Condition::Locked,
        Health::WrongKey => Condition::WrongKey,
    })
}

fn name(trouble: &Trouble) -> &'static str {
    match trouble {
        Trouble::NotSaved(_) => "the record cannot be saved",
        Trouble::NotErased(_) => "the record cannot be erased",
        Trouble::NotRead(_) => "the record cannot be read",
        Trouble::Unreachable(_) => "the server cannot be reached",
        Trouble::Later(_) => "the server gives no token now",
        Trouble::Configuration(_) => "the server refuses the request as it is configured",
        Trouble::NoWayToSignIn(_) => "no login can begin",
        Trouble::NotAuthenticated(_) => "the client is not believed",
        Trouble::TokenFile(_) => "the file of the token cannot be used",
        Trouble::ReplayLater => "the answer to a refresh was lost",
        Trouble::Ending(_) => "the token serves to its end and cannot be renewed",
    }
}

fn why(health: &Health) -> Option<String> {
    let Health::Degraded(trouble) = health else { return None };
    Some(match trouble {
        Trouble::NotSaved(why)
        | Trouble::NotErased(why)
        | Trouble::NotRead(why)
        | Trouble::Unreachable(why)
        | Trouble::Later(why)
        | Trouble::Configuration(why) => why.clone(),
        Trouble::NoWayToSignIn(not_begun) => not_begun.why.clone(),
        Trouble::NotAuthenticated(why) => why.to_string(),
        Trouble::TokenFile(unusable) => unusable.to_string(),
        Trouble::ReplayLater => return None,
        Trouble::Ending(reason) => because(*reason).to_owned(),
    })
}

fn because(reason: LoginReason) -> &'static str {
    match reason {
        LoginReason::Never => "nobody has logged in yet",
        LoginReason::Dead => "the server has ended the login",
        LoginReason::InDoubt => "the answer to a refresh was lost twice",
        LoginReason::Damaged => "the record was damaged",
        LoginReason::NotRenewable => "the token has ended or was rejected, and cannot be renewed",
        LoginReason::LastFailed => "the last login has failed",
        LoginReason::Reconfigured => "it is configured otherwise than it was",
        LoginReason::NothingCameBack => "nothing came back from the browser",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn each_change_is_told_once_and_what_passes_is_not() {
        let mut teller = Teller::new(AccountName::parse("work").unwrap());
        let unreachable = |why: &str| Health::Degraded(Trouble::Unreachable(why.to_owned()));
        let troubled = Some(Condition::Troubled("the server cannot be reached"));
        for (health, told) in [
            (Health::Loading, None),
            (Health::Good, None),
            (unreachable("no route"), troubled),
            (unreachable("refused"), None),
            (Health::Loading, None),
            (unreachable("no route"), None),
            (Health::Good, Some(Condition::Well)),
            (Health::Good, None),
            (Health::LoginRequired(LoginReason::Dead), Some(Condition::LoginRequired("the server has ended the login"))),
            (Health::Good, None),
            (Health::SigningOut, None),
            (Health::SignedOut, Some(Condition::SignedOut)),
            (Health::Locked, Some(Condition::Locked)),
            (Health::Good, Some(Condition::Well)),
            (Health::Removed, None),
        ] {
            assert_eq!(teller.news(&health), told, "{health:?}");
        }
    }
}
