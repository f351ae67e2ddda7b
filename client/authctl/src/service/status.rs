//! `authctl service status`: the units, whether they run, what is beside them, and what is wrong with the command that mends it.
//!
//! Must never: start the daemon.

use serde_json::{Value, json};

use super::here::Here;
use super::linger::{self, Linger};
use super::systemd::{Ground, Mark};
use super::trouble::{self, Trouble};
use super::unit::Found;
use super::units_now::{Load, Runs, UnitNow, UnitsNow};
use crate::cli::service::ServiceStatus;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page, Tone};

/// What has happened where the service manager cannot be asked, and the command.
pub(super) const NOTHING: (&str, &str) = ("no service can be shown", "authctl service status");

/// `authctl service status`.
pub(super) async fn run(options: ServiceStatus) -> Result<Exit, Failure> {
    let here = Here::look().await.map_err(|why| why.failure(NOTHING))?;
    let shown = Shown { ground: &here.ground, linger: linger::look().await };
    let text = if options.json { json::line(&shown.object()) } else { shown.render(Page::of_stdout()) };
    screen::print(&text)?;
    Ok(match (shown.is_installed(), shown.troubles().is_empty()) {
        (false, _) => Exit::NotRunning,
        (true, true) => Exit::Done,
        (true, false) => Exit::Degraded,
    })
}

/// What is shown.
struct Shown<'a> {
    ground: &'a Ground,
    linger: Linger,
}

impl Shown<'_> {
    fn now(&self) -> &UnitsNow {
        &self.ground.now
    }

    /// Units that nobody has enabled are not installed yet.
    fn is_installed(&self) -> bool {
        self.now().are_wanted()
    }

    fn troubles(&self) -> Vec<Trouble> {
        trouble::all(self.now(), self.ground.mark)
    }

    fn render(&self, page: Page) -> String {
        if !self.is_installed() {
            let packaged = if self.now().are_there() { " Its units are there, and nobody has enabled them." } else { "" };
            let first = format!("mcp-authd is not installed as a service.{packaged} The first program that asks starts it.");
            return page.paragraph(&first) + &page.whole("next", "authctl service install", Some(Tone::Strong));
        }
        let (now, troubles) = (self.now(), self.troubles());
        let heading = match (troubles.is_empty(), now.service.active) {
            (false, _) => "mcp-authd is installed as a service, and something is wrong with it",
            (true, _) if self.ground.mark == Mark::Stands => "mcp-authd is installed as a service, and was stopped by hand",
            (true, Runs::Does) => "mcp-authd is installed as a service, and runs",
            (true, _) => "mcp-authd is installed as a service, and starts when a program first asks",
        };
        let mut text = page.paragraph(heading);
        let mut label = "units";
        for (_, unit) in now.each().iter().filter(|(_, unit)| !unit.file.is_empty()) {
            text.push_str(&page.whole(label, &unit.file, None));
            label = "";
        }
        if self.ground.found.iter().any(|found| matches!(found, Found::Edited(_))) {
            text.push_str(&page.field("", "edited since it was installed; `authctl service install` shows where"));
        }
        let mut label = "beside";
        for file in now.each().iter().flat_map(|(_, unit)| &unit.drop_ins) {
            text.push_str(&page.whole(label, file, None));
            label = "";
        }
        text.push_str(&page.field("programs", &how(&now.tokens)));
        text.push_str(&page.field("person", &how(&now.admin)));
        text.push_str(&page.field("service", &how(&now.service)));
        if let Some(pid) = now.service.pid {
            text.push_str(&page.field("pid", &pid.to_string()));
        }
        // Where it is wrong, it is told there.
        if !now.service.told.is_empty() && now.service.failure().is_none() {
            text.push_str(&page.field("told", &now.service.told));
        }
        if now.service.restarts > 0 {
            text.push_str(
                &page.field("restarts", &format!("{} by the service manager, after it has ended", now.service.restarts)),
            );
        }
        text.push_str(&self.linger(page));
        if self.ground.mark == Mark::Stands {
            text.push_str(&page.field("stopped", "by hand; no program starts it"));
            text.push_str(&page.whole("next", "authctl daemon start", Some(Tone::Strong)));
        }
        for trouble in &troubles {
            text.push_str(&format!("\n{}", page.field("wrong", &trouble.message)));
            text.push_str(&page.whole("fix", &trouble.fix, Some(Tone::Strong)));
        }
        text
    }

    fn linger(&self, page: Page) -> String {
        match self.linger {
            Linger::On => page.field("linger", "on: it can be asked from the boot on, also while you are not logged in"),
            Linger::Off => page.field("linger", "off: it ends with your last session on this machine"),
            Linger::OffOverSsh => {
                let words = "off: it ends with your last session on this machine; it goes on with:";
                page.field("linger", words) + &page.whole("", linger::ENABLE, Some(Tone::Strong))
            }
            Linger::Unknown => String::new(),
        }
    }

    fn object(&self) -> Value {
        let unit = |(index, (name, unit)): (usize, (&'static str, &UnitNow))| {
            json!({
                "name": name,
                "load": load(unit.load),
                "enabled": known(&unit.enabled),
                "active": active(unit.active),
                "sub": known(&unit.sub),
                "file": known(&unit.file),
                "drop_ins": unit.drop_ins,
                "edited": matches!(self.ground.found.get(index), Some(Found::Edited(_))),
            })
        };
        let service = &self.now().service;
        let troubles = self.troubles();
        json!({
            "installed": self.is_installed(),
            "stopped_by_hand": self.ground.mark == Mark::Stands,
            "linger": match self.linger {
                Linger::On => "on",
                Linger::Off | Linger::OffOverSsh => "off",
                Linger::Unknown => "unknown",
            },
            "units": self.now().each().into_iter().enumerate().map(unit).collect::<Vec<_>>(),
            "service": {
                "pid": service.pid,
                "since": known(&service.since),
                "restarts": service.restarts,
                "result": known(&service.result),
                "exit_code": service.exit_code,
                "told": known(&service.told),
            },
            "wrong": troubles.iter().map(|trouble| json!({ "message": trouble.message, "fix": trouble.fix })).collect::<Vec<_>>(),
        })
    }
}

fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// A unit's state in a line.
fn how(unit: &UnitNow) -> String {
    let mut words = active(unit.active).to_owned();
    if !unit.sub.is_empty() && unit.sub != words {
        words.push_str(&format!(" ({})", unit.sub));
    }
    if unit.active == Runs::Does && !unit.since.is_empty() {
        words.push_str(&format!(" since {}", unit.since));
    }
    // How a unit without a section of its own is enabled says nothing.
    if matches!(unit.enabled.as_str(), "enabled" | "disabled" | "masked") {
        words.push_str(&format!(", {}", unit.enabled));
    }
    words
}

fn load(load: Load) -> &'static str {
    match load {
        Load::NotFound => "not_found",
        Load::Loaded => "loaded",
        Load::Masked => "masked",
        Load::Broken => "broken",
    }
}

fn active(active: Runs) -> &'static str {
    match active {
        Runs::Not => "inactive",
        Runs::Begins => "activating",
        Runs::Does => "active",
        Runs::Ends => "deactivating",
        Runs::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::super::systemd::tests::{bare, installed, packaged};
    use super::*;
    use crate::screen::Paint;

    const PAGE: Page = Page { width: 80, paint: Paint::Plain };

    fn running() -> Ground {
        let mut ground = installed();
        let service = &mut ground.now.service;
        (service.sub, service.since) = ("running".into(), "Sat 2026-11-21 10:00:00 UTC".into());
        (service.told, service.restarts) = ("2 accounts: 2 well".into(), 1);
        service.drop_ins = vec!["/home/ada/.config/systemd/user/mcp-authd.service.d/override.conf".into()];
        (ground.now.tokens.sub, ground.now.admin.sub) = ("running".into(), "running".into());
        ground
    }

    fn failed() -> Ground {
        let mut ground = running();
        let service = &mut ground.now.service;
        (service.active, service.sub, service.pid) = (Runs::Failed, "failed".into(), None);
        (service.result, service.exit_code) = ("exit-code".into(), Some(78));
        service.told =
            "cannot serve: /home/ada/.config/mcp-authd/config.toml:3: there is no such setting \"flwo\". Next: correct it."
                .into();
        ground.found[2] = Found::Edited(String::new());
        ground
    }

    fn shown(ground: &Ground, linger: Linger) -> Shown<'_> {
        Shown { ground, linger }
    }

    #[test]
    fn one_that_runs_one_that_fails_and_one_that_was_stopped_are_told_on_one_screen() {
        let stopped = {
            let mut ground = installed();
            for unit in [&mut ground.now.tokens, &mut ground.now.admin, &mut ground.now.service] {
                (unit.active, unit.sub) = (Runs::Not, "dead".into());
            }
            Ground { mark: Mark::Stands, ..ground }
        };
        let screens = [
            shown(&running(), Linger::Off).render(PAGE),
            shown(&failed(), Linger::OffOverSsh).render(PAGE),
            shown(&stopped, Linger::On).render(PAGE),
        ];
        insta::assert_snapshot!(screens.join("----\n"));
    }

    #[test]
    fn where_none_is_installed_it_says_how() {
        let screens = [shown(&bare(), Linger::Off).render(PAGE), shown(&packaged(), Linger::Unknown).render(PAGE)];
        insta::assert_snapshot!(screens.join("----\n"));
    }

    #[test]
    fn the_json_is_as_documented() {
        let (bare, failed) = (bare(), failed());
        insta::assert_snapshot!(
            json::line(&shown(&bare, Linger::Unknown).object()) + &json::line(&shown(&failed, Linger::Off).object())
        );
    }

    #[test]
    fn without_colour_nothing_is_lost() {
        let colour = Page { width: 80, paint: Paint::Colour };
        let (plain, coloured) = (shown(&failed(), Linger::Off).render(PAGE), shown(&failed(), Linger::Off).render(colour));
        assert_eq!(screen::clean(&coloured), screen::clean(&plain));
    }
}
