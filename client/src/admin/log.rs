//! What the daemon says of the accounts, and to whom it gave each token: the latest, and what comes.

use std::time::SystemTime;

use mcp_authd_proto::v1;
use tonic::Streaming;

use super::AdminClient;
use crate::call::{self, SILENCE_LIMIT};
use crate::convert::filled;
use crate::error::CallError;
use crate::status::wall;

const METHOD: &str = "WatchLog";

/// What of the log is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Only what has to do with this account. `None`: everything.
    pub account: Option<String>,
    /// How many of those that the daemon has kept, at most. Where there are more, half of the places are of each kind, as far as it has
    /// so many.
    pub last: u32,
    /// Only what came after this [number](LogEntry::number): for who goes on after an interruption.
    pub after: Option<u64>,
}

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Names it; rises, also over restarts of the daemon.
    pub number: u64,
    /// When.
    pub at: Option<SystemTime>,
    /// How much it matters.
    pub level: LogLevel,
    /// What it is.
    pub kind: LogKind,
    /// The account. `None`: it has to do with the daemon itself.
    pub account: Option<String>,
    /// A constant sentence.
    pub message: String,
    /// What belongs to it: names and values, in order.
    pub fields: Vec<(String, String)>,
    /// How many, of any account, were lost just before this one: they came faster than they were read.
    pub missed: u64,
}

impl LogEntry {
    /// The value of a field, where it has it.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// How much something matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogLevel {
    /// It has happened.
    Info,
    /// Something is wrong.
    Warning,
    /// Something is broken.
    Error,
    /// A newer daemon's word.
    Other,
}

/// What something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogKind {
    /// Something has happened to an account or to the daemon.
    Event,
    /// A token was given to a program (threats.md, P12).
    Audit,
    /// A newer daemon's word.
    Other,
}

impl AdminClient {
    /// The last of what has happened, the oldest first.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn log(&self, query: LogQuery) -> Result<Vec<LogEntry>, CallError> {
        let request = v1::WatchLogRequest { follow: false, ..request(query) };
        let entries = self.call(SILENCE_LIMIT, || async {
            let mut stream = call::message(METHOD, self.stub().watch_log(request.clone()).await)?;
            let mut entries = Vec::new();
            while let Some(told) = stream.message().await.map_err(|status| call::failure(METHOD, &status))? {
                entries.push(entry(told));
            }
            Ok(entries)
        });
        entries.await
    }

    /// The same, and then what comes.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn follow_log(&self, query: LogQuery) -> Result<LogEntries, CallError> {
        let request = v1::WatchLogRequest { follow: true, ..request(query) };
        let stream = self.call(SILENCE_LIMIT, || async { call::message(METHOD, self.stub().watch_log(request.clone()).await) });
        Ok(LogEntries(stream.await?))
    }
}

/// What happens, as it comes.
#[derive(Debug)]
pub struct LogEntries(Streaming<v1::LogEntry>);

impl LogEntries {
    /// Waits for the next.
    ///
    /// # Errors
    /// [`CallError::Interrupted`] where the daemon has left; any other [`CallError`] as it says.
    pub async fn next(&mut self) -> Result<LogEntry, CallError> {
        let told = self.0.message().await.map_err(|status| call::failure(METHOD, &status))?;
        told.map(entry).ok_or(CallError::Interrupted)
    }
}

fn request(query: LogQuery) -> v1::WatchLogRequest {
    let LogQuery { account, last, after } = query;
    v1::WatchLogRequest { account: account.unwrap_or_default(), last, after: after.unwrap_or_default(), follow: false }
}

fn entry(wire: v1::LogEntry) -> LogEntry {
    let level = match wire.level() {
        v1::LogLevel::Info => LogLevel::Info,
        v1::LogLevel::Warning => LogLevel::Warning,
        v1::LogLevel::Error => LogLevel::Error,
        v1::LogLevel::Unspecified => LogLevel::Other,
    };
    let kind = match wire.kind() {
        v1::LogKind::Event => LogKind::Event,
        v1::LogKind::Audit => LogKind::Audit,
        v1::LogKind::Unspecified => LogKind::Other,
    };
    LogEntry {
        number: wire.number,
        at: wire.at.and_then(wall),
        level,
        kind,
        account: filled(wire.account),
        message: wire.message,
        fields: wire.fields.into_iter().map(|field| (field.name, field.value)).collect(),
        missed: wire.missed,
    }
}
