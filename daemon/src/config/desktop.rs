//! What the person's desktop is told of logins: `[desktop]`.

use super::raw::{Entry, Findings, Reported, Section};

/// What stands below `[desktop]`.
pub(super) const KEYS: &[&str] = &["notify", "open_browser"];

/// What the person's desktop is told of a login that a program has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Desktop {
    /// It shows a notification.
    pub notify: bool,
    /// It opens the page of the login without being asked.
    pub open_browser: bool,
}

impl Default for Desktop {
    fn default() -> Self {
        Self { notify: true, open_browser: false }
    }
}

/// The table, where there is one.
pub(super) fn check(entry: &Entry<'_>, findings: &mut Findings) -> Result<Desktop, Reported> {
    let Some(table) = entry.item.as_table_like() else {
        return Err(entry.wrong_type("a table", "[desktop]".to_owned(), findings));
    };
    let section = Section::new("[desktop]".to_owned(), entry.line, table);
    for unknown in section.unknown(KEYS, findings) {
        let problem = section.unknown_key(&unknown, KEYS, None);
        findings.report(unknown.line, problem);
    }
    let unsaid = Desktop::default();
    let notify = switch(&section, "notify", findings);
    let open_browser = switch(&section, "open_browser", findings);
    Ok(Desktop { notify: notify?.unwrap_or(unsaid.notify), open_browser: open_browser?.unwrap_or(unsaid.open_browser) })
}

/// `Ok(None)`: no such key.
fn switch(section: &Section<'_>, key: &'static str, findings: &mut Findings) -> Result<Option<bool>, Reported> {
    let Some(entry) = section.entry(key, findings) else { return Ok(None) };
    match entry.item.as_bool() {
        Some(value) => Ok(Some(value)),
        None => Err(entry.wrong_type("true or false", format!("{key} = true"), findings)),
    }
}
