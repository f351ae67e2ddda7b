//! What the service manager says of the units, as `systemctl show` prints it.
//!
//! Must never: read what systemctl prints for persons; that changes from one version to the next.

use super::program::{self, NotRun};
use super::step::Call;
use super::unit::{ADMIN, SERVICE, TOKENS};

/// What is asked about each unit.
const PROPERTIES: &str = "--property=Id,LoadState,UnitFileState,FragmentPath,DropInPaths,NeedDaemonReload,ActiveState,SubState,Result,\
                          ExecMainCode,ExecMainStatus,MainPID,NRestarts,ActiveEnterTimestamp,StatusText";

/// How a daemon begins that tells its manager why it cannot serve (the daemon's `host/notify.rs`).
const CANNOT_SERVE: &str = "cannot serve: ";

/// The three units, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UnitsNow {
    /// The socket for programs.
    pub(crate) tokens: UnitNow,
    /// The socket for the person.
    pub(crate) admin: UnitNow,
    /// The daemon.
    pub(crate) service: UnitNow,
}

/// One unit. What the manager does not tell is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UnitNow {
    /// Whether the manager knows it.
    pub(crate) load: Load,
    /// `enabled`, `disabled`, `indirect`...
    pub(crate) enabled: String,
    /// The file that counts.
    pub(crate) file: String,
    /// What has been put beside it.
    pub(crate) drop_ins: Vec<String>,
    /// Whether its file has changed since the manager has read it.
    pub(crate) is_outdated: bool,
    /// Whether it runs.
    pub(crate) active: Runs,
    /// The same, more exactly, in the manager's word.
    pub(crate) sub: String,
    /// How it ended: `success`, `exit-code`, `signal`...
    pub(crate) result: String,
    /// The exit code of its last process, where it had one.
    pub(crate) exit_code: Option<i32>,
    /// Its process.
    pub(crate) pid: Option<i32>,
    /// How often the manager has started it again by itself.
    pub(crate) restarts: u32,
    /// Since when it runs, in the manager's words.
    pub(crate) since: String,
    /// What it has told the manager last.
    pub(crate) told: String,
}

/// Whether the manager knows a unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Load {
    /// There is no such file.
    #[default]
    NotFound,
    /// It is known.
    Loaded,
    /// It is linked to /dev/null: nothing starts it.
    Masked,
    /// Its file does not hold.
    Broken,
}

/// Whether a unit runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Runs {
    /// It does not.
    #[default]
    Not,
    /// It is about to, or is started again after a while.
    Begins,
    /// It does.
    Does,
    /// It is about to end.
    Ends,
    /// It has ended by a failure, and is not started again by itself.
    Failed,
}

impl UnitNow {
    /// Whether something of it runs, or is about to.
    pub(crate) fn is_up(&self) -> bool {
        !matches!(self.active, Runs::Not | Runs::Failed)
    }

    /// Why it does not serve, where it fails: its own last words before the manager's.
    pub(crate) fn failure(&self) -> Option<String> {
        let is_tried_again = self.active == Runs::Begins && self.sub == "auto-restart" && self.result != "success";
        let words = self.told.strip_prefix(CANNOT_SERVE).map(|words| words.trim().trim_end_matches('.'));
        let how = match self.exit_code {
            Some(code) if code != 0 => format!("exit code {code}"),
            _ => self.result.clone(),
        };
        match (words, self.active) {
            (Some(words), Runs::Failed | Runs::Begins | Runs::Not) if how == "success" => Some(words.to_owned()),
            (Some(words), Runs::Failed | Runs::Begins | Runs::Not) => Some(format!("{words} ({how})")),
            (None, Runs::Failed) => Some(format!("it has ended ({how})")),
            (None, _) if is_tried_again => Some(format!("it has ended ({how})")),
            _ => None,
        }
    }
}

