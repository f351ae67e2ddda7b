//! A plan as data: what is written, removed, run and waited for, in this order. `--dry-run` prints it, `carry_out` does it; each
//! service manager only makes another one.
//!
//! Must never: hold what is not shown, or need a shell.

use std::path::{Path, PathBuf};

use mcp_authd_client::shell::word;

use crate::screen::{Page, clean};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A file of this text, readable by all (0644), in one step; its folder is made where it is missing.
    WriteFile {
        /// Where.
        path: PathBuf,
        /// What.
        text: String,
    },
    /// A folder that only this user may enter (0700), made where it is missing.
    MakeFolder {
        /// Where.
        path: PathBuf,
    },
    /// A file that is gone already is removed, too.
    RemoveFile {
        /// Where.
        path: PathBuf,
    },
    /// A program of the service manager, which answers within some seconds.
    Run(Call),
    /// From now on no program starts the daemon.
    LeaveStopMark,
    /// From now on programs may start it again.
    LiftStopMark,
    /// Nothing goes on before this is so.
    Await(Awaited),
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// The daemon that the service manager has started answers.
    Answer,
    /// The service and its sockets have ended; a refresh in flight is finished first.
    End,
}

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// Its name; it is looked for in PATH.
    pub(crate) program: &'static str,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
}

impl Call {
    /// A call of this program.
    pub(crate) fn new<'a>(program: &'static str, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self { program, arguments: arguments.into_iter().map(str::to_owned).collect() }
    }

    /// As a person types it.
    pub(crate) fn typed(&self) -> String {
        std::iter::once(self.program.to_owned())
            .chain(self.arguments.iter().map(|argument| word(argument)))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// A path as a person types it.
pub(crate) fn typed(path: &Path) -> String {
    word(&path.to_string_lossy())
}

/// What would be done, for the person who looks before: each file whole, each command as it could be typed.
pub(crate) fn shown(steps: &[Step], page: Page) -> String {
    steps.iter().map(|step| one(step, page)).collect()
}

fn one(step: &Step, page: Page) -> String {
    match step {
        Step::WriteFile { path, text } => {
            // A file is shown line by line, as it is; only what would steer the terminal is left out.
            let lines: String = text.lines().map(|line| format!("      {}", clean(line)).trim_end().to_owned() + "\n").collect();
            page.whole("write", &path.display().to_string(), None) + &lines
        }
        Step::MakeFolder { path } => page.whole("folder", &path.display().to_string(), None),
        Step::RemoveFile { path } => page.whole("remove", &path.display().to_string(), None),
        Step::Run(call) => page.whole("run", &call.typed(), None),
        Step::LeaveStopMark => page.field("mark", "no program starts mcp-authd from now on"),
        Step::LiftStopMark => page.field("unmark", "programs may start mcp-authd again"),
        Step::Await(Awaited::Answer) => page.field("wait", "until the daemon of the service answers"),
        Step::Await(Awaited::End) => page.field("wait", "until it has ended; a refresh in flight is finished first"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::Paint;

    #[test]
    fn a_dry_run_shows_each_file_whole_and_each_command_as_it_is_typed() {
        let text = format!("[Unit]\n# {}\n\n[Service]\nExecStart=/a\u{1b}[2Jb --take-over\n", "x".repeat(90));
        let steps = [
            Step::WriteFile { path: "/home/ada/.config/systemd/user/mcp-authd.service".into(), text },
            Step::Run(Call::new("systemctl", ["--user", "start", "a b;c"])),
            Step::LiftStopMark,
            Step::Await(Awaited::Answer),
            Step::LeaveStopMark,
            Step::Await(Awaited::End),
            Step::RemoveFile { path: "/home/ada/.config/systemd/user/mcp-authd.service".into() },
        ];
        insta::assert_snapshot!(shown(&steps, Page { width: 80, paint: Paint::Plain }));
    }
}
