//! The daemon itself: whether it answers, its version, its key, its clock and its limits.

use std::time::{Duration, SystemTime};

use mcp_authd_client::CallError;
use mcp_authd_client::admin::{Examination, Examined};
use mcp_authd_client::start::{NotStarted, Ownership, Plan};
use mcp_authd_client::status::{DaemonStatus, Key};

use super::super::facts::{Facts, Heard};
use super::super::finding::{Check, Finding};
use super::owner::never;
use super::{quoted, sentence};
use crate::exit::{Exit, Failure};
use crate::screen::words;

const RESTART: &str = "authctl daemon stop && authctl daemon start";
/// 2026-01-01 and 2100-01-01, in seconds since 1970: this program is younger, and will not become as old.
const EARLIEST: u64 = 1_767_225_600;
const LATEST: u64 = 4_102_444_800;
/// Two readings of one clock, with calls between them, differ by less.
const ONE_CLOCK: Duration = Duration::from_secs(60);
/// Below this the daemon takes few programs, as it keeps nearly half for refreshes and records (B23).
const FEW_FILES: u64 = 1024;
const TOO_FEW_FILES: u64 = 128;

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let own = facts.situation.looked_at;
    match &facts.daemon {
        Heard::Answers(examined) => answers(examined, facts),
        Heard::Nothing => vec![nothing(facts), own_clock(own)],
        Heard::NotAsked => not_asked(facts).into_iter().chain([own_clock(own)]).collect(),
        Heard::Fails(error) => fails(error, facts).into_iter().chain([own_clock(own)]).collect(),
    }
}

fn answers(examined: &Examined, facts: &Facts) -> Vec<Finding> {
    let own = facts.situation.looked_at;
    let mut found = vec![version(&examined.status, facts), key(&examined.status, facts)];
    match &examined.more {
        Some(more) => found.extend([clock(more, own), limits(more)]),
        None => {
            let message = "The running daemon is too old to tell its clock, its limits, its servers and how config.toml holds.";
            found.extend([Finding::worth_knowing(Check::Daemon, message, RESTART), own_clock(own)]);
        }
    }
    found
}

fn version(status: &DaemonStatus, facts: &Facts) -> Finding {
    let age = status.started_at.and_then(|start| status.told_at.duration_since(start).ok());
    let age = age.map(|age| format!(", for {}", words(age))).unwrap_or_default();
    let answers = format!("mcp-authd {} answers (pid {}{age}).", status.version, status.pid);
    if status.version == facts.version {
        Finding::well(Check::Daemon, answers)
    } else {
        Finding::worth_knowing(Check::Daemon, format!("{answers} This authctl is {}.", facts.version), RESTART)
    }
}

fn key(status: &DaemonStatus, facts: &Facts) -> Finding {
    let source = if status.key_source.is_empty() { String::new() } else { format!(" ({})", status.key_source) };
    let closed = |message: String| Finding::wrong(Check::Key, message, log(facts)).ending(Exit::Locked);
    let not_known = |message: String, fix: &str| Finding::worth_knowing(Check::Key, message, fix);
    match status.key {
        Key::Open => Finding::well(Check::Key, format!("The key of the records is open{source}.")),
        Key::Locked => {
            closed(format!("The key of the records is not open{source}, so no login can be read. The log says what opens it."))
        }
        Key::Wrong => {
            closed(format!("The key does not open the records{source}. Put the old key back; the log names both files."))
        }
        Key::Loading => not_known(format!("The key of the records is being fetched{source}."), "authctl doctor"),
        _ => not_known(format!("How the key is, this authctl does not know{source}."), "authctl status"),
    }
}

/// Where the daemon's last words stand.
fn log(facts: &Facts) -> String {
    match (&facts.situation.plan, &facts.situation.log) {
        (Plan::AskManager(service), _) => service.look(),
        (_, Some(log)) => format!("tail -n 20 {}", quoted(log)),
        (_, None) => "authctl daemon stop && authctl daemon run".to_owned(),
    }
}

