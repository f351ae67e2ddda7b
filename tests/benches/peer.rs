//! A peer beside ours: oidc-agent, which hands out access tokens on a Unix socket, too. It takes one question on a connection; ours is
//! asked in the same way, and in its own, where a program keeps its connection.
//!
//! Must never: be quiet where the peer is not installed.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use mcp_authd_tests::programs::{program, until};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::calls::calls;
use crate::effort::Effort;
use crate::peer_server::PeerServer;
use crate::ping_pong::rate;
use crate::samples::Rounds;
use crate::stage::{LONG, Stage, token};
use crate::table::{Goal, Row, Unit};

const CALLERS: usize = 64;
const ROWS: [&str; 2] = ["calls, 64 on own channels, to oidc-agent", "calls, 64, each on a new connection, to oidc-agent"];
const QUESTION: &[u8] = br#"{"request":"access_token","account":"work","min_valid_period":60}"#;

/// By turns with ours.
pub(crate) async fn measure(stage: &mut Stage, effort: Effort) -> Result<Vec<Row>> {
    if !["oidc-agent", "oidc-gen"].iter().all(|name| is_installed(name)) {
        return Ok(ROWS.map(|name| Row::missing(name, "oidc-agent is not installed (apt-get install oidc-agent-cli)")).into());
    }
    let peer = Peer::start().await?;
    let own = stage.crowd(CALLERS).await?;
    let each = effort.of(100, 1);
    let (mut kept, mut anew) = (Rounds::default(), Rounds::default());
    for _ in 0..effort.of(9, 1) {
        let theirs = peer.rate(each)?;
        kept.add(calls(&own, each * 5).await?, theirs);
        anew.add(calls_on_new_connections(stage, each).await?, theirs);
    }
    let [first, second] = ROWS;
    Ok(vec![Row::pair(first, Unit::Rate, &kept, Goal::TimesAtLeast(2.0)), Row::pair(second, Unit::Rate, &anew, Goal::Unset)])
}

async fn calls_on_new_connections(stage: &Stage, each: usize) -> Result<f64> {
    let mut running = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..CALLERS {
        let programs: Vec<_> = (0..each).map(|_| program(&stage.daemon)).collect();
        running.spawn(async move {
            for program in programs {
                token(&program, LONG).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(rate(CALLERS * each, begun.elapsed()))
}

/// A running oidc-agent with one account. Ends when it is dropped.
struct Peer {
    child: Child,
    folder: TempDir,
}

impl Peer {
    async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("peer-").tempdir().context("a temporary directory can be made")?;
        let mut agent = in_folder("oidc-agent", folder.path());
        agent.arg("-d").arg("-a").arg(socket(folder.path()));
        let peer = Self { child: agent.spawn().context("oidc-agent can be started")?, folder };
        until("oidc-agent answers", || UnixStream::connect(socket(peer.folder.path())).is_ok()).await;
        peer.log_in()?;
        peer.ask()?;
        Ok(peer)
    }

    /// By a refresh token that it is handed: no person, no network but loopback.
    fn log_in(&self) -> Result<()> {
        let server = PeerServer::start()?;
        let password = self.folder.path().join("password");
        std::fs::write(&password, "a password of no worth\n")?;
        let mut login = in_folder("oidc-gen", self.folder.path());
        login.args(["work", "--flow=refresh", "--rt=a-refresh-token", "--client-id=bench", "--client-secret=", "--scope=openid"]);
        login.args(["--confirm-default", "--prompt=none", "--redirect-uri=http://localhost:4242"]);
        login.arg(format!("--iss={}", server.issuer())).arg(format!("--pw-file={}", password.display()));
        let status = login.env("OIDC_SOCK", socket(self.folder.path())).status().context("oidc-gen can be started")?;
        ensure!(status.success(), "oidc-gen does not log in: {status}");
        Ok(())
    }

    fn rate(&self, each: usize) -> Result<f64> {
        let begun = Instant::now();
        let went_well = std::thread::scope(|scope| {
            let talk = || (0..each).try_for_each(|_| self.ask());
            let threads: Vec<_> = (0..CALLERS).map(|_| scope.spawn(talk)).collect();
            threads.into_iter().all(|thread| matches!(thread.join(), Ok(Ok(()))))
        });
        ensure!(went_well, "oidc-agent did not answer every call");
        Ok(rate(CALLERS * each, begun.elapsed()))
    }

    fn ask(&self) -> Result<()> {
        let mut stream = UnixStream::connect(socket(self.folder.path()))?;
        stream.write_all(QUESTION)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.contains("\"access_token\""), "oidc-agent has no token: {answer}");
        Ok(())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("agent.sock")
}

/// With a home of its own, and nothing to say.
fn in_folder(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(name);
    command.env("HOME", folder).env("OIDC_CONFIG_DIR", folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
