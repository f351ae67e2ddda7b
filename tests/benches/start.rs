//! From the start of the daemon's process to its first answer, a token out of the sealed record; against a start of the same program
//! that only tells its version.

use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use mcp_authd_tests::programs::program;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::effort::Effort;
use crate::samples::{Rounds, Samples};
use crate::stage::{LONG, Stage, token};
use crate::table::{Goal, Row, Unit};

/// Much shorter than what is measured.
const LOOK_AGAIN: Duration = Duration::from_micros(50);
const WATCHDOG: Duration = Duration::from_secs(60);

/// The daemon of the stage makes room meanwhile.
pub(crate) async fn measure(stage: &mut Stage, effort: Effort) -> Result<Vec<Row>> {
    stage.daemon.stop().await;
    let mut rounds = Rounds::default();
    for _ in 0..effort.of(30, 1) {
        let mut version = quiet(stage);
        version.arg("--version");
        let mut floor = Samples::default();
        let status = floor.time(|| version.status()).context("the daemon can be started")?;
        ensure!(status.success(), "the daemon does not tell its version: {status}");
        rounds.add_times(to_first_answer(stage).await?, floor.percentile(50));
    }
    stage.daemon.start_again().await;
    Ok(vec![Row::pair("start to first answer", Unit::Time, &rounds, Goal::MoreAtMost(0.005))])
}

async fn to_first_answer(stage: &Stage) -> Result<Duration> {
    let socket = stage.daemon.tokens_socket();
    let mut command = quiet(stage);
    let begun = Instant::now();
    let mut child = command.spawn().context("the daemon can be started")?;
    while UnixStream::connect(&socket).is_err() && begun.elapsed() < WATCHDOG {
        // law: sleep: nobody tells when a socket begins to take connections; the loop has a watchdog
        std::thread::sleep(LOOK_AGAIN);
    }
    let answered = token(&program(&stage.daemon), LONG).await;
    let took = begun.elapsed();
    end(&mut child)?;
    answered.map(|_| took)
}

fn quiet(stage: &Stage) -> Command {
    let mut command = stage.daemon.program("mcp-authd").into_std();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn end(child: &mut Child) -> Result<()> {
    kill(Pid::from_raw(i32::try_from(child.id())?), Signal::SIGTERM)?;
    child.wait()?;
    Ok(())
}
