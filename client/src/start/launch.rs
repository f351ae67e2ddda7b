//! Doing it: spawning `mcp-authd`, or asking the service manager.
//!
//! Must never: hand on a variable that is not in the list here, use a shell, or keep the daemon in our process group.

use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::facts;
use super::log::Log;
use super::places::{self, Variable};
use super::plan::{Manager, Program, Service};
use super::refusal::NotStarted;

/// Every variable that is handed on: where things stand, whose they are, the language, the desktop's bus, the log's level. Nothing
/// that a loader or an interpreter heeds, and nothing that may hold a secret.
const HANDED_ON: [&str; 14] = [
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LC_TIME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "XDG_DATA_HOME",
    "XDG_CONFIG_HOME",
    "DBUS_SESSION_BUS_ADDRESS",
    "MCP_AUTHD_LOG",
];

/// How long a service manager may take to start a service, and to tell how one is.
const MANAGER_LIMIT: Duration = Duration::from_secs(15);
const TELLS_WITHIN: Duration = Duration::from_secs(3);
/// How a daemon begins that tells its manager why it cannot serve (its `host/notify.rs`).
const CANNOT_SERVE: &str = "cannot serve: ";
const LOOKS: u32 = 5;
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(10);
/// What is told of a manager's complaint.
const LONGEST_COMPLAINT: u64 = 4096;

/// The program that a start would spawn.
///
/// # Errors
/// [`NotStarted::NoProgram`] or [`NotStarted::BadProgram`].
pub fn program() -> Result<PathBuf, NotStarted> {
    match facts::program(&places::of_this_process) {
        Program::Found(program) => Ok(program),
        Program::Bad(program) => Err(NotStarted::BadProgram(program)),
        Program::Missing => Err(NotStarted::NoProgram),
    }
}

/// Spawns the daemon, detached from us but for its end, which only its parent is told.
pub(super) fn spawn(program: &Path, folder: &Path, variable: Variable<'_>) -> Result<(Child, Log), NotStarted> {
    let log = Log::open(folder)?;
    let spawned = log.sink().and_then(|out| {
        let mut command = bare(program, variable);
        command.arg("--unless-stopped").stdin(Stdio::null()).stdout(out).stderr(log.sink()?);
        command.spawn()
    });
    match spawned {
        Ok(child) => Ok((child, log)),
        Err(error) => Err(NotStarted::NotRun { program: program.to_owned(), why: error.to_string() }),
    }
}

/// A program without what it has no use for: our folder, our process group, our variables. It closes our descriptors itself; those
/// of Rust are closed by the kernel.
fn bare(program: &Path, variable: Variable<'_>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").process_group(0).env_clear();
    command.envs(HANDED_ON.iter().filter_map(|name| Some((name, variable(name)?))));
    command
}

/// Asks the service manager, and waits for its answer.
pub(super) fn ask(service: &Service, variable: Variable<'_>) -> Result<(), NotStarted> {
    let failed = |said: String| NotStarted::ManagerFailed { service: service.clone(), said };
    let (name, arguments) = service.command();
    match asked((name, &arguments), variable, MANAGER_LIMIT) {
        Ok(_) => Ok(()),
        // Why it has failed the service knows better than the manager.
        Err(said) => Err(failed(last_words(service, variable).unwrap_or(said))),
    }
}

