//! What the server has seen: numbers to wait for and to assert, and a log of every request.
//!
//! Must never: hold a secret. A log line holds names of parameters, not their values.

use std::collections::BTreeMap;
use std::time::Duration;

/// Numbers since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Reads of metadata.
    pub metadata_reads: u64,
    /// Device authorization requests, however they ended.
    pub device_authorizations: u64,
    /// Logins that a person approved.
    pub approvals: u64,
    /// Logins that a person denied.
    pub denials: u64,
    /// Polls, however they ended.
    pub polls: u64,
    /// Polls that came before the interval was over.
    pub early_polls: u64,
    /// Polls by outcome: `ok`, an OAuth error, or the name of a misbehaviour.
    pub poll_outcomes: BTreeMap<String, u64>,
    /// Authorization requests that were shown to a person (RFC 6749, 4.1.1); one that is opened again counts once.
    pub authorizations_started: u64,
    /// Authorization requests that were refused before a person saw them.
    pub authorizations_refused: u64,
    /// Codes that went out through a browser (RFC 6749, 4.1.2).
    pub codes_issued: u64,
    /// Codes that were traded in (RFC 6749, 4.1.3).
    pub codes_redeemed: u64,
    /// Codes that came a second time: their grant ends (RFC 6749, 4.1.2).
    pub codes_reused: u64,
    /// Token requests with a code, however they ended.
    pub exchanges: u64,
    /// The same by what the server DECIDED: `ok`, an OAuth error, or the name of a misbehaviour.
    pub exchange_outcomes: BTreeMap<String, u64>,
    /// Refresh requests that arrived, however they ended.
    pub refreshes: u64,
    /// Refresh requests by what the server DECIDED: one whose answer was dropped after the commit is `ok`.
    pub refresh_outcomes: BTreeMap<String, u64>,
    /// Spent refresh tokens that were presented again, outside of any window.
    pub reuses_detected: u64,
    /// Spent refresh tokens that were presented again, and served within the window of `Rotation::Grace`.
    pub grace_replays: u64,
    /// Grants that came into being: logins that were paid out.
    pub grants_started: u64,
    /// Grants revoked because of a reuse.
    pub families_revoked: u64,
    /// Revocation requests (RFC 7009).
    pub revocations: u64,
    /// Revocation requests that ended a living grant or token.
    pub revocations_effective: u64,
    /// Access tokens issued.
    pub access_tokens_issued: u64,
    /// Refresh tokens issued.
    pub refresh_tokens_issued: u64,
    /// Token requests that are open now: arrived, not answered, and the client still there.
    pub token_requests_open: u64,
    /// The most that were open at once.
    pub max_concurrent_token_requests: u64,
    /// The most refreshes of ONE grant that were open at once (I1).
    pub max_concurrent_refreshes_of_one_grant: u64,
    /// Requests that wait for `release()`, their clients still there or not.
    pub held: u64,
    /// Calls of the protected resource that were served.
    pub resource_served: u64,
    /// Calls of the protected resource that were refused.
    pub resource_refused: u64,
    /// Requests of clients that did not show the secret they were registered with (RFC 6749, 2.3), at any endpoint.
    pub clients_refused: u64,
    /// Requests with a secret of ours in their URL (D64).
    pub secrets_in_urls: u64,
    /// Requests that a script spoilt.
    pub misbehaved: u64,
}

impl Counts {
    /// Refreshes that the server did.
    #[must_use]
    pub fn refreshes_ok(&self) -> u64 {
        self.refreshes_ended("ok")
    }

    /// Refreshes with this outcome.
    #[must_use]
    pub fn refreshes_ended(&self, outcome: &str) -> u64 {
        self.refresh_outcomes.get(outcome).copied().unwrap_or(0)
    }

    /// Token requests with a code, with this outcome.
    #[must_use]
    pub fn exchanges_ended(&self, outcome: &str) -> u64 {
        self.exchange_outcomes.get(outcome).copied().unwrap_or(0)
    }

    /// Polls with this outcome.
    #[must_use]
    pub fn polls_ended(&self, outcome: &str) -> u64 {
        self.poll_outcomes.get(outcome).copied().unwrap_or(0)
    }

    /// The acceptance of DESIGN, section 1, in one call: nothing was reused, nothing revoked for it, no grant refreshed twice at once.
    ///
    /// # Panics
    /// With the counts, where a race was lost.
    pub fn assert_no_race_was_lost(&self) {
        let lost = self.reuses_detected > 0 || self.families_revoked > 0 || self.max_concurrent_refreshes_of_one_grant > 1;
        assert!(!lost, "a race was lost: {self:#?}");
    }
}

/// One request, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// When it had arrived whole, since the server's start, on the monotonic clock (the offset does not move it).
    pub arrived: Duration,
    /// When the server had decided: at the commit, or when a misbehaviour took over. `None`: not yet.
    pub decided: Option<Duration>,
    /// `GET`, `POST`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The names of the parameters, of query and form, sorted.
    pub parameters: Vec<String>,
    /// The `grant_type`.
    pub grant_type: Option<String>,
    /// The `client_id`.
    pub client_id: Option<String>,
    /// The `scope`.
    pub scope: Option<String>,
    /// The `resource` (RFC 8707).
    pub resource: Option<String>,
    /// The `User-Agent` (D65).
    pub user_agent: Option<String>,
    /// The number of the grant that a presented token belongs to.
    pub grant: Option<usize>,
    /// What the server decided; `open` until then.
    pub outcome: String,
}

/// One more with this outcome.
pub(super) fn one_more(outcomes: &mut BTreeMap<String, u64>, outcome: &str) {
    *outcomes.entry(outcome.to_owned()).or_default() += 1;
}
