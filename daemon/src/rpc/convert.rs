//! From the accounts' words to the wire. Nothing here decides.

use std::time::Duration;

use mcp_authd_oauth::sign_in::Prompt;
use mcp_authd_oauth::time::{Instant, Now, WallTime};
use mcp_authd_proto::v1;

use super::audit::{Giving, Receipt};
use super::words;
use crate::accounts::description::Description;
use crate::accounts::grant::{Purpose, SignInEnd};
use crate::accounts::handle::{AccountHandle, LastUse};
use crate::accounts::need::{Answer, AnswerState, ServedToken, SignInPrompt};
use crate::accounts::status::{GrantStatus, Health, Status};
use crate::config::{ConfigErrors, EditError};

/// An answer on the wire. A token in it is noted before.
pub(super) fn token_state(answer: &Answer, giving: &Giving<'_>) -> v1::TokenState {
    let (name, now) = (giving.account.name().as_str(), giving.now);
    let state = match &answer.state {
        AnswerState::Token(token) => {
            let noted = giving.note(answer.revision, token);
            v1::token_state::State::Token(access_token(token, now, noted))
        }
        AnswerState::SignIn(prompt) => v1::token_state::State::SignIn(sign_in(prompt, name, now)),
        AnswerState::Refusal(refusal) => v1::token_state::State::Refusal(words::refusal(refusal, name)),
    };
    v1::TokenState { account: name.to_owned(), revision: answer.revision, state: Some(state) }
}

/// A refusal for a request that fits no account.
pub(super) fn refused(refusal: v1::Refusal) -> v1::TokenState {
    v1::TokenState { account: String::new(), revision: 0, state: Some(v1::token_state::State::Refusal(refusal)) }
}

fn access_token(token: &ServedToken, now: Now, _: Receipt) -> v1::AccessToken {
    v1::AccessToken {
        access_token: token.access_token.expose().to_owned(),
        token_type: "Bearer".to_owned(),
        expires_at: token.expires.map(|at| timestamp(now.wall_of(at))),
        expires_in: token.expires.map(|at| wire_duration(at.since(now.instant))),
        scopes: token.scopes.iter().map(str::to_owned).collect(),
        resource: token.resource.as_ref().map(|resource| resource.as_str().to_owned()).unwrap_or_default(),
    }
}

/// A login that waits, ready to be shown.
fn sign_in(prompt: &SignInPrompt, account: &str, now: Now) -> v1::SignIn {
    let left = prompt.expires.since(now.instant);
    let (what_to_do, how) = how(&prompt.prompt, &minutes(left));
    let asked_by = if prompt.asked_by.is_empty() { String::new() } else { format!(" ({} asks)", prompt.asked_by) };
    v1::SignIn {
        id: prompt.id.to_string(),
        purpose: purpose(prompt.purpose).into(),
        how: Some(how),
        expires_in: Some(wire_duration(left)),
        message: format!("{}{asked_by}, {what_to_do}", words::to_log_in(prompt, account)),
        asked_by: prompt.asked_by.clone(),
    }
}

/// What a person is to do, in words and in parts.
fn how(prompt: &Prompt, left: &str) -> (String, v1::sign_in::How) {
    match prompt {
        Prompt::Device(device) => {
            let own_words = device.message.as_ref().map(|message| format!(" {message}")).unwrap_or_default();
            let (page, code) = (&device.verification_uri, &device.user_code);
            let words = format!("open {page} and enter the code {code}; it is good for {left} more.{own_words}");
            let device = v1::Device {
                user_code: code.as_str().to_owned(),
                verification_uri: page.clone(),
                verification_uri_complete: device.verification_uri_complete.clone().unwrap_or_default(),
            };
            (words, v1::sign_in::How::Device(device))
        }
        Prompt::Browser(url) => {
            let authorization_uri = url.as_str().to_owned();
            let words = format!("open {authorization_uri} in a browser on this machine; the login waits for {left} more.");
            (words, v1::sign_in::How::Browser(v1::Browser { authorization_uri }))
        }
    }
}

