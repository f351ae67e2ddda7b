//! The authorization server of the world: strict, so that a refresh token that comes again ends its family.

use std::time::Duration;

use mcp_authd_oauth::client_authentication::NotAuthenticated;
use mcp_authd_oauth::http::{AnswerLost, NothingSent};
use mcp_authd_oauth::misbehaved::ServerMisbehaved;
use mcp_authd_oauth::secret::{AccessToken, RefreshToken};
use mcp_authd_oauth::sign_in::SignInFailure;
use mcp_authd_oauth::terms::{Scopes, Subject};
use mcp_authd_oauth::time::Instant;
use mcp_authd_oauth::token::{ErrorAnswer, Granted, IssuedToken, Life, OutcomeUnknown, RefreshOutcome, TokenSuccess, TokenType};

use super::{DiskWork, World};
use crate::accounts::AccountConfig;
use crate::accounts::machine::SaveId;
use crate::accounts::machine::fixture::binding_of;

/// How the server treats the next refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Rotate,
    SameToken,
    NoRefreshToken,
    BadMember,
    /// A success that holds neither token; nothing was spent.
    NoTokens,
    Dead,
    Busy,
    /// "Later", and when: in ten minutes.
    BusyForTenMinutes,
    NothingSent,
    LostBeforeCommit,
    LostAfterCommit,
    Configuration,
    /// The secret of the client could not be read: nothing was sent.
    NoSecret,
    /// The server does not take the secret.
    SecretRefused,
    /// The same, and the secret came from a file.
    SecretOfFileRefused,
    Unknown400,
}

/// How the server treats a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    Granted,
    GrantedNarrower,
    WithoutRefreshToken,
    OtherSubject,
    /// The answer does not tell whose it is.
    Unnamed,
    Denied,
    Expired,
    Unreachable,
    /// The secret of the client could not be read: nobody was asked.
    NoSecret,
    /// The server does not take the secret.
    SecretRefused,
    Refused,
    /// The server knows no such scope.
    InvalidScope,
}

/// The refresh tokens that descend from one login.
#[derive(Default)]
pub(super) struct Family {
    /// The one that counts, if the family lives.
    valid: Option<RefreshToken>,
    rotated_out: Vec<RefreshToken>,
}

/// A wish of the server: not before then (D48).
pub(crate) struct Closed {
    refresh_token: RefreshToken,
    until: Instant,
    /// The save that follows from it: before, a kill may forget the wish.
    save: Option<SaveId>,
    pub(super) is_saved: bool,
}

const TEN_MINUTES: Duration = Duration::from_secs(600);

impl World {
    /// The server has said when to come again.
    pub(super) fn closes(&mut self, refresh_token: RefreshToken) {
        let save = self.disk_work.iter().rev().find_map(|work| match work {
            DiskWork::Grant(id, _) => Some(*id),
            _ => None,
        });
        self.closed = Some(Closed { refresh_token, until: self.now.instant + TEN_MINUTES, save, is_saved: false });
    }

    pub(super) fn saved_by(&mut self, save: SaveId) {
        if let Some(closed) = &mut self.closed {
            closed.is_saved |= closed.save == Some(save);
        }
    }

    /// No call and no start shortens a wish of the server; a calendar that is set may.
    pub(super) fn assert_is_open(&self, spent: &RefreshToken) {
        let closed = self.closed.as_ref().is_some_and(|closed| closed.refresh_token == *spent && closed.until > self.now.instant);
        assert!(!closed || self.jumped, "D48: the server is asked before the time that it told");
    }

    /// What a strict server does with a refresh token (reuse ends the family).
    pub(crate) fn serve(&mut self, presented: &RefreshToken, reply: Reply, life_seconds: u64) -> RefreshOutcome {
        let dead = RefreshOutcome::DeadGrant(error("invalid_grant"));
        match reply {
            Reply::NothingSent => return RefreshOutcome::NothingSent(NothingSent::NotConnected),
            Reply::LostBeforeCommit => return lost(),
            Reply::Busy => return RefreshOutcome::Later { retry_after: None, status: 503 },
            Reply::BusyForTenMinutes => return RefreshOutcome::Later { retry_after: Some(TEN_MINUTES), status: 503 },
            Reply::NoTokens => {
                let token = Err(ServerMisbehaved::NoToken);
                return RefreshOutcome::Success(TokenSuccess { refresh_token: None, token });
            }
            Reply::NoSecret => return RefreshOutcome::NotAuthenticated(NotAuthenticated::Unreadable("gone".to_owned())),
            Reply::SecretRefused => return RefreshOutcome::NotAuthenticated(secret_refused(None)),
            Reply::SecretOfFileRefused => return RefreshOutcome::NotAuthenticated(secret_refused(Some("/file"))),
            Reply::Configuration => return RefreshOutcome::Configuration(error("invalid_target")),
            Reply::Unknown400 => return RefreshOutcome::UnknownError(error("teapot")),
            _ => {}
        }
        let reused = self.families.iter_mut().find(|family| family.rotated_out.contains(presented));
        if let Some(family) = reused {
            family.valid = None;
            self.reuses += 1;
            assert!(self.reused.insert(presented.expose().to_owned()), "I8: the same spent token is presented again and again");
        }
        let living = self.families.iter().any(|family| family.valid.as_ref() == Some(presented));
        match reply {
            Reply::LostAfterCommit => {
                self.rotate(presented);
                lost()
            }
            _ if !living => dead,
            Reply::Dead => {
                self.families.retain(|family| family.valid.as_ref() != Some(presented));
                dead
            }
            Reply::SameToken => self.success(Some(presented.clone()), life_seconds),
            Reply::NoRefreshToken => self.success(None, life_seconds),
            Reply::BadMember => {
                let refresh_token = self.rotate(presented);
                RefreshOutcome::Success(TokenSuccess { refresh_token, token: Err(ServerMisbehaved::NoToken) })
            }
            _ => {
                let new = self.rotate(presented);
                self.success(new, life_seconds)
            }
        }
    }