/// Why a service has failed that is asked by its sockets, where it has: what it has told the manager last.
pub(super) fn last_words(service: &Service, variable: Variable<'_>) -> Option<String> {
    if service.manager != Manager::Systemd {
        return None;
    }
    let question = ["--user", "show", "--property=ActiveState,StatusText", "mcp-authd.service"].map(str::to_owned);
    for _ in 0..LOOKS {
        let shown = asked(("systemctl", &question), variable, TELLS_WITHIN).ok()?;
        let words = words_of(&shown);
        // Where somebody else waits, too, it is just being tried again, and says the same soon.
        if words.is_some() || !shown.lines().any(|line| line == "ActiveState=activating") {
            return words;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    None
}

/// As `systemctl show` prints it: what the service has said last, if that was why it cannot serve.
fn words_of(shown: &str) -> Option<String> {
    let said = shown.lines().find_map(|line| line.strip_prefix("StatusText=")?.strip_prefix(CANNOT_SERVE))?;
    let words = said.trim().trim_end_matches('.');
    (!words.is_empty()).then(|| words.to_owned())
}

/// Runs a program of the manager's, and gives what it writes; else what it complains of.
fn asked((name, arguments): (&str, &[String]), variable: Variable<'_>, limit: Duration) -> Result<String, String> {
    let Some(program) = places::program_files(name, variable, None).into_iter().find(|file| file.is_file()) else {
        return Err(format!("there is no {name} in PATH"));
    };
    let mut command = bare(&program, variable);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    match wait(&mut child, limit).map_err(|error| error.to_string())? {
        None => Err(format!("it gave no answer within {limit:?}")),
        Some(status) if status.success() => Ok(text(child.stdout.take()).unwrap_or_default()),
        Some(status) => Err(text(child.stderr.take()).unwrap_or_else(|| format!("{name} ended with {status}"))),
    }
}

/// Waits so long; what takes longer is ended.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<std::process::ExitStatus>> {
    for _ in 0..limit.as_millis() / LOOK.as_millis() {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(LOOK);
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// What it has written; its words are few. `None`: nothing.
fn text(written: Option<impl io::Read>) -> Option<String> {
    let mut said = String::new();
    written?.take(LONGEST_COMPLAINT).read_to_string(&mut said).ok()?;
    let said = said.trim().trim_end_matches('.').to_owned();
    (!said.is_empty()).then_some(said)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::plan::Manager;
    use super::*;
    use std::ffi::OsString;

    #[test]
    fn a_spawned_program_gets_the_written_variables_and_no_other() {
        let given = |name: &str| Some(OsString::from(format!("{name}'s value")));
        let mut command = bare(Path::new("/usr/bin/env"), &given);
        let shown = String::from_utf8(command.stdin(Stdio::null()).output().unwrap().stdout).unwrap();
        let mut names: Vec<&str> = shown.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        names.sort_unstable();
        let mut expected = HANDED_ON.to_vec();
        expected.sort_unstable();
        assert_eq!(names, expected);
        assert!(HANDED_ON.iter().all(|name| !name.starts_with("LD_") && !name.contains("TMP") && !name.contains("TOKEN")));
        let mut command = bare(Path::new("/bin/pwd"), &given);
        assert_eq!(command.output().unwrap().stdout, b"/\n");
    }

    #[test]
    fn what_cannot_be_run_is_named() {
        let root = tempfile::tempdir().unwrap();
        let program = root.path().join("mcp-authd");
        std::fs::write(&program, "neither a script nor a program").unwrap();
        let refused = spawn(&program, root.path(), &|_| None).unwrap_err();
        assert!(matches!(&refused, NotStarted::NotRun { .. }), "{refused}");
        assert!(refused.to_string().contains(program.to_str().unwrap()));
    }

    #[test]
    fn a_spawned_program_writes_to_the_log_and_its_end_is_told() {
        let root = tempfile::tempdir().unwrap();
        // It does not know our argument, says so on standard error, and fails.
        let (mut child, log) = spawn(Path::new("/bin/cat"), root.path(), &|_| None).unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(log.last_sentence().is_some());
    }

    #[test]
    fn the_last_words_are_those_of_a_service_that_cannot_serve() {
        let shown = |text: &str| format!("ActiveState=activating\nStatusText={text}\n");
        assert_eq!(words_of(&shown("cannot serve: a=b: no.")).unwrap(), "a=b: no");
        for well in [shown("2 accounts: 2 well"), shown(""), shown("cannot serve: "), "ActiveState=failed\n".into()] {
            assert_eq!(words_of(&well), None, "{well}");
        }
    }

    #[test]
    fn a_manager_that_is_missing_or_fails_is_told_with_the_command_to_look() {
        let service = Service { manager: Manager::Systemd, name: "mcp-authd.service".into(), file: "/x".into() };
        let refused = ask(&service, &|_| None).unwrap_err().to_string();
        assert!(refused.contains("no systemctl in PATH"), "{refused}");
        assert!(refused.ends_with("systemctl --user status mcp-authd.service"), "{refused}");
    }
}
