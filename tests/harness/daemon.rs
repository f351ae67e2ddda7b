//! The real `mcp-authd` as a child process, in directories of its own, logging at trace.
//!
//! When a story ends, the daemon is killed and its log and every file that it wrote are searched for secrets in clear: each story so
//! proves D61, P5 and P10 in passing.
//!
//! Must never: touch the person's own directories, or leave a process behind.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{sentinel, started};

/// Far longer than a start takes: only a daemon that will never serve meets it.
const START_WATCHDOG: Duration = Duration::from_secs(60);
/// Longer than the 60 s that a leaving daemon may wait for a refresh in flight (DESIGN, section 5).
const STOP_WATCHDOG: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// What stands in `config.toml`.
#[derive(Debug, Clone, Default)]
pub struct Config {
    accounts: Vec<Account>,
    extra: String,
    environment: Vec<(OsString, OsString)>,
    programs: Option<PathBuf>,
}

/// One `[accounts.NAME]`.
#[derive(Debug, Clone)]
pub struct Account {
    name: String,
    lines: Vec<(&'static str, String)>,
}

impl Config {
    /// A configuration without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more account.
    #[must_use]
    pub fn account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// Further text, as it is, after the accounts.
    #[must_use]
    pub fn text(mut self, toml: &str) -> Self {
        let _never_fails = writeln!(self.extra, "{toml}");
        self
    }

    /// A further variable of the daemon's environment, which is empty otherwise but for `PATH`, `HOME`, the `XDG_*`, the log level,
    /// and that no program starts a daemon by itself.
    #[must_use]
    pub fn environment(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Takes `mcp-authd` and `authctl` from this folder, and from nowhere else: an older version, a stand-in.
    #[must_use]
    pub fn programs_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.programs = Some(folder.into());
        self
    }

    /// As it stands in the file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut toml = String::new();
        for account in &self.accounts {
            let lines: String = account.lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
            let _never_fails = writeln!(toml, "[accounts.{}]\n{lines}", quoted(&account.name));
        }
        toml + &self.extra
    }
}

impl Account {
    /// An account at an issuer, whose endpoints are discovered (RFC 8414). The client is called `mcp-authd-tests`.
    #[must_use]
    pub fn at(name: &str, issuer: &str) -> Self {
        Self::named(name).line("issuer", quoted(issuer))
    }

    /// An account at a server without metadata.
    #[must_use]
    pub fn at_endpoints(name: &str, device_authorization_endpoint: &str, token_endpoint: &str) -> Self {
        Self::named(name)
            .line("device_authorization_endpoint", quoted(device_authorization_endpoint))
            .line("token_endpoint", quoted(token_endpoint))
    }

    /// An account whose access token stands in a file.
    #[must_use]
    pub fn from_file(name: &str, token_file: &Path) -> Self {
        let path = token_file.to_str().expect("a path of ours is text");
        Self { name: name.to_owned(), lines: Vec::new() }.line("token_file", quoted(path))
    }

    /// The file that holds the client's secret.
    #[must_use]
    pub fn client_secret_file(self, file: &Path) -> Self {
        self.line("client_secret_file", quoted(file.to_str().expect("a path of ours is text")))
    }

    /// How the client authenticates (RFC 7591, section 2).
    #[must_use]
    pub fn token_endpoint_auth_method(self, method: &str) -> Self {
        self.line("token_endpoint_auth_method", quoted(method))
    }

    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), lines: Vec::new() }.client_id("mcp-authd-tests")
    }

    /// The client identifier.
    #[must_use]
    pub fn client_id(self, client_id: &str) -> Self {
        self.line("client_id", quoted(client_id))
    }

    /// What a login asks for.
    #[must_use]
    pub fn scopes<'a>(self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        let list: Vec<String> = scopes.into_iter().map(quoted).collect();
        self.line("scopes", format!("[{}]", list.join(", ")))
    }

    /// The resource indicator (RFC 8707).
    #[must_use]
    pub fn resource(self, resource: &str) -> Self {
        self.line("resource", quoted(resource))
    }

    /// The revocation endpoint (RFC 7009), beside endpoints that are configured.
    #[must_use]
    pub fn revocation_endpoint(self, endpoint: &str) -> Self {
        self.line("revocation_endpoint", quoted(endpoint))
    }

    /// Any key, with its value as TOML. A key that is there already is replaced.
    #[must_use]
    pub fn line(mut self, key: &'static str, toml: String) -> Self {
        self.lines.retain(|(found, _)| *found != key);
        self.lines.push((key, toml));
        self
    }
}

/// A basic string: what JSON escapes, TOML reads the same.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The directories of one daemon; gone when it is dropped.
#[derive(Debug)]
pub struct Dirs {
    root: TempDir,
}

impl Dirs {
    fn make() -> Self {
        let root = tempfile::Builder::new().prefix("authd-").tempdir().expect("a temporary directory can be made");
        let dirs = Self { root };
        for directory in [dirs.runtime(), dirs.state(), dirs.data(), dirs.config(), dirs.home(), dirs.config().join("mcp-authd")]
        {
            DirBuilder::new().mode(0o700).create(directory).expect("a directory can be made");
        }
        dirs
    }

    /// What holds them all, the log too.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// `XDG_RUNTIME_DIR`. Short: a socket's path has room for about 100 bytes.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.root().join("run")
    }

    /// `XDG_STATE_HOME`.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root().join("state")
    }

    /// `XDG_DATA_HOME`.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// `XDG_CONFIG_HOME`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root().join("config")
    }

    /// `HOME`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// `config.toml`.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config().join("mcp-authd/config.toml")
    }

    fn log_file(&self) -> PathBuf {
        self.root().join("daemon.log")
    }
}

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
        assert!(self.child.is_none(), "this daemon runs already");
        let log = File::options().create(true).append(true).open(self.dirs.log_file()).expect("the log can be written");
        let errors = log.try_clone().expect("a file can be cloned");
        let mut command = self.program("mcp-authd");
        command.current_dir(self.dirs.root()).stdin(Stdio::null()).stdout(log).stderr(errors).kill_on_drop(true);
        self.child = Some(command.spawn().expect("the daemon can be started"));
    }

    /// Starts the process after `kill`, `stop` or `exited`, and waits until it serves.
    ///
    /// # Panics
    /// If it ends, or never serves: with its log.
    pub async fn start_again(&mut self) {
        self.launch();
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
pub(crate) fn programs() -> PathBuf {
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
    fn the_configuration_holds_each_account_with_its_quotes() {
        let account =
            Account::at("a.b", "http://127.0.0.1:1/t\"1").client_id("c").scopes(["x", "y z"]).resource("http://127.0.0.1:1/mcp");
        let toml = Config::new().account(account).text("[daemon]").to_toml();
        assert_eq!(
            toml,
            "[accounts.\"a.b\"]\nissuer = \"http://127.0.0.1:1/t\\\"1\"\nclient_id = \"c\"\nscopes = [\"x\", \"y z\"]\n\
             resource = \"http://127.0.0.1:1/mcp\"\n\n[daemon]\n"
        );
    }

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
