//! The file: read whole, checked whole. Reads only; nothing here writes.
//!
//! Must never: follow up a half-good file with its good half. One error, and none of it counts (B35).

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::fcntl::OFlag;

use super::account::{AccountConfig, AccountName, TokenFileConfig};
use super::check;
use super::desktop::Desktop;
use super::error::{ConfigError, ConfigErrors, Problem, shell_word};
use super::network::Network;
use super::profile::{self, ProviderView};
use super::raw::line_of;

/// No configuration is longer.
const LIMIT: usize = 1024 * 1024;
/// The mode bits that let others than the owner write.
const GROUP_OR_OTHERS_WRITE: u32 = 0o022;

/// The checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file, whether it is there or not.
    pub path: PathBuf,
    /// Whether there was a file.
    pub origin: Origin,
    /// Every account with a login, by its name.
    pub accounts: BTreeMap<AccountName, Arc<AccountConfig>>,
    /// Every account whose token stands in a file, by its name. No name stands in both.
    pub token_files: BTreeMap<AccountName, Arc<TokenFileConfig>>,
    /// How the network is reached.
    pub network: Network,
    /// What the desktop is told of logins.
    pub desktop: Desktop,
    /// The providers that it describes itself, by their names.
    pub(super) providers: Vec<ProviderView>,
}

/// Where a configuration comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From the file.
    File,
    /// There is no file. At a start that is the same as an empty one; at a reload it may be an editor between two steps, so
    /// whoever holds accounts must not take it for "all removed".
    Missing,
}

impl Config {
    /// Reads and checks the file. Blocks: call it where that is in order.
    ///
    /// # Errors
    /// Everything that is wrong, at once. A missing file is not an error: see [`Origin::Missing`].
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        Self::load_with_text(path).map(|(config, _)| config)
    }

    /// As [`Self::load`], with the text that it was read from. `None`: there is no file.
    pub(super) fn load_with_text(path: &Path) -> Result<(Self, Option<String>), ConfigErrors> {
        let (bytes, loose) = match read(path) {
            Ok(Found::Nothing) => return Ok((Self::missing(path), None)),
            Ok(Found::File { bytes, loose }) => (bytes, loose),
            Err(problem) => return Err(ConfigErrors::one(path, None, problem)),
        };
        let checked = text(&bytes, path).and_then(|text| Ok((Self::parse(text, path)?, Some(text.to_owned()))));
        match loose {
            None => checked,
            Some(loose) => Err(checked.err().unwrap_or_else(|| ConfigErrors::none(path)).with(loose)),
        }
    }

    /// Checks a text. `path` is only named in errors.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigErrors> {
        if text.len() > LIMIT {
            return Err(ConfigErrors::one(path, None, Problem::TooLarge));
        }
        if let Some(at) = text.find('\0') {
            return Err(ConfigErrors::one(path, Some(line_of(text.as_bytes(), at)), Problem::NulByte));
        }
        let check::Checked { accounts, token_files, network, desktop, providers } = check::whole(text, path)?;
        Ok(Self { path: path.to_owned(), origin: Origin::File, accounts, token_files, network, desktop, providers })
    }

    /// Every provider that an account can name, in the order of their names: those of the file, and the shipped ones that none of the
    /// file stands in the place of.
    #[must_use]
    pub fn providers(&self) -> Vec<ProviderView> {
        profile::with_shipped(self.providers.clone())
    }

    fn missing(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            origin: Origin::Missing,
            accounts: BTreeMap::new(),
            token_files: BTreeMap::new(),
            network: Network::default(),
            desktop: Desktop::default(),
            providers: Vec::new(),
        }
    }
}

enum Found {
    Nothing,
    File { bytes: Vec<u8>, loose: Option<ConfigError> },
}

fn read(path: &Path) -> Result<Found, Problem> {
    // O_NONBLOCK: opening a FIFO must not hang the start; it means nothing for a regular file.
    let opened = fs::OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return nothing(path),
        Err(error) => return Err(Problem::Unreadable(error.to_string())),
    };
    let metadata = file.metadata().map_err(|error| Problem::Unreadable(error.to_string()))?;
    if !metadata.is_file() {
        return Err(Problem::NotAFile);
    }
    Ok(Found::File { bytes: contents(file)?, loose: looseness(path, &metadata) })
}

/// A link to nothing is broken, not missing: who manages the file by links must hear of it.
fn nothing(path: &Path) -> Result<Found, Problem> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(Problem::DanglingLink),
        Err(_) => Ok(Found::Nothing),
    }
}

fn contents(file: File) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(LIMIT).unwrap_or(u64::MAX);
    // One byte more than the limit tells "too large" from "just fits".
    let read = file.take(limit.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| Problem::Unreadable(error.to_string()))?;
    if bytes.len() > LIMIT { Err(Problem::TooLarge) } else { Ok(bytes) }
}

/// Reading by others is in order, as no secret stands here. Writing by others would let them choose the server (T3).
fn looseness(path: &Path, metadata: &Metadata) -> Option<ConfigError> {
    let loose = metadata.mode() & GROUP_OR_OTHERS_WRITE != 0;
    loose.then(|| ConfigError { line: None, problem: Problem::WritableByOthers { path: shell_word(path) } })
}

fn text<'b>(bytes: &'b [u8], path: &Path) -> Result<&'b str, ConfigErrors> {
    std::str::from_utf8(bytes)
        .map_err(|error| ConfigErrors::one(path, Some(line_of(bytes, error.valid_up_to())), Problem::NotUtf8))
}
