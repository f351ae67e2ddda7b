//! `authctl log --follow`: what comes, also from the daemon that comes after this one, until the person ends it.
//!
//! Must never: end because the daemon has gone, tell an entry twice, or start a daemon.

use std::io;
use std::time::Duration;

use mcp_authd_client::admin::{LogEntries, LogQuery};
use mcp_authd_client::{AdminClient, CallError};
use tokio::signal::unix::{SignalKind, signal};

use super::{Form, no_answer};
use crate::exit::{Exit, Failure};
use crate::screen;
use crate::service;
use crate::status::passes;

/// How often a daemon that has gone is looked for.
const BEAT: Duration = Duration::from_millis(250);

/// How often a service manager is asked whether somebody has woken it: each time is a program that runs.
const MANAGER_BEAT: Duration = Duration::from_secs(2);

/// Ends well when the person ends it, or when nobody reads any more.
pub(super) async fn run(admin: &AdminClient, query: LogQuery, form: Form) -> Result<Exit, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        ended = follow(admin, query, form) => ended,
        _ = interrupt.recv() => Ok(Exit::Done),
        _ = terminate.recv() => Ok(Exit::Done),
        _ = hangup.recv() => Ok(Exit::Done),
    }
}

async fn follow(admin: &AdminClient, mut query: LogQuery, mut form: Form) -> Result<Exit, Failure> {
    if let Err(asleep) = service::may_look().await {
        screen::complain(&format!("authctl: {}; waiting for it\n", screen::clean(&asleep.message)));
        awake().await;
    }
    let mut entries = admin.follow_log(query.clone()).await.map_err(no_answer)?;
    loop {
        match entries.next().await {
            Ok(entry) => {
                query.after = Some(entry.number);
                match screen::print_to_a_reader(&form.tell(&entry)) {
                    // Nobody reads any more.
                    Err(gone) if gone.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Done),
                    outcome => outcome?,
                }
            }
            Err(error) if passes(&error) => {
                screen::complain("authctl: mcp-authd has gone; waiting for it to come back\n");
                // Whatever the next one says before it is reached, it keeps.
                query.last = u32::MAX;
                entries = back(admin, &query).await?;
                screen::complain("authctl: mcp-authd is back\n");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until somebody else has woken the daemon: to connect must not.
async fn awake() {
    while service::may_look().await.is_err() {
        tokio::time::sleep(MANAGER_BEAT).await;
    }
}

async fn back(admin: &AdminClient, query: &LogQuery) -> Result<LogEntries, CallError> {
    loop {
        tokio::time::sleep(BEAT).await;
        awake().await;
        match admin.follow_log(query.clone()).await {
            Err(error) if passes(&error) => {}
            answer => return answer,
        }
    }
}
