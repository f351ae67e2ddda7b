//! Why the file was not changed, for a person: one sentence, the next step, and what to do by hand.
//!
//! Must never: be said of a file that was changed.

use std::path::PathBuf;

use super::account::AccountName;
use super::draft_errors::DraftErrors;
use super::error::{ConfigErrors, printable};

/// The file is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The file as it stands does not hold: whoever wrote it mends it first.
    #[error("{errors}")]
    Broken {
        /// Everything that is wrong in it.
        errors: ConfigErrors,
        /// What to paste into it, where an account was to be added.
        by_hand: Option<ByHand>,
    },
    /// The account as it was described does not hold.
    #[error("{0}")]
    Draft(DraftErrors),
    /// An account of this name is there, and is another one.
    #[error("there is another account \"{name}\" already")]
    NameTaken {
        /// The name.
        name: AccountName,
    },
    /// There is no such account.
    #[error("there is no account \"{name}\"")]
    NoSuchAccount {
        /// The name that was asked for.
        name: AccountName,
        /// Those that there are.
        known: Vec<AccountName>,
    },
    /// The file, or its folder, may not be written.
    #[error("\"{}\" cannot be written: {why}", path.display())]
    ReadOnly {
        /// The file, behind its links.
        path: PathBuf,
        /// Why, as the end of a sentence.
        why: String,
        /// What was to be done.
        by_hand: ByHand,
    },
    /// The operating system refused for a reason that is not the file's: a full disk, a broken one.
    #[error("\"{}\" was not written: {why}", path.display())]
    Failed {
        /// The file, behind its links.
        path: PathBuf,
        /// Why, as the end of a sentence.
        why: String,
    },
    /// The account is written into it in a way that cannot be told from the rest.
    #[error("\"{}\" cannot be changed without touching what belongs to other accounts", path.display())]
    Entangled {
        /// The file.
        path: PathBuf,
        /// What was to be done.
        by_hand: ByHand,
    },
    /// Others write it, and again whenever it was read.
    #[error("\"{}\" was changed by somebody else whenever it was to be written", path.display())]
    Busy {
        /// The file, behind its links.
        path: PathBuf,
    },
}

/// A change that a person has to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByHand {
    /// This text belongs into the file.
    Paste(String),
    /// This text belongs out of it.
    TakeOut(String),
}

impl ByHand {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Paste(text) | Self::TakeOut(text) => text,
        }
    }

    fn next_step(&self) -> &'static str {
        match self {
            Self::Paste(_) => "paste the text into it (or into what it is made from) yourself, then: authctl reload",
            Self::TakeOut(_) => "take the text out of it (or of what it is made from) yourself, then: authctl reload",
        }
    }
}

impl EditError {
    /// What happened: one sentence.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Broken { errors, .. } => errors.message(),
            Self::Draft(_) => "The account as it was described does not hold, so nothing was written.".to_owned(),
            in_one_sentence => sentence(&in_one_sentence.to_string()),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            Self::Broken { by_hand: None, .. } => "mend it, then do the same again".to_owned(),
            Self::Broken { by_hand: Some(_), .. } => {
                "mend it, then do the same again, or paste the text into it as well".to_owned()
            }
            Self::Draft(_) => "do it again, mended".to_owned(),
            Self::NameTaken { name } => format!("see it with: authctl account show {name}; or take another name"),
            Self::NoSuchAccount { known, .. } if known.is_empty() => "there are no accounts; nothing is to be removed".to_owned(),
            Self::NoSuchAccount { known, .. } => {
                match known.iter().map(AccountName::as_str).take(NAMED_AT_MOST).collect::<Vec<_>>() {
                    names if names.len() == known.len() => format!("take one of these: {}", names.join(", ")),
                    _ => "see the accounts with: authctl account list".to_owned(),
                }
            }
            Self::ReadOnly { by_hand, .. } | Self::Entangled { by_hand, .. } => by_hand.next_step().to_owned(),
            Self::Failed { .. } => "mend that, then do the same again".to_owned(),
            Self::Busy { .. } => "close the editor, or stop the program that writes it, then do the same again".to_owned(),
        }
    }

    /// The text to paste or to take out, where a person has to do it by hand; else empty.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::ReadOnly { by_hand, .. } | Self::Entangled { by_hand, .. } | Self::Broken { by_hand: Some(by_hand), .. } => {
                by_hand.text()
            }
            _ => "",
        }
    }

    /// Each thing that is wrong, in the file (with its line, from 1; 0: the whole file) or with the draft (0).
    #[must_use]
    pub fn problems(&self) -> Vec<(u32, String)> {
        match self {
            Self::Broken { errors, .. } => errors.problems(),
            Self::Draft(errors) => errors.sentences().map(|sentence| (0, sentence)).collect(),
            _ => Vec::new(),
        }
    }
}

/// More names than these are a list, not a sentence.
const NAMED_AT_MOST: usize = 5;

impl ConfigErrors {
    /// What happened: one sentence.
    #[must_use]
    pub fn message(&self) -> String {
        let path = printable(&self.path.to_string_lossy());
        match self.errors.len() {
            1 => format!("There is a mistake in \"{path}\", so nothing was changed."),
            more => format!("There are {more} mistakes in \"{path}\", so nothing was changed."),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        "mend it, then: authctl reload"
    }

    /// Each with its line, from 1; 0: the whole file.
    #[must_use]
    pub fn problems(&self) -> Vec<(u32, String)> {
        let line = |line: Option<usize>| line.map_or(0, |line| u32::try_from(line).unwrap_or(u32::MAX));
        self.errors.iter().map(|error| (line(error.line), error.problem.to_string())).collect()
    }
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut characters = printable_lines(text);
    characters.push('.');
    match characters.chars().next() {
        Some(first) => first.to_uppercase().chain(characters.chars().skip(1)).collect(),
        None => characters,
    }
}

fn printable_lines(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
