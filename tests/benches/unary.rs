//! One call after the other: `GetToken` through the client library, against a raw exchange of messages of the same size, and
//! against the same call of a tonic server that has nothing to do.

use anyhow::{Result, anyhow};
use mcp_authd_client::Client;

use crate::cores::OneCore;
use crate::effort::Effort;
use crate::samples::{Rounds, Samples};
use crate::stage::{LONG, Stage, token};
use crate::table::{Goal, Row, Unit};

const GOAL: Goal = Goal::TimesAtMost(3.5);

/// Pinned to one core, and not.
pub(crate) async fn measure(stage: &mut Stage, effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    {
        let pids = [stage.daemon.pid(), stage.floor.pid(), stage.bare_tonic.pid()];
        let _pinned = OneCore::shared_with(&pids)?;
        rows.extend(by_turns(stage, effort, "one core").await?);
    }
    rows.extend(by_turns(stage, effort, "any core").await?);
    Ok(rows)
}

async fn by_turns(stage: &Stage, effort: Effort, cores: &str) -> Result<[Row; 3]> {
    let calls = effort.of(2000, 20);
    // A thread of the floor is born with a connection, on the cores of its process.
    let (client, mut floor) = (stage.connected().await?, stage.floor.connect()?);
    let [bare_tonic] = stage.crowd_of_bare_tonic(1).await?.try_into().map_err(|_| anyhow!("one program was wanted"))?;
    let (mut p50, mut p99, mut to_tonic) = (Rounds::default(), Rounds::default(), Rounds::default());
    for _ in 0..effort.of(15, 1) {
        let mut raw = Samples::default();
        for _ in 0..calls {
            raw.time(|| floor.once())?;
        }
        let (tonic, ours) = (one_by_one(&bare_tonic, calls).await?, one_by_one(&client, calls).await?);
        p50.add_times(ours.percentile(50), raw.percentile(50));
        p99.add_times(ours.percentile(99), raw.percentile(99));
        to_tonic.add_times(ours.percentile(50), tonic.percentile(50));
    }
    Ok([
        Row::pair(format!("GetToken, {cores}, p50"), Unit::Time, &p50, GOAL),
        Row::pair(format!("GetToken, {cores}, p99"), Unit::Time, &p99, Goal::Unset),
        Row::pair(format!("GetToken, {cores}, p50, to bare tonic"), Unit::Time, &to_tonic, Goal::Unset),
    ])
}

/// So many calls, one after the other.
pub(crate) async fn one_by_one(client: &Client, calls: usize) -> Result<Samples> {
    let mut samples = Samples::default();
    for _ in 0..calls {
        samples.time_async(token(client, LONG)).await?;
    }
    Ok(samples)
}
