//! The show with the person's own account: their `config.toml`, their directories, their authorization server.
//!
//! Must never: touch the configuration, log out, or end a daemon that it did not start.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use mcp_authd_client::AdminClient;
use mcp_authd_client::status::AccountStatus;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::NamedTempFile;
use tokio::process::{Child, Command};
use toml_edit::{DocumentMut, Item};

use crate::arguments::{Arguments, Place};
use crate::fresh_build;
use crate::page::{self, Table};
use crate::program::ACCOUNT;
use crate::programs::{Programs, text, the_same};

const START_WATCHDOG: Duration = Duration::from_secs(60);

/// The account to show, if the person has one.
pub(crate) fn configured(arguments: &Arguments) -> Result<Option<String>> {
    match &arguments.place {
        Place::TestServer => Ok(None),
        Place::Account(name) => Ok(Some(name.clone())),
        Place::WhatIsConfigured => first_account(),
    }
}

fn first_account() -> Result<Option<String>> {
    let Some(file) = config_file() else { return Ok(None) };
    let Ok(text) = fs::read_to_string(&file) else { return Ok(None) };
    let config: DocumentMut = text.parse().with_context(|| format!("{} cannot be read", file.display()))?;
    let accounts = config.get("accounts").and_then(Item::as_table_like);
    Ok(accounts.and_then(|accounts| accounts.iter().next().map(|(name, _)| name.to_owned())))
}

/// Where the daemon reads it (DESIGN, section 4): this only looks whether there is anything to show.
fn config_file() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let folder = if cfg!(target_vendor = "apple") {
        home?.join("Library/Application Support")
    } else {
        let absolute = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        absolute.or_else(|| Some(home?.join(".config")))?
    };
    Some(folder.join("mcp-authd/config.toml"))
}

/// Whether every count was right.
pub(crate) async fn show(arguments: &Arguments, name: &str) -> Result<bool> {
    let so_many = page::word(arguments.programs);
    page::line(&format!("mcp-authd: {so_many} programs, your account \"{name}\""));
    let admin = AdminClient::find()?.never_starting();
    let mut own = running(&admin).await?;
    let environment: [(&str, OsString); 1] = [(ACCOUNT, name.into())];
    let mut programs = Programs::start(arguments.programs, &environment)?;

    page::step(1, &format!("LOGIN. All {so_many} ask for a token at the same moment."));
    let asked = programs.all("ask").await?;
    let codes: Vec<String> = asked.iter().filter_map(|told| text(told, "code").ok()).map(str::to_owned).collect();
    let served = if codes.is_empty() {
        asked
    } else {
        show_prompt(&asked)?;
        programs.all("wait").await?
    };
    let first = the_same(&served, "token")?.to_owned();
    show_tokens(&served)?;
    let table = Table::default()
        .row("programs served", count(programs.len())?, count(served.len())?)
        .row("different codes shown", u64::from(!codes.is_empty()), different(&codes))
        .row("different tokens after the login", 1, different(&tokens(&served)?));

    let table = match renewable(&admin, name).await? {
        false => {
            page::line("   This token cannot be renewed without you, so the second step is left out.");
            table
        }
        true => {
            page::step(2, &format!("REPORT. All {so_many} say that a server rejected the token."));
            let renewed = programs.all("report").await?;
            show_tokens(&renewed)?;
            let new = tokens(&renewed)?;
            let old = new.iter().filter(|token| **token == first).count();
            table.row("different tokens after one refresh for all", 1, different(&new)).row("of them the old one", 0, count(old)?)
        }
    };
    page::line("\nToken names are the beginning of a SHA-256.");
    let right = table.show();
    if let Some(child) = own.take() {
        leave(child).await?;
    }
    Ok(right)
}

fn show_prompt(asked: &[Value]) -> Result<()> {
    for (number, told) in (1..).zip(asked) {
        page::program(number, &format!("is told: log in, with code {}", text(told, "code")?));
    }
    let (code, at) = (the_same(asked, "code")?, the_same(asked, "page")?);
    page::line(&format!(
        "   One login for all. Open this page, type the code, and approve:\n\n       {at}\n       code: {code}\n\n   \
         Waiting for you. (Ctrl-C ends the demo.)"
    ));
    Ok(())
}

fn show_tokens(served: &[Value]) -> Result<()> {
    for (number, told) in (1..).zip(served) {
        page::program(number, &format!("is served  (token {})", text(told, "token")?));
    }
    Ok(())
}

fn tokens(served: &[Value]) -> Result<Vec<String>> {
    served.iter().map(|told| text(told, "token").map(str::to_owned)).collect()
}

fn different(texts: &[String]) -> u64 {
    texts.iter().collect::<std::collections::HashSet<_>>().len() as u64
}

fn count(number: usize) -> Result<u64> {
    Ok(u64::try_from(number)?)
}

async fn renewable(admin: &AdminClient, name: &str) -> Result<bool> {
    let status = admin.status().await?;
    let account = status.accounts.into_iter().find(|account: &AccountStatus| account.name == name);
    Ok(account.and_then(|account| account.grant).is_some_and(|grant| grant.renewable))
}

/// The daemon that runs already, or a new one: then it is ours to end.
async fn running(admin: &AdminClient) -> Result<Option<Child>> {
    if admin.status().await.is_ok() {
        page::line("Your mcp-authd is running; it is used as it is.");
        return Ok(None);
    }
    page::line("Your mcp-authd is not running; one is started, and ended with the demo.");
    let log = NamedTempFile::new()?;
    let mut child = Command::new(fresh_build::own_folder()?.join("mcp-authd"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log.reopen()?)
        .kill_on_drop(true)
        .spawn()
        .context("mcp-authd cannot be started")?;
    let serving = async {
        while admin.status().await.is_err() {
            if child.try_wait()?.is_some() {
                bail!("mcp-authd does not start; it says:\n{}", fs::read_to_string(log.path())?);
            }
            // law: sleep: a daemon that starts has nobody to tell
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    };
    tokio::time::timeout(START_WATCHDOG, serving).await.context("mcp-authd started and does not serve")??;
    Ok(Some(child))
}

/// SIGTERM, so that what is in flight is finished.
async fn leave(mut child: Child) -> Result<()> {
    let pid = child.id().context("the daemon has ended by itself")?;
    kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
    let ended = child.wait().await?;
    ensure!(ended.success(), "the daemon did not end well: {ended}");
    Ok(())
}
