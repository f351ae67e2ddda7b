//! `authctl status`: the daemon and its accounts, what is wrong and the command that mends it; once, or for as long as it is watched.
//!
//! Must never: show a token or a code; `authctl login` shows codes. With a static token: ask a daemon.

mod block;
mod frame;
pub(crate) mod here;
mod line;
mod page;
#[cfg(test)]
pub(crate) mod sample;
mod summary;
pub(crate) mod verdict;
mod watch;

use std::path::Path;

use mcp_authd_client::{AdminClient, StaticToken};

use crate::cli::Status;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::present::Present;
use crate::screen::{self, Page};
use crate::service;
use here::Here;
use page::Shown;

pub(crate) use block::{Uses, health, held, name, needs_more_access, not_granted, used};
pub(crate) use page::no_account;
pub(crate) use watch::passes;

/// `authctl status`.
pub(crate) async fn run(options: Status) -> Result<Exit, Failure> {
    if options.schema {
        screen::print(json::status::SCHEMA)?;
        return Ok(Exit::Done);
    }
    if let Some(token) = StaticToken::find()? {
        return of_static_token(&token, &options);
    }
    if options.watch {
        return watch::run(&options).await;
    }
    // Who looks changes nothing: no daemon is started.
    let client = AdminClient::find()?.never_starting();
    let answer = match service::may_look().await {
        Ok(()) => client.status().await.map_err(Failure::from),
        Err(asleep) => Err(asleep),
    };
    let here = Here::look()?;
    let daemon = match answer {
        Ok(daemon) => daemon,
        Err(failure) => {
            if !options.json || failure.exit != Exit::NotRunning {
                return Err(failure);
            }
            screen::print(&json::line(&json::status::not_running(&failure.message, &here)))?;
            return Ok(Exit::NotRunning);
        }
    };
    let text = if options.json {
        json::line(&json::status::running(&daemon, &here, client.socket()))
    } else {
        let shown = Shown { daemon: &daemon, here: &here, present: Present::here(daemon.told_at) };
        page::render(shown, Page::of_stdout())
    };
    screen::print(&text)?;
    Ok(verdict::verdict(&daemon))
}

/// A static token has no daemon: it is shown, and whether it can be read. There is nothing to watch.
fn of_static_token(token: &StaticToken, options: &Status) -> Result<Exit, Failure> {
    let readable = token.read();
    let place = (token.variable(), token.path());
    if options.json {
        screen::print(&json::line(&json::status::static_token(place, readable.as_ref().err().map(ToString::to_string))))?;
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

#[cfg(test)]
mod tests {
    use super::sample::PAGE;
    use super::*;

    #[test]
    fn a_static_token_is_named_by_its_place_in_a_few_lines() {
        let long = format!("/run/{}", "secrets-".repeat(25));
        let places = [("MCP_AUTHD_STATIC_TOKEN", None), ("MCP_AUTHD_STATIC_TOKEN_FILE", Some(Path::new(&long)))];
        insta::assert_snapshot!(places.map(|place| static_token(place, PAGE)).join("\n"));
    }
}
