//! `authctl service uninstall`: ends the service, has it disabled, and removes the units that we have written.
//! Where one of them is somebody else's, all of them stay, as a part of them serves nobody.
//!
//! Must never: touch a credential, or remove a file that somebody has edited.

use super::here::Here;
use super::step::{shown, typed};
use super::systemd::{self, Uninstalling};
use super::{carry_out, systemd::Mark};
use crate::cli::service::Uninstall;
use crate::exit::{Exit, Failure};
use crate::screen::{self, Page, Tone};

/// What has happened where the service manager cannot be asked, and the command.
pub(super) const NOTHING: (&str, &str) = ("nothing was removed", "authctl service uninstall");

/// `authctl service uninstall`.
pub(super) async fn run(options: Uninstall) -> Result<Exit, Failure> {
    let here = Here::look().await.map_err(|why| why.failure(NOTHING))?;
    let uninstalling = systemd::uninstall(&here.ground);
    let page = Page::of_stdout();
    if options.dry_run {
        screen::print(&dry(&uninstalling, page))?;
        return Ok(Exit::Done);
    }
    carry_out::carry_out(&uninstalling.steps, &here.client).await?;
    screen::print(&told(&uninstalling, here.ground.mark, page))?;
    match left(&uninstalling) {
        Some(failure) => Err(failure),
        None => Ok(Exit::Done),
    }
}

fn dry(uninstalling: &Uninstalling, page: Page) -> String {
    if uninstalling.steps.is_empty() {
        return page.paragraph("Nothing would be done.");
    }
    page.paragraph("It would be done:")
        + "\n"
        + &shown(&uninstalling.steps, page)
        + "\n"
        + &page.paragraph("Nothing was changed.")
}

fn told(uninstalling: &Uninstalling, mark: Mark, page: Page) -> String {
    if uninstalling.steps.is_empty() && uninstalling.kept.is_empty() {
        return page.paragraph(match uninstalling.packaged.is_empty() {
            true => "mcp-authd is not installed as a service. Nothing was changed.",
            false => "The units of the package are not in use. They go with the package. Nothing was changed.",
        });
    }
    if !uninstalling.kept.is_empty() {
        return halfway(uninstalling, mark, page);
    }
    let mut text = page.paragraph("mcp-authd is no service of yours any more. Your logins and your configuration stay.");
    for path in &uninstalling.packaged {
        text.push_str(&page.whole("stays", &path.display().to_string(), None));
    }
    text.push_str(&match (uninstalling.packaged.is_empty(), mark) {
        (_, Mark::Stands) => page.field("start", "by nobody, as it was stopped by hand; undo that with: authctl daemon start"),
        (true, Mark::None) => page.field("start", "by the first program that needs it; not so with: authctl daemon stop"),
        (false, Mark::None) => {
            let words = "its package has the units still: a program that needs it asks the service manager; not so with: authctl \
                         daemon stop";
            page.field("start", words)
        }
    });
    text + &page.whole("again", "authctl service install", Some(Tone::Strong))
}

/// Where units stay in the person's folder.
fn halfway(uninstalling: &Uninstalling, mark: Mark, page: Page) -> String {
    let mut text = page.paragraph(match uninstalling.steps.is_empty() {
        true => "mcp-authd does not run, and no login starts it. Nothing was changed.",
        false => {
            "mcp-authd has ended, and no login starts it any more. Its units stay, as do your logins and your configuration."
        }
    });
    for path in &uninstalling.kept {
        text.push_str(&page.whole("edited", &path.display().to_string(), None));
    }
    for path in uninstalling.beside.iter().chain(&uninstalling.packaged) {
        text.push_str(&page.whole("stays", &path.display().to_string(), None));
    }
    let stopped = "by nobody, as it was stopped by hand; undo that with: authctl daemon start";
    text + &if mark == Mark::Stands { page.field("start", stopped) } else { String::new() }
}

/// What was not ours to remove, and what finishes it.
fn left(uninstalling: &Uninstalling) -> Option<Failure> {
    let files: Vec<String> = uninstalling.kept.iter().chain(&uninstalling.beside).map(|path| typed(path)).collect();
    let message = format!(
        "{}, so no unit was removed: as long as they are there, programs have the \
         service manager start mcp-authd",
        if uninstalling.kept.len() == 1 {
            "one of the units is not as `authctl service install` writes it"
        } else {
            "some of the units are not as `authctl service install` writes them"
        }
    );
    let next = format!("rm {} && systemctl --user daemon-reload", files.join(" "));
    (!uninstalling.kept.is_empty()).then(|| Failure::new(Exit::Failed, message, next))
}

#[cfg(test)]
pub(super) mod tests;
