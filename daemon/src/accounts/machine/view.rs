//! The account as it looks from outside: a pure function of the state.

use mcp_authd_oauth::time::Now;

use super::Account;
use super::credential::{Absent, Credential, Erasure, Rest, Resting, Save, Spending, Unsaved};
use super::sign_in::{Pause, SignIn};
use crate::accounts::grant::{Grant, NotRenewable, Renewal};
use crate::accounts::need::{LoginReason, Refusal};
use crate::accounts::status::{GrantStatus, Health, Status, Trouble};

pub(super) fn status(account: &Account, now: Now) -> Status {
    Status {
        revision: account.revision,
        health: told_health(account, now),
        grant: shown_grant(&account.credential).map(|grant| grant_status(grant, &account.credential)),
        sign_in: account.prompt(),
        last_end: account.history.end(),
    }
}

/// A login counts once its grant is saved; a refresh is shown while it is being saved.
fn shown_grant(credential: &Credential) -> Option<&Grant> {
    credential.grant().filter(|_| !is_new_and_unsaved(credential))
}

fn is_new_and_unsaved(credential: &Credential) -> bool {
    matches!(credential, Credential::Unsaved(Unsaved { save: Save::First { .. }, grant, .. }) if grant.refreshed_at.is_none())
}

fn grant_status(grant: &Grant, credential: &Credential) -> GrantStatus {
    GrantStatus {
        scopes: grant.scopes.clone(),
        expires: grant.access.as_ref().and_then(|token| token.expires()),
        granted_at: grant.granted_at,
        refreshed_at: grant.refreshed_at,
        renewable: grant.refresh_token().is_some(),
        revocable: grant.binding.revocation_endpoint.is_some(),
        refreshing: matches!(credential, Credential::Spending(_) | Credential::Unsaved(Unsaved { save: Save::First { .. }, .. })),
        subject: grant.subject.clone(),
    }
}

/// Why somebody has to log in matters less than why the last try came to nothing.
fn told_health(account: &Account, now: Now) -> Health {
    match (health(account, now), &account.sign_in) {
        (Health::LoginRequired(_), SignIn::Idle(_)) if account.history.nothing_came_back => {
            Health::LoginRequired(LoginReason::NothingCameBack)
        }
        (health, _) => health,
    }
}

fn health(account: &Account, now: Now) -> Health {
    match &account.credential {
        credential if is_new_and_unsaved(credential) => Health::Loading,
        Credential::None(absent) => health_without_grant(absent, account),
        Credential::Unsaved(Unsaved { save: Save::Retrying(_, why) | Save::Again { why, .. }, .. }) => {
            Health::Degraded(Trouble::NotSaved(why.clone()))
        }
        Credential::Resting(Resting { why, .. }) => health_resting(why),
        Credential::Held(grant) | Credential::Spending(Spending { grant, .. }) | Credential::Unsaved(Unsaved { grant, .. }) => {
            health_with_grant(account, grant, now)
        }
    }
}

fn health_without_grant(absent: &Absent, account: &Account) -> Health {
    match absent {
        Absent::Loading => Health::Loading,
        Absent::Never => health_before_login(account, LoginReason::Never),
        Absent::SignedOut(Erasure::Again { why, .. }) => Health::Degraded(Trouble::NotErased(why.clone())),
        Absent::SignedOut(Erasure::InFlight(_)) => Health::SigningOut,
        Absent::SignedOut(Erasure::Done) => match account.sign_in_record.trouble() {
            // A login that waited would be polled again after a restart.
            Some(why) => Health::Degraded(Trouble::NotErased(why.clone())),
            None => Health::SignedOut,
        },
        Absent::Locked => Health::Locked,
        Absent::WrongKey => Health::WrongKey,
        Absent::Damaged => Health::LoginRequired(LoginReason::Damaged),
        Absent::Unreadable { why, .. } => Health::Degraded(Trouble::NotRead(why.clone())),
        Absent::Reconfigured { erasure: Erasure::Again { why, .. }, .. } => Health::Degraded(Trouble::NotErased(why.clone())),
        Absent::Reconfigured { erasure: Erasure::InFlight(_), .. } => Health::SigningOut,
        Absent::Reconfigured { erasure: Erasure::Done, reason } => match account.sign_in_record.trouble() {
            Some(why) => Health::Degraded(Trouble::NotErased(why.clone())),
            None => health_before_login(account, *reason),
        },
        Absent::Removed(Erasure::InFlight(_)) => Health::Removing(None),
        Absent::Removed(Erasure::Again { why, .. }) => Health::Removing(Some(why.clone())),
        Absent::Removed(Erasure::Done) => Health::Removed,
    }
}

fn health_before_login(account: &Account, reason: LoginReason) -> Health {
    match &account.sign_in {
        SignIn::Idle(Pause::Until { why: Refusal::Unavailable { why, .. }, .. }) => {
            Health::Degraded(Trouble::Unreachable(why.clone()))
        }
        SignIn::Idle(Pause::Until { why: Refusal::Configuration { why }, .. }) => {
            Health::Degraded(Trouble::Configuration(why.clone()))
        }
        SignIn::Idle(Pause::Until { why: Refusal::NoWayToSignIn(why), .. }) => {
            Health::Degraded(Trouble::NoWayToSignIn(why.clone()))
        }
        SignIn::Idle(Pause::Until { why: Refusal::NotAuthenticated(why), .. }) => {
            Health::Degraded(Trouble::NotAuthenticated(why.clone()))
        }
        SignIn::Idle(_)
        | SignIn::Starting(_)
        | SignIn::Prompted(_)
        | SignIn::Waiting(_)
        | SignIn::Answered(_)
        | SignIn::Exchanging(_) => Health::LoginRequired(reason),
    }
}

fn health_resting(why: &Rest) -> Health {
    Health::Degraded(match why {
        Rest::NothingSent(why) => Trouble::Unreachable(why.clone()),
        Rest::IntentNotSaved(why) => Trouble::NotSaved(why.clone()),
        Rest::Answered(why) => Trouble::Later(why.clone()),
        Rest::Configuration(why) => Trouble::Configuration(why.clone()),
        Rest::NotAuthenticated(why) => Trouble::NotAuthenticated(why.clone()),
        Rest::ReplayLater(_) => Trouble::ReplayLater,
    })
}

fn health_with_grant(account: &Account, grant: &Grant, now: Now) -> Health {
    if let Some(why) = account.save_trouble.as_ref().or(account.sign_in_record.trouble()) {
        return Health::Degraded(Trouble::NotSaved(why.clone()));
    }
    let alive = grant.access.as_ref().is_some_and(|token| token.is_alive(now.instant));
    let reason = match &grant.renewal {
        Renewal::With(_) => return Health::Good,
        Renewal::Not(NotRenewable::NotIssued) if alive => return Health::Good,
        Renewal::Not(NotRenewable::NotIssued) => LoginReason::NotRenewable,
        Renewal::Not(NotRenewable::Dead) => LoginReason::Dead,
        Renewal::Not(NotRenewable::InDoubt) => LoginReason::InDoubt,
    };
    if alive { Health::Degraded(Trouble::Ending(reason)) } else { Health::LoginRequired(reason) }
}
