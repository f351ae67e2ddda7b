//! The decision: from what is so to what is done. Pure.
//!
//! Must never: look at anything by itself.

use std::fmt;
use std::path::PathBuf;

use super::refusal::NotStarted;

/// What is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) place: SocketPlace,
    pub(crate) wish: Wish,
    pub(crate) state: State,
    pub(crate) surroundings: Surroundings,
    pub(crate) service: Option<Service>,
    pub(crate) program: Program,
}

/// Where the socket stands that nothing answers at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketPlace {
    /// Where a daemon binds by itself.
    Usual,
    /// Where `MCP_AUTHD_SOCKET` says.
    Named,
}

/// `MCP_AUTHD_START`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Not set.
    ByTheRules,
    Never,
    /// In a container too.
    Always,
    Unknown(String),
}

/// The folder of the daemon's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// It may be used.
    At(PathBuf),
    StoppedByHand(PathBuf),
    NoHome,
    Unreadable {
        folder: PathBuf,
        why: String,
    },
}

/// Whether this is the person's own machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Surroundings {
    OwnMachine,
    Confined(Confinement),
}

/// By what a container is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Confinement {
    /// A file that container programs put there.
    File(PathBuf),
    /// The variable `container`, which container programs set.
    Variable(String),
    /// The PID namespace is not the machine's first one.
    PidNamespace,
    /// The kernel does not tell the PID namespace.
    Unknown,
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{} is there", path.display()),
            Self::Variable(value) => write!(f, "the variable container is {value:?}"),
            Self::PidNamespace => f.write_str("it has a PID namespace of its own"),
            Self::Unknown => f.write_str("/proc/self/ns/pid does not tell otherwise"),
        }
    }
}

/// The daemon as a service of the user's service manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Who manages it.
    pub manager: Manager,
    /// Its name there.
    pub name: String,
    /// The file that describes it.
    pub file: PathBuf,
}

/// A service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Manager {
    /// `systemctl --user`.
    Systemd,
    /// `launchctl`.
    Launchd,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Service {
    /// The manager's program and its arguments that start the service.
    #[must_use]
    pub fn command(&self) -> (&'static str, Vec<String>) {
        match self.manager {
            Manager::Systemd => ("systemctl", vec!["--user".to_owned(), "start".to_owned(), self.name.clone()]),
            Manager::Launchd => {
                let target = format!("gui/{}/{}", nix::unistd::geteuid(), self.name);
                ("launchctl", vec!["kickstart".to_owned(), target])
            }
        }
    }

    /// What a person types to see how it is.
    #[must_use]
    pub fn look(&self) -> String {
        match self.manager {
            Manager::Systemd => format!("systemctl --user status {}", self.name),
            Manager::Launchd => format!("launchctl print gui/$(id -u)/{}", self.name),
        }
    }
}

/// The program that would be spawned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Program {
    Found(PathBuf),
    /// `MCP_AUTHD_BIN` leads to none.
    Bad(PathBuf),
    Missing,
}

/// What is done where nothing answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Plan {
    /// Nothing.
    Never(NotStarted),
    /// The service manager is asked, and nothing else.
    AskManager(Service),
    /// This program is spawned.
    Spawn(PathBuf),
}

