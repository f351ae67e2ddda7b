//! The object of `authctl status --json`, as `status.schema.json` beside this file describes it: one form for all that there is to say.
//!
//! Must never: leave a key out, or have one that the schema does not tell.

use std::path::Path;

use mcp_authd_client::status::{DaemonStatus, Key, StartedBy};
use serde_json::{Value, json};

use super::{account, merge, moment};
use crate::status::here::{Here, Installed, manager};
use crate::status::verdict::{self, verdict};

/// What `authctl status --schema` prints.
pub(crate) const SCHEMA: &str = include_str!("status.schema.json");

/// Rises when a key goes or changes its meaning. Keys that are added do not raise it.
const VERSION: u32 = 1;

/// A daemon, and the socket for the person at which it answered.
pub(crate) fn running(daemon: &DaemonStatus, here: &Here, socket: Option<&Path>) -> Value {
    let mut object = silent(verdict::word(verdict(daemon)), Some(here));
    let known = json!({
        "running": true,
        "version": daemon.version,
        "pid": daemon.pid,
        "started_at": moment(daemon.started_at),
        "started_by": started_by(daemon.started_by),
        "socket": { "path": socket.map(|socket| socket.display().to_string()), "named": here.named_socket.is_some() },
        "key": { "source": daemon.key_source, "state": key(daemon.key) },
        "config_path": daemon.config_path,
        "accounts": daemon.accounts.iter().map(account).collect::<Vec<_>>(),
    });
    merge(&mut object, known);
    object
}

/// No daemon, and why.
pub(crate) fn not_running(message: &str, here: &Here) -> Value {
    let mut object = silent("not_running", Some(here));
    merge(&mut object, json!({ "message": message }));
    object
}

/// A static token from this variable, or from the file that it names: no daemon is asked. What is wrong with it, if something is.
pub(crate) fn static_token((variable, path): (&str, Option<&Path>), wrong: Option<String>) -> Value {
    let mut object = silent(if wrong.is_none() { "good" } else { "failed" }, None);
    let message = wrong.unwrap_or_else(|| "a static token is in use, and no daemon is asked".to_owned());
    let path = path.map(|path| path.display().to_string());
    merge(&mut object, json!({ "message": message, "static_token": { "variable": variable, "path": path } }));
    object
}

/// Where nobody has said anything yet.
fn silent(verdict: &str, here: Option<&Here>) -> Value {
    let service = here.and_then(|here| match &here.service {
        Installed::Yes(service) => {
            Some(json!({ "manager": manager(service.manager), "name": service.name, "file": service.file.display().to_string() }))
        }
        Installed::No | Installed::NotInAContainer => None,
    });
    json!({
        "schema": VERSION,
        "running": false,
        "verdict": verdict,
        "message": null,
        "authctl_version": env!("CARGO_PKG_VERSION"),
        "version": null,
        "pid": null,
        "started_at": null,
        "started_by": null,
        "service": service,
        "socket": null,
        "key": null,
        "config_path": null,
        "static_token": null,
        "accounts": null,
    })
}

fn key(key: Key) -> &'static str {
    match key {
        Key::Open => "open",
        Key::Locked => "locked",
        Key::Wrong => "wrong",
        Key::Loading => "loading",
        _ => "unknown",
    }
}

fn started_by(started_by: StartedBy) -> &'static str {
    match started_by {
        StartedBy::Person => "person",
        StartedBy::Program => "program",
        StartedBy::Manager => "manager",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests;
