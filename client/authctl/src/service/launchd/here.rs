//! What is so: the places, the agent's file, and what launchd says of it.
//!
//! Must never: change anything, or rely on more of launchctl's words than a state that may be missing.

use std::time::Duration;

use mcp_authd_client::start::StopMark;

use super::agent::{Found, Places};
use super::plan::{Ground, Loaded};
use super::{LABEL, asked, launchctl};
use crate::exit::{Exit, Failure};
use crate::service::systemd::Mark;

/// Longer than a leaving daemon waits for what is in flight, and launchd for it.
const END_LIMIT: Duration = Duration::from_secs(80);
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
    let message = || "the home folder of this user is not known".to_owned();
    let home = home.ok_or_else(|| Failure::new(Exit::Failed, message(), "export HOME=/Users/$(id -un)"))?;
    Ok(Places {
        agent: home.join("Library/LaunchAgents/mcp-authd.plist"),
        // The daemon's host/directories.rs says the same.
        run: home.join("Library/Application Support/mcp-authd/run"),
        log: home.join("Library/Logs/mcp-authd.log"),
    })
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
    pub(super) fn may_be_changed(&self, so: &str) -> Result<(), Failure> {
        let refused = |why: &str, next: &str| Err(Failure::new(Exit::Failed, format!("{why}; {so}"), next));
        if self.ground.uid == 0 {
            return refused("this is root, and it is your own service: run it without sudo", "authctl service install");
        }
        if !self.is_logged_in {
            let why = "launchd has no agents of this user: log in at the screen of this Mac first. Without a service the first program \
                       that asks starts mcp-authd, too";
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
    let message = format!("the service was asked to end, and has not within {} s", END_LIMIT.as_secs());
    Err(Failure::new(Exit::Failed, message, "authctl service status"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