fn purpose(purpose: Purpose) -> v1::Purpose {
    match purpose {
        Purpose::First => v1::Purpose::First,
        Purpose::Again => v1::Purpose::Again,
        Purpose::MoreAccess => v1::Purpose::MoreAccess,
    }
}

/// An account as the person sees it.
pub(super) fn account_status(status: &Status, handle: &AccountHandle, now: Now) -> v1::AccountStatus {
    let account = &*handle.description();
    let name = account.name.as_str();
    let waiting = more_access(status);
    let (message, next_step) =
        waiting.map_or_else(|| words::health(&status.health, account), |waiting| words::more_access(waiting, name));
    v1::AccountStatus {
        name: name.to_owned(),
        issuer: account.kind.server().to_owned(),
        client_id: account.kind.client_id().to_owned(),
        resources: account.resource.iter().map(|resource| resource.as_str().to_owned()).collect(),
        scopes: account.scopes.iter().map(str::to_owned).collect(),
        revision: status.revision,
        health: health(status).into(),
        message,
        next_step,
        grant: status.grant.as_ref().map(|grant| grant_status(grant, now)),
        sign_in: status.sign_in.as_ref().map(|prompt| sign_in(prompt, name, now)),
        token_file: account.kind.token_file(),
        last_sign_in_end: status.last_end.map_or(v1::SignInEnd::Unspecified, sign_in_end).into(),
        last_use: handle.last_use().as_ref().map(last_use),
    }
}

fn last_use(last: &LastUse) -> v1::LastUse {
    v1::LastUse {
        at: Some(timestamp(last.at)),
        program: last.by.executable.clone().unwrap_or_default(),
        pid: last.by.pid.map_or(0, i64::from),
    }
}

/// An account as every program on the socket may see it.
pub(super) fn account(account: &Description) -> v1::Account {
    v1::Account {
        name: account.name.to_string(),
        issuer: account.kind.server().to_owned(),
        resources: account.resource.iter().map(|resource| resource.as_str().to_owned()).collect(),
        scopes: account.scopes.iter().map(str::to_owned).collect(),
    }
}

/// The login for more access that an account waits for while it serves: a state of its own.
fn more_access(status: &Status) -> Option<&SignInPrompt> {
    let waiting = status.sign_in.as_ref().filter(|prompt| prompt.purpose == Purpose::MoreAccess);
    waiting.filter(|_| status.health == Health::Good)
}

fn health(status: &Status) -> v1::Health {
    match &status.health {
        _ if more_access(status).is_some() => v1::Health::SigningIn,
        Health::Good => v1::Health::Good,
        Health::Loading | Health::SigningOut => v1::Health::Loading,
        Health::Degraded(_) => v1::Health::Degraded,
        Health::LoginRequired(_) | Health::SignedOut if status.sign_in.is_some() => v1::Health::SigningIn,
        Health::LoginRequired(_) | Health::SignedOut => v1::Health::LoginRequired,
        Health::Locked | Health::WrongKey => v1::Health::Locked,
        Health::Removing(_) | Health::Removed => v1::Health::Removed,
    }
}

fn grant_status(grant: &GrantStatus, now: Now) -> v1::GrantStatus {
    v1::GrantStatus {
        scopes: grant.scopes.iter().map(str::to_owned).collect(),
        expires_at: grant.expires.map(|at: Instant| timestamp(now.wall_of(at))),
        expires_in: grant.expires.map(|at| wire_duration(at.since(now.instant))),
        obtained_at: Some(timestamp(grant.granted_at)),
        refreshed_at: grant.refreshed_at.map(timestamp),
        renewable: grant.renewable,
        refreshing: grant.refreshing,
        subject: grant.subject.as_ref().map(|subject| subject.as_str().to_owned()).unwrap_or_default(),
    }
}

fn sign_in_end(end: SignInEnd) -> v1::SignInEnd {
    match end {
        SignInEnd::Granted => v1::SignInEnd::Granted,
        SignInEnd::Denied => v1::SignInEnd::Denied,
        SignInEnd::Expired => v1::SignInEnd::Expired,
        SignInEnd::Cancelled => v1::SignInEnd::Cancelled,
        SignInEnd::Failed => v1::SignInEnd::Failed,
        SignInEnd::OtherSubject => v1::SignInEnd::OtherSubject,
        SignInEnd::NoSubject => v1::SignInEnd::NoSubject,
    }
}

