//! Where wire types end: every message becomes a type of ours, checked, or a [`CallError::WrongAnswer`].
//!
//! Must never: let a token through that belongs to something else than what was asked, or that could break a header.

use std::sync::Arc;
use std::time::Duration;

use mcp_authd_proto::v1;

use crate::clock::{Clock, Moment};
use crate::error::CallError;
use crate::need::{Need, Request, SignInMode, Target};
use crate::resource::covers;
use crate::token::{Account, Answer, How, Purpose, Reason, Refusal, Secret, SignIn, Token, TokenParts};

pub(crate) fn get_token_request(request: &Request, rejected_sha256: Vec<u8>) -> v1::GetTokenRequest {
    let sign_in = match request.sign_in {
        SignInMode::Never => v1::SignInMode::Never,
        SignInMode::StartAndReturn => v1::SignInMode::StartAndReturn,
        SignInMode::StartAndWait => v1::SignInMode::StartAndWait,
    };
    v1::GetTokenRequest {
        need: Some(need(&request.need)),
        rejected_sha256,
        sign_in: sign_in.into(),
        max_wait: wire_duration(request.wait()),
    }
}

pub(crate) fn need(need: &Need) -> v1::Need {
    let target = match &need.target {
        Target::Account(name) => Some(v1::need::Target::Account(name.clone())),
        Target::Resource(uri) => Some(v1::need::Target::Resource(uri.clone())),
        Target::OnlyAccount => None,
    };
    v1::Need {
        target,
        scopes: need.scopes.clone(),
        min_validity: need.min_validity.and_then(wire_duration),
        client_name: need.client_name.clone(),
    }
}

/// What the state means for this request.
pub(crate) fn answer(state: v1::TokenState, request: &Request, clock: &Clock) -> Result<Answer, CallError> {
    let v1::TokenState { account, revision, state } = state;
    check_account(&request.need, &account, state.as_ref())?;
    match state {
        Some(v1::token_state::State::Token(access)) => {
            check_token(&request.need, &access)?;
            Ok(Answer::UseToken(token(access, (account, revision), request, clock)))
        }
        Some(v1::token_state::State::SignIn(prompt)) => Ok(Answer::ShowSignIn(sign_in(account, prompt)?)),
        Some(v1::token_state::State::Refusal(refused)) => Ok(refusal(account, refused)),
        None => Err(wrong("its state is one that this program does not know")),
    }
}

/// Another account than the one asked for must not get through. A refusal may come before any account was found.
fn check_account(need: &Need, account: &str, state: Option<&v1::token_state::State>) -> Result<(), CallError> {
    let Target::Account(asked) = &need.target else { return Ok(()) };
    let refused_early = account.is_empty() && matches!(state, Some(v1::token_state::State::Refusal(_)));
    if asked == account || refused_early { Ok(()) } else { Err(wrong("it is about another account than the one asked for")) }
}

fn check_token(need: &Need, access: &v1::AccessToken) -> Result<(), CallError> {
    if let Target::Resource(asked) = &need.target
        && !covers(&access.resource, asked)
    {
        return Err(wrong("its token is for another resource than the one asked for"));
    }
    if !access.token_type.eq_ignore_ascii_case("bearer") {
        return Err(wrong("its token is not a bearer token"));
    }
    // RFC 6749, A.12: 1*VSCHAR. A space or a line break would break out of the header.
    let printable = access.access_token.bytes().all(|byte| matches!(byte, 0x21..=0x7e));
    if access.access_token.is_empty() || !printable {
        return Err(wrong("its token cannot stand in a header"));
    }
    Ok(())
}

fn token(access: v1::AccessToken, from: (String, u64), request: &Request, clock: &Clock) -> Token {
    let (account, revision) = from;
    let ends = end(&access, clock);
    Token(Arc::new(TokenParts {
        secret: Secret::new(access.access_token),
        account,
        revision,
        resource: filled(access.resource),
        scopes: access.scopes,
        ends,
        request: request.clone(),
        clock: clock.clone(),
    }))
}

