//! The agent: its one source is `daemon/units/mcp-authd.plist`; written with the paths of this machine, over a last line that tells
//! whether somebody has edited it since (launchd.plist(5)).
//!
//! Must never: take a file for ours that somebody has changed, or let a path become markup.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::exit::{Exit, Failure};

const SHIPPED: &str = include_str!("../../../../../daemon/units/mcp-authd.plist");
/// The last line of what we write. The digest is that of everything before the line.
const MARK: &str = "<!-- Written by authctl service install (unedited: sha256 ";

/// The places of this person's agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// The agent's own file.
    pub(super) agent: PathBuf,
    /// The folder of both sockets.
    pub(super) run: PathBuf,
    /// Where the daemon's words go.
    pub(super) log: PathBuf,
}

/// Why a path cannot stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unwritable {
    /// It is no text.
    NotText,
    /// XML has no way to write it (XML 1.0, 2.2).
    Character(char),
}

/// The agent's text for this program.
pub(super) fn text(program: &Path, places: &Places) -> Result<String, Unwritable> {
    let mut body = SHIPPED.to_owned();
    for (name, path) in [("@PROGRAM@", program), ("@RUN@", places.run.as_path()), ("@LOG@", places.log.as_path())] {
        body = body.replace(name, &escaped(path)?);
    }
    Ok(format!("{body}{MARK}{}) -->\n", digest(&body)))
}

/// As character data.
fn escaped(path: &Path) -> Result<String, Unwritable> {
    let text = path.to_str().ok_or(Unwritable::NotText)?;
    if let Some(odd) = text.chars().find(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(Unwritable::Character(odd));
    }
    Ok(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

/// For the person.
pub(super) fn unwritable(program: &Path, why: Unwritable) -> Failure {
    let why = match why {
        Unwritable::NotText => "it is not UTF-8".to_owned(),
        Unwritable::Character(odd) => format!("{odd:?} stands in it"),
    };
    let message = format!("launchd cannot be told to start {}: {why}. Put the program elsewhere, and name it", program.display());
    Failure::new(Exit::Failed, message, "export MCP_AUTHD_BIN=/another/folder/mcp-authd")
}

/// How the agent's file stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing is there.
    Nothing,
    /// We have written it, and nobody has changed it since.
    Ours(String),
    /// Somebody else has written it, or has changed it; or it cannot be read as text.
    Edited(String),
}

impl Found {
    /// Looks.
    pub(super) fn at(path: &Path) -> Self {
        match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => Self::Nothing,
            Err(error) => Self::Edited(format!("it cannot be read: {error}\n")),
            Ok(text) if !path.is_symlink() && is_unedited(&text) => Self::Ours(text),
            Ok(text) => Self::Edited(text),
        }
    }
}

fn is_unedited(text: &str) -> bool {
    let last = text.trim_end_matches('\n').rfind('\n').map_or(0, |at| at + 1);
    let Some((body, line)) = text.split_at_checked(last) else { return false };
    let said = line.strip_prefix(MARK).and_then(|rest| rest.strip_suffix(") -->\n"));
    said.is_some_and(|said| said == digest(body))
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(super) mod tests;
