//! What a person is told about the agent.
//!
//! Must never: call it well while it has failed.

use std::path::Path;

use mcp_authd_client::status::DaemonStatus;
use serde_json::{Value, json};

use super::agent::Found;
use super::here::Here;
use super::plan::Loaded;
use crate::exit::Exit;
use crate::screen::{Page, Tone};
use crate::service::step::Step;
use crate::service::systemd::Mark;

pub(super) fn dry(steps: &str, page: Page) -> String {
    if steps.is_empty() {
        return page.paragraph("Nothing would be done.");
    }
    page.paragraph("It would be done:") + "\n" + steps + "\n" + &page.paragraph("Nothing was changed.")
}

pub(super) fn edited(agent: &Path, lines: &[String], page: Page) -> String {
    let mut text = page.paragraph("Edited since it was installed (- what stands there, + what would be written):") + "\n";
    text.push_str(&page.whole("file", &agent.display().to_string(), Some(Tone::Strong)));
    text.extend(lines.iter().map(|line| page.whole("", line, None)));
    text + "\n"
}

pub(super) fn installed(here: &Here, answered: Option<&DaemonStatus>, page: Page) -> String {
    let mut text = page.paragraph("mcp-authd is a service of yours now.");
    text.push_str(&page.whole("agent", &here.places.agent.display().to_string(), None));
    text.push_str(&page.whole("log", &here.places.log.display().to_string(), None));
    if let Some(daemon) = answered {
        text.push_str(&page.field("daemon", &format!("mcp-authd {} answers (pid {})", daemon.version, daemon.pid)));
    }
    text.push_str(&page.field("starts", "when a program first asks after you have logged in to this Mac"));
    text + &page.whole("next", "authctl status", Some(Tone::Strong))
}

pub(super) fn uninstalled(steps: &[Step], page: Page) -> String {
    if steps.is_empty() {
        return page.paragraph("mcp-authd is not installed as a service. Nothing was changed.");
    }
    page.paragraph("mcp-authd is no service of yours any more. Your logins and your configuration stay.")
        + &page.field("start", "by the first program that needs it; not so with: authctl daemon stop")
        + &page.whole("again", "authctl service install", Some(Tone::Strong))
}

/// Its exit code, where it has failed last.
fn failed(here: &Here) -> Option<i64> {
    match here.ground.loaded {
        Loaded::Yes { pid: None, last_exit_code } => last_exit_code.filter(|code| *code != 0),
        _ => None,
    }
}

fn is_installed(here: &Here) -> bool {
    here.ground.found != Found::Nothing || here.ground.loaded != Loaded::No
}

pub(super) fn verdict(here: &Here) -> Exit {
    match (is_installed(here), &here.ground.loaded, failed(here)) {
        (false, ..) => Exit::NotRunning,
        (true, Loaded::No, _) | (true, _, Some(_)) => Exit::Degraded,
        (true, ..) => Exit::Done,
    }
}

pub(super) fn status(here: &Here, page: Page) -> String {
    if !is_installed(here) {
        return page.paragraph("mcp-authd is not installed as a service. The first program that asks starts it.")
            + &page.whole("next", "authctl service install", Some(Tone::Strong));
    }
    let heading = match (&here.ground.loaded, failed(here)) {
        (Loaded::No, _) => "mcp-authd is installed as a service, and launchd does not know it",
        (_, Some(_)) => "mcp-authd is installed as a service, and does not come up",
        (Loaded::Yes { pid: Some(_), .. }, _) => "mcp-authd is installed as a service, and runs",
        (Loaded::Yes { .. }, _) => "mcp-authd is installed as a service, and starts when a program first asks",
    };
    let mut text = page.paragraph(heading) + &page.whole("agent", &here.places.agent.display().to_string(), None);
    if let Found::Edited(_) = here.ground.found {
        text.push_str(&page.field("", "edited since it was installed; `authctl service install` shows where"));
    }
    if let Loaded::Yes { pid: Some(pid), .. } = here.ground.loaded {
        text.push_str(&page.field("pid", &pid.to_string()));
    }
    text.push_str(&page.whole("log", &here.places.log.display().to_string(), None));
    if let Some(code) = failed(here) {
        text.push_str(&page.field("wrong", &format!("It has ended with exit code {code}.")));
        text.push_str(&page.whole("fix", "authctl service logs", Some(Tone::Strong)));
    }
    match (&here.ground.loaded, here.ground.mark) {
        (Loaded::No, Mark::None) => text + &page.whole("next", "authctl service install", Some(Tone::Strong)),
        (_, Mark::Stands) => text + &page.whole("next", "authctl daemon start", Some(Tone::Strong)),
        _ => text,
    }
}

pub(super) fn object(here: &Here) -> Value {
    let (pid, last_exit_code) = match here.ground.loaded {
        Loaded::Yes { pid, last_exit_code } => (pid, last_exit_code),
        Loaded::No => (None, None),
    };
    json!({
        "installed": is_installed(here),
        "stopped_by_hand": here.ground.mark == Mark::Stands,
        "agent": {
            "file": here.places.agent.display().to_string(),
            "edited": matches!(here.ground.found, Found::Edited(_)),
            "loaded": here.ground.loaded != Loaded::No,
            "pid": pid,
            "last_exit_code": last_exit_code,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::agent::tests::places;
    use super::super::plan::Ground;
    use super::*;
    use crate::json;
    use crate::screen::Paint;

    fn here(found: Found, loaded: Loaded) -> Here {
        Here { ground: Ground { found, loaded, mark: Mark::None, uid: 501 }, places: places(), is_logged_in: true }
    }

    #[test]
    fn each_state_has_its_screen_its_json_and_its_exit_code() {
        let yes = |pid, last_exit_code| Loaded::Yes { pid, last_exit_code };
        let ours = || Found::Ours(String::new());
        let mut stopped = here(ours(), Loaded::No);
        stopped.ground.mark = Mark::Stands;
        let states = [
            (here(Found::Nothing, Loaded::No), Exit::NotRunning),
            (here(ours(), yes(Some(4242), None)), Exit::Done),
            (here(ours(), yes(None, Some(0))), Exit::Done),
            (here(Found::Edited(String::new()), yes(None, Some(78))), Exit::Degraded),
            (here(ours(), Loaded::No), Exit::Degraded),
            (stopped, Exit::Degraded),
        ];
        let page = Page { width: 80, paint: Paint::Plain };
        let screens = states.map(|(here, exit)| {
            assert_eq!(verdict(&here), exit, "{here:?}");
            status(&here, page) + &json::line(&object(&here))
        });
        insta::assert_snapshot!(screens.join("----\n"));
    }
}
