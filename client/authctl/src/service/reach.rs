//! Whether the person's service manager can be reached from here; where not, why, and what to type.
//!
//! Must never: change anything, or guess where the manager can be asked.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::program::{self, NotRun};
use super::quoted;
use super::step::Call;
use crate::exit::{Exit, Failure};

/// What is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seat {
    /// Whose service it would be.
    pub(crate) uid: u32,
    /// Whose command this is, where root runs it for somebody (`sudo`, `doas`).
    pub(crate) root_for: Option<String>,
    /// `systemctl` is in PATH.
    pub(crate) has_systemctl: bool,
    /// systemd has started this machine, or a manager of it can be reached from here: what programs go by, too.
    pub(crate) has_manager: bool,
    /// `XDG_RUNTIME_DIR`, and whose folder it is (nobody's where it does not stand).
    pub(crate) runtime: Option<(PathBuf, Option<u32>)>,
    /// The folder that `XDG_RUNTIME_DIR` would usually name stands: somebody is logged in, or lingers.
    pub(crate) has_usual_runtime: bool,
}

/// Why the manager cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreachable {
    /// There is none on this machine.
    NoSystemd,
    /// It would be root's service in the place of this person's.
    RootFor(String),
    /// `XDG_RUNTIME_DIR` is not set; the manager runs.
    NoRuntime,
    /// It is not set, and no manager runs for this user.
    NoManager,
    /// It names a folder of another user.
    RuntimeOfAnother {
        /// The folder.
        folder: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// It was asked.
    NoAnswer(NotRun),
    /// It answers, and does not tell this folder.
    Unnamed(&'static str),
}

/// The question that shows whether the manager answers; the answer tells where it looks, and what it gives to a service.
fn question() -> Call {
    Call::new("systemctl", ["--user", "show-environment"])
}

impl Seat {
    /// Looks.
    pub(crate) fn look() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        let uid = nix::unistd::geteuid().as_raw();
        let of = |path: &Path| std::fs::metadata(path).ok().map(|found| found.uid());
        let person = ["SUDO_USER", "DOAS_USER"].into_iter().find_map(variable).map(|name| name.to_string_lossy().into_owned());
        Self {
            uid,
            root_for: person.filter(|name| uid == 0 && name != "root"),
            has_systemctl: program::file_of("systemctl").is_some(),
            has_manager: mcp_authd_client::start::has_manager(),
            runtime: variable("XDG_RUNTIME_DIR").map(PathBuf::from).map(|path| (path.clone(), of(&path))),
            has_usual_runtime: Path::new(&format!("/run/user/{uid}")).is_dir(),
        }
    }

    /// What can be told without asking.
    fn judged(&self) -> Result<(), Unreachable> {
        if let Some(person) = &self.root_for {
            return Err(Unreachable::RootFor(person.clone()));
        }
        if !self.has_systemctl || !self.has_manager {
            return Err(Unreachable::NoSystemd);
        }
        match &self.runtime {
            None if self.has_usual_runtime => Err(Unreachable::NoRuntime),
            None => Err(Unreachable::NoManager),
            Some((folder, Some(owner))) if *owner != self.uid => {
                Err(Unreachable::RuntimeOfAnother { folder: folder.clone(), owner: *owner })
            }
            Some(_) => Ok(()),
        }
    }
}

/// The variables that the manager gives to a service, if it answers.
pub(crate) async fn environment(seat: &Seat) -> Result<Vec<(String, OsString)>, Unreachable> {
    seat.judged()?;
    let answer = program::run(&question()).await.map_err(Unreachable::NoAnswer)?;
    Ok(variables(&answer))
}

/// One that is not written as systemd writes it goes with its words: so it is no folder, and nothing else is taken in its place.
fn variables(answer: &str) -> Vec<(String, OsString)> {
    let pairs = answer.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), quoted::read(value).unwrap_or_else(|| value.into()))).collect()
}

