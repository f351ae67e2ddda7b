//! `authctl status`: the daemon and its accounts, what is wrong and the command that mends it; once, or for as long as it is watched.
//!
//! Must never: show a token or a code; `authctl login` shows codes. With a static token: ask a daemon.

mod frame;
mod page;
mod watch;

use std::path::Path;

use mcp_authd_client::status::{AccountStatus, DaemonStatus, Health, Key};
use mcp_authd_client::{AdminClient, CallError, ConnectError, StaticToken};
use serde_json::{Value, json};

use crate::cli::Status;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page};

pub(crate) use page::{health, needs_more_access, no_account, token};
pub(crate) use watch::passes;

/// `authctl status`.
pub(crate) async fn run(options: Status) -> Result<Exit, Failure> {
    if let Some(token) = StaticToken::find()? {
        return of_static_token(&token, &options);
    }
    if options.watch {
        return watch::run(&options).await;
    }
    let answer = match AdminClient::find() {
        // Who looks changes nothing: no daemon is started.
        Ok(client) => client.never_starting().status().await,
        Err(error) => Err(error.into()),
    };
    let daemon = match answer {
        Ok(daemon) => daemon,
        Err(error @ CallError::Connect(ConnectError::NoDaemon { .. })) if options.json => {
            screen::print(&json::line(&not_running(&error.to_string())))?;
            return Ok(Exit::NotRunning);
        }
        Err(error) => return Err(error.into()),
    };
    let text =
        if options.json { json::line(&json::status(&daemon)) } else { page::render(&daemon, daemon.told_at, Page::of_stdout()) };
    screen::print(&text)?;
    Ok(verdict(&daemon))
}

fn not_running(message: &str) -> Value {
    json!({ "running": false, "message": message })
}

/// A static token has no daemon: it is shown, and whether it can be read. There is nothing to watch.
fn of_static_token(token: &StaticToken, options: &Status) -> Result<Exit, Failure> {
    let readable = token.read();
    let place = (token.variable(), token.path());
    if options.json {
        screen::print(&json::line(&static_token_as_json(place, readable.as_ref().err().map(ToString::to_string))))?;
        return Ok(if readable.is_ok() { Exit::Done } else { Exit::Failed });
    }
    readable?;
    screen::print(&static_token(place, Page::of_stdout()))?;
    Ok(Exit::Done)
}

fn static_token((variable, path): (&str, Option<&Path>), page: Page) -> String {
    let mut text =
        page.paragraph(&format!("A static token is in use, from {variable}; no daemon is asked, and none is started."));
    if let Some(path) = path {
        text.push_str(&page.field("file", &path.display().to_string()));
    }
    text.push_str(&page.field("token", "readable, its end is not known; cannot be renewed by itself"));
    text
}

fn static_token_as_json((variable, path): (&str, Option<&Path>), wrong: Option<String>) -> Value {
    let message = wrong.unwrap_or_else(|| "a static token is in use, and no daemon is asked".to_owned());
    let path = path.map(|path| path.display().to_string());
    json!({ "running": false, "message": message, "static_token": { "variable": variable, "path": path } })
}

/// The worst of the key and the accounts: locked, then a login, then degraded.
fn verdict(daemon: &DaemonStatus) -> Exit {
    let of_key = match daemon.key {
        Key::Open => Exit::Done,
        Key::Locked | Key::Wrong => Exit::Locked,
        _ => Exit::Degraded,
    };
    let of_account = |account: &AccountStatus| match account.health {
        Health::Good => Exit::Done,
        Health::LoginRequired | Health::SigningIn => Exit::LoginRequired,
        Health::Locked => Exit::Locked,
        _ => Exit::Degraded,
    };
    let found: Vec<Exit> = daemon.accounts.iter().map(of_account).chain([of_key]).collect();
    let order = [Exit::Locked, Exit::LoginRequired, Exit::Degraded];
    order.into_iter().find(|exit| found.contains(exit)).unwrap_or(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::page::tests::{PAGE, account, daemon};
    use super::*;

    #[test]
    fn a_static_token_is_named_by_its_place_in_a_few_lines() {
        let long = format!("/run/{}", "secrets-".repeat(25));
        let places = [("MCP_AUTHD_STATIC_TOKEN", None), ("MCP_AUTHD_STATIC_TOKEN_FILE", Some(Path::new(&long)))];
        let told = places.map(|(variable, path)| {
            static_token((variable, path), PAGE) + &json::line(&static_token_as_json((variable, path), None))
        });
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn the_exit_code_is_the_worst_that_was_found() {
        let with = |key: Key, healths: &[Health]| {
            verdict(&DaemonStatus { key, ..daemon(healths.iter().map(|health| account("x", *health)).collect()) })
        };
        assert_eq!(with(Key::Open, &[]), Exit::Done);
        assert_eq!(with(Key::Open, &[Health::Good, Health::Good]), Exit::Done);
        assert_eq!(with(Key::Open, &[Health::Good, Health::Degraded]), Exit::Degraded);
        assert_eq!(with(Key::Open, &[Health::Degraded, Health::LoginRequired]), Exit::LoginRequired);
        assert_eq!(with(Key::Open, &[Health::SigningIn]), Exit::LoginRequired);
        assert_eq!(with(Key::Open, &[Health::LoginRequired, Health::Locked]), Exit::Locked);
        assert_eq!(with(Key::Wrong, &[Health::Good]), Exit::Locked);
        assert_eq!(with(Key::Loading, &[Health::Loading]), Exit::Degraded);
    }
}
