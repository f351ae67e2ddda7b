//! How the network is reached: further trusted certificates (D10) and a proxy (D64). Neither comes from the environment.

use std::path::PathBuf;

use super::error::Problem;
use super::raw::{Entry, Findings, Reported, Section};

/// What stands below `[network]`.
const KEYS: &[&str] = &["ca_file", "proxy"];

/// How the network is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// A PEM file with certificates that are trusted beside those of the platform.
    pub ca_file: Option<PathBuf>,
    /// What every request but one to loopback goes through.
    pub proxy: Option<ProxyUrl>,
}

/// The URL of an HTTP proxy, without a user name or a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyUrl(String);

impl ProxyUrl {
    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The table, where there is one.
pub(super) fn check(entry: &Entry<'_>, findings: &mut Findings) -> Result<Network, Reported> {
    let Some(table) = entry.item.as_table_like() else {
        return Err(entry.wrong_type("a table", "[network]".to_owned(), findings));
    };
    let section = Section::new("[network]".to_owned(), entry.line, table);
    for unknown in section.unknown(KEYS, findings) {
        let problem = section.unknown_key(&unknown, KEYS, None);
        findings.report(unknown.line, problem);
    }
    let ca_file = ca_file(&section, findings);
    let proxy = proxy(&section, findings);
    Ok(Network { ca_file: ca_file?, proxy: proxy? })
}

fn ca_file(section: &Section<'_>, findings: &mut Findings) -> Result<Option<PathBuf>, Reported> {
    let Some(text) = section.text("ca_file", findings)? else { return Ok(None) };
    let path = PathBuf::from(text.value);
    if path.is_absolute() { Ok(Some(path)) } else { Err(findings.report(text.line, Problem::CaFileNotAbsolute)) }
}

fn proxy(section: &Section<'_>, findings: &mut Findings) -> Result<Option<ProxyUrl>, Reported> {
    let Some(text) = section.text("proxy", findings)? else { return Ok(None) };
    let rest = text.value.strip_prefix("http://").or_else(|| text.value.strip_prefix("https://"));
    let fits = rest.is_some_and(|host| {
        !host.is_empty() && !host.contains('@') && host.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}?#".contains(c))
    });
    if fits { Ok(Some(ProxyUrl(text.value.to_owned()))) } else { Err(findings.report(text.line, Problem::BadProxy)) }
}
