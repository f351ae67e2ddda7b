//! A thousand programs that ask at once when the token has ended, against the same herd on a living token; and what another account
//! feels of a token endpoint that hangs.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use mcp_authd_client::{Client, Token};
use mcp_authd_tests::programs::token_ended;
use mcp_authd_tests::server::{At, Commit, Misbehaviour};
use tokio::task::JoinSet;

use crate::effort::Effort;
use crate::samples::Rounds;
use crate::stage::{BRIEF, Stage, token};
use crate::table::{Goal, Row, Unit};
use crate::unary::one_by_one;

/// The herd, and the other account.
pub(crate) async fn measure(stage: &mut Stage, effort: Effort) -> Result<Vec<Row>> {
    stage.log_in_to_brief().await;
    let mut rows = expired(stage, effort).await?;
    rows.push(beside_one_that_hangs(stage, effort).await?);
    Ok(rows)
}

async fn expired(stage: &Stage, effort: Effort) -> Result<Vec<Row>> {
    let callers = stage.crowd(effort.of(1000, 10)).await?;
    let (mut rounds, mut most_requests, mut fewest_answers) = (Rounds::default(), 0, usize::MAX);
    for _ in 0..effort.of(7, 1) {
        token_ended(&stage.daemon, BRIEF).await;
        let already = stage.brief.counts().refreshes;
        let (ended, answers) = all_at_once(&callers).await?;
        most_requests = most_requests.max(stage.brief.counts().refreshes - already);
        let different: BTreeSet<&str> = answers.iter().map(Token::expose).collect();
        fewest_answers = fewest_answers.min(if different.len() == 1 { answers.len() } else { 0 });
        let (living, _) = all_at_once(&callers).await?;
        rounds.add_times(ended, living);
    }
    let (requests, answers) = (f64::from(u32::try_from(most_requests)?), f64::from(u32::try_from(fewest_answers)?));
    let wanted = f64::from(u32::try_from(callers.len())?);
    Ok(vec![
        Row::pair("1,000 callers, expired token", Unit::Time, &rounds, Goal::Unset),
        Row::alone("1,000 callers, refresh requests", Unit::Count, requests, Goal::Exactly(1.0)),
        Row::alone("1,000 callers, the same token", Unit::Count, answers, Goal::Exactly(wanted)),
    ])
}

async fn all_at_once(callers: &[Client]) -> Result<(Duration, Vec<Token>)> {
    let mut running = JoinSet::new();
    let begun = Instant::now();
    for caller in callers {
        let caller = caller.clone();
        running.spawn(async move { token(&caller, BRIEF).await });
    }
    let answers: Result<Vec<Token>> = running.join_all().await.into_iter().collect();
    Ok((begun.elapsed(), answers?))
}

/// Calls for the long-lived token while a refresh of [`BRIEF`] hangs with ten callers behind it, and while none does, by turns.
async fn beside_one_that_hangs(stage: &Stage, effort: Effort) -> Result<Row> {
    let (client, stuck) = (stage.connected().await?, stage.crowd(10).await?);
    let calls = effort.of(2000, 20);
    let mut rounds = Rounds::default();
    for _ in 0..effort.of(15, 1) {
        let calm = one_by_one(&client, calls).await?.percentile(50);
        token_ended(&stage.daemon, BRIEF).await;
        stage.brief.script(At::Refresh, Misbehaviour::Hold(Commit::After));
        let mut waiting = JoinSet::new();
        for program in &stuck {
            let program = program.clone();
            waiting.spawn(async move { token(&program, BRIEF).await });
        }
        stage.brief.wait_for(|counts| counts.held == 1).await;
        rounds.add_times(one_by_one(&client, calls).await?.percentile(50), calm);
        stage.brief.release();
        while let Some(answered) = waiting.join_next().await {
            answered??;
        }
    }
    Ok(Row::pair("GetToken beside one that hangs, p50", Unit::Time, &rounds, Goal::TimesAtMost(1.1)))
}