fn clock(more: &Examination, own: SystemTime) -> Finding {
    match more.now {
        _ if !is_plausible(own) => own_clock(own),
        Some(daemon) if apart(daemon, own) > ONE_CLOCK => {
            let message = format!("The daemon's calendar and this terminal's are {} apart.", words(apart(daemon, own)));
            Finding::wrong(Check::Clock, message, RESTART)
        }
        _ => own_clock(own),
    }
}

fn own_clock(now: SystemTime) -> Finding {
    if is_plausible(now) {
        return Finding::well(Check::Clock, "The calendar is plausible.");
    }
    let fix = if cfg!(target_vendor = "apple") { "sudo sntp -sS time.apple.com" } else { "sudo timedatectl set-ntp true" };
    let message = "The calendar of this machine cannot be right: certificates and logins go by the date, and fail.";
    Finding::wrong(Check::Clock, message, fix)
}

fn is_plausible(now: SystemTime) -> bool {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    (EARLIEST..LATEST).contains(&seconds)
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|earlier| earlier.duration())
}

fn limits(more: &Examination) -> Finding {
    let message = format!("The daemon may have {} files and connections open", more.open_files);
    let fix = "ulimit -n 4096 && authctl daemon stop && authctl daemon start";
    match more.open_files {
        0 => Finding::well(Check::Limits, "The daemon does not tell how many files it may have open."),
        files if files < TOO_FEW_FILES => {
            Finding::wrong(Check::Limits, format!("{message}: too few, and programs are turned away."), fix)
        }
        files if files < FEW_FILES => {
            Finding::worth_knowing(Check::Limits, format!("{message}: enough for {} programs.", files / 2), fix)
        }
        _ => Finding::well(Check::Limits, format!("{message}.")),
    }
}

fn nothing(facts: &Facts) -> Finding {
    let message = "No daemon answers, so nobody could be asked about the key, the limits, the accounts and their servers.";
    let fix = match (&facts.situation.owner, &facts.situation.plan) {
        // The lock tells what to do about it.
        (Ownership::Runs(_), _) => "authctl daemon status".to_owned(),
        (_, Plan::Never(NotStarted::Forbidden | NotStarted::SocketNamed | NotStarted::Confined(_))) => {
            "authctl daemon run".to_owned()
        }
        (_, Plan::Never(why)) => never(why).fix.unwrap_or_default(),
        _ => "authctl daemon start && authctl doctor".to_owned(),
    };
    Finding::worth_knowing(Check::Daemon, message, fix).ending(Exit::NotRunning)
}

/// It waits for the first who asks; where it fails, or its manager is out of reach, the service has told it.
fn not_asked(facts: &Facts) -> Option<Finding> {
    let fails = facts.service.units().is_some_and(|now| now.service.failure().is_some());
    if fails {
        return None;
    }
    let message = "It does not run, and the first call starts it. Until then nobody can be asked about the key, the limits, the \
                   accounts and their servers.";
    Some(if facts.service.waits() { Finding::well(Check::Daemon, message) } else { nothing(facts) })
}

fn fails(error: &CallError, facts: &Facts) -> Option<Finding> {
    let is_stopped = facts.owner.as_ref().is_some_and(|owner| owner.is_stopped);
    let fix = match (error, &facts.situation.owner) {
        // The socket has told it.
        (CallError::Connect(_), _) => return None,
        (CallError::Silent { .. }, Ownership::Runs(owner)) if is_stopped => format!("kill -CONT {}", owner.pid),
        (CallError::Silent { .. }, Ownership::Runs(owner)) => format!("kill {}", owner.pid),
        (CallError::Interrupted, _) => "authctl doctor".to_owned(),
        _ => RESTART.to_owned(),
    };
    let exit = Failure::from(error.clone()).exit;
    let message = match error {
        CallError::Silent { after } => {
            format!("The daemon has taken a connection, and has said nothing for {} s.", after.as_secs())
        }
        // Its end is what a program would tell to type.
        other => sentence(other.to_string().split("; ").next().unwrap_or_default()),
    };
    Some(Finding::wrong(Check::Daemon, message, fix).ending(exit))
}
