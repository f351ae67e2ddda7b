//! Calls a second, with many callers at once: all on one channel, or each on its own. The floor is as many blocking raw exchanges at
//! once, a connection and a thread for each.

use std::time::Instant;

use anyhow::Result;
use mcp_authd_client::Client;
use tokio::task::JoinSet;

use crate::effort::Effort;
use crate::ping_pong::rate;
use crate::samples::Rounds;
use crate::stage::{LONG, Stage, token};
use crate::table::{Goal, Row, Unit};

const CALLERS: [usize; 4] = [1, 16, 64, 256];

/// Each number of callers, shared and own.
pub(crate) async fn measure(stage: &mut Stage, effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for callers in CALLERS {
        let each = effort.of(24_000, callers * 2) / callers;
        let one = stage.connected().await?;
        let own = stage.crowd(callers).await?;
        let (mut on_one, mut on_own) = (Rounds::default(), Rounds::default());
        for _ in 0..effort.of(7, 1) {
            let floor = stage.floor.rate(callers, each)?;
            on_one.add(calls(&vec![one.clone(); callers], each).await?, floor);
            on_own.add(calls(&own, each).await?, floor);
        }
        let goal = if callers == 64 { Goal::AtLeast(80_000.0) } else { Goal::Unset };
        rows.push(Row::pair(format!("calls, {callers} on one channel"), Unit::Rate, &on_one, Goal::Unset));
        rows.push(Row::pair(format!("calls, {callers} on own channels"), Unit::Rate, &on_own, goal));
    }
    rows.push(to_bare_tonic(stage, effort).await?);
    Ok(rows)
}

async fn to_bare_tonic(stage: &Stage, effort: Effort) -> Result<Row> {
    let (ours, bare_tonic) = (stage.crowd(64).await?, stage.crowd_of_bare_tonic(64).await?);
    let (each, mut rounds) = (effort.of(375, 2), Rounds::default());
    for _ in 0..effort.of(7, 1) {
        let floor = calls(&bare_tonic, each).await?;
        rounds.add(calls(&ours, each).await?, floor);
    }
    Ok(Row::pair("calls, 64 on own channels, to bare tonic", Unit::Rate, &rounds, Goal::Unset))
}

/// So many calls of each, one after the other; all callers at once. Calls a second.
pub(crate) async fn calls(callers: &[Client], each: usize) -> Result<f64> {
    let mut running = JoinSet::new();
    let begun = Instant::now();
    for caller in callers {
        let caller = caller.clone();
        running.spawn(async move {
            for _ in 0..each {
                token(&caller, LONG).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(rate(callers.len() * each, begun.elapsed()))
}
