//! From facts to findings.
//!
//! Must never: look at anything itself, or find something wrong without what mends it.

mod accounts;
mod daemon;
mod files;
mod owner;
mod service;
mod sockets;
#[cfg(test)]
mod tests;

use std::path::Path;

use mcp_authd_client::shell::word;

use super::facts::Facts;
use super::finding::Finding;

/// Everything that is found, in the order of the checks.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    [
        sockets::judge(facts),
        files::judge(facts),
        owner::judge(facts),
        service::judge(facts),
        daemon::judge(facts),
        files::config(facts),
        accounts::judge(facts),
    ]
    .concat()
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    word(&path.to_string_lossy())
}

/// Somebody else's words, as one sentence. A name of ours keeps its small letter.
fn sentence(text: &str) -> String {
    let mut characters = text.trim().chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    if text.starts_with("mcp-authd") { sentence_end(text) } else { first + &sentence_end(characters.as_str()) }
}

/// The end of one.
fn sentence_end(text: &str) -> String {
    let text = text.trim_end().trim_end_matches('.');
    if text.ends_with(['?', '!']) { text.to_owned() } else { format!("{text}.") }
}
