//! The device authorization answer (RFC 8628, 3.2), checked and made fit to be shown to a person (D11, D15, D19, D20).
//!
//! Must never: pass on a URI that a person should not open, or a character that a terminal would act on.

use std::time::Duration;

use super::error_answer::{self, ErrorMember, RawError};
use super::members::{Members, Value};
use super::token_answer::life_of;
use super::{NoErrorCode, Reading, StatusClass, read_as, shown};
use crate::endpoint::{Endpoint, InvalidEndpoint, Loopback};
use crate::http::HttpAnswer;
use crate::misbehaved::ServerMisbehaved;
use crate::profile::AnswerShape;
use crate::secret::DeviceCode;
use crate::sign_in::DevicePrompt;
use crate::terms::UserCode;

/// Where the server names no interval (RFC 8628, 3.2; D11).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// No faster than this (D11).
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// A slower server is worth a word to the person (D11).
const SLOW_INTERVAL: Duration = Duration::from_secs(60);
/// Where the server names no sensible life of its code (D15).
const DEFAULT_LIFE: Duration = Duration::from_secs(600);

const LARGEST_DEVICE_CODE: usize = 64 * 1024;
const LONGEST_USER_CODE: usize = 64;
const LONGEST_URI: usize = 2048;
const LONGEST_MESSAGE: usize = 500;

/// What the device authorization endpoint said.
#[derive(Debug)]
pub(crate) enum DeviceAnswer {
    /// A code for the person, and one for us.
    Authorization(DeviceAuthorization),
    /// An error, whatever the status.
    Error(RawError),
    /// A success status with something else.
    Misbehaved(ServerMisbehaved),
    /// Another status without a readable error.
    NoErrorCode(NoErrorCode),
}

/// A good answer.
#[derive(Debug)]
pub(crate) struct DeviceAuthorization {
    pub(crate) device_code: DeviceCode,
    pub(crate) prompt: DevicePrompt,
    pub(crate) life: Duration,
    pub(crate) interval: Duration,
}

/// Reads an answer of the device authorization endpoint as the RFCs have it.
#[cfg(test)]
fn read(answer: &HttpAnswer, loopback: Loopback) -> DeviceAnswer {
    read_shaped(answer, loopback, &AnswerShape::default())
}

/// Reads an answer of the device authorization endpoint.
pub(crate) fn read_shaped(answer: &HttpAnswer, loopback: Loopback, shape: &AnswerShape) -> DeviceAnswer {
    let status = StatusClass::of(answer.status);
    let reading = read_as(answer, shape);
    let without_code = NoErrorCode::of(status, &reading);
    match reading {
        _ if status == StatusClass::Redirect => DeviceAnswer::NoErrorCode(NoErrorCode::Redirect),
        Reading::Whole(members) => match error_answer::read(&members) {
            ErrorMember::Error(error) => DeviceAnswer::Error(error),
            _ if status != StatusClass::Success => DeviceAnswer::NoErrorCode(without_code),
            ErrorMember::Unreadable => DeviceAnswer::Misbehaved(ServerMisbehaved::BadMember("error")),
            ErrorMember::None => {
                authorization(&members, loopback).map_or_else(DeviceAnswer::Misbehaved, DeviceAnswer::Authorization)
            }
        },
        _ if status != StatusClass::Success => DeviceAnswer::NoErrorCode(without_code),
        Reading::Broken(_) => DeviceAnswer::Misbehaved(ServerMisbehaved::BrokenJson),
        Reading::Unreadable(why) => DeviceAnswer::Misbehaved(why),
    }
}

