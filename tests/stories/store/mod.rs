//! A store that cannot save, and what lies on the disk (P2-P6, B7-B11).

mod at_rest;
mod cannot_save;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use mcp_authd_client::status::{AccountStatus, Health};
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::tool;

/// The folder of the records.
fn records(daemon: &Daemon) -> PathBuf {
    daemon.dirs().state().join("mcp-authd")
}

/// The record of an account's grant.
fn grant_of(daemon: &Daemon, account: &str) -> PathBuf {
    records(daemon).join(format!("grant-{account}.sealed"))
}

/// The key that opens them.
fn key_file(daemon: &Daemon) -> PathBuf {
    daemon.dirs().data().join("mcp-authd/store.key")
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

async fn account(daemon: &Daemon, name: &str) -> AccountStatus {
    let accounts = tool(daemon).status().await.unwrap().accounts;
    accounts.into_iter().find(|account| account.name == name).unwrap()
}

/// Watches until the account is so. Nobody asks for a token meanwhile.
async fn becomes(daemon: &Daemon, name: &str, health: Health) -> AccountStatus {
    let mut changes = tool(daemon).watch_accounts(Some(name.to_owned())).await.unwrap();
    let watching = async {
        loop {
            let account = changes.next().await.unwrap();
            if account.health == health {
                return account;
            }
        }
    };
    let watched = tokio::time::timeout(std::time::Duration::from_secs(120), watching).await;
    watched.unwrap_or_else(|_| panic!("{name} never becomes {health:?}"))
}