/// The file is as it was.
pub(super) fn not_edited(why: &EditError) -> v1::NotWritten {
    v1::NotWritten {
        message: why.message(),
        next_step: why.next_step(),
        text: why.text().to_owned(),
        problems: problems(why.problems()),
    }
}

/// The file does not hold, and what is served is as it was.
pub(super) fn broken(why: &ConfigErrors) -> v1::NotWritten {
    v1::NotWritten {
        message: why.message(),
        next_step: why.next_step().to_owned(),
        text: String::new(),
        problems: problems(why.problems()),
    }
}

fn problems(problems: Vec<(u32, String)>) -> Vec<v1::ConfigProblem> {
    problems.into_iter().map(|(line, message)| v1::ConfigProblem { line, message }).collect()
}

/// A span on the wire; saturates.
pub(super) fn wire_duration(span: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(span.subsec_nanos()).unwrap_or(0),
    }
}

/// A moment on the wire.
pub(super) fn timestamp(at: WallTime) -> prost_types::Timestamp {
    let millis = at.as_millis();
    prost_types::Timestamp {
        seconds: i64::try_from(millis / 1000).unwrap_or(i64::MAX),
        nanos: i32::try_from(millis % 1000).unwrap_or(0) * 1_000_000,
    }
}

fn minutes(span: Duration) -> String {
    match span.as_secs() {
        0..=89 => format!("{} seconds", span.as_secs()),
        seconds => format!("{} minutes", (seconds + 30) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_authd_oauth::sign_in::DevicePrompt;
    use mcp_authd_oauth::terms::{Scopes, UserCode};

    const NOW: Now = Now { instant: Instant::from_millis(0), wall: WallTime::from_millis(0) };

    fn prompt(purpose: Purpose, more: &str) -> SignInPrompt {
        let device = DevicePrompt {
            user_code: UserCode::new("ABCD"),
            verification_uri: "https://as.example/device".to_owned(),
            verification_uri_complete: None,
            message: None,
        };
        SignInPrompt {
            id: 1,
            purpose,
            prompt: Prompt::Device(device),
            expires: NOW.instant + Duration::from_secs(600),
            asked_by: "editor".to_owned(),
            more: Scopes::parse(more),
        }
    }

    #[test]
    fn a_login_for_more_access_says_what_more_and_that_the_token_goes_on_serving() {
        let told = sign_in(&prompt(Purpose::MoreAccess, "a b"), "work", NOW);
        assert_eq!(told.purpose(), v1::Purpose::MoreAccess);
        assert_eq!(
            told.message,
            "\"work\" needs more access: scope a b; the present token goes on serving. To allow it (editor asks), \
             open https://as.example/device and enter the code ABCD; it is good for 10 minutes more."
        );
        let first = sign_in(&prompt(Purpose::First, ""), "work", NOW).message;
        assert!(first.starts_with("To log in to \"work\" (editor asks), open "), "{first}");
    }

    #[test]
    fn an_account_that_serves_and_waits_for_more_access_is_in_a_state_of_its_own() {
        let of = |health: Health, purpose| {
            let sign_in = Some(prompt(purpose, "a b"));
            let status = Status { revision: 1, health, grant: None, sign_in, last_end: None };
            (super::health(&status), more_access(&status).map(|waiting| words::more_access(waiting, "work")))
        };
        let words =
            ("It needs more access: scope a b; the present token goes on serving.".to_owned(), "authctl login work".to_owned());
        assert_eq!(of(Health::Good, Purpose::MoreAccess), (v1::Health::SigningIn, Some(words)));
        assert_eq!(of(Health::Good, Purpose::Again), (v1::Health::Good, None));
        let degraded = || Health::Degraded(crate::accounts::status::Trouble::ReplayLater);
        assert_eq!(of(degraded(), Purpose::MoreAccess), (v1::Health::Degraded, None), "what is wrong is told first");
    }
}
