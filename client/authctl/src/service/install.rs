//! `authctl service install`: writes the units, has them enabled and started, and tells what it did and what comes next.
//!
//! Must never: say that it serves before it has answered.

use std::path::PathBuf;

use mcp_authd_client::start;
use mcp_authd_client::status::DaemonStatus;

use super::carry_out;
use super::exec_start::{self, Unwritable};
use super::here::Here;
use super::linger::{self, Linger};
use super::step::{Step, shown, typed};
use super::systemd::{self, Edits, Hindrance, Installing, Units};
use crate::cli::service::Install;
use crate::exit::{Exit, Failure};
use crate::screen::{self, Page, Tone};

/// What has happened where the service manager cannot be asked, and the command.
pub(super) const NOTHING: (&str, &str) = ("nothing was installed", "authctl service install");

/// `authctl service install`.
pub(super) async fn run(options: Install) -> Result<Exit, Failure> {
    let here = Here::look().await.map_err(|why| why.failure(NOTHING))?;
    here.keeps_the_same()?;
    let program = start::program()?;
    let word = exec_start::word(&program).map_err(|why| unwritable(&program, why))?;
    let edits = if options.force { Edits::Overwrite } else { Edits::Keep };
    let installing = match systemd::install(&here.ground, &word, edits) {
        Ok(installing) => installing,
        Err(hindrance) => {
            let (text, failure) = hindered(&hindrance, Page::of_stdout());
            screen::print(&text)?;
            return Err(failure);
        }
    };
    if options.dry_run {
        screen::print(&dry(&installing, Page::of_stdout()))?;
        return Ok(Exit::Done);
    }
    let status = carry_out::carry_out(&installing.steps, &here.client).await?;
    let done = Done { installing: &installing, folder: here.ground.folder.clone(), program, status };
    screen::print(&told(&done, linger::look().await, Page::of_stdout()))?;
    Ok(Exit::Done)
}

/// What was done.
struct Done<'a> {
    installing: &'a Installing,
    folder: PathBuf,
    program: PathBuf,
    status: Option<DaemonStatus>,
}

fn unwritable(program: &std::path::Path, why: Unwritable) -> Failure {
    let why = match why {
        Unwritable::Relative => "it is not absolute".to_owned(),
        Unwritable::NotText => "it is not UTF-8".to_owned(),
        Unwritable::Character(odd) => format!("{odd:?} stands in it"),
    };
    let message = format!("systemd cannot be told to start {}: {why}. Put the program elsewhere, and name it", program.display());
    Failure::new(Exit::Failed, message, "export MCP_AUTHD_BIN=/another/folder/mcp-authd")
}

/// What stands in the way, and what to type.
fn hindered(hindrance: &Hindrance, page: Page) -> (String, Failure) {
    let fails = |message: &str, next: String| Failure::new(Exit::Failed, message, next);
    match hindrance {
        Hindrance::Edited(files) => {
            let mut text = page.paragraph("Edited since it was installed (- what stands there, + what would be written):");
            for (path, lines) in files {
                text.push_str(&format!("\n{}", page.whole("file", &path.display().to_string(), Some(Tone::Strong))));
                text.extend(lines.iter().map(|line| page.whole("", line, None)));
            }
            let unit = files.first().and_then(|(path, _)| path.file_name()).unwrap_or_default().to_string_lossy().into_owned();
            let next = format!(
                "systemctl --user edit {unit} (for changes beside the unit, which stay), or to write the units anew without yours: \
                 authctl service install --force"
            );
            (text + "\n", fails("a unit was edited, and nothing was changed", next))
        }
        Hindrance::Masked(units) => {
            let masked = match units.as_slice() {
                [unit] => format!("{unit} is masked, so that nothing may start it"),
                units => format!("{} are masked, so that nothing may start them", units.join(" and ")),
            };
            let message = format!("{masked}; nothing was changed");
            (String::new(), fails(&message, format!("systemctl --user unmask {} && authctl service install", units.join(" "))))
        }
        Hindrance::Unreadable(path, why) => {
            let message = format!("{} stands in the way and cannot be read ({why}); nothing was changed", path.display());
            (String::new(), fails(&message, format!("ls -ld {}", typed(path))))
        }
    }
}

fn dry(installing: &Installing, page: Page) -> String {
    let first =
        if installing.is_there { "Installed already. It would only be looked whether it answers:" } else { "It would be done:" };
    page.paragraph(first) + "\n" + &shown(&installing.steps, page) + "\n" + &page.paragraph("Nothing was changed.")
}

fn told(done: &Done<'_>, linger: Linger, page: Page) -> String {
    let Done { installing, folder, program, status } = done;
    let written = installing.steps.iter().filter(|step| matches!(step, Step::WriteFile { .. })).count();
    let mut text = page.paragraph(match (installing.is_there, installing.units) {
        (true, _) => "mcp-authd is installed as a service already, and answers.",
        (false, Units::Packaged) => "mcp-authd is a service of yours now, with the units of its package.",
        (false, Units::Own) => "mcp-authd is a service of yours now.",
    });
    if installing.units == Units::Own {
        let units = folder.display().to_string();
        text.push_str(&page.whole("units", &units, None));
        if written > 0 {
            text.push_str(
                &page.field("", &format!("{written} written; change them with: systemctl --user edit mcp-authd.service")),
            );
        }
        text.push_str(&page.whole("program", &program.display().to_string(), None));
    }
    if let Some(status) = status {
        text.push_str(&page.field("daemon", &format!("mcp-authd {} answers (pid {})", status.version, status.pid)));
    }
    text.push_str(&page.field("starts", linger.begins()));
    if let Some(ends) = linger.worth_knowing() {
        text.push_str(&page.field("ends", ends));
        text.push_str(&page.whole("", linger::ENABLE, Some(Tone::Strong)));
    }
    text + &page.whole("next", "authctl status", Some(Tone::Strong))
}

#[cfg(test)]
pub(super) mod tests;
