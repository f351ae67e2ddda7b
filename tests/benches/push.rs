//! How long a change takes to those who watch: from the moment when the token endpoint lets the answer of a refresh go, through the
//! daemon's parsing and its save on the disk, to the programs. The floor is the same answer on its way to a plain HTTP client.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use mcp_authd_client::{Need, Watch};
use mcp_authd_tests::plain_http;
use mcp_authd_tests::programs::{a_token, program, watched};
use mcp_authd_tests::server::{At, Commit, Misbehaviour};
use tokio::task::JoinSet;

use crate::effort::Effort;
use crate::samples::Rounds;
use crate::stage::{BRIEF, Stage};
use crate::table::{Goal, Row, Unit};

/// One watcher, and many on connections of their own.
pub(crate) async fn measure(stage: &mut Stage, effort: Effort) -> Result<Vec<Row>> {
    stage.log_in_to_brief().await;
    let alone = to_watchers(stage, 1, effort).await?;
    let crowd = to_watchers(stage, 100, effort).await?;
    Ok(vec![
        Row::pair("push to 1 watcher", Unit::Time, &alone.last, Goal::Unset),
        Row::pair("push to 100 watchers, the first", Unit::Time, &crowd.first, Goal::Unset),
        Row::pair("push to 100 watchers, the last", Unit::Time, &crowd.last, Goal::Unset),
    ])
}

#[derive(Default)]
struct Arrivals {
    first: Rounds,
    last: Rounds,
}

async fn to_watchers(stage: &Stage, watchers: usize, effort: Effort) -> Result<Arrivals> {
    let mut arrivals = Arrivals::default();
    let mut watches: Vec<Watch> = (0..watchers).map(|_| program(&stage.daemon).watch(Need::account(BRIEF))).collect();
    for watch in &mut watches {
        watched(watch, a_token).await;
    }
    for _ in 0..effort.of(15, 1) {
        let floor = plain_answer(stage).await?;
        let took = one_change(stage, &watches).await?;
        arrivals.first.add_times(took.iter().min().copied().context("there are watchers")?, floor);
        arrivals.last.add_times(took.iter().max().copied().context("there are watchers")?, floor);
    }
    Ok(arrivals)
}

/// The token ends, the watches ask for the next one, and the server holds it back until everybody is ready.
async fn one_change(stage: &Stage, watches: &[Watch]) -> Result<Vec<Duration>> {
    let already = stage.brief.counts().refreshes;
    stage.brief.script(At::Refresh, Misbehaviour::Hold(Commit::After));
    let mut waiting = JoinSet::new();
    for watch in watches {
        let mut watch = watch.clone();
        let old = watched(&mut watch, a_token).await.revision();
        waiting.spawn(async move {
            watched(&mut watch, |answer| a_token(answer).filter(|token| token.revision() > old)).await;
            Instant::now()
        });
    }
    stage.brief.wait_for(move |counts| counts.refreshes > already && counts.held == 1).await;
    let begun = Instant::now();
    stage.brief.release();
    let arrived = waiting.join_all().await;
    Ok(arrived.into_iter().map(|at| at.duration_since(begun)).collect())
}

/// An answer of the same server, held back and let go in the same way.
async fn plain_answer(stage: &Stage) -> Result<Duration> {
    stage.brief.script(At::Resource, Misbehaviour::Hold(Commit::Before));
    let resource = stage.brief.resource();
    let asking = tokio::spawn(async move {
        let answered = plain_http::fetch(&resource).await;
        answered.map(|_| Instant::now())
    });
    stage.brief.wait_for(|counts| counts.held == 1).await;
    let begun = Instant::now();
    stage.brief.release();
    Ok(asking.await??.duration_since(begun))
}
