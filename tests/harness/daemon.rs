//! The real `mcp-authd` as a child process, in directories of its own, logging at trace.
//!
//! When a story ends, the daemon is killed and its log and every file that it wrote are searched for secrets in clear: each story so
//! proves D61, P5 and P10 in passing.
//!
//! Must never: touch the person's own directories, or leave a process behind.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::{sentinel, started};

mod config;
mod dirs;

pub use config::{Account, Config};
pub use dirs::Dirs;

/// Far longer than a start takes: only a daemon that will never serve meets it.
const START_WATCHDOG: Duration = Duration::from_secs(60);
/// Longer than the 60 s that a leaving daemon may wait for a refresh in flight (DESIGN, section 5).
const STOP_WATCHDOG: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A daemon. Dropping it kills it, and fails the story if a secret stands in its log or its files.
#[derive(Debug)]
pub struct Daemon {
    dirs: Dirs,
    environment: Vec<(OsString, OsString)>,
    programs: PathBuf,
    child: Option<Child>,
}

impl Daemon {
    /// Starts one in new directories and waits until its tokens socket accepts a connection.
    ///
    /// # Panics
    /// If there is no binary, or it ends, or never serves: with its log.
    pub async fn start(config: Config) -> Self {
        let mut daemon = Self::prepare(config);
        daemon.start_again().await;
        daemon
    }

    /// Directories and `config.toml`, and no process yet. For a story of a start that fails: `launch`, then `exited`.
    #[must_use]
    pub fn prepare(config: Config) -> Self {
        let dirs = Dirs::make();
        fs::write(dirs.config_file(), config.to_toml()).expect("config.toml can be written");
        let mut environment: Vec<(OsString, OsString)> = vec![
            ("HOME".into(), dirs.home().into()),
            ("XDG_RUNTIME_DIR".into(), dirs.runtime().into()),
            ("XDG_STATE_HOME".into(), dirs.state().into()),
            ("XDG_DATA_HOME".into(), dirs.data().into()),
            ("XDG_CONFIG_HOME".into(), dirs.config().into()),
            ("MCP_AUTHD_LOG".into(), "trace".into()),
            ("MCP_AUTHD_START".into(), "never".into()),
        ];
        environment.extend(std::env::var_os("PATH").map(|path| ("PATH".into(), path)));
        environment.extend(config.environment);
        let programs = config.programs.unwrap_or_else(programs);
        Self { dirs, environment, programs, child: None }
    }

    /// Starts the process and does not wait for it to serve.
    ///
    /// # Panics
    /// If it runs already, or cannot be started.
    pub fn launch(&mut self) {
        let command = self.program("mcp-authd");
        self.launch_as(command);
    }

    /// The same, through another program that becomes it, such as `strace -D` or `prlimit`: its words come before the daemon's.
    ///
    /// # Panics
    /// If it runs already, or cannot be started.
    pub fn launch_under(&mut self, wrapper: &[&str]) {
        let (program, arguments) = wrapper.split_first().expect("a wrapper has a name");
        let mut command = self.any_program(program);
        command.args(arguments).arg(self.file_of("mcp-authd"));
        self.launch_as(command);
    }

    fn launch_as(&mut self, mut command: Command) {
        assert!(self.child.is_none(), "this daemon runs already");
        let log = File::options().create(true).append(true).open(self.dirs.log_file()).expect("the log can be written");
        let errors = log.try_clone().expect("a file can be cloned");
        command.current_dir(self.dirs.root()).stdin(Stdio::null()).stdout(log).stderr(errors).kill_on_drop(true);
        self.child = Some(command.spawn().expect("the daemon can be started"));
    }

    /// Starts the process after `kill`, `stop` or `exited`, and waits until it serves.
    ///
    /// # Panics
    /// If it ends, or never serves: with its log.
    pub async fn start_again(&mut self) {
        self.launch();
        self.serves().await;
    }

