//! What was said of the accounts and of tokens that were given, as the person reads it: the latest that is kept, then what comes.
//!
//! A reader that is slow is told how many it has missed. Must never: make the log wait for a reader, or go on when the daemon leaves.

use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, stream};
use mcp_authd_proto::v1;
use tonic::Status as Refused;
use tracing::Level;

use super::watch::ended_with_the_daemon;
use super::{Face, convert};
use crate::host::log::{Entry, Follower, Ring, Told};

/// A stream of what was said.
pub(super) type LogStream = Pin<Box<dyn Stream<Item = Result<v1::LogEntry, Refused>> + Send>>;

/// What is asked for.
pub(super) fn log(face: Face, asked: v1::WatchLogRequest) -> LogStream {
    let told = read(&face.log, asked);
    ended_with_the_daemon(face, told)
}

fn read(log: &Ring, asked: v1::WatchLogRequest) -> LogStream {
    let about = About(asked.account);
    let latest = log.latest();
    let most = usize::try_from(asked.last).unwrap_or(usize::MAX);
    // After a number that has not been given yet nothing could ever come.
    let after = if asked.after <= latest { asked.after } else { 0 };
    let kept = log.last(most, &|entry| entry.number > after && entry.number <= latest && about.is_meant(entry));
    let kept = stream::iter(kept).map(|entry| Ok(wire(Told { entry, missed: 0 })));
    if !asked.follow {
        return kept.boxed();
    }
    kept.chain(stream::unfold((log.follow(latest), about), next)).boxed()
}

async fn next((mut follower, about): (Follower, About)) -> Option<(Result<v1::LogEntry, Refused>, (Follower, About))> {
    let told = follower.next(&|entry| about.is_meant(entry)).await;
    Some((Ok(wire(told)), (follower, about)))
}

/// The account that is asked about; empty: everything.
struct About(String);

impl About {
    fn is_meant(&self, entry: &Entry) -> bool {
        self.0.is_empty() || entry.account.as_deref() == Some(&*self.0)
    }
}

fn wire(Told { entry, missed }: Told) -> v1::LogEntry {
    let level = match entry.level {
        Level::ERROR => v1::LogLevel::Error,
        Level::WARN => v1::LogLevel::Warning,
        _ => v1::LogLevel::Info,
    };
    let kind = if entry.is_audit { v1::LogKind::Audit } else { v1::LogKind::Event };
    v1::LogEntry {
        number: entry.number,
        at: Some(convert::timestamp(entry.at)),
        level: level.into(),
        kind: kind.into(),
        account: entry.account.unwrap_or_default(),
        message: entry.message,
        fields: entry.fields.into_iter().map(|(name, value)| v1::LogField { name, value }).collect(),
        missed,
    }
}
