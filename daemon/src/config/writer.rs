//! The file as the daemon changes it: one account added or taken out, everything else as it was, byte for byte.
//!
//! Must never: write a file that does not hold, lose what somebody else wrote meanwhile, or change what it cannot read.

use std::path::{Path, PathBuf};

use super::account::{Account, AccountName};
use super::draft::{AccountDraft, Described};
use super::edit;
use super::edit_error::{ByHand, EditError};
use super::error::ConfigErrors;
use super::file::{Config, Origin};
use super::present::{self, Standing};
use super::replace::{Meanwhile, NotReplaced, Outcome, Place};

/// How often the file is read anew because somebody else changed it meanwhile.
const ATTEMPTS: usize = 8;

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

    /// Writes an account into it, unless the same is there already: by its name with the same content, by its resource, or, without a
    /// resource, by its server, client and audience. A file and a folder that are missing are made.
    ///
    /// # Errors
    /// Why nothing was written.
    pub fn add(&self, draft: &AccountDraft) -> Result<Added, EditError> {
        self.add_while(draft, &|_| {})
    }

    /// Takes an account out of it, with the comments that belong to it. Returns the file as it is now.
    ///
    /// # Errors
    /// Why nothing was written.
    pub fn remove(&self, name: &AccountName) -> Result<Config, EditError> {
        self.remove_while(name, &|_| {})
    }

    pub(super) fn add_while(&self, draft: &AccountDraft, meanwhile: Meanwhile<'_>) -> Result<Added, EditError> {
        let described = draft.checked(&self.beside(draft)?).map_err(EditError::Draft)?;
        self.change(&Task::Add(&described), meanwhile)
    }

    pub(super) fn remove_while(&self, name: &AccountName, meanwhile: Meanwhile<'_>) -> Result<Config, EditError> {
        match self.change(&Task::Remove(name), meanwhile)? {
            Added::Written { config, .. } | Added::Present { config, .. } => Ok(config),
        }
    }

    /// The file, where the account names a provider, which may be one of the file. Whether that still holds when it is written is
    /// looked at then.
    fn beside(&self, draft: &AccountDraft) -> Result<String, EditError> {
        if draft.provider.is_empty() {
            return Ok(String::new());
        }
        let (_, text) = Config::load_with_text(&self.path).map_err(|errors| EditError::Broken { errors, by_hand: None })?;
        Ok(text.unwrap_or_default())
    }

    fn change(&self, task: &Task<'_>, meanwhile: Meanwhile<'_>) -> Result<Added, EditError> {
        // Without the lock first: what needs no change asks for no right to write, and makes no folder.
        let mut change = match task.next(self.read(task)?)? {
            Next::Nothing(present) => return Ok(present),
            Next::Write(change) => change,
        };
        for _ in 0..ATTEMPTS {
            let place = Place::open(&self.path).map_err(|why| told(why, &self.path, &change))?;
            let before = self.read(task)?;
            let old = before.text.clone();
            change = match task.next(before)? {
                Next::Nothing(present) => return Ok(present),
                Next::Write(change) => change,
            };
            match place.replace(old.as_deref().map(str::as_bytes), change.text.as_bytes(), meanwhile) {
                Ok(Outcome::Written) => return Ok(Added::Written { name: change.name, config: change.after }),
                Ok(Outcome::Changed) => {}
                Err(why) => return Err(told(why, place.path(), &change)),
            }
        }
        Err(EditError::Busy { path: self.path.clone() })
    }

    fn read(&self, task: &Task<'_>) -> Result<Before, EditError> {
        let (config, text) =
            Config::load_with_text(&self.path).map_err(|errors| EditError::Broken { errors, by_hand: task.by_hand_unseen() })?;
        Ok(Before { config, text })
    }
}

fn told(why: NotReplaced, path: &Path, change: &Change) -> EditError {
    let path = path.to_owned();
    match why {
        NotReplaced::Refused(why) => EditError::ReadOnly { path, why, by_hand: change.by_hand.clone() },
        NotReplaced::Failed(why) => EditError::Failed { path, why },
        NotReplaced::Locked => EditError::Busy { path },
    }
}

/// What is to be done.
enum Task<'t> {
    Add(&'t Described<'t>),
    Remove(&'t AccountName),
}

/// The file as it was read.
struct Before {
    config: Config,
    text: Option<String>,
}

/// What is to be done with it.
enum Next {
    Nothing(Added),
    Write(Box<Change>),
}

/// A text to be written, which holds.
struct Change {
    name: AccountName,
    text: String,
    after: Config,
    by_hand: ByHand,
}

impl Task<'_> {
    fn next(&self, before: Before) -> Result<Next, EditError> {
        let text = before.text.as_deref().unwrap_or_default();
        let (name, edited, expected) = match self {
            Self::Add(described) => match present::look(&before.config, described) {
                Standing::Under(name) => return Ok(Next::Nothing(Added::Present { name, config: before.config })),
                Standing::Taken(name) => return Err(EditError::NameTaken { name }),
                Standing::Nowhere(name) => {
                    let expected = before.config.clone().with(described.account().clone().named(name.clone()));
                    (name.clone(), edit::with(text, &name, described), expected)
                }
            },
            Self::Remove(name) => {
                let expected = before.config.clone().without(name)?;
                ((*name).clone(), edit::without(text, name), expected)
            }
        };
        let path = before.config.path;
        let edited = edited.unwrap_or_default();
        let by_hand = self.by_hand(edited.difference);
        match Config::parse(&edited.text, &path) {
            Ok(after) if after == expected => Ok(Next::Write(Box::new(Change { name, text: edited.text, after, by_hand }))),
            Err(errors) if errors.is_too_large() => {
                Err(EditError::Failed { path, why: "it would be larger than 1 MiB after that".to_owned() })
            }
            _ => Err(EditError::Entangled { path, by_hand }),
        }
    }

    fn by_hand(&self, difference: String) -> ByHand {
        match self {
            Self::Add(_) => ByHand::Paste(difference),
            Self::Remove(_) => ByHand::TakeOut(difference),
        }
    }

    /// What a person may do by hand in a file that could not be read.
    fn by_hand_unseen(&self) -> Option<ByHand> {
        match self {
            Self::Add(described) => Some(ByHand::Paste(described.table(described.naming().first(), "\n"))),
            Self::Remove(_) => None,
        }
    }
}

impl Config {
    fn with(mut self, account: Account) -> Self {
        match account {
            Account::Login(account) => drop(self.accounts.insert(account.name.clone(), account.into())),
            Account::TokenFile(account) => drop(self.token_files.insert(account.name.clone(), account.into())),
        }
        self.origin = Origin::File;
        self
    }

    fn without(mut self, name: &AccountName) -> Result<Self, EditError> {
        if self.accounts.remove(name).is_none() && self.token_files.remove(name).is_none() {
            let known = self.accounts.into_keys().chain(self.token_files.into_keys());
            let mut known: Vec<_> = known.collect();
            known.sort();
            return Err(EditError::NoSuchAccount { name: name.clone(), known });
        }
        Ok(self)
    }
}