fn authorization(members: &Members, loopback: Loopback) -> Result<DeviceAuthorization, ServerMisbehaved> {
    if members.has_duplicates() {
        return Err(ServerMisbehaved::DuplicateMember);
    }
    let device_code = members
        .text("device_code")
        .filter(|code| code.len() <= LARGEST_DEVICE_CODE)
        .map(DeviceCode::new)
        .ok_or(ServerMisbehaved::DeviceMember("device_code"))?;
    let user_code = members
        .text("user_code")
        .map(|code| shown::fit(code, LONGEST_USER_CODE + 1))
        .filter(|code| !code.is_empty() && code.chars().count() <= LONGEST_USER_CODE)
        .ok_or(ServerMisbehaved::DeviceMember("user_code"))?;
    // `verification_url` is Google's name, from before the RFC.
    let verification_uri = ["verification_uri", "verification_url"]
        .into_iter()
        .find_map(|name| members.text(name))
        .ok_or(ServerMisbehaved::DeviceMember("verification_uri"))?;
    let verification_uri = shown_uri(verification_uri, loopback).map_err(ServerMisbehaved::VerificationUri)?;
    // Only a convenience: one that is not in order is left out.
    let verification_uri_complete = ["verification_uri_complete", "verification_url_complete"]
        .into_iter()
        .find_map(|name| members.text(name))
        .and_then(|uri| shown_uri(uri, loopback).ok());
    let interval = interval(members);
    let message = message(members, interval);
    let prompt = DevicePrompt { user_code: UserCode::new(user_code), verification_uri, verification_uri_complete, message };
    Ok(DeviceAuthorization { device_code, prompt, life: life(members), interval })
}

/// D11: whatever is no number above zero is the default; any other is obeyed.
fn interval(members: &Members) -> Duration {
    match members.value("interval").and_then(Value::number) {
        Some(seconds) if seconds > 0.0 => life_of(seconds).max(SHORTEST_INTERVAL),
        _ => DEFAULT_INTERVAL,
    }
}

/// D15.
fn life(members: &Members) -> Duration {
    match members.value("expires_in").and_then(Value::number) {
        Some(seconds) if seconds > 0.0 => life_of(seconds),
        _ => DEFAULT_LIFE,
    }
}

/// The server's words, and ours where it is so slow that the person would think it broken (D11).
fn message(members: &Members, interval: Duration) -> Option<String> {
    let theirs = members.text("message").map(|text| shown::fit(text, LONGEST_MESSAGE)).filter(|text| !text.is_empty());
    if interval <= SLOW_INTERVAL {
        return theirs;
    }
    let ours =
        format!("This server may be asked only every {} s: it can take that long until the login shows.", interval.as_secs());
    Some(theirs.map_or_else(|| ours.clone(), |theirs| format!("{theirs} {ours}")))
}