impl UnitsNow {
    /// All three with their names, the sockets first.
    pub(crate) fn each(&self) -> [(&'static str, &UnitNow); 3] {
        [(TOKENS, &self.tokens), (ADMIN, &self.admin), (SERVICE, &self.service)]
    }

    /// Whether anything of them runs, or is about to.
    pub(crate) fn are_up(&self) -> bool {
        self.each().iter().any(|(_, unit)| unit.is_up())
    }

    /// Whether a unit is known or runs.
    pub(crate) fn are_there(&self) -> bool {
        self.are_up() || self.each().iter().any(|(_, unit)| unit.load != Load::NotFound)
    }

    /// Whether anybody has asked for the service: a unit is enabled, runs, has failed or is masked. A package enables none.
    pub(crate) fn are_wanted(&self) -> bool {
        let is_enabled = |unit: &UnitNow| unit.load != Load::NotFound && unit.enabled == "enabled";
        self.each().iter().any(|(_, unit)| {
            unit.is_up() || unit.active == Runs::Failed || matches!(unit.load, Load::Masked | Load::Broken) || is_enabled(unit)
        })
    }

    /// Asks the manager.
    pub(crate) async fn ask() -> Result<Self, NotRun> {
        program::run(&question()).await.map(|answer| Self::of(&answer))
    }

    /// A block of lines `NAME=VALUE` for each unit, with an empty line between two.
    fn of(answer: &str) -> Self {
        let mut units = Self::default();
        for block in answer.split("\n\n") {
            let unit = UnitNow::of(block);
            match value(block, "Id") {
                TOKENS => units.tokens = unit,
                ADMIN => units.admin = unit,
                SERVICE => units.service = unit,
                _ => {}
            }
        }
        units
    }
}

impl UnitNow {
    fn of(block: &str) -> Self {
        let text = |name| value(block, name).to_owned();
        // CLD_EXITED: what ended by a signal has no code.
        let exited = value(block, "ExecMainCode") == "1";
        Self {
            load: match value(block, "LoadState") {
                "loaded" => Load::Loaded,
                "masked" => Load::Masked,
                "not-found" | "" => Load::NotFound,
                _ => Load::Broken,
            },
            enabled: text("UnitFileState"),
            file: text("FragmentPath"),
            drop_ins: value(block, "DropInPaths").split_whitespace().map(str::to_owned).collect(),
            is_outdated: value(block, "NeedDaemonReload") == "yes",
            active: match value(block, "ActiveState") {
                "active" | "reloading" => Runs::Does,
                "activating" => Runs::Begins,
                "deactivating" => Runs::Ends,
                "failed" => Runs::Failed,
                _ => Runs::Not,
            },
            sub: text("SubState"),
            result: text("Result"),
            exit_code: value(block, "ExecMainStatus").parse().ok().filter(|_| exited),
            pid: value(block, "MainPID").parse().ok().filter(|pid| *pid > 0),
            restarts: value(block, "NRestarts").parse().unwrap_or(0),
            since: text("ActiveEnterTimestamp"),
            told: text("StatusText"),
        }
    }
}

/// The question, as a person could type it.
fn question() -> Call {
    Call::new("systemctl", ["--user", "show", PROPERTIES, TOKENS, ADMIN, SERVICE])
}

fn value<'a>(block: &'a str, name: &str) -> &'a str {
    block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_manager_prints_is_read_by_its_names_in_any_order() {
        let answer = "Id=mcp-authd.service\nLoadState=loaded\nUnitFileState=indirect\nFragmentPath=/u/mcp-authd.service\n\
                      DropInPaths=/u/a.conf /u/b.conf\nNeedDaemonReload=yes\nActiveState=failed\nSubState=failed\nResult=exit-code\n\
                      ExecMainCode=1\nExecMainStatus=78\nMainPID=0\nNRestarts=3\nActiveEnterTimestamp=\nStatusText=a=b\n\n\
                      ActiveState=active\nId=mcp-authd-tokens.socket\nLoadState=masked\nMainPID=12\nExecMainCode=2\nExecMainStatus=9\n";
        let now = UnitsNow::of(answer);
        let service = UnitNow {
            load: Load::Loaded,
            enabled: "indirect".into(),
            file: "/u/mcp-authd.service".into(),
            drop_ins: vec!["/u/a.conf".into(), "/u/b.conf".into()],
            is_outdated: true,
            active: Runs::Failed,
            sub: "failed".into(),
            result: "exit-code".into(),
            exit_code: Some(78),
            pid: None,
            restarts: 3,
            since: String::new(),
            told: "a=b".into(),
        };
        assert_eq!(now.service, service);
        assert_eq!((now.tokens.load, now.tokens.active, now.tokens.exit_code), (Load::Masked, Runs::Does, None));
        assert_eq!(now.admin, UnitNow::default());
        assert!(now.are_up() && now.are_there() && !UnitsNow::of("").are_there());
    }
}
