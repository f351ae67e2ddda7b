//! The folders of the records and of the key, and config.toml: whose, open to whom, and what the daemon says to it.

use mcp_authd_client::admin::{ConfigProblem, ConfigState};
use mcp_authd_client::standing::{Kind, Standing, Stands};
use mcp_authd_client::start::At;

use super::super::facts::Facts;
use super::super::finding::{Check, Finding};
use super::sockets::private_folder;
use super::{quoted, sentence};

const OPEN_TO_OTHERS: u32 = 0o077;
const WRITABLE_BY_OTHERS: u32 = 0o022;

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let Some(kept) = &facts.kept else {
        let message = "No home folder is known, so there is no place for logins.";
        return vec![Finding::wrong(Check::Folders, message, "export HOME=/your/home")];
    };
    let folders = [("records", &kept.state), ("key", &kept.data)];
    let mut found: Vec<Finding> = folders.iter().filter_map(|(what, at)| folder(what, at, facts.own_uid)).collect();
    found.extend(key(&kept.key, facts.own_uid));
    if found.is_empty() {
        let stand = folders.iter().all(|(_, at)| at.standing != Standing::Missing);
        let message = if stand {
            "The folders of the records and of the key are yours alone."
        } else {
            "The folders of the records and of the key are made at the first start."
        };
        found.push(Finding::well(Check::Folders, message));
    }
    found
}

fn folder(what: &str, At { path, standing }: &At, own: u32) -> Option<Finding> {
    let (problem, fix) = match standing {
        Standing::Missing => return None,
        Standing::Hidden(why) => (format!("cannot be looked at: {why}"), format!("ls -ld {}", quoted(path))),
        Standing::Stands(found) => private_folder(*found, path, own).err()?,
    };
    Some(Finding::wrong(Check::Folders, format!("The folder of the {what} {problem}."), fix).about(path.to_string_lossy()))
}

fn key(At { path, standing }: &At, own: u32) -> Option<Finding> {
    // Where it cannot be looked at, its folder has told it.
    let Standing::Stands(Stands { kind, owner, mode }) = standing else { return None };
    let (file, mode) = (quoted(path), mode & 0o777);
    let (problem, fix) = match (kind, mode) {
        (kind, _) if *kind != Kind::File => ("is no regular file".to_owned(), format!("ls -ld {file}")),
        _ if *owner != own => (format!("belongs to uid {owner}, and you are uid {own}"), format!("sudo chown {own} {file}")),
        (_, mode) if mode & OPEN_TO_OTHERS != 0 => {
            (format!("is open to other users (mode {mode:o}): mcp-authd does not use it"), format!("chmod 600 {file}"))
        }
        (_, mode) if mode & 0o400 == 0 => (format!("is closed to you (mode {mode:o})"), format!("chmod 600 {file}")),
        _ => return None,
    };
    Some(Finding::wrong(Check::Folders, format!("The key {problem}."), fix).about(path.to_string_lossy()))
}

/// `config.toml`: the daemon's word goes before what can be seen from outside.
pub(super) fn config(facts: &Facts) -> Vec<Finding> {
    let Some(at) = facts.kept.as_ref().map(|kept| &kept.config) else { return vec![] };
    let examined = facts.daemon.examined();
    let serves = examined.is_some_and(|examined| !examined.status.accounts.is_empty());
    let told = examined.and_then(|examined| examined.more.as_ref()).map(|more| &more.config);
    let found = match (told, from_outside(at, facts.own_uid)) {
        (Some(ConfigState::Broken(problems)), outside) => {
            let fix = outside.and_then(|outside| outside.fix);
            let mut found: Vec<Finding> = problems.iter().map(|problem| broken(problem, at, fix.as_deref())).collect();
            if let Some(first) = found.first_mut() {
                first.message.push_str(" The daemon goes on with what it has read before.");
            }
            found
        }
        (_, Some(outside)) => vec![outside],
        (told, None) => vec![held(told, at, serves)],
    };
    found.into_iter().map(|finding| finding.about(at.path.to_string_lossy())).collect()
}

fn held(told: Option<&ConfigState>, at: &At, serves: bool) -> Finding {
    let gone = at.standing == Standing::Missing;
    match told {
        Some(ConfigState::Missing) if serves => Finding::wrong(
            Check::Config,
            "The file is gone. The daemon serves what stood in it until it ends; after that there are no accounts. Put it back.",
            format!("ls -l {}", quoted(&at.path)),
        ),
        Some(ConfigState::Changed) => {
            Finding::worth_knowing(Check::Config, "The file was changed since the daemon has read it.", "authctl reload")
        }
        Some(ConfigState::Served) => Finding::well(Check::Config, "It holds, and is what the daemon serves."),
        _ if gone => {
            Finding::worth_knowing(Check::Config, "There is no such file, so there are no accounts.", "authctl account add URL")
        }
        _ => Finding::well(Check::Config, "It can be read; the daemon checks what it says when it starts."),
    }
}

fn broken(problem: &ConfigProblem, at: &At, outside: Option<&str>) -> Finding {
    let edit = || format!("${{EDITOR:-vi}} {} && authctl reload", quoted(&at.path));
    let (place, fix) = match (problem.line, outside) {
        (Some(line), _) => (format!("Line {line}: "), edit()),
        (None, Some(fix)) => (String::new(), fix.to_owned()),
        (None, None) => (String::new(), edit()),
    };
    Finding::wrong(Check::Config, place + &sentence(&problem.message), fix)
}

fn from_outside(At { path, standing }: &At, own: u32) -> Option<Finding> {
    let file = quoted(path);
    let (problem, fix) = match standing {
        Standing::Missing => return None,
        Standing::Hidden(why) => (format!("It cannot be looked at: {why}."), format!("ls -l {file}")),
        Standing::Stands(found) if found.kind != Kind::File => ("It is no regular file.".to_owned(), format!("ls -ld {file}")),
        Standing::Stands(Stands { mode, .. }) if mode & WRITABLE_BY_OTHERS != 0 => (
            format!("Other users may write it (mode {:o}), and could send your logins elsewhere.", mode & 0o777),
            format!("chmod go-w {file}"),
        ),
        Standing::Stands(Stands { mode, owner, .. }) if *owner == own && mode & 0o400 == 0 => {
            (format!("It is closed to you (mode {:o}).", mode & 0o777), format!("chmod u+r {file}"))
        }
        Standing::Stands(_) => return None,
    };
    Some(Finding::wrong(Check::Config, problem, fix))
}
