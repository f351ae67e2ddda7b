//! `authctl log`: what has happened to the accounts, and which program was given which token; once, or for as long as it is followed.
//!
//! Must never: start a daemon, or pass a character on that steers a terminal.

mod follow;
mod page;

use mcp_authd_client::admin::{LogEntry, LogKind, LogLevel, LogQuery};
use mcp_authd_client::shell::word;
use mcp_authd_client::start::{Plan, Situation};
use mcp_authd_client::{AdminClient, CallError, ConnectError, Sockets};
use serde_json::{Map, Value, json};

use crate::cli::log::Log;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page};
use crate::service;
use page::Teller;

/// `authctl log`.
pub(crate) async fn run(options: Log) -> Result<Exit, Failure> {
    let admin = AdminClient::find()?.never_starting();
    let query = LogQuery { account: options.account.clone(), last: options.last, after: None };
    let form = if options.json { Form::Json } else { Form::Words(Teller::new(Page::of_stdout())) };
    if options.follow {
        return follow::run(&admin, query, form).await;
    }
    service::may_look().await.map_err(asleep)?;
    let entries = admin.log(query).await.map_err(no_answer)?;
    let text = match (entries.is_empty(), form) {
        (true, Form::Words(_)) => Page::of_stdout().paragraph(&nothing(options.account.as_deref())),
        (_, mut form) => entries.iter().map(|entry| form.tell(entry)).collect(),
    };
    screen::print(&text)?;
    Ok(Exit::Done)
}

/// How it is told.
enum Form {
    Json,
    Words(Teller),
}

impl Form {
    fn tell(&mut self, entry: &LogEntry) -> String {
        match self {
            Self::Json => json::line(&object(entry)),
            Self::Words(teller) => teller.tell(entry),
        }
    }
}

fn nothing(account: Option<&str>) -> String {
    match account {
        Some(account) => format!("Nothing has happened to {account} since mcp-authd has started."),
        None => "Nothing has happened since mcp-authd has started.".to_owned(),
    }
}

/// Where nobody answers, what was said before stands elsewhere.
fn no_answer(error: CallError) -> Failure {
    match error {
        CallError::Connect(ConnectError::NoDaemon { path }) => match Sockets::find() {
            Ok(sockets) => not_running(&Situation::look(&sockets)),
            Err(_) => ConnectError::NoDaemon { path }.into(),
        },
        error => error.into(),
    }
}

/// The same behind a manager that starts it at the first call: it stays asleep.
fn asleep(Failure { exit, mut message, .. }: Failure) -> Failure {
    message.push_str("; the daemon's memory of what has happened ended with it; its log goes further back");
    Failure::new(exit, message, "authctl service logs")
}

fn not_running(situation: &Situation) -> Failure {
    let next = match (&situation.plan, &situation.log) {
        (Plan::AskManager(_), _) => "authctl service logs".to_owned(),
        (_, Some(log)) => format!("tail {}", word(&log.display().to_string())),
        (_, None) => "authctl daemon start".to_owned(),
    };
    let message = "mcp-authd is not running, and its memory of what has happened ended with it";
    let message = if next.ends_with("start") { message.to_owned() } else { format!("{message}; its log goes further back") };
    Failure::new(Exit::NotRunning, message, next)
}

fn object(entry: &LogEntry) -> Value {
    let level = match entry.level {
        LogLevel::Info => "info",
        LogLevel::Warning => "warning",
        LogLevel::Error => "error",
        _ => "unknown",
    };
    let kind = match entry.kind {
        LogKind::Event => "event",
        LogKind::Audit => "audit",
        _ => "unknown",
    };
    let fields: Map<String, Value> = entry.fields.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "number": entry.number,
        "at": json::moment(entry.at),
        "level": level,
        "kind": kind,
        "account": entry.account,
        "message": entry.message,
        "fields": fields,
        "missed": entry.missed,
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::UNIX_EPOCH;

    use mcp_authd_client::start::{Manager, NotStarted, Ownership, Service};

    use super::page::tests::day;
    use super::*;
    use crate::exit::rooms;

    #[test]
    fn each_entry_is_a_line_of_json() {
        let told: String = day().iter().map(|entry| json::line(&object(entry))).collect();
        insta::assert_snapshot!(told);
    }

    #[test]
    fn one_that_sleeps_behind_its_sockets_is_left_asleep_and_its_older_log_is_named() {
        let failure = asleep(Failure::new(Exit::NotRunning, "mcp-authd does not run", "authctl daemon start"));
        assert_eq!((failure.exit, failure.next_step.as_deref()), (Exit::NotRunning, Some("authctl service logs")));
        assert!(failure.message.starts_with("mcp-authd does not run; the daemon's memory"), "{}", failure.message);
    }

    #[test]
    fn every_failure_is_as_committed_on_80_columns() {
        let situation = |plan, log: Option<&str>| Situation {
            looked_at: UNIX_EPOCH,
            tokens_sockets: vec![],
            state_folder: None,
            log: log.map(PathBuf::from),
            stop_mark: None,
            owner: Ownership::Nobody,
            plan,
        };
        let never = || Plan::Never(NotStarted::Forbidden);
        let service = Service { manager: Manager::Systemd, name: "mcp-authd.service".into(), file: "/u".into() };
        let all = [
            situation(never(), None),
            situation(never(), Some("/home/ada/my state/mcp-authd/mcp-authd.log")),
            situation(Plan::AskManager(service), None),
        ]
        .map(|situation| not_running(&situation));
        assert!(all.iter().all(|failure| failure.exit == Exit::NotRunning));
        let mut all = Vec::from(all);
        all.extend(service::tests::asleep().map(asleep));
        insta::assert_snapshot!(rooms::page_of("log", [all]));
    }
}
