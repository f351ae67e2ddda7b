//! How a login goes, by what the daemon tells of the account.
//!
//! Must never: take a login for granted because the account holds a token of an older one.

use mcp_authd_client::SignIn;
use mcp_authd_client::shell::word;
use mcp_authd_client::status::{AccountStatus, Health, SignInEnd};

use crate::exit::{Exit, Failure};

/// How a login goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// It waits for the person; or, without a prompt, for the server's answer.
    Waits(Option<Box<SignIn>>),
    /// The account is logged in.
    Granted,
    /// It ended otherwise.
    NotGranted(Ending),
}

/// A login that ended without a grant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// How, where the daemon knows.
    pub(super) end: Option<SignInEnd>,
    /// What went wrong.
    pub(super) message: Option<String>,
    /// What to type next.
    pub(super) next_step: Option<String>,
    /// What the account is for, or whose: where to look for the reason.
    pub(super) server: Option<String>,
}

/// How a login was to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// In a browser, whose answer comes to this machine.
    Browser,
    /// In another way, or none was seen.
    Other,
}

impl Course {
    /// The daemon's answer to the beginning. A good account begins none; how an older login ended does not matter then. What the
    /// daemon has to say about a good account is why it could not begin one.
    pub(super) fn after_start(status: AccountStatus) -> Self {
        let good = status.health == Health::Good && status.sign_in.is_none();
        match (good, status.message) {
            (true, None) => Self::Granted,
            (true, message @ Some(_)) => {
                let server = server(&status.resources, &status.issuer);
                Self::NotGranted(Ending { end: None, message, next_step: status.next_step, server })
            }
            (false, message) => Self::of(AccountStatus { message, ..status }),
        }
    }

    /// How a login that was begun goes.
    pub(super) fn of(status: AccountStatus) -> Self {
        let server = server(&status.resources, &status.issuer);
        let AccountStatus { health, sign_in, last_sign_in_end: end, message, next_step, grant, .. } = status;
        match (sign_in, health, end) {
            (Some(sign_in), ..) => Self::Waits(Some(Box::new(sign_in))),
            (None, Health::SigningIn | Health::Loading, _) => Self::Waits(None),
            (None, _, None | Some(SignInEnd::Granted)) if grant.is_some() => Self::Granted,
            (None, _, end) => Self::NotGranted(Ending { end, message, next_step, server }),
        }
    }
}

fn server(resources: &[String], issuer: &str) -> Option<String> {
    let server = resources.first().map_or(issuer, String::as_str);
    Some(server.to_owned()).filter(|server| !server.is_empty())
}

impl Ending {
    /// With the hint of a browser that brought nothing: a server that says no on a page of its own never leads back to us, and then
    /// the login can only end by its time.
    pub(super) fn hinted(self, account: &str, way: Way) -> Self {
        if way != Way::Browser || self.end != Some(SignInEnd::Expired) {
            return self;
        }
        let account = word(account);
        let server = self.server.as_deref().map_or_else(|| "URL".to_owned(), word);
        Self {
            message: Some(
                "if the page showed an error, the server never sent the browser back to this machine; if it could not be reached at the end, the browser is on another one"
                    .to_owned(),
            ),
            next_step: Some(format!(
                "authctl login {account} --paste (where the browser is on another machine), or authctl provider check {server} (what the server offers)"
            )),
            ..self
        }
    }

