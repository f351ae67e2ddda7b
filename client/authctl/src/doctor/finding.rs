//! One finding: what is so, how bad that is, and what mends it.
//!
//! Must never: be wrong without a fix.

use crate::exit::Exit;

/// How bad it is, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// As it should be.
    Well,
    /// Nothing is wrong by it.
    WorthKnowing,
    /// It has to be mended.
    Wrong,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Sockets,
    Folders,
    Lock,
    Daemon,
    Start,
    Service,
    Config,
    Key,
    Clock,
    Limits,
    Account,
    Server,
}

impl Check {
    /// Its name, on the page and in the JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sockets => "sockets",
            Self::Folders => "folders",
            Self::Lock => "lock",
            Self::Daemon => "daemon",
            Self::Start => "start",
            Self::Service => "service",
            Self::Config => "config",
            Self::Key => "key",
            Self::Clock => "clock",
            Self::Limits => "limits",
            Self::Account => "account",
            Self::Server => "server",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: Check,
    /// The path, the account or the server that it is about.
    pub(super) about: Option<String>,
    /// How bad it is.
    pub(super) level: Level,
    /// One sentence.
    pub(super) message: String,
    /// What to type.
    pub(super) fix: Option<String>,
    /// What it alone would end the command with.
    pub(super) exit: Exit,
}

impl Finding {
    /// As it should be.
    pub(super) fn well(check: Check, message: impl Into<String>) -> Self {
        Self { check, about: None, level: Level::Well, message: message.into(), fix: None, exit: Exit::Done }
    }

    /// Nothing is wrong by it.
    pub(super) fn worth_knowing(check: Check, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::WorthKnowing, fix: Some(fix.into()), ..Self::well(check, message) }
    }

    /// It has to be mended.
    pub(super) fn wrong(check: Check, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { level: Level::Wrong, exit: Exit::Failed, ..Self::worth_knowing(check, message, fix) }
    }

    /// About this one.
    pub(super) fn about(self, about: impl Into<String>) -> Self {
        Self { about: Some(about.into()), ..self }
    }

    /// With an exit code of its own.
    pub(super) fn ending(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }
}

/// How the command ends: as its help says.
pub(super) fn exit(findings: &[Finding]) -> Exit {
    let order = [Exit::NotRunning, Exit::Locked, Exit::Failed, Exit::LoginRequired, Exit::Degraded];
    order.into_iter().find(|exit| findings.iter().any(|finding| finding.exit == *exit)).unwrap_or(Exit::Done)
}

/// The worst of them.
pub(super) fn worst(findings: &[Finding]) -> Level {
    findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Well)
}
