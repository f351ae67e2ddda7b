//! Every way in which the server goes wrong on purpose, and the script that says when.
//!
//! "Commit" is the moment when the server has done its work: the refresh token is spent, the new tokens exist.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::answer::Spoilt;

/// Which requests a script is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// Any metadata document, the protected resource's included.
    Metadata,
    /// RFC 8628, 3.1.
    DeviceAuthorization,
    /// The token endpoint, asked about a device code (RFC 8628, 3.4).
    Poll,
    /// The token endpoint, with an authorization code (RFC 6749, 4.1.3).
    Exchange,
    /// The token endpoint, with a refresh token (RFC 6749, section 6).
    Refresh,
    /// RFC 7009.
    Revocation,
    /// The protected resource.
    Resource,
}

/// Before or after the server has done its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// Nothing has happened yet.
    Before,
    /// The server has done its work; the client does not know.
    After,
}

/// What happens to one request.
#[derive(Debug, Clone)]
pub enum Misbehaviour {
    /// Nothing: this request is served as it should be. Lets the first ones of many pass.
    Behave,
    /// A status with a body, nothing done. `retry_after` goes out as it is: seconds, a date, nonsense.
    Status {
        /// The status.
        code: u16,
        /// The `Retry-After` header.
        retry_after: Option<String>,
        /// The body, as `application/json`.
        body: String,
    },
    /// An OAuth error (RFC 6749, 5.2) with the server's error status, nothing done.
    Error(&'static str),
    /// An OAuth error with status 200, as GitHub answers; nothing done.
    ErrorWith200(&'static str),
    /// `slow_down`, and from now on this login's interval is 5 s longer (RFC 8628, 3.5).
    SlowDown,
    /// A captive portal's page with status 200; nothing done.
    Html,
    /// Status 200, `application/json`, and no JSON; nothing done.
    Garbage,
    /// An error that repeats every secret of the request in its description (P10); nothing done.
    EchoSecrets {
        /// The status.
        status: u16,
        /// The `error` member.
        error: &'static str,
    },
    /// A redirect with 307, so that a careless client sends its secrets on; nothing done.
    Redirect(String),
    /// Status 200 and this many bytes of a JSON string; nothing done.
    Bomb(usize),
    /// No answer. The connection ends at `release()`; nothing done.
    Hang,
    /// Waits for `release()`, then serves as it should.
    Hold(Commit),
    /// The connection ends without an answer.
    Drop(Commit),
    /// The work is done, the answer right, and its second half missing.
    Truncate,
    /// Serves as it should, but so much later (real time).
    Delay(Duration),
    /// The work is done, the answer right, and it comes byte by byte.
    Drip {
        /// How long each byte takes.
        each: Duration,
    },
    /// The work is done, and the answer holds its real new tokens, but is wrong in these ways.
    Spoil(Vec<Spoilt>),
    /// SIGKILL to this process at exactly this point; then the connection ends.
    KillPeer {
        /// Whom.
        pid: u32,
        /// When.
        at: Commit,
    },
}

impl Misbehaviour {
    /// A status without further ado.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None, body: r#"{"error":"temporarily_unavailable"}"#.to_owned() }
    }

    /// What the log calls it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Behave => "behave".to_owned(),
            Self::Status { code, .. } => format!("status {code}"),
            Self::Error(error) | Self::ErrorWith200(error) | Self::EchoSecrets { error, .. } => (*error).to_owned(),
            Self::SlowDown => "slow_down".to_owned(),
            Self::Html => "html".to_owned(),
            Self::Garbage => "garbage".to_owned(),
            Self::Redirect(_) => "redirect".to_owned(),
            Self::Bomb(_) => "bomb".to_owned(),
            Self::Hang => "hang".to_owned(),
            Self::Hold(_) => "hold".to_owned(),
            Self::Drop(_) => "drop".to_owned(),
            Self::Truncate => "truncate".to_owned(),
            Self::Delay(_) => "delay".to_owned(),
            Self::Drip { .. } => "drip".to_owned(),
            Self::Spoil(_) => "spoil".to_owned(),
            Self::KillPeer { .. } => "kill peer".to_owned(),
        }
    }
}

/// What is still to go wrong: first the queue of an endpoint, then what it always does.
#[derive(Debug, Default)]
pub(super) struct Script {
    queues: HashMap<At, VecDeque<Misbehaviour>>,
    always: HashMap<At, Misbehaviour>,
}

impl Script {
    pub(super) fn push(&mut self, at: At, misbehaviour: Misbehaviour) {
        self.queues.entry(at).or_default().push_back(misbehaviour);
    }

    pub(super) fn always(&mut self, at: At, misbehaviour: Misbehaviour) {
        self.always.insert(at, misbehaviour);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn take(&mut self, at: At) -> Misbehaviour {
        let queued = self.queues.get_mut(&at).and_then(VecDeque::pop_front);
        queued.or_else(|| self.always.get(&at).cloned()).unwrap_or(Misbehaviour::Behave)
    }

    pub(super) fn left(&self, at: At) -> usize {
        self.queues.get(&at).map_or(0, VecDeque::len)
    }
}