    /// What a person is told.
    pub(super) fn failure(self, account: &str) -> Failure {
        let message = match self.end {
            Some(SignInEnd::Denied) => format!("the login to {account} was refused"),
            Some(SignInEnd::Expired) => format!("the login to {account} was not answered in time"),
            Some(SignInEnd::Cancelled) => format!("the login to {account} was cancelled"),
            Some(SignInEnd::OtherSubject) => {
                format!("the login to {account} came back for another user; what the account held is untouched")
            }
            Some(SignInEnd::NoSubject) => format!(
                "the server did not say whose the login to {account} was, and the account is a certain user's; what it held is untouched"
            ),
            _ => format!("the login to {account} failed"),
        };
        let usual = match self.end {
            Some(SignInEnd::OtherSubject) => format!("authctl login {} --replace", word(account)),
            Some(SignInEnd::NoSubject) => format!(
                "add openid to its scopes in config.toml, and authctl reload; or, if it was the right user: authctl login {} --replace",
                word(account)
            ),
            _ => format!("authctl login {}", word(account)),
        };
        let message = match self.message {
            Some(more) => format!("{message}: {more}"),
            None => message,
        };
        Failure::new(Exit::NotGranted, message, self.next_step.unwrap_or(usual))
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::panic, reason = "tests")]

    use super::*;
    use crate::fixture;
    use mcp_authd_client::status::GrantStatus;

    pub(in crate::login) fn failures() -> Vec<Failure> {
        let server = Some("https://mcp.example.com/mcp".to_owned());
        let ending = |end| Ending { end, message: None, next_step: None, server: server.clone() };
        let ends = [
            None,
            Some(SignInEnd::Denied),
            Some(SignInEnd::Expired),
            Some(SignInEnd::Cancelled),
            Some(SignInEnd::OtherSubject),
            Some(SignInEnd::NoSubject),
        ];
        let mut all: Vec<Failure> = ends.map(|end| ending(end).failure("github")).into();
        all.push(ending(Some(SignInEnd::Expired)).hinted("github", Way::Browser).failure("github"));
        let message = Some("The server refuses the client (RFC 6749, 5.2: invalid_client).".to_owned());
        let next_step = Some("authctl account set-secret github".to_owned());
        all.push(Ending { message, next_step, ..ending(None) }.failure("github"));
        all
    }

    fn status(health: Health, end: Option<SignInEnd>) -> AccountStatus {
        AccountStatus { last_sign_in_end: end, ..fixture::account("github", health) }
    }

    fn with_grant(status: AccountStatus) -> AccountStatus {
        let grant = GrantStatus {
            scopes: vec![],
            expires_at: None,
            expires_in: None,
            obtained_at: None,
            refreshed_at: None,
            renewable: true,
            refreshing: false,
            subject: None,
        };
        AccountStatus { grant: Some(grant), ..status }
    }

    #[test]
    fn a_good_account_begins_no_login_whatever_the_last_one_was() {
        let good = with_grant(status(Health::Good, Some(SignInEnd::Denied)));
        assert_eq!(Course::after_start(good), Course::Granted);
    }

    #[test]
    fn a_login_that_could_not_be_begun_is_no_success_although_the_account_is_good() {
        let refused = AccountStatus {
            message: Some("The secret of the client is not known.".into()),
            next_step: Some("authctl account set-secret github".into()),
            ..with_grant(status(Health::Good, None))
        };
        let Course::NotGranted(ending) = Course::after_start(refused) else { panic!() };
        assert_eq!(ending.failure("github").next_step.as_deref(), Some("authctl account set-secret github"));
    }

    #[test]
    fn a_login_without_a_prompt_yet_is_waited_for() {
        assert_eq!(Course::after_start(status(Health::SigningIn, None)), Course::Waits(None));
    }

    #[test]
    fn a_refused_login_is_no_success_although_the_account_holds_a_token() {
        let Course::NotGranted(ending) = Course::of(with_grant(status(Health::Good, Some(SignInEnd::Denied)))) else { panic!() };
        let failure = ending.failure("github");
        assert_eq!(failure.exit, Exit::NotGranted);
        assert_eq!(failure.next_step.as_deref(), Some("authctl login github"));
    }

    #[test]
    fn a_settled_login_is_a_success_even_where_something_else_is_wrong() {
        assert_eq!(Course::of(with_grant(status(Health::Degraded, None))), Course::Granted);
    }

    #[test]
    fn another_user_names_the_replacement() {
        let ending = Ending { end: Some(SignInEnd::OtherSubject), message: None, next_step: None, server: None };
        assert_eq!(ending.failure("github").next_step.as_deref(), Some("authctl login github --replace"));
    }

    #[test]
    fn a_login_of_nobody_known_is_not_called_another_users() {
        let ending = Ending { end: Some(SignInEnd::NoSubject), message: None, next_step: None, server: None };
        let failure = ending.failure("github");
        assert!(!failure.message.contains("another user") && failure.message.contains("did not say whose"), "{failure:?}");
        let next = failure.next_step.unwrap_or_default();
        assert!(next.contains("openid") && next.ends_with("authctl login github --replace"), "{next}");
    }

    #[test]
    fn a_browser_that_brought_nothing_is_a_hint_and_a_code_that_nobody_typed_is_none() {
        let expired = || {
            let status = AccountStatus {
                issuer: "https://as.example".into(),
                message: Some("Nobody has logged in yet.".into()),
                next_step: Some("authctl login github".into()),
                ..status(Health::LoginRequired, Some(SignInEnd::Expired))
            };
            let Course::NotGranted(ending) = Course::of(status) else { panic!() };
            ending
        };
        let told = expired().hinted("github", Way::Browser).failure("github");
        assert!(
            told.message.starts_with("the login to github was not answered in time: if the page showed an error"),
            "{told:?}"
        );
        let next = told.next_step.unwrap_or_default();
        assert!(next.starts_with("authctl login github --paste") && next.contains("provider check https://as.example"), "{next}");
        let hostile = Ending { server: Some("https://as.example/$(id)".into()), ..expired() };
        let next = hostile.hinted("github", Way::Browser).next_step.unwrap_or_default();
        assert!(next.contains("provider check 'https://as.example/$(id)' "), "{next}");
        assert_eq!(expired().hinted("github", Way::Other), expired());
        let denied = Ending { end: Some(SignInEnd::Denied), ..expired() };
        assert_eq!(denied.hinted("github", Way::Browser).next_step.as_deref(), Some("authctl login github"));
    }
}
