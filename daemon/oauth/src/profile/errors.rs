//! A provider's own words and statuses for what the RFCs have words for.
//!
//! Must never: let a status overrule an `error` that is known (D17).

/// A provider's own words and statuses. A word counts as the RFC's word; a status counts only where no known `error` decides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorWords {
    /// For `authorization_pending` (RFC 8628, 3.5).
    pub pending: Vec<String>,
    /// For `slow_down` (RFC 8628, 3.5).
    pub slow_down: Vec<String>,
    /// For `access_denied` (RFC 8628, 3.5).
    pub denied: Vec<String>,
    /// For `expired_token` (RFC 8628, 3.5).
    pub expired: Vec<String>,
    /// For `invalid_grant` at a refresh (RFC 6749, 5.2), also where the word means something else at other servers (D47).
    pub dead_grant: Vec<String>,
    /// A poll that is answered so waits on.
    pub pending_statuses: Vec<u16>,
    /// A poll that is answered so was too fast.
    pub slow_down_statuses: Vec<u16>,
    /// A refresh that is answered so is refused for good.
    pub dead_grant_statuses: Vec<u16>,
}

/// What a status says about a poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PollStatus {
    Pending,
    SlowDown,
}

impl ErrorWords {
    /// The RFC's word for what the answer to a poll says.
    pub(crate) fn at_poll<'a>(&self, code: &'a str) -> &'a str {
        let says = |words: &[String]| words.iter().any(|word| word == code);
        if says(&self.pending) {
            "authorization_pending"
        } else if says(&self.slow_down) {
            "slow_down"
        } else if says(&self.denied) {
            "access_denied"
        } else if says(&self.expired) {
            "expired_token"
        } else {
            code
        }
    }

    /// What the status of a poll's answer says, where it says anything.
    pub(crate) fn poll_status(&self, status: u16) -> Option<PollStatus> {
        if self.slow_down_statuses.contains(&status) {
            Some(PollStatus::SlowDown)
        } else if self.pending_statuses.contains(&status) {
            Some(PollStatus::Pending)
        } else {
            None
        }
    }

    /// Whether this is the provider's word for a dead grant.
    pub(crate) fn is_dead_grant(&self, code: &str) -> bool {
        self.dead_grant.iter().any(|word| word == code)
    }

    /// Whether a refresh that is answered so is refused for good.
    pub(crate) fn ends_the_grant(&self, status: u16) -> bool {
        self.dead_grant_statuses.contains(&status)
    }
}
