//! `authctl account`: add, list, show and remove accounts, and give the secret of a client to the daemon.
//!
//! Must never: parse or write the configuration; the daemon is the only program that does.

mod add;
mod list;
mod not_written;
mod read_secret;
mod remove;
mod set_secret;
mod show;

use mcp_authd_client::AdminClient;
use mcp_authd_client::shell::word;
use mcp_authd_client::status::{AccountStatus, Health};

pub(crate) use not_written::{ByHand, Teller};

use crate::cli::account::AccountCommand;
use crate::exit::{Exit, Failure};

/// `authctl account ..`.
pub(crate) async fn run(command: AccountCommand) -> Result<Exit, Failure> {
    match command {
        AccountCommand::Add(add) => add::run(*add).await,
        AccountCommand::List(list) => list::run(list).await,
        AccountCommand::Show(show) => show::run(show).await,
        AccountCommand::Remove(remove) => remove::run(remove).await,
        AccountCommand::SetSecret(set_secret) => set_secret::run(set_secret).await,
    }
}

/// Where the configuration stands. A daemon that does not say it is no reason to hold back what has happened.
pub(crate) async fn config_path(admin: &AdminClient) -> Option<String> {
    admin.status().await.ok().map(|daemon| daemon.config_path).filter(|path| !path.is_empty())
}

/// The account of this name, or the only one.
fn find(mut accounts: Vec<AccountStatus>, name: Option<&str>) -> Result<AccountStatus, Failure> {
    match name {
        Some(name) => accounts
            .into_iter()
            .find(|account| account.name == name)
            .ok_or_else(|| Failure::new(Exit::Failed, format!("there is no account \"{name}\""), "authctl account list")),
        None if accounts.len() > 1 => {
            let message = format!("there are {} accounts; name the one you mean", accounts.len());
            Err(Failure::new(Exit::Failed, message, "authctl account list"))
        }
        None => {
            accounts.pop().ok_or_else(|| Failure::new(Exit::Failed, "no account is configured yet", "authctl account add --help"))
        }
    }
}

/// What the person types about an account as it is: the daemon's word, or the login that is missing.
fn next_step(account: &AccountStatus) -> Option<String> {
    let needs_login = matches!(account.health, Health::LoginRequired | Health::SigningIn);
    account.next_step.clone().or_else(|| needs_login.then(|| format!("authctl login {}", word(&account.name))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::sample::account;
    use super::*;
    use crate::exit::rooms;

    fn failures() -> Vec<Failure> {
        let two = || vec![account("github", Health::Good), account("work", Health::Good)];
        [(two(), Some("ada's work")), (two(), None), (vec![], None)]
            .map(|(accounts, name)| find(accounts, name).unwrap_err())
            .into()
    }

    #[test]
    fn every_failure_is_as_committed_on_80_columns() {
        let (given, secret) = (add::tests::failures(), read_secret::tests::failures());
        let others = [set_secret::tests::failures(), remove::tests::failures()].into_iter().flatten().collect();
        insta::assert_snapshot!(rooms::page_of("account", [failures(), given, secret, others]));
    }
}

#[cfg(test)]
mod sample {
    //! Accounts for the screens' tests.

    use std::time::{Duration, SystemTime};

    use mcp_authd_client::status::{AccountStatus, GrantStatus, Health};

    use crate::fixture;
    use crate::screen::present::Present;
    use crate::screen::{Page, Paint};

    pub(super) const PAGE: Page = Page { width: 80, paint: Paint::Plain };

    pub(super) fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    /// One hour east of Greenwich.
    pub(super) fn present() -> Present {
        Present::east(now(), 3600)
    }

    pub(super) fn account(name: &str, health: Health) -> AccountStatus {
        AccountStatus { scopes: vec!["offline_access".into(), "openid".into()], ..fixture::account(name, health) }
    }

    pub(super) fn token_file(name: &str, path: &str) -> AccountStatus {
        AccountStatus {
            issuer: String::new(),
            client_id: String::new(),
            scopes: vec![],
            token_file: Some(path.into()),
            ..account(name, Health::Good)
        }
    }

    pub(super) fn grant() -> GrantStatus {
        GrantStatus {
            scopes: vec!["openid".into()],
            expires_at: None,
            expires_in: Some(Duration::from_secs(3540)),
            obtained_at: now().checked_sub(Duration::from_secs(90_000)),
            refreshed_at: now().checked_sub(Duration::from_secs(60)),
            renewable: true,
            refreshing: false,
            subject: Some("alice".into()),
        }
    }

    pub(super) fn long_name() -> String {
        format!("{}-{}", "a".repeat(99), "b".repeat(100))
    }
}
