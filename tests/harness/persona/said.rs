//! An answer of a persona: members in a shape, or anything else as it came from behind.
//!
//! Must never: decide what is granted.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::plain_http::Answered;
use crate::server::At;

use super::heard::Heard;

/// An answer.
#[derive(Debug, Clone)]
pub struct Said {
    /// The status.
    pub status: u16,
    /// The headers that matter, names in lower case.
    pub headers: Vec<(String, String)>,
    /// What it says.
    pub content: Content,
}

/// What an answer says.
#[derive(Debug, Clone)]
pub enum Content {
    /// A JSON object.
    Json(Map<String, Value>),
    /// The same, form-encoded.
    Form(Map<String, Value>),
    /// Anything else, with its `Content-Type`.
    Other(String, Vec<u8>),
}

/// One line of a persona's table of errors: what is asked, the error of RFC 6749 or RFC 8628, and how the persona says it: the
/// status, the error, the description.
pub(super) type ErrorRow = (At, &'static str, u16, &'static str, &'static str);

impl Said {
    /// A JSON object with this status.
    #[must_use]
    pub fn json(status: u16, members: &Value) -> Self {
        let members = members.as_object().cloned().unwrap_or_default();
        Self { status, headers: Vec::new(), content: Content::Json(members) }
    }

    /// An OAuth error (RFC 6749, 5.2).
    #[must_use]
    pub fn error(status: u16, error: &str, description: &str) -> Self {
        Self::json(status, &json!({ "error": error, "error_description": description }))
    }

    /// A status with no body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), content: Content::Other("text/plain".to_owned(), Vec::new()) }
    }

    pub(super) fn of(answered: Answered) -> Self {
        let kept = |(name, _): &(String, String)| ["location", "retry-after", "cache-control"].contains(&name.as_str());
        let content_type = answered.header("content-type").unwrap_or_default().to_owned();
        let content = match serde_json::from_slice(&answered.body) {
            Ok(Value::Object(members)) => Content::Json(members),
            _ => Content::Other(content_type, answered.body),
        };
        Self { status: answered.status, headers: answered.headers.into_iter().filter(kept).collect(), content }
    }

    /// Its members, where it has any.
    #[must_use]
    pub fn members(&self) -> Option<&Map<String, Value>> {
        match &self.content {
            Content::Json(members) | Content::Form(members) => Some(members),
            Content::Other(..) => None,
        }
    }

    /// A text member; empty where there is none.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.members().and_then(|members| members.get(name)).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether it is an answer with tokens.
    #[must_use]
    pub fn has_tokens(&self) -> bool {
        !self.text("access_token").is_empty()
    }

    /// Whether it is an answer with a device code.
    #[must_use]
    pub fn has_a_code(&self) -> bool {
        !self.text("device_code").is_empty()
    }

    /// With this member, whether it was there or not.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        if let Content::Json(members) | Content::Form(members) = &mut self.content {
            members.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Without this member.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        if let Content::Json(members) | Content::Form(members) = &mut self.content {
            members.remove(name);
        }
        self
    }

    /// A member under another name.
    #[must_use]
    pub fn renamed(self, from: &str, to: &str) -> Self {
        match self.members().and_then(|members| members.get(from)).cloned() {
            Some(value) => self.without(from).with(to, value),
            None => self,
        }
    }

    /// With this status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Form-encoded where it was JSON.
    #[must_use]
    pub fn as_form(self) -> Self {
        match self.content {
            Content::Json(members) => Self { content: Content::Form(members), ..self },
            _ => self,
        }
    }

    /// The error that it holds, as the persona says it. An error that does not stand in the table goes as it is.
    pub(super) fn in_words_of(self, table: &[ErrorRow], heard: &Heard) -> Self {
        let error = self.text("error");
        let found = table.iter().find(|(at, word, ..)| Some(*at) == heard.at() && *word == error);
        match found {
            Some((.., status, error, description)) => Self { headers: self.headers, ..Self::error(*status, error, description) },
            None => self,
        }
    }

    /// Only with `offline_access` there is a refresh token.
    pub(super) fn offline_only_where_asked(self) -> Self {
        let offline = self.text("scope").split_whitespace().any(|scope| scope == "offline_access");
        if offline { self } else { self.without("refresh_token") }
    }

    /// The ID token says that this issuer has issued it. Its signature is none before and after.
    pub(super) fn issued_by(self, issuer: &str) -> Self {
        let id_token = self.text("id_token");
        let mut parts = id_token.split('.').map(str::to_owned);
        let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next()) else { return self };
        let payload = URL_SAFE_NO_PAD.decode(payload).expect("an ID token of ours is base64url");
        let mut claims: Value = serde_json::from_slice(&payload).expect("an ID token of ours is JSON");
        claims["iss"] = Value::from(issuer);
        self.with("id_token", format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims.to_string())))
    }

    /// The page where the code is typed stands at this path of the provider.
    pub(super) fn typed_at(self, heard: &Heard, path: &str) -> Self {
        let page = format!("{}{path}", heard.origin);
        let code = self.text("user_code").to_owned();
        self.with("verification_uri", page.as_str()).with("verification_uri_complete", format!("{page}?user_code={code}"))
    }

    pub(super) fn into_bytes(self) -> (u16, Vec<(String, String)>, String, Vec<u8>) {
        let (content_type, bytes) = match self.content {
            Content::Json(members) => {
                ("application/json; charset=utf-8".to_owned(), Value::from(members).to_string().into_bytes())
            }
            Content::Form(members) => {
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                for (name, value) in &members {
                    form.append_pair(name, &text(value));
                }
                ("application/x-www-form-urlencoded; charset=utf-8".to_owned(), form.finish().into_bytes())
            }
            Content::Other(content_type, bytes) => (content_type, bytes),
        };
        (self.status, self.headers, content_type, bytes)
    }
}