/// The rules, in their order (DESIGN, section 5).
pub(crate) fn decide(facts: Facts) -> Plan {
    if facts.place == SocketPlace::Named {
        return Plan::Never(NotStarted::SocketNamed);
    }
    match facts.wish {
        Wish::Never => return Plan::Never(NotStarted::Forbidden),
        Wish::Unknown(wish) => return Plan::Never(NotStarted::UnknownWish(wish)),
        Wish::ByTheRules | Wish::Always => {}
    }
    match facts.state {
        State::StoppedByHand(mark) => return Plan::Never(NotStarted::StoppedByHand { mark }),
        State::NoHome => return Plan::Never(NotStarted::NoHome),
        State::Unreadable { folder, why } => return Plan::Never(NotStarted::StateFolder { folder, why }),
        State::At(_) => {}
    }
    if let (Surroundings::Confined(by), Wish::ByTheRules) = (facts.surroundings, facts.wish) {
        return Plan::Never(NotStarted::Confined(by));
    }
    match (facts.service, facts.program) {
        (Some(service), _) => Plan::AskManager(service),
        (None, Program::Found(program)) => Plan::Spawn(program),
        (None, Program::Bad(program)) => Plan::Never(NotStarted::BadProgram(program)),
        (None, Program::Missing) => Plan::Never(NotStarted::NoProgram),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The person's own machine with the program installed: all that every rule but the last lets pass.
    fn facts() -> Facts {
        Facts {
            place: SocketPlace::Usual,
            wish: Wish::ByTheRules,
            state: State::At("/s".into()),
            surroundings: Surroundings::OwnMachine,
            service: None,
            program: Program::Found("/bin/mcp-authd".into()),
        }
    }

    fn service() -> Service {
        Service { manager: Manager::Systemd, name: "mcp-authd.service".into(), file: "/u/mcp-authd.service".into() }
    }

    #[test]
    fn each_rule_goes_before_those_below_it() {
        use NotStarted as No;
        let never = Plan::Never;
        let confined = || Surroundings::Confined(Confinement::PidNamespace);
        let (mark, folder) = (|| PathBuf::from("/s/stopped"), || PathBuf::from("/s"));
        let unreadable = || State::Unreadable { folder: folder(), why: "no".into() };
        // Built from the last rule up: each row adds a fact that a higher rule judges, and keeps those of the rows before it.
        let missing = Facts { program: Program::Missing, ..facts() };
        let bad = Facts { program: Program::Bad("x".into()), ..facts() };
        let managed = Facts { service: Some(service()), ..missing.clone() };
        let contained = Facts { surroundings: confined(), ..managed.clone() };
        let unusable = Facts { state: unreadable(), ..contained.clone() };
        let homeless = Facts { state: State::NoHome, ..contained.clone() };
        let stopped = Facts { state: State::StoppedByHand(mark()), ..contained.clone() };
        let unknown = Facts { wish: Wish::Unknown("no".into()), ..stopped.clone() };
        let forbidden = Facts { wish: Wish::Never, ..stopped.clone() };
        let named = Facts { place: SocketPlace::Named, ..forbidden.clone() };
        let always = |facts: &Facts| Facts { wish: Wish::Always, ..facts.clone() };
        let table = [
            (facts(), Plan::Spawn("/bin/mcp-authd".into())),
            (missing.clone(), never(No::NoProgram)),
            (bad, never(No::BadProgram("x".into()))),
            (managed.clone(), Plan::AskManager(service())),
            (contained.clone(), never(No::Confined(Confinement::PidNamespace))),
            (unusable.clone(), never(No::StateFolder { folder: folder(), why: "no".into() })),
            (homeless.clone(), never(No::NoHome)),
            (stopped.clone(), never(No::StoppedByHand { mark: mark() })),
            (unknown, never(No::UnknownWish("no".into()))),
            (forbidden, never(No::Forbidden)),
            (named.clone(), never(No::SocketNamed)),
            // `always` overrides the container, and nothing else.
            (always(&contained), Plan::AskManager(service())),
            (always(&Facts { surroundings: confined(), ..facts() }), Plan::Spawn("/bin/mcp-authd".into())),
            (always(&missing), never(No::NoProgram)),
            (always(&unusable), never(No::StateFolder { folder: folder(), why: "no".into() })),
            (always(&homeless), never(No::NoHome)),
            (always(&stopped), never(No::StoppedByHand { mark: mark() })),
            (always(&named), never(No::SocketNamed)),
        ];
        for (facts, plan) in table {
            assert_eq!(decide(facts.clone()), plan, "{facts:?}");
        }
    }

    #[test]
    fn every_refusal_ends_in_what_to_type() {
        let path = || PathBuf::from("/p");
        let refusals = [
            NotStarted::SocketNamed,
            NotStarted::Forbidden,
            NotStarted::UnknownWish("no".into()),
            NotStarted::StoppedByHand { mark: path() },
            NotStarted::Confined(Confinement::File(path())),
            NotStarted::NoHome,
            NotStarted::StateFolder { folder: path(), why: "no".into() },
            NotStarted::NoProgram,
            NotStarted::BadProgram(path()),
            NotStarted::NotRun { program: path(), why: "no".into() },
            NotStarted::ManagerFailed { service: service(), said: "no".into() },
            NotStarted::Ended { program: path(), end: "exit code 1".into(), said: None },
            NotStarted::ServesElsewhere { pid: 1, socket: path() },
            NotStarted::TooSlow { after: std::time::Duration::from_secs(1) },
            NotStarted::NoThread("no".into()),
        ];
        let commands = ["authctl daemon ", "export ", "unset ", "ls -l", "systemctl --user status ", "ulimit -a"];
        for refusal in refusals {
            let said = refusal.to_string();
            let last = said.rsplit("; ").next().unwrap_or_default().to_owned();
            assert!(commands.iter().any(|command| last.contains(command)), "{said}");
        }
    }
}
