//! What is so: the places, the agent's file, and what launchd says of it.
//!
//! Must never: change anything, or rely on more of launchctl's words than a state that may be missing.

use std::time::Duration;

use mcp_authd_client::start::StopMark;

use super::agent::{Found, Places};
use super::plan::{Ground, Loaded};
use super::{LABEL, asked, launchctl};
use crate::exit::{Exit, Failure};
use crate::service::carry_out::{END_LIMIT, not_ended};
use crate::service::systemd::Mark;

const LOOK: Duration = Duration::from_millis(100);

/// What is so.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) ground: Ground,
    pub(super) places: Places,
    /// Whether this person has a domain for agents.
    pub(super) is_logged_in: bool,
}

/// The places of this person's agent.
pub(super) fn places() -> Result<Places, Failure> {
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    let home = home.ok_or_else(no_home)?;
    Ok(Places {
        agent: home.join("Library/LaunchAgents/mcp-authd.plist"),
        // The daemon's host/directories.rs says the same.
        run: home.join("Library/Application Support/mcp-authd/run"),
        log: home.join("Library/Logs/mcp-authd.log"),
    })
}

fn no_home() -> Failure {
    Failure::new(Exit::Failed, "the home folder of this user is not known", "export HOME=/Users/$(id -un)")
}

impl Here {
    /// Looks.
    pub(super) async fn look() -> Result<Self, Failure> {
        let (places, uid) = (places()?, nix::unistd::geteuid().as_raw());
        let found = Found::at(&places.agent);
        let stands = StopMark::find().is_ok_and(|mark| mark.path().symlink_metadata().is_ok());
        let mark = if stands { Mark::Stands } else { Mark::None };
        let is_logged_in = asked(&launchctl(["print", &format!("gui/{uid}")])).await.is_some();
        let ground = Ground { found, loaded: loaded(uid).await, mark, uid };
        Ok(Self { ground, places, is_logged_in })
    }

    /// Whether an agent of this person can be taken up or put away.
    ///
    /// # Errors
    /// Why not, with what to do.
    pub(super) fn may_be_changed(&self, (so, again): (&str, &str)) -> Result<(), Failure> {
        let refused = |why: &str, next: &str| Err(Failure::new(Exit::Failed, format!("{why}; {so}"), next));
        if self.ground.uid == 0 {
            return refused("this is root, and the service is a user's own: run this without sudo", again);
        }
        if !self.is_logged_in {
            let why = "launchd has no agents of this user before a login at the screen of this Mac (mcp-authd needs none: the first \
                       program that asks starts it)";
            return refused(why, "authctl daemon start");
        }
        Ok(())
    }
}

async fn loaded(uid: u32) -> Loaded {
    asked(&launchctl(["print", &format!("gui/{uid}/{LABEL}")])).await.map_or(Loaded::No, |said| read(&said))
}

/// The first of each: what follows describes endpoints and others.
fn read(said: &str) -> Loaded {
    let value = |name: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(name)?.trim_start().strip_prefix('='))?;
        line.trim().split([':', ' ']).next()?.parse().ok()
    };
    Loaded::Yes { pid: value("pid"), last_exit_code: value("last exit code") }
}

/// Ends when launchd knows the agent no more.
pub(crate) async fn ended() -> Result<(), Failure> {
    let uid = nix::unistd::geteuid().as_raw();
    let gone = async {
        while loaded(uid).await != Loaded::No {
            tokio::time::sleep(LOOK).await;
        }
    };
    if tokio::time::timeout(END_LIMIT, gone).await.is_ok() {
        return Ok(());
    }
    Err(not_ended())
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::super::{install, uninstall};
    use super::super::agent::tests::places;
    use super::*;

    pub(in crate::service::launchd) fn failures() -> Vec<Failure> {
        let here = |uid, is_logged_in| Here {
            ground: Ground { found: Found::Nothing, loaded: Loaded::No, mark: Mark::None, uid },
            places: places(),
            is_logged_in,
        };
        let refused = [(0, true, install::NOTHING), (501, false, install::NOTHING), (0, true, uninstall::NOTHING)]
            .map(|(uid, is_logged_in, nothing)| here(uid, is_logged_in).may_be_changed(nothing).err());
        refused.into_iter().flatten().chain([no_home()]).collect()
    }

    #[test]
    fn of_what_launchctl_prints_the_process_and_the_last_end_are_read_where_they_stand() {
        let said = "gui/501/mcp-authd = {\n\tactive count = 1\n\tstate = running\n\tprogram = /a/mcp-authd\n\tpid = 4242\n\
                    \tlast exit code = 78: EX_CONFIG\n\n\tsockets = {\n\t\tpid = 1\n\t}\n}\n";
        assert_eq!(read(said), Loaded::Yes { pid: Some(4242), last_exit_code: Some(78) });
        let waiting = "gui/501/mcp-authd = {\n\tstate = not running\n\tlast exit code = (never exited)\n}\n";
        assert_eq!(read(waiting), Loaded::Yes { pid: None, last_exit_code: None });
        assert_eq!(read(""), Loaded::Yes { pid: None, last_exit_code: None });
    }
}
