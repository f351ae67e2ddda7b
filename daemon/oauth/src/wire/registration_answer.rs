//! Answers of a registration endpoint (RFC 7591, 3.2), body before status.
//!
//! What is not needed is not kept: neither `client_id_issued_at` nor what the server repeats of the request (D41).
//! Must never: take a broken answer for a client.

use std::time::Duration;

use super::error_answer::{self, ErrorMember, RawError};
use super::members::{Members, Value};
use super::{NoErrorCode, Reading, StatusClass, read as read_body};
use crate::endpoint::{Endpoint, Loopback};
use crate::http::HttpAnswer;
use crate::misbehaved::ServerMisbehaved;
use crate::secret::{ClientSecret, RegistrationAccessToken, SecretText};
use crate::terms::ClientId;
use crate::time::WallTime;

/// The longest identifier that is sent again and again.
const LONGEST_CLIENT_ID: usize = 4096;

/// What a registration endpoint said.
#[derive(Debug)]
pub(crate) enum RegistrationAnswer {
    /// There is a client.
    Registered(Box<ClientInformation>),
    /// An error, whatever the status.
    Error(RawError),
    /// Another status without a readable error.
    NoErrorCode(NoErrorCode),
    /// A success that must not be used.
    Misbehaved(ServerMisbehaved),
}

/// The client information response (RFC 7591, 3.2.1), as it came. What is absent is as it was asked for.
#[derive(Debug)]
pub(crate) struct ClientInformation {
    pub(crate) client_id: ClientId,
    pub(crate) client_secret: Option<ClientSecret>,
    /// `None`: never.
    pub(crate) secret_expires_at: Option<WallTime>,
    pub(crate) auth_method: Option<String>,
    pub(crate) redirect_uris: Option<Vec<String>>,
    pub(crate) grant_types: Option<Vec<String>>,
    pub(crate) registration_access_token: Option<RegistrationAccessToken>,
    pub(crate) registration_client_uri: Option<SecretText>,
}

/// Reads an answer. Loopback endpoints count only where the asked one is loopback itself (D3).
pub(crate) fn read(answer: &HttpAnswer, loopback: Loopback) -> RegistrationAnswer {
    let status = StatusClass::of(answer.status);
    let reading = read_body(answer);
    let without_code = NoErrorCode::of(status, &reading);
    if status == StatusClass::Redirect {
        return RegistrationAnswer::NoErrorCode(without_code);
    }
    let members = match (reading, status) {
        (Reading::Whole(members), _) => members,
        (Reading::Broken(_), StatusClass::Success) => return RegistrationAnswer::Misbehaved(ServerMisbehaved::BrokenJson),
        (Reading::Unreadable(why), StatusClass::Success) => return RegistrationAnswer::Misbehaved(why),
        (Reading::Broken(_) | Reading::Unreadable(_), _) => return RegistrationAnswer::NoErrorCode(without_code),
    };
    match error_answer::read(&members) {
        ErrorMember::Error(error) => RegistrationAnswer::Error(error),
        ErrorMember::Unreadable if status == StatusClass::Success => {
            RegistrationAnswer::Misbehaved(ServerMisbehaved::RegistrationMember("error"))
        }
        ErrorMember::Unreadable | ErrorMember::None if status != StatusClass::Success => {
            RegistrationAnswer::NoErrorCode(without_code)
        }
        ErrorMember::Unreadable | ErrorMember::None => match information(&members, loopback) {
            Ok(information) => RegistrationAnswer::Registered(Box::new(information)),
            Err(why) => RegistrationAnswer::Misbehaved(why),
        },
    }
}

fn information(members: &Members, loopback: Loopback) -> Result<ClientInformation, ServerMisbehaved> {
    if members.has_duplicates() {
        return Err(ServerMisbehaved::DuplicateMember);
    }
    let bad = ServerMisbehaved::RegistrationMember;
    let client_id = members.text("client_id").filter(|id| is_client_id(id)).ok_or(bad("client_id"))?;
    let client_secret = match members.value("client_secret") {
        None => None,
        Some(Value::Text(text)) if text.expose().is_empty() => None,
        Some(Value::Text(text)) => Some(ClientSecret::parse(text.expose()).map_err(|_| bad("client_secret"))?),
        Some(_) => return Err(bad("client_secret")),
    };
    let auth_method = match members.value("token_endpoint_auth_method") {
        None => None,
        Some(value) => Some(value.text().ok_or(bad("token_endpoint_auth_method"))?.to_owned()),
    };
    Ok(ClientInformation {
        client_id: ClientId::new(client_id),
        client_secret,
        secret_expires_at: expiry(members)?,
        auth_method,
        redirect_uris: texts(members, "redirect_uris")?,
        grant_types: texts(members, "grant_types")?,
        // No login needs these two: bad ones are as good as none.
        registration_access_token: members
            .text("registration_access_token")
            .filter(|text| text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)))
            .map(RegistrationAccessToken::new),
        registration_client_uri: members
            .text("registration_client_uri")
            .filter(|uri| Endpoint::parse(uri, loopback).is_ok())
            .map(SecretText::new),
    })
}

/// RFC 6749, appendix A.1: VSCHAR.
fn is_client_id(text: &str) -> bool {
    text.len() <= LONGEST_CLIENT_ID && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
}

/// Seconds since 1970; zero is never, and so is its absence (D58).
fn expiry(members: &Members) -> Result<Option<WallTime>, ServerMisbehaved> {
    let bad = ServerMisbehaved::RegistrationMember("client_secret_expires_at");
    let Some(value) = members.value("client_secret_expires_at") else { return Ok(None) };
    match value.number() {
        Some(0.0) => Ok(None),
        Some(seconds) if seconds > 0.0 => {
            // What no calendar holds is never, too.
            let since_1970 = Duration::try_from_secs_f64(seconds).ok();
            Ok(since_1970.and_then(|time| u64::try_from(time.as_millis()).ok()).map(WallTime::from_millis))
        }
        _ => Err(bad),
    }
}

/// A list of strings, whole: a part of what is registered would be a lie.
fn texts(members: &Members, member: &'static str) -> Result<Option<Vec<String>>, ServerMisbehaved> {
    match members.value(member) {
        None => Ok(None),
        Some(Value::List(list)) => {
            let texts: Option<Vec<_>> = list.iter().map(|value| value.text().map(str::to_owned)).collect();
            texts.map(Some).ok_or(ServerMisbehaved::RegistrationMember(member))
        }
        Some(_) => Err(ServerMisbehaved::RegistrationMember(member)),
    }
}
