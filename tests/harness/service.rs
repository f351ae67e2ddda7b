//! The daemon as a user's service: a story goes on inside a real `systemd --user` manager, as an unprivileged user with a fresh home.
//!
//! The story runs twice: outside, where it starts `tests/with-user-manager` with itself as the command, and inside, where it is told.
//! Must never: touch the tester's own manager, or leave a process behind.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use mcp_authd_client::{AdminClient, Client, Sockets};

use crate::daemon::{self, Config};
use crate::sentinel;
use crate::skip::{Skip, skipped};

const INSIDE: &str = "MCP_AUTHD_TESTS_INSIDE_A_USER_MANAGER";
/// Longer than any story takes; what is ended leaves nothing behind.
const WATCHDOG: &str = "400";
/// What `tests/with-user-manager` ends with where it cannot run.
const CANNOT_RUN: i32 = 77;

/// The end of a process that has called what a filter forbids (SIGSYS).
pub const KILLED_BY_A_FILTER: &str = "killed SYS\n";

/// The units that we ship, by their names.
pub const UNITS: [(&str, &str); 3] = [
    ("mcp-authd-tokens.socket", include_str!("../../daemon/units/mcp-authd-tokens.socket")),
    ("mcp-authd-admin.socket", include_str!("../../daemon/units/mcp-authd-admin.socket")),
    ("mcp-authd.service", include_str!("../../daemon/units/mcp-authd.service")),
];

/// A user's machine with a service manager. Dropping it fails the story if a secret stands in clear anywhere in the user's home, or if the
/// service was killed by its filter of system calls.
#[derive(Debug)]
pub struct Machine {
    home: PathBuf,
    runtime: PathBuf,
    programs: PathBuf,
}

/// The machine, where the story is told inside. `None`: outside, where it has been told by now, or was skipped aloud.
///
/// # Panics
/// If the story fails inside: with what it wrote.
#[must_use]
pub fn inside(story: &str) -> Option<Machine> {
    inside_with(story, &[])
}

/// Where the journal of a machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// In memory, one for all users: the user may read it, as one who administers the machine.
    Volatile,
    /// At `/var/log/journal`, one for each user: the user may read what is the user's own.
    Persistent,
}

/// The same, on a machine with a journal.
///
/// # Panics
/// If the story fails inside: with what it wrote.
#[must_use]
pub fn inside_with_a_journal(story: &str, journal: Journal) -> Option<Machine> {
    let word = match journal {
        Journal::Volatile => "volatile",
        Journal::Persistent => "persistent",
    };
    inside_with(story, &[("USER_MANAGER_JOURNAL", word)])
}

/// What a real `systemd-logind` knows of the user, who has come over SSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lingers {
    /// The user's manager goes on without a session.
    Yes,
    /// It ends with the last session.
    No,
}

/// The same, on a machine whose sessions are known.
///
/// # Panics
/// If the story fails inside: with what it wrote.
#[must_use]
pub fn inside_with_sessions(story: &str, lingers: Lingers) -> Option<Machine> {
    let word = match lingers {
        Lingers::Yes => "lingering",
        Lingers::No => "session",
    };
    inside_with(story, &[("USER_MANAGER_LOGIND", word)])
}

fn inside_with(story: &str, wishes: &[(&str, &str)]) -> Option<Machine> {
    if std::env::var_os(INSIDE).is_some() {
        return Some(Machine::here());
    }
    let output = told_inside(story, wishes);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    if output.status.code() == Some(CANNOT_RUN) {
        skipped(story, &Skip(err.trim().to_owned()));
        return None;
    }
    assert!(output.status.success() && out.contains("1 passed"), "{story}: {}\n{out}\n{err}", output.status);
    for figures in out.lines().filter_map(|line| line.split_once("FIGURES: ")) {
        crate::skip::tell(&format!("FIGURES: {}", figures.1));
    }
    None
}

