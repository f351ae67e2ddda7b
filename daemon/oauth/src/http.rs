//! An HTTP exchange as data: what a flow wants sent, and what came back.
//!
//! Must never: send anything, or show a body in `Debug`.

use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::reach::Reach;
use crate::secret::SecretText;

/// What a flow wants sent.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// Where to.
    pub endpoint: Endpoint,
    /// GET, or POST with a body.
    pub method: Method,
    /// The `Authorization` header, already encoded: `Basic` (RFC 6749, 2.3.1) where the client authenticates so, `Bearer` (RFC 6750,
    /// 2.1) where a token is shown. With it no redirect is followed, whatever the patience (D5).
    pub authorization: Option<SecretText>,
    /// What an answer is worth waiting for.
    pub patience: Patience,
}

/// A request of MCP that changes nothing and begins nothing, as JSON-RPC writes it.
pub const PROBE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// The method, with the body that belongs to it.
#[derive(Debug, Clone)]
pub enum Method {
    /// A document is read.
    Get,
    /// An MCP request without a token, so that a protected server says what token it wants: the fixed body [`PROBE`].
    Probe,
    /// `application/x-www-form-urlencoded` parameters, already encoded.
    PostForm(SecretText),
    /// `application/json`, already encoded.
    PostJson(SecretText),
    /// No body at all: nothing can be spent by it.
    PostEmpty,
}

/// How long, how much and whether a redirect may be followed (D5, D6, D51).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Metadata: 10 s in all, 1 MiB, at most 3 redirects within the same https origin.
    Metadata,
    /// A request for the sake of the challenge in its head: 10 s, no redirect, and the body is not read, which may be a stream
    /// without end.
    Challenge,
    /// Device authorization, a poll, revocation: 30 s for the answer, 256 KiB, no redirect.
    Endpoint,
    /// A request that spends a refresh token or an authorization code: once written, 5 min for the answer, 256 KiB, no redirect (D51).
    Spending,
}

/// A complete answer.
#[derive(Debug, Clone)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// The `Content-Type` header as it came, where it is text.
    pub content_type: Option<String>,
    /// The `Retry-After` header as it came (RFC 9110, 10.2.3).
    pub retry_after: Option<String>,
    /// The `WWW-Authenticate` headers as they came, one for each line, where they are text (RFC 9110, 11.6.1). At most 16.
    pub www_authenticate: Vec<String>,
    /// How near the peer is that has answered. Behind a proxy: public, since nobody here knows.
    pub peer: Reach,
    /// The body, decompressed, within the limit of the request's [`Patience`].
    pub body: Body,
}

/// A body that may hold secrets: wiped when dropped, only its length in `Debug`.
#[derive(Clone, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct Body(Vec<u8>);

impl Body {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes: for a parser, never for a log.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

/// Why there is no complete answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// Nothing reached a verified peer: DNS, connect or TLS failed (D48). Sending again repeats nothing.
    #[error("nothing was sent: {0}")]
    NothingSent(NothingSent),
    /// The request was handed to a verified peer, and no whole readable answer came (D56).
    #[error("the answer was lost: {0}")]
    AnswerLost(AnswerLost),
}

/// What kept a request from being sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NothingSent {
    /// The host name could not be resolved.
    #[error("the host name could not be resolved")]
    NameNotResolved,
    /// No connection could be made.
    #[error("no connection could be made")]
    NotConnected,
    /// The server's certificate did not hold (D10).
    #[error("the server's TLS certificate could not be verified")]
    NotVerified,
    /// Connecting took too long.
    #[error("connecting took too long")]
    TooSlow,
    /// Its name leads nearer than who named it (P21).
    #[error(
        "its name leads to a private network or to this machine, and the server that named it is elsewhere; if that is meant, name it yourself in config.toml"
    )]
    LeadsNearer,
    /// This machine has no room for the request: descriptors, memory.
    #[error("this machine has no resources left for the request")]
    NoResources,
}

/// How an answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerLost {
    /// The connection ended before the answer did.
    #[error("the connection ended before the answer did")]
    ConnectionEnded,
    /// The time of the request's patience was over.
    #[error("no answer within the time limit of {} s", .0.as_secs())]
    TimeOver(Duration),
    /// The answer was larger than the limit (D6).
    #[error("the answer was larger than {0} bytes")]
    TooLarge(usize),
    /// The daemon was ended while the request was out.
    #[error("the daemon ended while the request was out")]
    Interrupted,
}
