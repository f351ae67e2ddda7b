//! Device logins (RFC 8628): a code for the client, a code for the person, and what the person said.

use std::time::{Duration, Instant};

use super::answer::{Answer, member};
use super::asked::Asked;
use super::book::{Book, GrantTerms};
use super::settings::EarlyPolls;

/// The base-20 alphabet of RFC 8628, 6.1: no vowels, nothing that looks like something else.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How much earlier than its interval a poll may come: clocks of virtual machines run unevenly.
const TOLERANCE: Duration = Duration::from_millis(50);

/// One device login.
#[derive(Debug, Clone)]
pub(super) struct Login {
    device_code: String,
    user_code: String,
    client_id: String,
    scopes: Vec<String>,
    resource: Option<String>,
    expires: Instant,
    interval: Duration,
    last_poll: Option<Instant>,
    decision: Decision,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    Waiting,
    Approved { subject: String },
    Denied,
    PaidOut,
}

/// A login that waits for its person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingLogin {
    /// What the person types.
    pub user_code: String,
    /// Who asks.
    pub client_id: String,
    /// For what.
    pub scopes: Vec<String>,
    /// Where (RFC 8707).
    pub resource: Option<String>,
}

/// What a person says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Approve { subject: String },
    Deny,
}

/// Why a login cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannotAnswer {
    /// No login has this code.
    Unknown,
    /// Its time is over.
    Expired,
    /// It has been approved or denied before.
    Answered,
}

impl std::fmt::Display for CannotAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no login has this code",
            Self::Expired => "the code has expired",
            Self::Answered => "the code has been used already",
        })
    }
}

impl std::error::Error for CannotAnswer {}

impl Book {
    /// The device authorization request (RFC 8628, 3.1 and 3.2).
    pub(super) fn device_authorization(&mut self, asked: &Asked, now: Instant) -> Answer {
        if asked.method != "POST" || asked.form.has_doubles() {
            return self.token_error("invalid_request");
        }
        let Some(client_id) = asked.client_id().map(str::to_owned) else { return self.token_error("invalid_client") };
        let login = Login {
            device_code: self.mint("DC"),
            user_code: self.new_user_code(),
            client_id,
            scopes: asked.form.one("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
            resource: asked.form.one("resource").map(str::to_owned),
            expires: now + self.settings.device_code_life,
            interval: self.settings.interval,
            last_poll: None,
            decision: Decision::Waiting,
        };
        let page = format!("{}/device", self.issuer);
        let members = vec![
            member("device_code", login.device_code.as_str()),
            member("user_code", login.user_code.as_str()),
            member("verification_uri", page.as_str()),
            member("verification_uri_complete", format!("{page}?user_code={}", login.user_code)),
            member("expires_in", self.settings.device_code_life.as_secs()),
            member("interval", login.interval.as_secs()),
        ];
        self.logins.push(login);
        Answer::json(200, members).with_header("cache-control", "no-store").spoilt(&self.settings.device_answers)
    }

    /// One poll (RFC 8628, 3.4 and 3.5).
    pub(super) fn poll(&mut self, asked: &Asked, now: Instant) -> Answer {
        let Some(found) = self.login_of(asked) else { return self.token_error("invalid_grant") };
        let early = self.note_poll(found, now);
        let tolerates = self.settings.early_polls == EarlyPolls::Tolerated;
        let login = &mut self.logins[found];
        if now >= login.expires {
            return self.token_error("expired_token");
        }
        match login.decision.clone() {
            Decision::Waiting if early && !tolerates => {
                login.interval += Duration::from_secs(5);
                self.token_error("slow_down")
            }
            Decision::Waiting => self.token_error("authorization_pending"),
            Decision::Denied => self.token_error("access_denied"),
            Decision::PaidOut => self.token_error("invalid_grant"),
            Decision::Approved { subject } => {
                login.decision = Decision::PaidOut;
                let terms = GrantTerms {
                    subject,
                    client_id: login.client_id.clone(),
                    scopes: login.scopes.clone(),
                    resource: login.resource.clone(),
                };
                self.start_grant(terms, now)
            }
        }
    }

    /// `slow_down` because a script says so (RFC 8628, 3.5: the interval grows for this and all later polls).
    pub(super) fn slow_down(&mut self, asked: &Asked, now: Instant) -> Answer {
        if let Some(found) = self.login_of(asked) {
            self.note_poll(found, now);
            self.logins[found].interval += Duration::from_secs(5);
        }
        self.token_error("slow_down")
    }

    fn login_of(&self, asked: &Asked) -> Option<usize> {
        let (device_code, client_id) = (asked.form.one("device_code")?, asked.client_id()?);
        self.logins.iter().position(|login| login.device_code == device_code && login.client_id == client_id)
    }

    /// Whether it was early.
    fn note_poll(&mut self, found: usize, now: Instant) -> bool {
        let login = &mut self.logins[found];
        let early = login.last_poll.is_some_and(|last| now + TOLERANCE < last + login.interval);
        login.last_poll = Some(now);
        self.counts.early_polls += u64::from(early);
        early
    }

    /// What the person says, by the code that they typed: case, spaces and dashes do not matter (RFC 8628, 6.1).
    pub(super) fn answer_login(&mut self, typed: &str, said: Said, now: Instant) -> Result<(), CannotAnswer> {
        let found = self.waiting(typed, now)?;
        match said {
            Said::Approve { subject } => {
                self.counts.approvals += 1;
                self.logins[found].decision = Decision::Approved { subject };
            }
            Said::Deny => {
                self.counts.denials += 1;
                self.logins[found].decision = Decision::Denied;
            }
        }
        Ok(())
    }

    /// The login with this code, if it waits.
    pub(super) fn pending_login(&self, typed: &str, now: Instant) -> Result<PendingLogin, CannotAnswer> {
        self.waiting(typed, now).map(|found| PendingLogin::of(&self.logins[found]))
    }

    pub(super) fn pending_logins(&self, now: Instant) -> Vec<PendingLogin> {
        let waits = |login: &&Login| login.decision == Decision::Waiting && now < login.expires;
        self.logins.iter().filter(waits).map(PendingLogin::of).collect()
    }

    fn waiting(&self, typed: &str, now: Instant) -> Result<usize, CannotAnswer> {
        let wanted = plain(typed);
        let found = self.logins.iter().rposition(|login| plain(&login.user_code) == wanted).ok_or(CannotAnswer::Unknown)?;
        match self.logins[found].decision {
            _ if now >= self.logins[found].expires => Err(CannotAnswer::Expired),
            Decision::Waiting => Ok(found),
            _ => Err(CannotAnswer::Answered),
        }
    }

    /// User codes carry the mark as well: they may stand in no log (D20).
    fn new_user_code(&self) -> String {
        loop {
            let mut random = [0_u8; 4];
            getrandom::fill(&mut random).expect("the system has randomness");
            let letters: String = random.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect();
            let code = format!("SNTL-{letters}");
            if self.logins.iter().all(|login| login.user_code != code) {
                return code;
            }
        }
    }
}

impl PendingLogin {
    fn of(login: &Login) -> Self {
        Self {
            user_code: login.user_code.clone(),
            client_id: login.client_id.clone(),
            scopes: login.scopes.clone(),
            resource: login.resource.clone(),
        }
    }
}

fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}
