//! A request as a persona hears it, and the line that is kept of it.
//!
//! Must never: keep the value of a parameter that may be a secret.

use std::collections::BTreeMap;

use hyper::header::HeaderMap;
use serde_json::Value;
use url::form_urlencoded;

use crate::server::At;

/// Where a path of a provider leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// RFC 8414, section 3.
    Metadata,
    /// RFC 8628, 3.1.
    DeviceAuthorization,
    /// RFC 6749, 3.2.
    Token,
    /// RFC 7009.
    Revocation,
    /// The page where a code is typed (RFC 8628, 3.3).
    DevicePage,
    /// RFC 6749, 3.1.
    Authorization,
    /// Nowhere at all.
    Nothing,
}

/// What carries the parameters of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    Empty,
    /// `application/x-www-form-urlencoded`
    Form,
    /// `application/json`
    Json,
    /// Anything else.
    Other,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Where it goes.
    pub door: Door,
    /// `GET`, `POST`.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, as it came.
    pub query: String,
    /// What carries the parameters.
    pub body: Body,
    /// Those of the body, or of the query where it is a GET.
    pub parameters: Vec<(String, String)>,
    /// The same in the words of the RFCs.
    pub meant: Vec<(String, String)>,
    /// Whether it wants JSON (`Accept`).
    pub wants_json: bool,
    /// Whether it holds an `Authorization` header.
    pub has_authorization: bool,
    /// `http://127.0.0.1:PORT`: where it was asked.
    pub origin: String,
}

/// What is kept of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it went.
    pub door: Door,
    /// `GET /path`
    pub target: String,
    /// What carried the parameters.
    pub body: Body,
    /// The parameters, as they came; the values of those alone that are no secret by their names.
    pub parameters: BTreeMap<String, String>,
    /// The `error` of a persona that would not take it.
    pub refused: Option<String>,
    /// The status of the answer.
    pub status: u16,
}

/// What may be told. Any other value is left out.
const PUBLIC: [&str; 13] = [
    "access_type",
    "app",
    "audience",
    "client_id",
    "code_challenge_method",
    "grant_type",
    "prompt",
    "redirect_uri",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "token_type_hint",
];

impl Heard {
    pub(super) fn read(method: &str, uri: &hyper::Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let query = uri.query().unwrap_or_default().to_owned();
        let kind = match header("content-type").split(';').next().unwrap_or_default() {
            _ if body.is_empty() => Body::Empty,
            "application/x-www-form-urlencoded" => Body::Form,
            "application/json" => Body::Json,
            _ => Body::Other,
        };
        let parameters = match kind {
            Body::Empty => form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            Body::Form => form_urlencoded::parse(body).into_owned().collect(),
            Body::Json => of_object(&serde_json::from_slice(body).unwrap_or_default()),
            Body::Other => Vec::new(),
        };
        Self {
            door: Door::Nothing,
            method: method.to_owned(),
            path: uri.path().to_owned(),
            query,
            body: kind,
            meant: Vec::new(),
            parameters,
            wants_json: header("accept").contains("application/json"),
            has_authorization: headers.contains_key("authorization"),
            origin: String::new(),
        }
    }

    /// A parameter, as the provider calls it.
    #[must_use]
    pub fn one(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Whether a scope is asked for.
    #[must_use]
    pub fn asks_for(&self, scope: &str) -> bool {
        self.one("scope").unwrap_or_default().split_whitespace().any(|asked| asked == scope)
    }

    /// What it is about. `None`: a page, or nothing.
    #[must_use]
    pub fn at(&self) -> Option<At> {
        let grant_type = self.meant.iter().find(|(name, _)| name == "grant_type").map_or("", |(_, value)| value.as_str());
        match (self.door, grant_type) {
            (Door::Metadata, _) => Some(At::Metadata),
            (Door::DeviceAuthorization, _) => Some(At::DeviceAuthorization),
            (Door::Token, "refresh_token") => Some(At::Refresh),
            (Door::Token, "authorization_code") => Some(At::Exchange),
            (Door::Token, _) => Some(At::Poll),
            (Door::Revocation, _) => Some(At::Revocation),
            (Door::DevicePage | Door::Authorization | Door::Nothing, _) => None,
        }
    }

    pub(super) fn line(&self, refused: Option<String>, status: u16) -> Line {
        let told = |(name, value): &(String, String)| {
            (name.clone(), if PUBLIC.contains(&name.as_str()) { value.clone() } else { String::new() })
        };
        Line {
            door: self.door,
            target: format!("{} {}", self.method, self.path),
            body: self.body,
            parameters: self.parameters.iter().map(told).collect(),
            refused,
            status,
        }
    }
}

impl Line {
    /// The names of its parameters, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.parameters.keys().map(String::as_str).collect()
    }

    /// The value of a parameter that is no secret; empty where there is none.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }
}

fn of_object(object: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    object.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}