    /// Waits until a launched one serves.
    ///
    /// # Panics
    /// If it ends, or never serves: with its log.
    pub async fn serves(&mut self) {
        let patience = Instant::now() + START_WATCHDOG;
        while UnixStream::connect(self.tokens_socket()).is_err() {
            let child = self.child.as_mut().expect("it was just launched");
            if let Some(status) = child.try_wait().expect("a child can be asked") {
                panic!("the daemon ended before it served ({status}):\n{}", self.logs());
            }
            assert!(Instant::now() < patience, "the daemon does not serve {}:\n{}", self.tokens_socket().display(), self.logs());
            // law: sleep: nobody tells when a socket file appears; the loop has a watchdog
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// SIGTERM, waits for the end, starts again. How it ended.
    pub async fn restart(&mut self) -> ExitStatus {
        let status = self.stop().await;
        self.start_again().await;
        status
    }

    /// SIGKILL: nothing is tidied up. Does nothing where no process runs.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let _gone_already = child.start_kill();
        // A killed process ends at once; it only has to be reaped.
        while matches!(child.try_wait(), Ok(None)) {
            // law: sleep: a killed process ends by the kernel's time
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// SIGTERM, without waiting: for a story of what a leaving daemon still does.
    ///
    /// # Panics
    /// If no process runs.
    pub fn terminate(&self) {
        let pid = i32::try_from(self.pid()).expect("a process id fits");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("the daemon runs");
    }

    /// SIGHUP, without waiting: read the configuration again.
    ///
    /// # Panics
    /// If no process runs.
    pub fn hang_up(&self) {
        let pid = i32::try_from(self.pid()).expect("a process id fits");
        kill(Pid::from_raw(pid), Signal::SIGHUP).expect("the daemon runs");
    }

    /// SIGTERM, and waits for the end.
    pub async fn stop(&mut self) -> ExitStatus {
        self.terminate();
        self.exited().await
    }

    /// Waits for an end that something else brings about: `Misbehaviour::KillPeer`, a wrong configuration.
    ///
    /// # Panics
    /// If no process runs, or it never ends.
    pub async fn exited(&mut self) -> ExitStatus {
        let child = self.child.as_mut().expect("the daemon runs");
        let waited = tokio::time::timeout(STOP_WATCHDOG, child.wait()).await;
        let Ok(status) = waited else { panic!("the daemon does not end:\n{}", self.logs()) };
        self.child = None;
        status.expect("a child can be waited for")
    }

    /// Its process id.
    ///
    /// # Panics
    /// If no process runs.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("the daemon runs")
    }

    /// Its directories.
    #[must_use]
    pub fn dirs(&self) -> &Dirs {
        &self.dirs
    }

    /// The socket for programs.
    #[must_use]
    pub fn tokens_socket(&self) -> PathBuf {
        self.dirs.runtime().join("mcp-authd/tokens.sock")
    }

    /// The socket for the person.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.dirs.runtime().join("mcp-authd/admin.sock")
    }

    /// Everything that it has written to standard output and standard error, over all its lives; also those that a program began.
    #[must_use]
    pub fn logs(&self) -> String {
        let logs = [self.dirs.log_file(), started::log(&self.dirs)];
        logs.map(|log| fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()).concat()
    }

    /// Writes `config.toml` anew. The daemon is not told.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write_config(&self, config: &Config) {
        fs::write(self.dirs.config_file(), config.to_toml()).expect("config.toml can be written");
    }

    /// A program of ours in the daemon's own environment: `authctl` finds this daemon and no other.
    ///
    /// # Panics
    /// With the command to run, if the program has not been built.
    #[must_use]
    pub fn program(&self, name: &str) -> Command {
        self.any_program(self.file_of(name))
    }

    /// Any program in the daemon's own environment.
    #[must_use]
    pub fn any_program(&self, file: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(file);
        command.env_clear().envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
    }

    /// The file of a program of ours.
    ///
    /// # Panics
    /// With the command to run, if the program has not been built.
    #[must_use]
    pub fn file_of(&self, name: &str) -> PathBuf {
        let program = self.programs.join(name);
        assert!(program.is_file(), "{} is missing: run `cargo build --workspace` first", program.display());
        program
    }

    /// Fails where a secret stands in clear in the log or in any file. Done at the end of every story; may be done earlier too.
    ///
    /// # Panics
    /// With the places, never with the secrets.
    pub fn assert_no_secret_in_clear(&self) {
        let leaks: Vec<String> = sentinel::in_directory(self.dirs.root()).iter().map(ToString::to_string).collect();
        assert!(leaks.is_empty(), "secrets stand in clear (D61, P5, P10):\n{}", leaks.join("\n"));
    }
}

impl Drop for Daemon {
    #[expect(clippy::print_stderr, reason = "a story that fails shows what the daemon said")]
    fn drop(&mut self) {
        self.kill();
        started::end_owner(&self.dirs);
        if std::thread::panicking() {
            eprintln!("---- the daemon's log ----\n{}", self.logs());
        } else {
            self.assert_no_secret_in_clear();
        }
    }
}

/// Where our programs stand: `MCP_AUTHD_TEST_BIN_DIR`, else beside the folder of the running test (`target/debug`).
///
/// # Panics
/// Where the running test has no file.
#[must_use]
pub fn programs() -> PathBuf {
    std::env::var_os("MCP_AUTHD_TEST_BIN_DIR").map(PathBuf::from).unwrap_or_else(|| {
        let test = std::env::current_exe().expect("a running test has a file");
        let folder = test.parent().expect("a file stands in a folder");
        // Tests and examples stand one folder deeper than programs.
        let deeper = folder.ends_with("deps") || folder.ends_with("examples");
        if deeper { folder.parent().unwrap_or(folder).to_owned() } else { folder.to_owned() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "daemon.log at byte 6")]
    fn a_secret_in_the_log_fails_the_story() {
        let daemon = Daemon::prepare(Config::new());
        fs::write(daemon.dirs().root().join("daemon.log"), "token SNTL_AT_000001_00").unwrap();
    }

    #[test]
    #[should_panic(expected = "record at byte 0")]
    fn a_secret_in_a_file_of_the_state_fails_the_story() {
        let daemon = Daemon::prepare(Config::new());
        fs::write(daemon.dirs().state().join("record"), "SNTL_RT_000001_00").unwrap();
    }
}