/// The earlier of the two ends that the answer names: an answer that lay unread while this process was stopped is older than it
/// looks, and only the wall clock knows.
fn end(access: &v1::AccessToken, clock: &Clock) -> Option<Moment> {
    let life = access.expires_in.map(duration);
    let by_wall = access.expires_at.map(|at| {
        let at = Duration::new(u64::try_from(at.seconds).unwrap_or(0), u32::try_from(at.nanos).unwrap_or(0));
        at.saturating_sub(clock.wall())
    });
    let life = match (life, by_wall) {
        (Some(life), Some(by_wall)) => life.min(by_wall),
        (life, by_wall) => life.or(by_wall)?,
    };
    Some(clock.now().plus(life))
}

pub(crate) fn sign_in(account: String, prompt: v1::SignIn) -> Result<SignIn, CallError> {
    let purpose = match prompt.purpose() {
        v1::Purpose::First => Purpose::First,
        v1::Purpose::Again => Purpose::Again,
        v1::Purpose::MoreAccess => Purpose::MoreAccess,
        v1::Purpose::Unspecified => Purpose::Other,
    };
    let how = match prompt.how {
        Some(v1::sign_in::How::Device(device)) => How::Device {
            user_code: device.user_code,
            verification_uri: device.verification_uri,
            verification_uri_complete: filled(device.verification_uri_complete),
        },
        Some(v1::sign_in::How::Browser(browser)) => How::Browser { authorization_uri: browser.authorization_uri },
        None => return Err(wrong("its login is of a kind that this program does not know")),
    };
    Ok(SignIn {
        account,
        id: prompt.id,
        purpose,
        how,
        expires_in: prompt.expires_in.map(duration),
        message: prompt.message,
        asked_by: filled(prompt.asked_by),
    })
}

fn refusal(account: String, refused: v1::Refusal) -> Answer {
    let reason = reason(refused.reason());
    let retry_after = refused.retry_after.map(duration);
    let passes = retry_after.is_some() || matches!(reason, Reason::Unavailable | Reason::NotSaved | Reason::Locked);
    let refusal =
        Refusal { account: filled(account), reason, message: refused.message, next_step: refused.next_step, retry_after };
    if passes { Answer::TryLater(refusal) } else { Answer::GiveUp(refusal) }
}

fn reason(wire: v1::Reason) -> Reason {
    match wire {
        v1::Reason::LoginRequired => Reason::LoginRequired,
        v1::Reason::Denied => Reason::Denied,
        v1::Reason::TooManyPrompts => Reason::TooManyPrompts,
        v1::Reason::Unavailable => Reason::Unavailable,
        v1::Reason::NotSaved => Reason::NotSaved,
        v1::Reason::InsufficientScope => Reason::InsufficientScope,
        v1::Reason::TokenRejected => Reason::TokenRejected,
        v1::Reason::AccountMismatch => Reason::AccountMismatch,
        v1::Reason::Configuration => Reason::Configuration,
        v1::Reason::Locked => Reason::Locked,
        v1::Reason::NoSuchAccount => Reason::NoSuchAccount,
        v1::Reason::SignedOut => Reason::SignedOut,
        v1::Reason::Ambiguous => Reason::Ambiguous,
        v1::Reason::NotAllowed => Reason::NotAllowed,
        v1::Reason::Unspecified => Reason::Other,
    }
}

pub(crate) fn account(wire: v1::Account) -> Account {
    Account { name: wire.name, issuer: wire.issuer, resources: wire.resources, scopes: wire.scopes }
}

/// A length of time from the wire; a negative one has passed.
pub(crate) fn duration(wire: prost_types::Duration) -> Duration {
    Duration::try_from(wire).unwrap_or(Duration::ZERO)
}

pub(crate) fn wire_duration(length: Duration) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(length).ok()
}

/// proto3 has no absent string.
pub(crate) fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

fn wrong(why: &str) -> CallError {
    CallError::WrongAnswer { why: why.to_owned() }
}
