//! `authctl service logs`: what the daemon has said; of the service from the journal, of a daemon that a program has started from its
//! file.
//!
//! Must never: use a shell, or hide which of the two it shows.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use mcp_authd_client::Sockets;
use mcp_authd_client::start::{self, Situation};

use super::here::Here;
use super::program::{self, NotRun};
use super::reach::Unreachable;
use super::step::{Call, typed};
use super::unit::SERVICE;
use super::units_now::Load;
use crate::cli::service::Logs;
use crate::exit::{Exit, Failure};
use crate::screen;

/// `authctl service logs`. Returns only where it fails.
pub(super) async fn run(options: Logs) -> Result<Exit, Failure> {
    let is_service = is_service(&Here::look().await.map(|here| here.ground.now.service.load), start::installed().is_some());
    let file = Situation::look(&Sockets::find()?).log.map(|file| file.to_string_lossy().into_owned());
    let (call, says) = match (is_service, &file) {
        (true, _) => (journal(&options), "of the service, from the journal"),
        (false, Some(file)) => (tail(&options, file), "of the daemon that a program has started"),
        (false, None) => return Err(nothing()),
    };
    screen::complain(&screen::clean(&format!("authctl: {says}: {}", call.typed())));
    screen::complain("\n");
    if let (true, Some(file)) = (is_service, &file) {
        let older = format!("authctl: what a daemon has said that a program had started: tail {}", typed(file.as_ref()));
        screen::complain(&format!("{}\n", screen::clean(&older)));
    }
    become_it(&call)
}

/// Whether the daemon is a service: as its manager says or, where that cannot be asked from here, as the files of the units do. The
/// journal is read without the manager.
fn is_service(manager: &Result<Load, Unreachable>, has_files: bool) -> bool {
    match manager {
        Ok(load) => *load == Load::Loaded,
        Err(Unreachable::NoSystemd | Unreachable::RootFor(_)) => false,
        Err(_) => has_files,
    }
}

/// Never with `--user`: that reads the files of this user alone, and where the journal is in memory (journald.conf(5), `Storage=`)
/// there are none.
fn journal(options: &Logs) -> Call {
    let lines = options.lines.to_string();
    let follow = options.follow.then_some("--follow");
    let fixed = ["--user-unit", SERVICE, "--no-pager", "--lines", &lines];
    Call::new("journalctl", fixed.into_iter().chain(follow))
}

pub(super) fn tail(options: &Logs, file: &str) -> Call {
    let lines = options.lines.to_string();
    // By its name: one that begins anew is followed, too.
    let follow = options.follow.then_some("-F");
    Call::new("tail", ["-n", &lines].into_iter().chain(follow).chain(["--", file]))
}

fn nothing() -> Failure {
    let message = "no daemon of yours has left a log: none was started by a program, and none is installed as a service";
    Failure::new(Exit::NotRunning, message, "authctl daemon start")
}

/// In our place: a signal of the person's terminal reaches it alone.
pub(super) fn become_it(call: &Call) -> Result<Exit, Failure> {
    let program = program::file_of(call.program).ok_or_else(|| not_run(&NotRun::Missing, call))?;
    let error = Command::new(program).args(&call.arguments).exec();
    Err(not_run(&NotRun::Refused(error.to_string()), call))
}

fn not_run(not_run: &NotRun, call: &Call) -> Failure {
    Failure::new(Exit::Failed, not_run.sentence(call), "authctl service status")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::service) fn failures() -> Vec<Failure> {
        let call = journal(&Logs { follow: false, lines: 100 });
        let refused = NotRun::Refused("Permission denied (os error 13)".into());
        vec![nothing(), not_run(&NotRun::Missing, &call), not_run(&refused, &call)]
    }

    #[test]
    fn where_the_manager_cannot_be_asked_the_files_of_the_units_tell_whether_it_is_a_service() {
        for (manager, has_files, expected) in [
            (Ok(Load::Loaded), false, true),
            (Ok(Load::NotFound), true, false),
            (Err(Unreachable::NoRuntime), true, true),
            (Err(Unreachable::NoManager), true, true),
            (Err(Unreachable::NoRuntime), false, false),
            (Err(Unreachable::NoSystemd), true, false),
        ] {
            assert_eq!(is_service(&manager, has_files), expected, "{manager:?}");
        }
    }

    #[test]
    fn the_journal_or_the_file_is_asked_for_so_many_lines_and_followed_where_it_is_wished() {
        let options = |follow| Logs { follow, lines: 20 };
        assert_eq!(journal(&options(false)).typed(), "journalctl --user-unit mcp-authd.service --no-pager --lines 20");
        assert!(journal(&options(true)).typed().ends_with(" --follow"));
        assert_eq!(tail(&options(true), "/a b/log").typed(), "tail -n 20 -F -- '/a b/log'");
    }
}