fn told_inside(story: &str, wishes: &[(&str, &str)]) -> Output {
    let (programs, test) = (daemon::programs(), std::env::current_exe().expect("a running test has a file"));
    // Seen from inside, whoever may look into the folders above.
    let at = |file: &Path| file.strip_prefix(&programs).map(|below| format!("../programs/{}", below.display()));
    let test = at(&test).unwrap_or_else(|_| test.display().to_string());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("with-user-manager");
    // The programs stand at a path that only the script knows.
    let go = r#"export MCP_AUTHD_BIN=${HOME%/*}/programs/mcp-authd; cd "$HOME" && exec "$0" "$@""#;
    let mut command = Command::new("timeout");
    command.args(["--foreground", "--kill-after=20", WATCHDOG]).arg(script).args(["bash", "-c", go, "env"]);
    command.arg(format!("{INSIDE}=yes")).args([
        "MCP_AUTHD_START=always",
        "RUST_BACKTRACE=0",
        &test,
        "--exact",
        story,
        "--nocapture",
    ]);
    command.envs(wishes.iter().copied());
    command.env("USER_MANAGER_PROGRAMS", &programs).current_dir("/").output().expect("`timeout` can be run")
}

impl Machine {
    fn here() -> Self {
        let folder = |name| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} is set inside")));
        let (home, runtime) = (folder("HOME"), folder("XDG_RUNTIME_DIR"));
        let programs = home.parent().expect("a home stands in a folder").join("programs");
        Self { home, runtime, programs }
    }

    /// Writes the person's `config.toml`.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn configure(&self, config: &Config) {
        let folder = self.home.join(".config/mcp-authd");
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).expect("a folder can be made");
        write(&folder.join("config.toml"), &config.to_toml());
    }

    /// Puts the units that we ship where the manager looks, changed where the machine of a story is another one: where the program
    /// stands and where the log goes. A system call that the unit forbids kills, in the place of an error that a story might miss.
    ///
    /// # Panics
    /// If the manager refuses.
    pub fn install(&self) {
        let units = self.home.join(".config/systemd/user");
        for (name, text) in UNITS {
            write(&units.join(name), text);
        }
        let start = format!("ExecStart=\nExecStart={} --take-over\n", self.program("mcp-authd").display());
        self.drop_in("mcp-authd.service", "machine.conf", &(self.watched() + &start));
        self.systemctl(&["daemon-reload"]);
    }

    /// Has the service, once it is installed, write its log where the story reads it. A system call that the unit forbids kills. A
    /// person could put the same beside the unit.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn watch_service(&self) {
        self.drop_in("mcp-authd.service", "machine.conf", &self.watched());
    }

    fn watched(&self) -> String {
        format!(
            "[Service]\nEnvironment=MCP_AUTHD_LOG=debug\nStandardError=append:{}\nSystemCallErrorNumber=kill\n\
             ExecStopPost=/bin/sh -c 'echo \"$$EXIT_CODE $$EXIT_STATUS\" >> {}'\n",
            self.log_file().display(),
            self.ends_file().display()
        )
    }

    /// How the service has ended, a line for each time, in the manager's words (systemd.exec(5), `$EXIT_CODE`).
    #[must_use]
    pub fn ends(&self) -> String {
        fs::read_to_string(self.ends_file()).unwrap_or_default()
    }

    /// Where that stands.
    #[must_use]
    pub fn ends_file(&self) -> PathBuf {
        self.home.join("ends")
    }

    /// Where the person's units stand.
    #[must_use]
    pub fn units(&self) -> PathBuf {
        self.home.join(".config/systemd/user")
    }

    /// `authctl`, as the person types it: its exit code, what it prints and what it complains of.
    ///
    /// # Panics
    /// If it cannot be run.
    pub async fn authctl(&self, arguments: &[&str]) -> (i32, String, String) {
        self.authctl_with(arguments, &[]).await
    }

    /// The same, with other variables; an empty one is taken away.
    ///
    /// # Panics
    /// If it cannot be run.
    pub async fn authctl_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
        let mut command = tokio::process::Command::new(self.program("authctl"));
        command.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
        for (name, value) in variables {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        let output = command.output().await.expect("authctl can be run");
        let text = |bytes| String::from_utf8(bytes).expect("authctl writes text");
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }

    /// Changes a unit as a person may, in a file beside it.
    ///
    /// # Panics
    /// If the manager refuses.
    pub fn edit(&self, unit: &str, text: &str) {
        self.drop_in(unit, "person.conf", text);
        self.systemctl(&["daemon-reload"]);
    }

    fn drop_in(&self, unit: &str, name: &str, text: &str) {
        let folder = self.home.join(".config/systemd/user").join(format!("{unit}.d"));
        fs::create_dir_all(&folder).expect("a folder can be made");
        write(&folder.join(name), text);
    }

    /// Begins to listen, as at a login.
    pub fn listen(&self) {
        self.systemctl(&["start", "mcp-authd-tokens.socket", "mcp-authd-admin.socket"]);
    }

    /// `systemctl --user`, and what it writes.
    ///
    /// # Panics
    /// If it fails.
    pub fn systemctl(&self, arguments: &[&str]) -> String {
        let output = Command::new("systemctl").arg("--user").args(arguments).output().expect("systemctl can be run");
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {out}{}\n{}", String::from_utf8_lossy(&output.stderr), self.log());
        out
    }

    /// A property of `mcp-authd.service`.
    #[must_use]
    pub fn property(&self, name: &str) -> String {
        self.systemctl(&["show", "mcp-authd.service", "--value", "-p", name]).trim().to_owned()
    }

    /// The process of the service. 0: none.
    ///
    /// # Panics
    /// If the manager tells nonsense.
    #[must_use]
    pub fn main_pid(&self) -> i32 {
        self.property("MainPID").parse().expect("a process id is a number")
    }

    /// A program with the library, as its environment has it: it asks the manager where it can connect to nobody.
    ///
    /// # Panics
    /// If there is no place for a socket.
    #[must_use]
    pub fn program_with_library(&self) -> Client {
        Client::find().expect("the runtime directory is set")
    }

    /// A program that only connects.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&Sockets::at(self.tokens_socket())).with_connect_limit(Duration::from_secs(20))
    }

    /// The person's tool, which only connects.
    #[must_use]
    pub fn tool(&self) -> AdminClient {
        AdminClient::new(&Sockets::at(self.tokens_socket())).with_connect_limit(Duration::from_secs(20))
    }

    /// The socket for programs.
    #[must_use]
    pub fn tokens_socket(&self) -> PathBuf {
        self.runtime.join("mcp-authd/tokens.sock")
    }

    /// The user's home.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The file of a program of ours.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// What the service has written, over all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.log_file()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Where it writes.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.home.join("daemon.log")
    }
}

impl Drop for Machine {
    #[expect(clippy::print_stderr, reason = "a story that fails shows what the daemon said")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- the service's log ----\n{}", self.log());
            return;
        }
        // Whatever came after it: a story goes on over a restart.
        assert!(
            !self.ends().contains(KILLED_BY_A_FILTER),
            "the service was killed by its filter of system calls:\n{}",
            self.log()
        );
        let leaks: Vec<String> = sentinel::in_directory(&self.home).iter().map(ToString::to_string).collect();
        assert!(leaks.is_empty(), "secrets stand in clear (D61, P5, P10):\n{}", leaks.join("\n"));
    }
}

fn write(path: &Path, text: &str) {
    let mut file = fs::File::options();
    let mut file = file.create(true).truncate(true).write(true).mode(0o600).open(path).expect("a file can be written");
    std::io::Write::write_all(&mut file, text.as_bytes()).expect("a file can be written");
}
