//! The units: their one source is `daemon/units`; written with the path of the program that is there, under a first line that tells
//! whether somebody has edited them since.
//!
//! Must never: take a file for ours that somebody has changed.

use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The socket for programs.
pub(crate) const TOKENS: &str = "mcp-authd-tokens.socket";
/// The socket for the person.
pub(crate) const ADMIN: &str = "mcp-authd-admin.socket";
/// The daemon.
pub(crate) const SERVICE: &str = "mcp-authd.service";

/// All units, in the order in which they are started, with their texts.
pub(crate) const SHIPPED: [(&str, &str); 3] = [
    (TOKENS, include_str!("../../../../daemon/units/mcp-authd-tokens.socket")),
    (ADMIN, include_str!("../../../../daemon/units/mcp-authd-admin.socket")),
    (SERVICE, include_str!("../../../../daemon/units/mcp-authd.service")),
];
/// How the shipped text begins the line of the program.
const SHIPPED_PROGRAM: &str = "\nExecStart=/usr/bin/mcp-authd ";
/// The first line of what we write. The digest is that of everything after the line.
const MARK: &str = "# Written by `authctl service install`. Change it with: systemctl --user edit ";
const DIGEST: &str = " (unedited: sha256 ";
/// What is longer is no unit of ours.
const LONGEST: u64 = 64 << 10;

/// A unit as it would be written for the program that this word names in `ExecStart=`.
pub(crate) fn text(name: &str, shipped: &str, program: &str) -> String {
    let body = shipped.replacen(SHIPPED_PROGRAM, &format!("\nExecStart={program} "), 1);
    format!("{MARK}{name}{DIGEST}{})\n{body}", digest(&body))
}

/// How a unit's file stands in the person's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing is there.
    Nothing,
    /// A link to /dev/null, or an empty file: the person wants no such unit (`systemctl mask`).
    Masked,
    /// We have written it, and nobody has changed it since.
    Ours(String),
    /// Somebody else has written it, or has changed it.
    Edited(String),
    /// It cannot be read; the system's words.
    Unreadable(String),
}

impl Found {
    /// Looks.
    pub(crate) fn at(path: &Path) -> Self {
        if fs::read_link(path).is_ok_and(|target| target == Path::new("/dev/null")) {
            return Self::Masked;
        }
        let is_link = path.is_symlink();
        let mut text = String::new();
        // A folder or a pipe in its place is not read.
        let read = match fs::metadata(path) {
            Ok(found) if !found.is_file() => return Self::Unreadable("it is no file".to_owned()),
            Ok(_) => fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text)),
            Err(error) => Err(error),
        };
        match read {
            Err(error) if error.kind() == ErrorKind::NotFound && !is_link => Self::Nothing,
            Err(error) => Self::Unreadable(error.to_string()),
            Ok(_) if text.is_empty() => Self::Masked,
            // A link leads to a file of somebody else, whatever stands in it.
            Ok(_) if !is_link && is_unedited(&text) => Self::Ours(text),
            Ok(_) => Self::Edited(text),
        }
    }
}

fn is_unedited(text: &str) -> bool {
    let Some((first, body)) = text.split_once('\n') else { return false };
    let said = first.strip_prefix(MARK).and_then(|rest| rest.rsplit_once(DIGEST)).and_then(|(_, end)| end.strip_suffix(')'));
    said.is_some_and(|said| said == digest(body))
}

/// Without our first line, where it has one.
pub(crate) fn body(text: &str) -> &str {
    match text.split_once('\n') {
        Some((first, body)) if first.starts_with(MARK) => body,
        _ => text,
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file of the person's folder of units.
pub(crate) fn file(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

/// Where two texts differ: lines that only the first has, after `-`, and that only the second has, after `+`.
pub(crate) fn difference(one: &str, other: &str) -> Vec<String> {
    let (one, other): (Vec<&str>, Vec<&str>) = (one.lines().collect(), other.lines().collect());
    // The longest common subsequence of what is left, for each pair of beginnings; units are short.
    let mut longest = vec![vec![0_usize; other.len() + 1]; one.len() + 1];
    let at =
        |table: &[Vec<usize>], row: usize, column: usize| table.get(row).and_then(|row| row.get(column)).copied().unwrap_or(0);
    for row in (0..one.len()).rev() {
        for column in (0..other.len()).rev() {
            let best = if one.get(row) == other.get(column) {
                at(&longest, row + 1, column + 1) + 1
            } else {
                at(&longest, row + 1, column).max(at(&longest, row, column + 1))
            };
            if let Some(cell) = longest.get_mut(row).and_then(|row| row.get_mut(column)) {
                *cell = best;
            }
        }
    }
    let (mut row, mut column, mut lines) = (0, 0, Vec::new());
    loop {
        match (one.get(row), other.get(column)) {
            (None, None) => return lines,
            (Some(mine), Some(theirs)) if mine == theirs => (row, column) = (row + 1, column + 1),
            (Some(mine), theirs) if theirs.is_none() || at(&longest, row + 1, column) >= at(&longest, row, column + 1) => {
                lines.push(format!("- {mine}"));
                row += 1;
            }
            (_, theirs) => {
                lines.extend(theirs.map(|theirs| format!("+ {theirs}")));
                column += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
