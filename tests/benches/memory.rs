//! What the daemon holds of the machine's memory (`VmRSS`): when nothing happens, after ten thousand calls, with a thousand programs
//! connected, and when they have gone.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::calls::calls;
use crate::effort::Effort;
use crate::stage::Stage;
use crate::table::{Goal, Row, Unit};

const IDLE_AT_MOST: f64 = 8.0;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// In a process that has only served a thousand calls.
pub(crate) async fn measure(stage: &mut Stage, effort: Effort) -> Result<Vec<Row>> {
    stage.daemon.restart().await;
    // It has served for a while: buffers that live for ever have grown before the crowd comes.
    calls(&[stage.connected().await?], effort.of(1000, 10)).await?;
    let patience = Duration::from_millis(u64::try_from(effort.of(10_000, 10))?);
    let idle = settled(stage, IDLE_AT_MOST, patience).await?;
    // Of a hundred programs at once.
    let crowd = stage.crowd(effort.of(100, 2)).await?;
    calls(&crowd, 100).await?;
    drop(crowd);
    let after_calls = settled(stage, IDLE_AT_MOST, patience).await?;
    let own = of_this_kind(stage, "RssAnon:")?;
    let programs = effort.of(1000, 10);
    let connected = stage.crowd(programs).await?;
    let busy = resident(stage)?;
    drop(connected);
    let after = settled(stage, IDLE_AT_MOST, patience).await?;
    Ok(vec![
        Row::alone("resident, idle", Unit::Megabytes, idle, Goal::AtMost(IDLE_AT_MOST)),
        Row::alone("resident, after 10,000 calls", Unit::Megabytes, after_calls, Goal::AtMost(IDLE_AT_MOST)),
        // The rest are pages of the program's file and of libc, which the kernel shares with all who map them, and may drop.
        Row::alone("of it the daemon's own", Unit::Megabytes, own, Goal::Unset),
        Row::alone("resident, 1,000 connections", Unit::Megabytes, busy, Goal::AtMost(40.0)),
        Row::alone("resident, after they have gone", Unit::Megabytes, after, Goal::AtMost(IDLE_AT_MOST)),
    ])
}

/// As soon as it is so little, or after this time.
async fn settled(stage: &Stage, little: f64, patience: Duration) -> Result<f64> {
    let begun = Instant::now();
    loop {
        let now = resident(stage)?;
        if now <= little && begun.elapsed() > patience / 5 || begun.elapsed() > patience {
            return Ok(now);
        }
        // law: sleep: nobody tells when memory has been given back; the loop has an end
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn resident(stage: &Stage) -> Result<f64> {
    of_this_kind(stage, "VmRSS:")
}

fn of_this_kind(stage: &Stage, kind: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", stage.daemon.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(kind)).context("the kernel tells what is resident")?;
    let kibibytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}
