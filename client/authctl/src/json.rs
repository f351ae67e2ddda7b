//! The JSON that programs read: one object per line, as the helps of `login`, `token` and `status` document it.
//!
//! Must never: lose a key that is documented, or print a character that could steer a terminal.

pub(crate) mod status;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mcp_authd_client::status::{AccountStatus, GrantStatus, Health, LastUse, SignInEnd};
use mcp_authd_client::{How, Purpose, SignIn, Token};
use serde_json::{Value, json};

use crate::status::not_granted;

/// One line. Only printable ASCII, so that it may be looked at in a terminal too (D19).
pub(crate) fn line(object: &Value) -> String {
    let mut text = String::new();
    for character in object.to_string().chars() {
        if matches!(character, ' '..='~') {
            text.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text.push('\n');
    text
}

/// A login that waits.
pub(crate) fn sign_in(sign_in: &SignIn) -> Value {
    let mut object = json!({
        "account": sign_in.account,
        "id": sign_in.id,
        "expires_in": seconds(sign_in.expires_in),
        "asked_by": sign_in.asked_by,
        "purpose": purpose(sign_in.purpose),
    });
    let how = match &sign_in.how {
        How::Device { user_code, verification_uri, verification_uri_complete } => json!({
            "kind": "device",
            "user_code": user_code,
            "verification_uri": verification_uri,
            "verification_uri_complete": verification_uri_complete,
        }),
        How::Browser { authorization_uri } => json!({ "kind": "browser", "authorization_uri": authorization_uri }),
        _ => json!({ "kind": "unknown" }),
    };
    merge(&mut object, how);
    object
}

/// `what` has happened, about `object`.
pub(crate) fn event(what: &str, object: Value) -> Value {
    let mut event = json!({ "event": what });
    merge(&mut event, object);
    event
}

/// A token. The one place where it is printed with others around it.
pub(crate) fn token(token: &Token) -> Value {
    json!({
        "account": token.account(),
        "access_token": token.expose(),
        "token_type": "Bearer",
        "expires_in": seconds(token.remaining()),
        "scopes": token.scopes(),
        "resource": token.resource(),
    })
}

/// One account at one moment.
pub(crate) fn account(account: &AccountStatus) -> Value {
    let health = match account.health {
        Health::Good => "good",
        Health::LoginRequired => "login_required",
        Health::SigningIn => "signing_in",
        Health::Degraded => "degraded",
        Health::Locked => "locked",
        Health::Loading => "loading",
        Health::Removed => "removed",
        _ => "unknown",
    };
    json!({
        "name": account.name,
        "issuer": account.issuer,
        "client_id": account.client_id,
        "token_file": account.token_file,
        "resources": account.resources,
        "scopes": account.scopes,
        "not_granted": not_granted(account),
        "revision": account.revision,
        "health": health,
        "message": account.message,
        "next_step": account.next_step,
        "grant": account.grant.as_ref().map(grant),
        "sign_in": account.sign_in.as_ref().map(waiting),
        "last_sign_in_end": account.last_sign_in_end.map(end),
        "last_use": account.last_use.as_ref().map(last_use),
    })
}

/// That a login waits. Its code is only for who asks for the login itself: a status ends in bug reports.
fn waiting(sign_in: &SignIn) -> Value {
    json!({
        "id": sign_in.id,
        "purpose": purpose(sign_in.purpose),
        "expires_in": seconds(sign_in.expires_in),
        "asked_by": sign_in.asked_by,
    })
}

/// Who was given a token last.
fn last_use(last_use: &LastUse) -> Value {
    json!({ "at": moment(last_use.at), "program": last_use.program, "pid": last_use.pid })
}

/// What a login is for.
fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::First => "first",
        Purpose::Again => "again",
        Purpose::MoreAccess => "more_access",
        _ => "unknown",
    }
}

fn grant(grant: &GrantStatus) -> Value {
    json!({
        "scopes": grant.scopes,
        "expires_at": moment(grant.expires_at),
        "expires_in": seconds(grant.expires_in),
        "obtained_at": moment(grant.obtained_at),
        "refreshed_at": moment(grant.refreshed_at),
        "renewable": grant.renewable,
        "refreshing": grant.refreshing,
        "subject": grant.subject,
    })
}

/// How a login ended.
pub(crate) fn end(end: SignInEnd) -> &'static str {
    match end {
        SignInEnd::Granted => "granted",
        SignInEnd::Denied => "denied",
        SignInEnd::Expired => "expired",
        SignInEnd::Cancelled => "cancelled",
        SignInEnd::Failed => "failed",
        SignInEnd::OtherSubject => "other_subject",
        SignInEnd::NoSubject => "no_subject",
        _ => "unknown",
    }
}

fn seconds(length: Option<Duration>) -> Option<u64> {
    length.map(|length| length.as_secs())
}

/// Seconds since 1970.
pub(crate) fn moment(moment: Option<SystemTime>) -> Option<u64> {
    seconds(moment.and_then(|moment| moment.duration_since(UNIX_EPOCH).ok()))
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_of_printable_ascii() {
        let written = line(&json!({ "a": "x\u{202e}\n\u{9b}\u{7f}😀" }));
        assert_eq!(written, "{\"a\":\"x\\u202e\\n\\u009b\\u007f\\ud83d\\ude00\"}\n");
    }
}
