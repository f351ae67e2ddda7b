//! One file per record: reading, replacing, erasing, and setting aside what is damaged (B8, B10).
//!
//! Must never: touch a record that another key or a newer program has written, or another record than the one asked for.

use crate::accounts::{LoadError, SaveError};
use crate::host::folder::{FileError, Folder, Unsafe};
use mcp_authd_oauth::time::Now;

use super::key::{Key, KeyId};
use super::record::{Record, RecordId, is_record};
use super::seal::{self, Header, Unopened};

/// No record comes near: an answer of a server has at most 256 KiB.
const LIMIT: usize = 4 << 20;

/// The folder of the records.
#[derive(Debug, Clone)]
pub(super) struct Records {
    pub(super) folder: Folder,
}

/// What became of a record.
#[derive(Debug)]
pub(super) enum Loaded<T> {
    Nothing,
    Record(T),
    /// It was damaged; its new name.
    SetAside(String),
}

impl<T> Loaded<T> {
    /// The record, where a damaged one is as good as none.
    pub(super) fn record(self) -> Option<T> {
        match self {
            Self::Record(record) => Some(record),
            Self::Nothing | Self::SetAside(_) => None,
        }
    }
}

/// Whether a key is the one of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fits,
    DoesNotFit,
}

impl Records {
    /// Reads a record, at the time `now`.
    pub(super) fn load<T: Record>(&self, id: &RecordId, key: &Key, now: Now) -> Result<Loaded<T>, LoadError> {
        let name = id.file_name();
        let file = match self.folder.read(&name, LIMIT) {
            Ok(None) => return Ok(Loaded::Nothing),
            Ok(Some(file)) => file,
            Err(FileError::Unsafe { why: Unsafe::TooLarge(_), .. }) => return self.set_aside(&name, now),
            Err(error) => return Err(LoadError::Io(error.to_string())),
        };
        match seal::open(key, id.as_str(), &file) {
            Ok((header, plain)) => match T::read(&plain, now).filter(|record| record.generation() == header.generation) {
                Some(record) => Ok(Loaded::Record(record)),
                None => self.set_aside(&name, now),
            },
            Err(Unopened::Damaged) => self.set_aside(&name, now),
            Err(Unopened::OtherKey) => Err(LoadError::WrongKey),
            Err(Unopened::FromNewer) => Err(LoadError::Io(from_newer(&self.folder, &name))),
        }
    }

    /// Replaces a record. Each call writes a new file (B8).
    pub(super) fn save<T: Record>(&self, id: &RecordId, record: &T, key: &Key, now: Now) -> Result<(), SaveError> {
        let name = id.file_name();
        let refused = |why: &str| SaveError::Io(format!("\"{}\": {why}", self.folder.join(&name).display()));
        let plain = record.write(now).ok_or_else(|| refused("the record cannot be written as JSON"))?;
        let file = seal::seal(key, id.as_str(), record.generation(), plain).map_err(|error| refused(&error.to_string()))?;
        if file.len() > LIMIT {
            return Err(refused("the record is too large"));
        }
        self.folder.write(&name, &file).map_err(|error| SaveError::Io(error.to_string()))
    }

    /// Erases a record.
    pub(super) fn forget(&self, id: &RecordId) -> Result<(), SaveError> {
        self.folder.remove(&id.file_name()).map_err(|error| SaveError::Io(error.to_string()))
    }

    /// The first record that a newer program has written, as a sentence.
    pub(super) fn newer(&self) -> Result<Option<String>, FileError> {
        let found = self.headers()?.into_iter().find(|(_, header)| header.version > seal::VERSION);
        Ok(found.map(|(name, _)| from_newer(&self.folder, &name)))
    }

    /// Whether a key fits: some record has its id, or none has another.
    pub(super) fn verdict(&self, key: KeyId) -> Result<Verdict, FileError> {
        let headers = self.headers()?;
        let fits = headers.is_empty() || headers.iter().any(|(_, header)| header.key_id == key);
        Ok(if fits { Verdict::Fits } else { Verdict::DoesNotFit })
    }

    /// What the readable records say in clear. Damage shows when a record is loaded.
    fn headers(&self) -> Result<Vec<(String, Header)>, FileError> {
        let names = self.folder.names()?.into_iter().filter(|name| is_record(name));
        Ok(names
            .filter_map(|name| {
                let file = self.folder.read(&name, LIMIT).ok()??;
                Some((name, Header::of(&file).ok()?))
            })
            .collect())
    }

    /// Keeps what is damaged for the person, out of the way (B10).
    fn set_aside<T>(&self, name: &str, now: Now) -> Result<Loaded<T>, LoadError> {
        const TRIES: u64 = 100;
        let begin = now.wall.as_millis();
        for millis in begin..begin.saturating_add(TRIES) {
            let new_name = format!("{name}.corrupt-{millis}");
            match self.folder.rename(name, &new_name) {
                Ok(()) => {
                    tracing::warn!(file = %self.folder.join(&new_name).display(), "a damaged record was set aside");
                    return Ok(Loaded::SetAside(new_name));
                }
                Err(FileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(LoadError::Io(error.to_string())),
            }
        }
        Err(LoadError::Io(format!("\"{}\" is damaged and cannot be set aside", self.folder.join(name).display())))
    }
}

fn from_newer(folder: &Folder, name: &str) -> String {
    format!("\"{}\" was written by a newer mcp-authd: install that version again, or a later one", folder.join(name).display())
}
