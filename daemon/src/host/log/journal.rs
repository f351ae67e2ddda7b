//! The systemd journal, natively: each line with its fields, so that `journalctl MCP_AUTHD_ACCOUNT=work` finds them
//! (systemd.journal-fields(7); the format is that of <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>).
//!
//! It is used where standard error leads there (`JOURNAL_STREAM`, systemd.exec(5)). A line that the journal does not take, as its queue
//! is full (net.unix.max_dgram_qlen: 512 where systemd has booted, 10 else) or it restarts, goes to standard error, as text; where that
//! is full, too, it is counted, and the count is said as soon as there is room. A small sender of our own, as `tracing-journald`
//! neither takes a MESSAGE_ID nor tells of a line that was lost, and blocks where the journal does not read.
//!
//! Must never: wait for the journal, or lose a line in silence.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::sys::stat::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::line::Line;
use text::Text;

mod text;

const SOCKET: &str = "/run/systemd/journal/socket";
/// Names the audit lines for ever (systemd.journal-fields(7)).
const AUDIT_ID: &str = "4c1f5a4bb0a94d5f9d3b2f6c1e7a80d2";
/// Begins the names of our own fields.
const PREFIX: &str = "mcp_authd_";

/// The way to the journal.
#[derive(Debug)]
pub(super) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
    second: Mutex<Second>,
}

/// The second way, for what the journal does not take.
#[derive(Debug)]
struct Second {
    text: Text,
    /// How many lines neither way took, and nobody was told of yet.
    lost: u64,
}

impl Journal {
    /// The journal, where standard error leads there.
    pub(super) fn of_this_process() -> Option<Self> {
        let stream = std::env::var("JOURNAL_STREAM").ok()?;
        if !leads_to(&stream, &io::stderr()) {
            return None;
        }
        // Only the journal's own stream is behind it: nobody else is surprised that it does not block any more.
        Self::at(Path::new(SOCKET), Text::to(&io::stderr()).ok()?).ok()
    }

    fn at(path: &Path, text: Text) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let journal = Self { socket, path: path.to_owned(), second: Mutex::new(Second { text, lost: 0 }) };
        // Whether somebody listens: an empty datagram is no line, and is thrown away.
        journal.socket.send_to(&[], path)?;
        Ok(journal)
    }

    /// By its path each time: a journal that was restarted listens at a new socket.
    fn send(&self, line: &Line) -> io::Result<()> {
        self.socket.send_to(&datagram(line), &self.path).map(drop)
    }

    /// By the first way that takes it whole.
    fn say(&self, line: &Line, second: &mut Second) -> io::Result<()> {
        self.send(line).or_else(|_| second.text.write(&format!("{} {}: {line}", line.level, line.target)))
    }
}

/// Said before the next line that finds room.
fn told_of(lost: u64) -> Line {
    Line {
        level: Level::WARN,
        target: module_path!(),
        message: "lines are missing here: the journal did not take them".to_owned(),
        account: None,
        fields: vec![("lines", lost.to_string())],
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = Line::of(event);
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.lost > 0 && self.say(&told_of(second.lost), &mut second).is_ok() {
            second.lost = 0;
        }
        if self.say(&line, &mut second).is_err() {
            second.lost = second.lost.saturating_add(1);
        }
    }
}

/// `JOURNAL_STREAM` is the device and the inode of what the service manager has made for it, in decimal.
fn leads_to(stream: &str, file: &impl AsFd) -> bool {
    let Some((device, inode)) = stream.split_once(':') else { return false };
    let (Ok(device), Ok(inode)) = (device.parse::<u64>(), inode.parse::<u64>()) else { return false };
    // The types of both differ from one system to the next.
    #[allow(clippy::unnecessary_fallible_conversions, clippy::useless_conversion, reason = "u64 on Linux, not everywhere")]
    fstat(file).is_ok_and(|found| u64::try_from(found.st_dev) == Ok(device) && u64::try_from(found.st_ino) == Ok(inode))
}

fn datagram(line: &Line) -> Vec<u8> {
    let mut data = Vec::with_capacity(512);
    put(&mut data, "MESSAGE", &line.to_string());
    put(&mut data, "PRIORITY", priority(line.level));
    put(&mut data, "SYSLOG_IDENTIFIER", "mcp-authd");
    if line.is_audit() {
        put(&mut data, "MESSAGE_ID", AUDIT_ID);
    }
    put(&mut data, &field_name("event"), &line.message);
    let account = line.account.as_deref().map(|account| (super::ACCOUNT, account));
    for (name, value) in account.into_iter().chain(line.fields.iter().map(|(name, value)| (*name, value.as_str()))) {
        put(&mut data, &field_name(name), value);
    }
    data
}

/// Of syslog(3).
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

/// Capital letters, digits and underscores, 64 at most.
fn field_name(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    PREFIX.chars().chain(name.chars()).map(fits).take(64).collect()
}

