//! How often a daemon wakes that nobody asks for anything: voluntary switches of all its threads (`/proc/PID/task/*/status`), in a
//! minute. Each is an end of a sleep; being preempted by others is none, and is not counted.

use std::time::Duration;

use anyhow::{Context as _, Result};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{account_is, approve, prompted, tool};
use mcp_authd_tests::server::{AuthorizationServer, Settings};

use crate::effort::Effort;
use crate::table::{Goal, Row, Unit};

/// Threads for files have ended by then, and memory has been given back.
const CALM: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);

/// Without accounts, with one login, and with many. No client is connected meanwhile.
pub(crate) async fn measure(effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (accounts, name) in
        [(0, "wake-ups a minute, no account"), (1, "wake-ups a minute, 1 login"), (50, "wake-ups a minute, 50 logins")]
    {
        let found = wakeups(effort.of(accounts, accounts.min(2)), effort).await?;
        rows.push(Row::alone(name, Unit::Count, found, Goal::Unset));
    }
    Ok(rows)
}

async fn wakeups(accounts: usize, effort: Effort) -> Result<f64> {
    let server = AuthorizationServer::start(Settings::default());
    let names: Vec<String> = (0..accounts).map(|number| format!("account-{number}")).collect();
    let of_all = |config: Config, name: &String| config.account(Account::at(name, server.issuer()).scopes(["mcp:read"]));
    let config = names.iter().fold(Config::new(), of_all);
    let daemon = Daemon::start(config.environment("MCP_AUTHD_LOG", "info")).await;
    for name in &names {
        approve(&prompted(&daemon, name).await).await;
    }
    for name in &names {
        account_is(&tool(&daemon), name, |status| status.grant.is_some() && status.sign_in.is_none()).await;
    }
    let minute = MINUTE / u32::try_from(effort.of(1, 60))?;
    // law: sleep: time in which nothing happens is what is measured
    tokio::time::sleep(CALM / u32::try_from(effort.of(1, 50))?).await;
    let before = switches(daemon.pid())?;
    // law: sleep: the same
    tokio::time::sleep(minute).await;
    Ok((switches(daemon.pid())? - before) * MINUTE.as_secs_f64() / minute.as_secs_f64())
}

fn switches(pid: u32) -> Result<f64> {
    let mut sum = 0.0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = std::fs::read_to_string(thread?.path().join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        sum += line.context("the kernel tells how often a thread has slept")?.trim().parse::<f64>()?;
    }
    Ok(sum)
}
