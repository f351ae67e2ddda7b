//! The first command of the README: `cargo demo`, with nobody there, with a person, and stopped in the middle.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::person;
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Ten times longer than it takes.
const WATCHDOG: Duration = Duration::from_secs(180);

/// The demo with finished programs, in a home of its own.
fn demo(home: &Path, arguments: &[&str]) -> Command {
    let beside = Path::new(env!("CARGO_BIN_EXE_demo")).parent().unwrap().to_owned();
    let programs = std::env::var_os("MCP_AUTHD_TEST_BIN_DIR").map_or(beside, PathBuf::from);
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command
        .args(arguments)
        .env_clear()
        .envs([("HOME", home), ("TMPDIR", home), ("MCP_AUTHD_TEST_BIN_DIR", &programs)])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// What a running demo says, line by line.
struct Page {
    lines: Lines<BufReader<ChildStdout>>,
    said: String,
}

impl Page {
    fn of(demo: &mut Child) -> Self {
        Self { lines: BufReader::new(demo.stdout.take().unwrap()).lines(), said: String::new() }
    }

    /// Reads on until a line holds this; the rest of that line, trimmed.
    async fn after(&mut self, beginning: &str) -> String {
        loop {
            let line = tokio::time::timeout(WATCHDOG, self.lines.next_line()).await.expect("the demo goes on").unwrap();
            let line = line.unwrap_or_else(|| panic!("the demo never says {beginning:?}:\n{}", self.said));
            self.said += &format!("{line}\n");
            if let Some((_, rest)) = line.split_once(beginning) {
                return rest.trim().to_owned();
            }
        }
    }

    async fn rest(&mut self) {
        while let Some(line) = tokio::time::timeout(WATCHDOG, self.lines.next_line()).await.expect("the demo ends").unwrap() {
            self.said += &format!("{line}\n");
        }
    }
}

/// A row of the closing table: what was wanted, and what was counted.
fn row(said: &str, what: &str) -> (u64, u64) {
    let line = said.lines().find(|line| line.trim_start().starts_with(what)).unwrap_or_else(|| panic!("no {what:?} in:\n{said}"));
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    (numbers[numbers.len() - 2], numbers[numbers.len() - 1])
}

#[tokio::test]
async fn the_demo_runs_by_itself_and_every_count_is_right() {
    // given nobody in front of the screen
    let home = tempfile::tempdir().unwrap();

    // when the demo runs by itself
    let ended = tokio::time::timeout(WATCHDOG, demo(home.path(), &["--yes", "--programs", "8"]).output()).await.unwrap().unwrap();

    // then eight programs were served by one login and two refreshes, it says so in 80 columns, and nothing is left of it
    let said = String::from_utf8(ended.stdout).unwrap();
    assert!(ended.status.success(), "{}:\n{said}", ended.status);
    assert!(said.ends_with("All counts are right.\n"), "{said}");
    for (what, wanted) in [
        ("programs", 8),
        ("device authorizations", 1),
        ("approvals", 1),
        ("calls served", 24),
        ("calls refused", 8),
        ("refreshes", 2),
        ("most refreshes in flight", 1),
        ("refresh tokens used twice", 0),
        ("logins lost", 0),
        ("files and logs", 0),
    ] {
        assert_eq!(row(&said, what), (wanted, wanted), "{what}:\n{said}");
    }
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    assert!(!said.contains("SNTL_"), "a secret is on the screen:\n{said}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "the temporary home is gone");
}

#[tokio::test]
async fn the_demo_shows_a_persons_own_account_with_one_login_for_all_programs() {
    // given a person with an account in their configuration, and no daemon
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::prepare(Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"])));
    let mut command = demo(&daemon.dirs().home(), &[]);
    command.envs([
        ("XDG_CONFIG_HOME", daemon.dirs().config()),
        ("XDG_STATE_HOME", daemon.dirs().state()),
        ("XDG_DATA_HOME", daemon.dirs().data()),
        ("XDG_RUNTIME_DIR", daemon.dirs().runtime()),
    ]);

    // when they run the demo and approve what it shows
    let mut running = command.spawn().unwrap();
    let mut page = Page::of(&mut running);
    page.after("Open this page, type the code, and approve:").await;
    let address = page.after("http").await;
    let code = page.after("code:").await;
    person::approve(&format!("http{address}"), &code).await.unwrap();
    page.rest().await;
    let ended = running.wait().await.unwrap();

    // then all programs were served, by one login and one refresh at their own server; the daemon of the demo has left
    assert!(ended.success(), "{}", page.said);
    assert_eq!(row(&page.said, "programs served"), (5, 5));
    assert_eq!(row(&page.said, "different codes shown"), (1, 1));
    let counts = server.counts();
    assert_eq!((counts.device_authorizations, counts.grants_started, counts.refreshes), (1, 1, 1));
    counts.assert_no_race_was_lost();
    assert!(std::os::unix::net::UnixStream::connect(daemon.tokens_socket()).is_err(), "a daemon is left running");
}

#[tokio::test]
async fn a_demo_that_is_stopped_leaves_nothing_behind() {
    // given a demo that waits for its person
    let home = tempfile::tempdir().unwrap();
    let mut running = demo(home.path(), &["--test-server"]).spawn().unwrap();
    let mut page = Page::of(&mut running);
    page.after("Waiting for you").await;
    let programs: Vec<i32> = page.said.split("(pid ").skip(1).filter_map(|rest| rest.split(')').next()?.parse().ok()).collect();

    // when the person presses Ctrl-C
    kill(Pid::from_raw(i32::try_from(running.id().unwrap()).unwrap()), Signal::SIGINT).unwrap();
    page.rest().await;
    let ended = running.wait().await.unwrap();

    // then it says so, its home is gone, and so are its programs
    assert_eq!(ended.code(), Some(130), "{}", page.said);
    assert!(page.said.ends_with("Stopped. Nothing is left running.\n"), "{}", page.said);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "the temporary home is gone");
    assert_eq!(programs.len(), 5, "{}", page.said);
    let gone = async {
        while programs.iter().any(|pid| is_running(*pid)) {
            // law: sleep: these are not our children, so nobody tells us of their end
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(WATCHDOG, gone).await.expect("every program of the demo ends");
}

/// A process that waits for its parent to look is not running.
fn is_running(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = status.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    matches!(state, Some(state) if state != 'Z')
}