impl Unreachable {
    /// For the person to whom this happened ("nothing was installed") by a command that may be typed `again`.
    pub(crate) fn failure(&self, (what, again): (&str, &str)) -> Failure {
        let linger = "loginctl enable-linger && export XDG_RUNTIME_DIR=/run/user/$(id -u)";
        let (why, next) = match self {
            Self::NoSystemd => (
                "there is no systemd here (or this is a container without one), and mcp-authd needs none: the first program that asks \
                 starts it"
                    .to_owned(),
                "authctl daemon start".to_owned(),
            ),
            Self::RootFor(person) => {
                (format!("this is root, for {person}, and it is {person}'s service: run it without sudo"), again.to_owned())
            }
            Self::NoRuntime => (
                "XDG_RUNTIME_DIR is not set, so the service manager of this user cannot be found".to_owned(),
                "export XDG_RUNTIME_DIR=/run/user/$(id -u)".to_owned(),
            ),
            Self::NoManager => (
                "this is no login session, and no service manager runs for this user (XDG_RUNTIME_DIR is not set, and /run/user has \
                 no folder of this user); with lingering one runs from the boot on"
                    .to_owned(),
                linger.to_owned(),
            ),
            Self::RuntimeOfAnother { folder, owner } => (
                format!("XDG_RUNTIME_DIR is {}, which belongs to uid {owner}: this terminal was somebody else's", folder.display()),
                "export XDG_RUNTIME_DIR=/run/user/$(id -u)".to_owned(),
            ),
            Self::Unnamed(name) => (
                format!("the service manager of this user has no {name} that names a whole path, so where its units stand is not known"),
                "systemctl --user show-environment".to_owned(),
            ),
            Self::NoAnswer(not_run @ NotRun::Hangs) => {
                (not_run.sentence(&question()), "systemctl --user is-system-running".to_owned())
            }
            Self::NoAnswer(not_run) => {
                (format!("the service manager of this user does not answer: {}", not_run.sentence(&question())), linger.to_owned())
            }
        };
        Failure::new(Exit::Failed, format!("{why}; {what}"), next)
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::{install, status, uninstall};
    use super::*;

    /// A login session.
    fn seat() -> Seat {
        Seat {
            uid: 1000,
            root_for: None,
            has_systemctl: true,
            has_manager: true,
            runtime: Some(("/run/user/1000".into(), Some(1000))),
            has_usual_runtime: true,
        }
    }

    #[test]
    fn each_place_from_which_the_manager_cannot_be_asked_is_told_apart() {
        let cases = [
            (seat(), Ok(())),
            // Whether nothing stands there is for systemctl to say.
            (Seat { runtime: Some(("/nowhere".into(), None)), ..seat() }, Ok(())),
            (Seat { uid: 0, runtime: Some(("/run/user/0".into(), Some(0))), ..seat() }, Ok(())),
            (Seat { has_systemctl: false, ..seat() }, Err(Unreachable::NoSystemd)),
            (Seat { has_manager: false, ..seat() }, Err(Unreachable::NoSystemd)),
            (Seat { root_for: Some("ada".into()), ..seat() }, Err(Unreachable::RootFor("ada".into()))),
            (Seat { runtime: None, ..seat() }, Err(Unreachable::NoRuntime)),
            (Seat { runtime: None, has_usual_runtime: false, ..seat() }, Err(Unreachable::NoManager)),
            (Seat { uid: 0, ..seat() }, Err(Unreachable::RuntimeOfAnother { folder: "/run/user/1000".into(), owner: 1000 })),
        ];
        for (seat, expected) in cases {
            assert_eq!(seat.judged(), expected, "{seat:?}");
        }
    }

    #[test]
    fn a_home_with_a_space_is_read_as_it_is() {
        let read = variables("HOME=$'/home/ada b'\nLANG=C.UTF-8\nODD=$'half\n");
        let value = |name: &str| read.iter().find(|(known, _)| known == name).unwrap().1.clone();
        assert_eq!((value("HOME"), value("LANG"), value("ODD")), ("/home/ada b".into(), "C.UTF-8".into(), "$'half".into()));
    }

    pub(in crate::service) fn failures() -> Vec<Failure> {
        let every = [
            Unreachable::NoSystemd,
            Unreachable::RootFor("ada".into()),
            Unreachable::NoRuntime,
            Unreachable::NoManager,
            Unreachable::RuntimeOfAnother { folder: "/run/user/1000".into(), owner: 1000 },
            Unreachable::Unnamed("HOME"),
            Unreachable::NoAnswer(NotRun::Hangs),
            Unreachable::NoAnswer(NotRun::SaysNo { said: "Failed to connect to bus: No such file or directory".into() }),
        ];
        let mut all: Vec<Failure> = every.map(|why| why.failure(install::NOTHING)).into();
        // Root is told to type again what it has typed.
        all.extend([uninstall::NOTHING, status::NOTHING].map(|nothing| Unreachable::RootFor("ada".into()).failure(nothing)));
        all
    }
}