/// A URI that a person may be shown and a browser may open (D19): as strict as an endpoint, but a fragment is in order.
fn shown_uri(text: &str, loopback: Loopback) -> Result<String, InvalidEndpoint> {
    let text = text.trim_matches(' ');
    if text.len() > LONGEST_URI || text.chars().any(shown::is_hidden) {
        return Err(InvalidEndpoint::BadCharacters);
    }
    let (page, fragment) = text.split_once('#').unwrap_or((text, ""));
    if !fragment.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte)) {
        return Err(InvalidEndpoint::BadCharacters);
    }
    Endpoint::parse(page, loopback)?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::wire::tests::answer;
    use proptest::prelude::*;
    use serde_json::{Value as Json, json};

    fn with(name: &str, value: Json) -> Result<DeviceAuthorization, ServerMisbehaved> {
        let mut body = json!({
            "device_code": "SNTL_DC", "user_code": "WDJB-MJHT", "verification_uri": "https://as.example/device", "expires_in": 900,
            "interval": 5,
        });
        body.as_object_mut().unwrap().insert(name.to_owned(), value);
        of(body.to_string(), Loopback::Refused)
    }

    fn of(body: impl AsRef<[u8]>, loopback: Loopback) -> Result<DeviceAuthorization, ServerMisbehaved> {
        match read(&answer(200, body), loopback) {
            DeviceAnswer::Authorization(authorization) => Ok(authorization),
            DeviceAnswer::Misbehaved(why) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn d11_an_interval_is_obeyed_and_whatever_is_none_is_five_seconds() {
        let wanted = Duration::from_secs;
        for (written, interval) in [
            (json!(null), wanted(5)),
            (json!(0), wanted(5)),
            (json!(-3), wanted(5)),
            (json!("soon"), wanted(5)),
            (json!([]), wanted(5)),
            (json!(7), wanted(7)),
            (json!("10"), wanted(10)),
            (json!(2.5), Duration::from_millis(2500)),
            (json!(0.2), wanted(1)),
            (json!(600), wanted(600)),
        ] {
            assert_eq!(with("interval", written.clone()).unwrap().interval, interval, "{written}");
        }
    }

    #[test]
    fn d11_above_a_minute_the_person_is_told() {
        assert_eq!(with("interval", json!(60)).unwrap().prompt.message, None);
        assert!(with("interval", json!(600)).unwrap().prompt.message.unwrap().contains("600 s"));
    }

    #[test]
    fn d15_a_code_without_a_life_lives_ten_minutes() {
        for none in [json!(null), json!(0), json!(-1), json!("x")] {
            assert_eq!(with("expires_in", none).unwrap().life, DEFAULT_LIFE);
        }
        assert_eq!(with("expires_in", json!("300")).unwrap().life, Duration::from_secs(300));
    }

    #[test]
    fn d19_only_a_page_that_may_be_opened_is_shown() {
        for good in ["https://as.example/device", "https://as.example/#/device?x=1", "https://as.example/d?user_code=AB"] {
            assert_eq!(with("verification_uri", json!(good)).unwrap().prompt.verification_uri, good);
        }
        for bad in [
            "http://as.example/d",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "--flag",
            "https://u:p@as.example/",
            "https://127.0.0.1/d",
            "https://as.example/\u{1b}[31m",
            "https://as.example/\u{202e}d",
            "https://as.example/#\u{200b}",
            "https://as.example/#\"",
            "",
        ] {
            assert!(with("verification_uri", json!(bad)).is_err(), "{bad}");
            let rest = with("verification_uri_complete", json!(bad)).unwrap().prompt;
            assert_eq!(rest.verification_uri_complete, None, "{bad}");
        }
    }

    #[test]
    fn d19_loopback_only_where_it_is_allowed() {
        let body = r#"{"device_code":"d","user_code":"u","verification_uri":"http://127.0.0.1:9/d"}"#;
        assert!(of(body, Loopback::Allowed).is_ok());
        assert!(of(body, Loopback::Refused).is_err());
    }

    #[test]
    fn d19_a_user_code_is_stripped_of_what_a_terminal_would_act_on() {
        assert_eq!(with("user_code", json!("AB\u{1b}[31m-\u{202e}CD\n")).unwrap().prompt.user_code.as_str(), "AB-CD");
        for bad in [json!("\u{1b}[31m"), json!(""), json!(5), json!("x".repeat(65))] {
            assert_eq!(with("user_code", bad).unwrap_err(), ServerMisbehaved::DeviceMember("user_code"));
        }
    }

    #[test]
    fn d20_neither_code_is_in_debug() {
        let shown = format!("{:?}", with("verification_uri_complete", json!("https://as.example/d?c=WDJB-MJHT")).unwrap());
        assert!(!shown.contains("SNTL") && !shown.contains("WDJB"), "{shown}");
    }

    #[test]
    fn google_and_entra_are_understood() {
        let google =
            r#"{"device_code":"d","user_code":"GQVQ-JKEC","verification_url":"https://www.google.com/device","interval":5}"#;
        assert_eq!(of(google, Loopback::Refused).unwrap().prompt.verification_uri, "https://www.google.com/device");
        let entra = with("message", json!("To sign in,\r\nuse a web browser\u{7}")).unwrap();
        assert_eq!(entra.prompt.message.as_deref(), Some("To sign in,  use a web browser"));
        let form =
            "device_code=d&user_code=u&verification_uri=https%3A%2F%2Fgithub.com%2Flogin%2Fdevice&interval=5&expires_in=899";
        assert_eq!(of(form, Loopback::Refused).unwrap().life, Duration::from_secs(899));
    }

    #[test]
    fn d42_duplicates_and_missing_members_are_named() {
        assert_eq!(
            of(r#"{"device_code":"a","device_code":"b"}"#, Loopback::Refused).unwrap_err(),
            ServerMisbehaved::DuplicateMember
        );
        assert_eq!(of("{}", Loopback::Refused).unwrap_err(), ServerMisbehaved::DeviceMember("device_code"));
        let missing = with("verification_uri", json!(null)).unwrap_err();
        assert_eq!(missing, ServerMisbehaved::DeviceMember("verification_uri"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_nothing_shown_moves_a_terminal(code in any::<String>(), uri in any::<String>(), bytes in any::<Vec<u8>>()) {
            let _ = read(&answer(200, bytes), Loopback::Allowed);
            if let Ok(authorization) = with("user_code", json!(code)) {
                prop_assert!(!authorization.prompt.user_code.as_str().chars().any(shown::is_hidden));
            }
            if let Ok(authorization) = with("verification_uri", json!(format!("https://as.example/{uri}"))) {
                prop_assert!(authorization.prompt.verification_uri.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }
    }
}
