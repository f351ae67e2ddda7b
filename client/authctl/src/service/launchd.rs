//! `authctl service` with launchd: an agent of this user in place of units. The plans and the agent's text are pure, and tried on
//! every machine; what asks launchctl runs on macOS only.
//!
//! ```text
//! agent.rs   the agent as it is written, and whether somebody has edited it
//! plan.rs    from what is so to a plan
//! here.rs    all that is so, looked at
//! shown.rs   what a person is told
//! ```
//!
//! Must never: overwrite or remove an agent that somebody has edited without being asked for it by name.

mod agent;
mod here;
mod plan;
mod shown;

use std::path::Path;

use mcp_authd_client::{AdminClient, start};

use super::logs;
use super::step::{self, Call, Step};
use super::{carry_out, program};
use crate::cli::service::{Install, Logs, ServiceCommand, ServiceStatus, Uninstall};
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page};
use here::Here;

pub(super) use here::ended;
pub(super) use plan::goes_on;

/// What is asked of launchd, and a label within it.
const LABEL: &str = "mcp-authd";

/// `authctl service ..` on macOS.
pub(super) async fn run(command: ServiceCommand) -> Result<Exit, Failure> {
    match command {
        ServiceCommand::Install(options) => install(options).await,
        ServiceCommand::Uninstall(options) => uninstall(options).await,
        ServiceCommand::Status(options) => status(options).await,
        ServiceCommand::Logs(options) => show_log(&options),
    }
}

/// What `authctl daemon stop` asks of launchd: the sockets go with the agent, and come back with the next login.
pub(super) async fn stop() -> Result<Vec<Step>, Failure> {
    Ok(plan::stop(&Here::look().await?.ground))
}

/// What `authctl daemon start` asks of it first.
pub(super) async fn listen() -> Result<Vec<Step>, Failure> {
    let here = Here::look().await?;
    Ok(plan::listen(&here.ground, &here.places))
}

async fn install(options: Install) -> Result<Exit, Failure> {
    let here = Here::look().await?;
    here.may_be_changed(super::install::NOTHING)?;
    let program = start::program()?;
    let text = agent::text(&program, &here.places).map_err(|why| agent::unwritable(&program, why))?;
    let found = &here.ground.found;
    if let (agent::Found::Edited(there), false) = (found, options.force) {
        screen::print(&shown::edited(&here.places.agent, &super::unit::difference(there, &text), Page::of_stdout()))?;
        return Err(edited());
    }
    let steps = plan::install(&here.ground, &here.places, &text);
    if options.dry_run {
        screen::print(&shown::dry(&step::shown(&steps, Page::of_stdout()), Page::of_stdout()))?;
        return Ok(Exit::Done);
    }
    let answered = carry_out::carry_out(&steps, &AdminClient::find()?).await?;
    screen::print(&shown::installed(&here, answered.as_ref(), Page::of_stdout()))?;
    Ok(Exit::Done)
}

async fn uninstall(options: Uninstall) -> Result<Exit, Failure> {
    let here = Here::look().await?;
    here.may_be_changed(super::uninstall::NOTHING)?;
    let steps = plan::uninstall(&here.ground, &here.places);
    if options.dry_run {
        screen::print(&shown::dry(&step::shown(&steps, Page::of_stdout()), Page::of_stdout()))?;
        return Ok(Exit::Done);
    }
    carry_out::carry_out(&steps, &AdminClient::find()?).await?;
    screen::print(&shown::uninstalled(&steps, Page::of_stdout()))?;
    if let agent::Found::Edited(_) = here.ground.found {
        return Err(stays(&here.places.agent));
    }
    Ok(Exit::Done)
}

fn edited() -> Failure {
    let next = "authctl service install --force (to write it anew without your changes)";
    Failure::new(Exit::Failed, "the agent was edited, and nothing was changed", next)
}

fn stays(agent: &Path) -> Failure {
    let message = "the agent was edited, and stays: at the next login launchd takes it up again";
    Failure::new(Exit::Failed, message, format!("rm {}", step::typed(agent)))
}

async fn status(options: ServiceStatus) -> Result<Exit, Failure> {
    let here = Here::look().await?;
    let text = if options.json { json::line(&shown::object(&here)) } else { shown::status(&here, Page::of_stdout()) };
    screen::print(&text)?;
    Ok(shown::verdict(&here))
}

fn show_log(options: &Logs) -> Result<Exit, Failure> {
    let places = here::places()?;
    let call = logs::tail(options, &places.log.to_string_lossy());
    screen::complain(&screen::clean(&format!("authctl: of the service: {}", call.typed())));
    screen::complain("\n");
    logs::become_it(&call)
}

fn launchctl<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Call {
    Call::new("launchctl", arguments)
}

/// What launchctl says. `None`: it says no, or is not there.
async fn asked(call: &Call) -> Option<String> {
    program::run(call).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::rooms;

    #[test]
    fn every_failure_is_as_committed_on_80_columns() {
        let own = vec![edited(), stays("/Users/ada b/Library/LaunchAgents/mcp-authd.plist".as_ref())];
        insta::assert_snapshot!(rooms::page_of("service/launchd", [own, agent::tests::failures(), here::tests::failures()]));
    }
}
