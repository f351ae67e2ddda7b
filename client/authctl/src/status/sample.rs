//! Daemons and accounts as the tests of this screen see them.

use std::time::{Duration, SystemTime};

use mcp_authd_client::start::{Manager, Service};
use mcp_authd_client::status::{AccountStatus, DaemonStatus, GrantStatus, Health, Key, LastUse, StartedBy};
use mcp_authd_client::{How, Purpose, SignIn};

use super::here::{Here, Installed, StopMark};
use super::page::{Shown, render};
use crate::fixture;
use crate::screen::present::Present;
use crate::screen::{Page, Paint};

pub(crate) const PAGE: Page = Page { width: 80, paint: Paint::Plain };

/// Every one there is.
pub(crate) const HEALTHS: [Health; 8] = [
    Health::Good,
    Health::LoginRequired,
    Health::SigningIn,
    Health::Degraded,
    Health::Locked,
    Health::Loading,
    Health::Removed,
    Health::Other,
];

/// Friday, 2027-01-15, 08:00 UTC.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

/// One hour east of Greenwich.
pub(crate) fn present() -> Present {
    Present::east(now(), 3600)
}

pub(crate) fn before(seconds: u64) -> Option<SystemTime> {
    now().checked_sub(Duration::from_secs(seconds))
}

pub(crate) fn service() -> Service {
    Service {
        manager: Manager::Systemd,
        name: "mcp-authd.service".into(),
        file: "/usr/lib/systemd/user/mcp-authd.service".into(),
    }
}

pub(crate) fn here() -> Here {
    Here { version: "0.1.0".into(), named_socket: None, service: Installed::No, mark: StopMark::Absent }
}

pub(super) fn shown<'a>(daemon: &'a DaemonStatus, here: &'a Here) -> Shown<'a> {
    Shown { daemon, here, present: present() }
}

/// The whole page.
pub(crate) fn whole(daemon: &DaemonStatus) -> String {
    render(shown(daemon, &here()), PAGE)
}

pub(crate) fn account(name: &str, health: Health) -> AccountStatus {
    AccountStatus {
        issuer: "https://github.com".into(),
        client_id: "Iv1.0".into(),
        scopes: vec!["repo".into()],
        ..fixture::account(name, health)
    }
}

pub(crate) fn grant(seconds: Option<u64>) -> GrantStatus {
    GrantStatus {
        scopes: vec!["read:org".into(), "repo".into()],
        expires_at: seconds.map(|seconds| now() + Duration::from_secs(seconds)),
        expires_in: seconds.map(Duration::from_secs),
        obtained_at: before(90_000),
        refreshed_at: before(60),
        renewable: true,
        refreshing: false,
        subject: Some("octocat".into()),
    }
}

pub(crate) fn daemon(accounts: Vec<AccountStatus>) -> DaemonStatus {
    DaemonStatus {
        version: "0.1.0".into(),
        pid: 4242,
        started_at: before(7500),
        told_at: now(),
        key_source: "systemd credential".into(),
        key: Key::Open,
        config_path: "/home/a/.config/mcp-authd/config.toml".into(),
        started_by: StartedBy::Manager,
        accounts,
    }
}

pub(crate) fn last_use() -> LastUse {
    LastUse { at: before(180), program: Some("editor".into()), pid: Some(4242) }
}

pub(crate) fn every_kind() -> DaemonStatus {
    let good = AccountStatus {
        resources: vec!["https://api.githubcopilot.com/mcp/".into()],
        scopes: vec!["gist".into(), "repo".into()],
        grant: Some(grant(Some(28_799))),
        last_use: Some(last_use()),
        ..account("github", Health::Good)
    };
    let login = AccountStatus {
        message: Some("The server has ended the grant.".into()),
        next_step: Some("authctl login gitlab".into()),
        ..account("gitlab", Health::LoginRequired)
    };
    let degraded = AccountStatus {
        message: Some("The server cannot be reached: connection refused. The token that is held goes on serving.".into()),
        grant: Some(GrantStatus { refreshing: true, refreshed_at: None, ..grant(None) }),
        resources: vec!["https://mcp.linear.app/mcp".into()],
        ..account("linear", Health::Degraded)
    };
    let waiting = AccountStatus { sign_in: Some(sign_in()), ..account("sentry", Health::SigningIn) };
    let from_a_file = AccountStatus {
        token_file: Some("/run/secrets/ci-token".into()),
        issuer: String::new(),
        scopes: vec![],
        grant: Some(GrantStatus { renewable: false, refreshed_at: None, subject: None, scopes: vec![], ..grant(None) }),
        ..account("ci", Health::Good)
    };
    daemon(vec![good, login, degraded, waiting, from_a_file])
}

/// So many accounts; every seventh needs a login.
pub(crate) fn many(count: usize) -> DaemonStatus {
    let one = |number: usize| {
        let health = if number % 7 == 6 { Health::LoginRequired } else { Health::Good };
        let held = (health == Health::Good).then(|| grant(Some(28_799)));
        AccountStatus { grant: held, ..account(&format!("account-{number}"), health) }
    };
    daemon((0..count).map(one).collect())
}

pub(crate) fn sign_in() -> SignIn {
    let how = How::Device {
        user_code: "ABCD-1234".into(),
        verification_uri: "https://sentry.io/device".into(),
        verification_uri_complete: None,
    };
    SignIn {
        account: "sentry".into(),
        id: "7".into(),
        purpose: Purpose::First,
        how,
        expires_in: Some(Duration::from_secs(840)),
        message: String::new(),
        asked_by: Some("editor".into()),
    }
}
