//! Confidential clients (RFC 6749, 2.1): who must show a secret, how, and whether a request has shown it.
//!
//! Must never: take two methods in one request (RFC 6749, 2.3), or a secret from a client that has none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::form_urlencoded;

use super::answer::Answer;
use super::asked::{Asked, Place};
use super::book::Book;

/// A client that was registered with a secret. Every other one is public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfidentialClient {
    /// The `client_id`.
    pub client_id: String,
    /// The secret. Begin it with [`ConfidentialClient::MARK`], so that a story finds it wherever it stands in clear.
    pub client_secret: String,
    /// How it must be shown. The other way is refused.
    pub method: ClientMethod,
}

/// How a secret is shown (RFC 6749, 2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientMethod {
    /// `client_secret_basic`
    Basic,
    /// `client_secret_post`
    Post,
}

impl ConfidentialClient {
    /// What every secret of a client begins with.
    pub const MARK: &'static str = "SNTL_CS_";
}

/// The credentials of a `Basic` header; each half is form-urlencoded (RFC 6749, 2.3.1).
pub(super) fn basic(header: &str) -> Option<(String, String)> {
    let decoded = STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let (client_id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some((form_decoded(client_id)?, form_decoded(secret)?))
}

fn form_decoded(value: &str) -> Option<String> {
    let pair = format!("v={value}");
    let mut pairs = form_urlencoded::parse(pair.as_bytes());
    let (_, decoded) = pairs.next()?;
    pairs.next().is_none().then(|| decoded.into_owned())
}

impl Book {
    /// Refuses a request of a client that does not show what it was registered with (RFC 6749, 5.2).
    pub(super) fn refused_client(&mut self, place: Place, asked: &Asked) -> Option<Answer> {
        if !matches!(place, Place::DeviceAuthorization | Place::Token | Place::Revocation) || asked.method != "POST" {
            return None;
        }
        let in_body = asked.form.one("client_secret");
        if asked.basic.is_some() && in_body.is_some() {
            return Some(self.token_error("invalid_request"));
        }
        let in_header = asked.basic.as_ref().map(|(_, secret)| secret.as_str());
        let client = self.settings.clients.iter().find(|client| Some(client.client_id.as_str()) == asked.client_id());
        let is_right = match client {
            None => in_header.is_none() && in_body.is_none(),
            Some(ConfidentialClient { client_secret, method: ClientMethod::Basic, .. }) => {
                in_header == Some(client_secret.as_str())
            }
            Some(ConfidentialClient { client_secret, method: ClientMethod::Post, .. }) => in_body == Some(client_secret.as_str()),
        };
        if is_right {
            return None;
        }
        self.counts.clients_refused += 1;
        Some(self.token_error("invalid_client").with_header("www-authenticate", "Basic realm=\"tests\""))
    }
}