    /// The successor, where the family of `old` lives.
    fn rotate(&mut self, old: &RefreshToken) -> Option<RefreshToken> {
        let new = RefreshToken::new(self.issue("rt"));
        let family = self.families.iter_mut().find(|family| family.valid.as_ref() == Some(old))?;
        family.rotated_out.push(old.clone());
        family.valid = Some(new.clone());
        Some(new)
    }

    /// The refresh token that counts in the latest family.
    pub(crate) fn valid(&self) -> Option<&RefreshToken> {
        self.families.last()?.valid.as_ref()
    }

    fn issue(&mut self, kind: &str) -> String {
        self.issued += 1;
        format!("{kind}-{}", self.issued)
    }

    fn success(&mut self, refresh_token: Option<RefreshToken>, life_seconds: u64) -> RefreshOutcome {
        let token = Ok(self.access_token(life_seconds, self.refreshed_scopes.clone()));
        RefreshOutcome::Success(TokenSuccess { refresh_token, token })
    }

    fn access_token(&mut self, life_seconds: u64, scopes: Option<Scopes>) -> IssuedToken {
        let name = self.issue("at");
        self.issued_to.insert(name.clone(), self.issuing_to.clone());
        self.ends.insert(name.clone(), self.now.instant + Duration::from_secs(life_seconds));
        IssuedToken {
            access_token: AccessToken::new(name),
            token_type: TokenType::Bearer,
            requested_at: self.now,
            life: Life::Known(Duration::from_secs(life_seconds)),
            scopes,
            subject: Some(Subject::new("alice")),
        }
    }

    pub(crate) fn login_result(
        &mut self,
        how: Login,
        (config, scopes): (&AccountConfig, Scopes),
        life_seconds: u64,
    ) -> Result<Granted, SignInFailure> {
        let failure = match how {
            Login::Denied => Some(SignInFailure::Denied),
            Login::Expired => Some(SignInFailure::Expired),
            Login::Unreachable => Some(SignInFailure::Unreachable(NothingSent::NotConnected)),
            Login::NoSecret => Some(SignInFailure::NotAuthenticated(NotAuthenticated::NoSecret)),
            Login::SecretRefused => Some(SignInFailure::NotAuthenticated(secret_refused(None))),
            Login::Refused => Some(SignInFailure::Refused(error("unauthorized_client"))),
            Login::InvalidScope => Some(SignInFailure::Refused(error("invalid_scope"))),
            Login::Granted | Login::GrantedNarrower | Login::WithoutRefreshToken | Login::OtherSubject | Login::Unnamed => None,
        };
        if let Some(failure) = failure {
            return Err(failure);
        }
        let granted_scopes =
            (how == Login::GrantedNarrower).then(|| Scopes::parse("read")).or_else(|| self.granted_scopes.clone());
        let mut token = self.access_token(life_seconds, granted_scopes);
        if how == Login::Unnamed {
            token.subject = None;
        }
        if how == Login::OtherSubject {
            token.subject = Some(Subject::new("bob"));
        }
        let refresh_token = (how != Login::WithoutRefreshToken).then(|| RefreshToken::new(self.issue("rt")));
        self.families.push(Family { valid: refresh_token.clone(), rotated_out: Vec::new() });
        Ok(Granted {
            success: TokenSuccess { refresh_token, token: Ok(token) },
            binding: binding_of(config),
            requested_scopes: scopes,
        })
    }
}

fn lost() -> RefreshOutcome {
    RefreshOutcome::OutcomeUnknown(OutcomeUnknown::AnswerLost(AnswerLost::ConnectionEnded))
}

fn secret_refused(file: Option<&str>) -> NotAuthenticated {
    NotAuthenticated::Refused { error: error("invalid_client"), file: file.map(str::to_owned) }
}

fn error(code: &str) -> ErrorAnswer {
    ErrorAnswer { error: code.to_owned(), description: None, status: 400 }
}