/// `NAME=value`, or the name, the length and the value where that has a line break.
fn put(data: &mut Vec<u8>, name: &str, value: &str) {
    data.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        data.push(b'\n');
        data.extend_from_slice(&u64::try_from(value.len()).unwrap_or(u64::MAX).to_le_bytes());
    } else {
        data.push(b'=');
    }
    data.extend_from_slice(value.as_bytes());
    data.push(b'\n');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use tracing_subscriber::layer::SubscriberExt as _;

    fn nowhere() -> Text {
        Text::to(&tempfile::tempfile().unwrap()).unwrap()
    }

    /// A journal of our own.
    fn journal(folder: &Path) -> (UnixDatagram, Journal) {
        let path = folder.join("journal");
        let listens = UnixDatagram::bind(&path).unwrap();
        listens.set_nonblocking(true).unwrap();
        let journal = Journal::at(&path, nowhere()).unwrap();
        assert_eq!(listens.recv(&mut [0; 8]).unwrap(), 0);
        (listens, journal)
    }

    /// As the journal reads it.
    fn read(mut data: &[u8]) -> Option<BTreeMap<String, String>> {
        let mut fields = BTreeMap::new();
        while !data.is_empty() {
            let end = data.iter().position(|byte| matches!(byte, b'=' | b'\n'))?;
            let name = String::from_utf8(data[..end].to_vec()).ok()?;
            let value = if data[end] == b'=' {
                let end_of_line = data.iter().position(|byte| *byte == b'\n')?;
                let value = &data[end + 1..end_of_line];
                data = &data[end_of_line + 1..];
                value
            } else {
                let length = usize::try_from(u64::from_le_bytes(data.get(end + 1..end + 9)?.try_into().ok()?)).ok()?;
                let value = data.get(end + 9..end + 9 + length)?;
                (*data.get(end + 9 + length)? == b'\n').then_some(())?;
                data = &data[end + 10 + length..];
                value
            };
            fields.insert(name, String::from_utf8(value.to_vec()).ok()?);
        }
        Some(fields)
    }

    fn line(value: &str) -> Line {
        Line {
            level: Level::WARN,
            target: super::super::AUDIT,
            message: "said".to_owned(),
            account: Some("work".to_owned()),
            fields: vec![("client_name", value.to_owned())],
        }
    }

    #[test]
    fn a_line_arrives_with_its_fields() {
        let folder = tempfile::tempdir().unwrap();
        let (listens, journal) = journal(folder.path());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(journal), || {
            tracing::info!(target: super::super::AUDIT, account = %"work", uid = 7, "a token was given to a program");
        });
        let mut data = [0; 2048];
        let length = listens.recv(&mut data).unwrap();
        let fields = read(&data[..length]).unwrap();
        let told = |name: &str| fields.get(name).map(String::as_str);
        assert_eq!(told("MESSAGE"), Some("a token was given to a program account=work uid=7"));
        assert_eq!(
            (told("PRIORITY"), told("SYSLOG_IDENTIFIER"), told("MESSAGE_ID")),
            (Some("6"), Some("mcp-authd"), Some(AUDIT_ID))
        );
        assert_eq!((told("MCP_AUTHD_ACCOUNT"), told("MCP_AUTHD_UID")), (Some("work"), Some("7")));
        assert_eq!(fields.len(), 7);
    }

    #[test]
    fn a_journal_that_does_not_read_or_has_gone_holds_nobody_up_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let (listens, journal) = journal(folder.path());
        let refused = loop {
            if let Err(error) = journal.send(&line("x")) {
                break error;
            }
        };
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        drop(listens);
        assert!(journal.send(&line("x")).is_err());
        std::fs::remove_file(folder.path().join("journal")).unwrap();
        assert!(journal.send(&line("x")).is_err());
        // One that is back at the same path is heard by again.
        let again = UnixDatagram::bind(folder.path().join("journal")).unwrap();
        assert!(journal.send(&line("x")).is_ok());
        drop(again);
        assert!(Journal::at(&folder.path().join("nothing"), nowhere()).is_err());
    }

    #[test]
    fn where_the_journals_stream_is_full_too_nobody_waits_and_the_missing_lines_are_counted() {
        use std::io::Read as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let gone = UnixDatagram::bind(&path).unwrap();
        let (mut reads, stream) = std::os::unix::net::UnixStream::pair().unwrap();
        let journal = Journal::at(&path, Text::to(&stream).unwrap()).unwrap();
        drop((gone, stream));
        const SAID: u64 = 20_000;
        let mut text = String::new();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(journal), || {
            for number in 0..SAID {
                tracing::info!(number, "said to nobody who reads");
            }
            // Room again, and a reader who keeps up.
            reads.set_nonblocking(true).unwrap();
            let _would_block = reads.read_to_string(&mut text);
            tracing::info!("said to one who reads");
        });
        reads.read_to_string(&mut text).unwrap();
        let whole = text.lines().filter(|line| line.contains(" said to nobody who reads number=")).count();
        let missing: u64 = text.split("did not take them lines=").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        assert!(missing > 0 && text.ends_with("said to one who reads\n"), "{missing}");
        // The one that was cut short is counted as missing, and ends where the next one begins.
        let cut = text.lines().count() - whole - 2;
        assert!(cut <= 1);
        let begun = u64::try_from(whole).unwrap() + missing;
        assert!(begun == SAID || (cut == 0 && begun == SAID + 1), "{whole} {missing}");
    }

    #[test]
    fn only_what_leads_to_the_journal_is_taken_for_it() {
        let (one, other) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let found = fstat(&one).unwrap();
        let stream = format!("{}:{}", found.st_dev, found.st_ino);
        assert!(leads_to(&stream, &one));
        assert!(!leads_to(&stream, &other));
        for wrong in ["", ":", "8", "8:", "x:y", "-1:-1", "8:99999999999999999999"] {
            assert!(!leads_to(wrong, &one), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn no_value_becomes_another_field(value in "(?s).{0,80}|PRIORITY=0\n|a\nPRIORITY=0\n") {
            let fields = read(&datagram(&line(&value))).unwrap();
            prop_assert_eq!(fields.get("MCP_AUTHD_CLIENT_NAME"), Some(&value));
            prop_assert_eq!(fields.get("PRIORITY").map(String::as_str), Some("4"));
            prop_assert_eq!(fields.len(), 7);
        }
    }
}
