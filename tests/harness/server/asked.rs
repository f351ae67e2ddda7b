//! A request, read: path, parameters, headers that matter.

use std::time::Duration;

use url::form_urlencoded;

use super::client;
use super::misbehaviour::At;
use super::protected;
use crate::sentinel;

/// A request as the endpoints see it.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Parameters,
    pub(super) form: Parameters,
    pub(super) bearer: Option<String>,
    /// The credentials of a `Basic` header.
    pub(super) basic: Option<(String, String)>,
    pub(super) user_agent: Option<String>,
    pub(super) secret_in_url: bool,
}

/// Parameters as they came, doubles included.
#[derive(Debug, Clone, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    /// RFC 6749, 3.2: parameters must not stand twice; only `resource` may (RFC 8707, section 2).
    pub(super) fn has_doubles(&self) -> bool {
        let mut names: Vec<&str> = self.iter().map(|(name, _)| name).filter(|name| *name != "resource").collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Metadata(super::settings::MetadataForm),
    ProtectedResourceMetadata,
    DeviceAuthorization,
    Token,
    Revocation,
    Page,
    Registration,
    Authorization,
    Resource,
    Nowhere,
}

impl Asked {
    pub(super) fn new<B>(request: &hyper::Request<B>, body: &[u8]) -> Self {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let is_form = header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        let query = request.uri().query().unwrap_or_default();
        Self {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: Parameters::parse(query.as_bytes()),
            form: if is_form { Parameters::parse(body) } else { Parameters::default() },
            bearer: header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned)),
            basic: header("authorization").and_then(|value| client::basic(&value)),
            user_agent: header("user-agent"),
            secret_in_url: sentinel::in_bytes(query.as_bytes()).is_some(),
        }
    }

    /// The client that asks, however it says so.
    pub(super) fn client_id(&self) -> Option<&str> {
        self.basic.as_ref().map(|(client_id, _)| client_id.as_str()).or_else(|| self.form.one("client_id"))
    }

    pub(super) fn place(&self, issuer_path: &str) -> Place {
        use super::settings::MetadataForm;
        if protected::is_metadata(&self.path) {
            return Place::ProtectedResourceMetadata;
        }
        if let Some(rest) = self.path.strip_prefix("/.well-known/") {
            return match rest.split_once('/').map_or((rest, String::new()), |(name, path)| (name, format!("/{path}"))) {
                ("oauth-authorization-server", path) if path == issuer_path => Place::Metadata(MetadataForm::OAuth),
                ("openid-configuration", path) if path == issuer_path => Place::Metadata(MetadataForm::OpenIdInserted),
                _ => Place::Nowhere,
            };
        }
        if self.path == "/resource" {
            return Place::Resource;
        }
        match self.path.strip_prefix(issuer_path) {
            Some("/.well-known/openid-configuration") => Place::Metadata(MetadataForm::OpenIdAppended),
            Some("/device_authorization") => Place::DeviceAuthorization,
            Some("/token") => Place::Token,
            Some("/revoke") => Place::Revocation,
            Some("/device") => Place::Page,
            Some("/register") => Place::Registration,
            Some("/authorize") => Place::Authorization,
            _ => Place::Nowhere,
        }
    }

    /// Which script is for it. The pages for people always behave.
    pub(super) fn at(&self, place: Place) -> Option<At> {
        match place {
            Place::Metadata(_) | Place::ProtectedResourceMetadata => Some(At::Metadata),
            Place::DeviceAuthorization => Some(At::DeviceAuthorization),
            Place::Token if self.form.one("grant_type") == Some("refresh_token") => Some(At::Refresh),
            Place::Token if self.form.one("grant_type") == Some("authorization_code") => Some(At::Exchange),
            Place::Token => Some(At::Poll),
            Place::Revocation => Some(At::Revocation),
            Place::Resource => Some(At::Resource),
            Place::Page | Place::Authorization | Place::Registration | Place::Nowhere => None,
        }
    }

    /// How long the resource takes over it, where the caller wants a slow one; at most a minute.
    pub(super) fn own_time(&self, place: Place) -> Option<Duration> {
        let seconds = self.query.one("seconds").filter(|_| place == Place::Resource)?.parse().ok()?;
        Some(Duration::from_secs(seconds).min(Duration::from_secs(60)))
    }
}
