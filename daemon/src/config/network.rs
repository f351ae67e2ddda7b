//! How the network is reached: further trusted certificates (D10) and a proxy (D64). Neither comes from the environment.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::error::Problem;
use super::raw::{Entry, Findings, Reported, Section};

/// What stands below `[network]`.
pub(super) const KEYS: &[&str] = &["ca_file", "proxy"];
/// All of a platform's certificates are smaller.
const LARGEST: u64 = 1024 * 1024;

/// How the network is reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// Certificates that are trusted beside those of the platform, as the configured file holds them (PEM).
    pub certificates: Option<String>,
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
    let certificates = certificates(&section, findings);
    let proxy = proxy(&section, findings);
    Ok(Network { certificates: certificates?, proxy: proxy? })
}

fn certificates(section: &Section<'_>, findings: &mut Findings) -> Result<Option<String>, Reported> {
    let Some(text) = section.text("ca_file", findings)? else { return Ok(None) };
    let path = Path::new(text.value);
    if !path.is_absolute() {
        return Err(findings.report(text.line, Problem::CaFileNotAbsolute));
    }
    match read(path) {
        Ok(pem) if pem.contains("-----BEGIN CERTIFICATE-----") => Ok(Some(pem)),
        Ok(_) => Err(findings.report(text.line, Problem::CaFileNotPem)),
        Err(error) => Err(findings.report(text.line, Problem::CaFileUnreadable(error.to_string()))),
    }
}

/// A regular file of text, at most 1 MiB: a FIFO would never end.
fn read(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut pem = String::new();
    File::open(path)?.take(LARGEST).read_to_string(&mut pem)?;
    Ok(pem)
}

fn proxy(section: &Section<'_>, findings: &mut Findings) -> Result<Option<ProxyUrl>, Reported> {
    let Some(text) = section.text("proxy", findings)? else { return Ok(None) };
    let rest = text.value.strip_prefix("http://").or_else(|| text.value.strip_prefix("https://"));
    let fits = rest.is_some_and(|host| {
        !host.is_empty() && !host.contains('@') && host.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}?#".contains(c))
    });
    if fits { Ok(Some(ProxyUrl(text.value.to_owned()))) } else { Err(findings.report(text.line, Problem::BadProxy)) }
}
