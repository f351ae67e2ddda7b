//! Wire bodies: what servers send, read with care, and nothing of it trusted (RFC 8259, RFC 6749, RFC 8628, RFC 8414, RFC 9728).
//!
//! What a body is, is decided by the body: neither the `Content-Type` nor the status is believed (D7, D17).
//! Must never: panic on any bytes, echo a body, or let one bad member hide a refresh token (I9, D43).

pub(crate) mod device_answer;
pub(crate) mod error_answer;
pub(crate) mod form;
pub(crate) mod identity_answer;
mod json;
pub(crate) mod json_body;
mod jwt;
mod members;
pub(crate) mod metadata;
pub(crate) mod protected_resource;
pub(crate) mod registration_answer;
pub(crate) mod repeated;
pub(crate) mod retry_after;
pub(crate) mod revocation_answer;
pub(crate) mod shown;
pub(crate) mod token_answer;

use crate::http::HttpAnswer;
use crate::misbehaved::ServerMisbehaved;
use crate::profile::AnswerShape;
use json::Object;
use members::Members;

/// The largest body that is looked at (D6). The transport cuts off earlier where an endpoint deserves less.
const LARGEST_BODY: usize = 1024 * 1024;

/// What a body turned out to be.
#[derive(Debug)]
enum Reading {
    /// An object, read to its end.
    Whole(Members),
    /// An object that is cut off or broken, with what stood complete before that.
    Broken(Members),
    /// Nothing that has members.
    Unreadable(ServerMisbehaved),
}

/// Reads a body as the RFCs have it: a JSON object, else a form.
fn read(answer: &HttpAnswer) -> Reading {
    read_as(answer, &AnswerShape::default())
}

/// Reads a body: a JSON object, else a form. Its members have the names of the RFCs, wherever they stood.
fn read_as(answer: &HttpAnswer, shape: &AnswerShape) -> Reading {
    let body = answer.body.expose();
    if body.len() > LARGEST_BODY {
        return Reading::Unreadable(ServerMisbehaved::TooLarge);
    }
    let body = text_of(body);
    match body.first() {
        Some(b'{') => match json::object_as(body, shape) {
            Object::Whole(members) => Reading::Whole(members.named_by(shape)),
            Object::Broken(members) => Reading::Broken(members.named_by(shape)),
        },
        Some(b'<') => Reading::Unreadable(ServerMisbehaved::WebPage),
        _ => match form::parse_as(body, shape) {
            Some(members) => Reading::Whole(members.named_by(shape)),
            None => Reading::Unreadable(ServerMisbehaved::NotAnObject),
        },
    }
}

/// Whether a web page came, which anything on the way may have sent (P15).
pub(crate) fn is_web_page(answer: &HttpAnswer) -> bool {
    text_of(answer.body.expose()).first() == Some(&b'<')
}

fn text_of(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii()
}

/// How a status is understood where no `error` member decides (D16, D48).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusClass {
    /// 2xx.
    Success,
    /// 3xx.
    Redirect,
    /// 408, 425, 429 and 5xx: it may pass.
    Later,
    /// Any other.
    Refusal,
}

impl StatusClass {
    pub(crate) fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Success,
            300..=399 => Self::Redirect,
            408 | 425 | 429 | 500..=599 => Self::Later,
            _ => Self::Refusal,
        }
    }
}

/// What stood in the place of an error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoErrorCode {
    /// A redirect: never followed (D5).
    Redirect,
    /// 408, 425, 429, 5xx.
    Later,
    /// Another status, with an object: the server itself speaks.
    Object,
    /// Another status, with a web page or the like: anything on the way may have spoken (P15).
    Page,
}

impl NoErrorCode {
    fn of(status: StatusClass, reading: &Reading) -> Self {
        match (status, reading) {
            (StatusClass::Redirect, _) => Self::Redirect,
            (StatusClass::Later, _) => Self::Later,
            (_, Reading::Whole(_)) => Self::Object,
            (_, Reading::Broken(_) | Reading::Unreadable(_)) => Self::Page,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::http::Body;
    use crate::reach::Reach;

    /// An answer with this status and body.
    pub(crate) fn answer(status: u16, body: impl AsRef<[u8]>) -> HttpAnswer {
        let body = Body::new(body.as_ref().to_vec());
        HttpAnswer { status, content_type: None, retry_after: None, www_authenticate: Vec::new(), peer: Reach::Public, body }
    }

    #[test]
    fn d7_a_body_decides_what_it_is_whatever_its_content_type_says() {
        let mut json = answer(200, "\u{feff} \n{\"error\":\"x\"}\n");
        json.content_type = Some("text/html".into());
        assert!(matches!(read(&json), Reading::Whole(_)));
        let mut page = answer(200, "<!doctype html>");
        page.content_type = Some("application/json".into());
        assert!(matches!(read(&page), Reading::Unreadable(ServerMisbehaved::WebPage)));
        assert!(matches!(read(&answer(200, "error=x")), Reading::Whole(_)));
        for other in ["", "[]", "null", "\"text\"", "12", "OK"] {
            assert!(matches!(read(&answer(200, other)), Reading::Unreadable(ServerMisbehaved::NotAnObject)), "{other}");
        }
    }

    #[test]
    fn d6_a_body_beyond_any_limit_is_not_looked_at() {
        let large = format!("{{\"x\":\"{}\"}}", "x".repeat(LARGEST_BODY));
        assert!(matches!(read(&answer(200, large)), Reading::Unreadable(ServerMisbehaved::TooLarge)));
    }
}
