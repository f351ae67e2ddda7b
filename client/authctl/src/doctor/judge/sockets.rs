//! The sockets and their folders: whose, open to whom, and whether somebody answers.

use std::path::Path;

use mcp_authd_client::ConnectError;
use mcp_authd_client::connect::Door;
use mcp_authd_client::standing::{Kind, Standing, Stands};

use super::super::facts::{Facts, Heard};
use super::super::finding::{Check, Finding};
use super::{quoted, sentence};

const OPEN_TO_OTHERS: u32 = 0o077;
const RESTART: &str = "authctl daemon stop && authctl daemon start";

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    for doors in &facts.doors {
        found.extend(folder(&doors.tokens, facts.own_uid));
        for (door, other) in [(&doors.tokens, &doors.admin), (&doors.admin, &doors.tokens)] {
            found.extend(socket(door, other, facts).map(|finding| finding.about(door.path.to_string_lossy())));
        }
    }
    if found.is_empty() {
        found.push(Finding::well(Check::Sockets, "No socket stands; a daemon makes them when it starts."));
    }
    found
}

fn folder(door: &Door, own: u32) -> Option<Finding> {
    let folder = door.path.parent()?;
    let (problem, fix) = match &door.folder {
        Standing::Missing => return None,
        Standing::Hidden(why) => (format!("cannot be looked at: {why}"), format!("ls -ld {}", quoted(folder))),
        Standing::Stands(found) => private_folder(*found, folder, own).err()?,
    };
    Some(Finding::wrong(Check::Sockets, format!("The folder of the sockets {problem}."), fix).about(folder.to_string_lossy()))
}

/// Whether a folder is ours alone; else what is wrong, and what mends it.
pub(super) fn private_folder(found: Stands, folder: &Path, own: u32) -> Result<(), (String, String)> {
    let path = quoted(folder);
    let mode = found.mode & 0o777;
    match found {
        Stands { kind, .. } if kind != Kind::Folder => Err(("is no folder".to_owned(), format!("ls -ld {path}"))),
        Stands { owner, .. } if owner != own => Err((
            format!("belongs to uid {owner}, and you are uid {own}: mcp-authd does not use it"),
            format!("sudo chown {own} {path}"),
        )),
        _ if mode & OPEN_TO_OTHERS != 0 => Err((
            format!("is open to other users (mode {mode:o}): mcp-authd does not start with it"),
            format!("chmod 700 {path}"),
        )),
        _ if mode != 0o700 => Err((format!("is closed to you (mode {mode:o})"), format!("chmod 700 {path}"))),
        _ => Ok(()),
    }
}

fn socket(door: &Door, other: &Door, facts: &Facts) -> Option<Finding> {
    let path = quoted(&door.path);
    let wrong = |message: String, fix: String| Some(Finding::wrong(Check::Sockets, message, fix));
    match (&door.knock, &door.socket) {
        (_, Standing::Stands(found)) if found.kind != Kind::Socket => {
            wrong("Something that is no socket stands in its place.".to_owned(), format!("ls -ld {path}"))
        }
        (Ok(()), Standing::Stands(found)) if found.mode & OPEN_TO_OTHERS != 0 => {
            wrong(format!("The socket is open to other users (mode {:o}).", found.mode & 0o777), format!("chmod 600 {path}"))
        }
        (Ok(()), _) if facts.service.waits() => Some(Finding::well(Check::Sockets, "The service manager listens.")),
        (Ok(()), _) => Some(Finding::well(Check::Sockets, "A server of yours takes connections.")),
        (Err(ConnectError::NoDaemon { .. }), standing) => nobody(standing, (door, other), facts),
        (Err(ConnectError::WrongOwner { uid, own, .. }), _) => wrong(
            format!("The server behind it belongs to uid {uid}, and you are uid {own}. It was told nothing."),
            format!("ls -ln {path}"),
        ),
        (Err(ConnectError::NotAllowed { .. }), Standing::Stands(found)) if found.owner == facts.own_uid => {
            wrong(format!("You may not connect (mode {:o}).", found.mode & 0o777), format!("chmod 600 {path}"))
        }
        // Where its folder is closed, the folder has told it.
        (Err(ConnectError::NotAllowed { .. }), _) if folder(door, facts.own_uid).is_some() => None,
        (Err(ConnectError::NotAllowed { .. }), _) => wrong("You may not connect.".to_owned(), format!("ls -ln {path}")),
        (Err(ConnectError::TimedOut { after, .. }), _) => wrong(
            format!("It took no connection within {} s: the daemon hangs or was stopped.", after.as_secs()),
            "ps -C mcp-authd -o pid,stat,args".to_owned(),
        ),
        (Err(ConnectError::PathTooLong { limit, .. }), _) => wrong(
            format!("The path is too long for a socket (at most {limit} bytes)."),
            "export MCP_AUTHD_SOCKET=/run/user/$(id -u)/mcp-authd/tokens.sock".to_owned(),
        ),
        (Err(error), _) => wrong(sentence(&error.to_string()), format!("ls -ln {path}")),
    }
}

/// Nobody answers at this one.
fn nobody(standing: &Standing, (door, other): (&Door, &Door), facts: &Facts) -> Option<Finding> {
    match (standing, &other.knock) {
        (_, Ok(())) => {
            Some(Finding::wrong(Check::Sockets, "Nobody answers here, and somebody does at the socket beside it.", RESTART))
        }
        (Standing::Stands(_), Err(_)) => {
            let replaced = matches!(facts.daemon, Heard::Nothing);
            let fix = if replaced { "authctl daemon start".to_owned() } else { format!("rm {}", quoted(&door.path)) };
            let message = "A daemon that has ended has left it; nobody answers there.";
            Some(Finding::worth_knowing(Check::Sockets, message, fix))
        }
        (Standing::Missing | Standing::Hidden(_), Err(_)) => None,
    }
}
