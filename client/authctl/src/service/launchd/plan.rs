//! What has to be done with launchd: from what is so to a plan. Pure.
//!
//! Must never: look at anything by itself, or plan to remove a file that somebody has edited.

use super::agent::{Found, Places};
use super::{LABEL, launchctl};
use crate::service::step::{Awaited, Call, Step};
use crate::service::systemd::Mark;

/// What is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ground {
    /// How the agent's file stands.
    pub(super) found: Found,
    /// Whether launchd knows the agent.
    pub(super) loaded: Loaded,
    /// Whether `authctl daemon stop` has left its mark.
    pub(super) mark: Mark,
    /// The user's number, which names the domain of launchd.
    pub(super) uid: u32,
}

/// Whether launchd knows the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Loaded {
    /// It does not.
    No,
    /// It does.
    Yes {
        /// The daemon's process, where it runs.
        pid: Option<i64>,
        /// How it has ended last.
        last_exit_code: Option<i64>,
    },
}

impl Ground {
    /// Where agents of a person who is logged in live.
    pub(super) fn domain(&self) -> String {
        format!("gui/{}", self.uid)
    }

    /// The agent in it.
    pub(super) fn target(&self) -> String {
        format!("{}/{LABEL}", self.domain())
    }
}

/// What installs the agent with this text.
pub(super) fn install(ground: &Ground, places: &Places, text: &str) -> Vec<Step> {
    let is_written = matches!(&ground.found, Found::Ours(there) if there == text);
    let is_loaded = ground.loaded != Loaded::No;
    let mut steps = vec![Step::MakeFolder { path: places.run.clone() }];
    if !is_written {
        // What is loaded was read from the text before.
        steps.extend(is_loaded.then(|| boot_out(ground)).into_iter().flatten());
        steps.push(Step::WriteFile { path: places.agent.clone(), text: text.to_owned() });
    }
    if ground.mark == Mark::Stands {
        steps.push(Step::LiftStopMark);
    }
    if !is_written || !is_loaded {
        steps.push(Step::Run(launchctl(["enable", &ground.target()])));
        steps.push(take_up(ground, places));
    }
    // Started at once and not by the first who asks: so one that a program has started hands over now.
    steps.push(Step::Run(launchctl(["kickstart", &ground.target()])));
    steps.push(Step::Await(Awaited::Answer));
    steps
}

/// What takes it away. While it ends the stop mark stands, so that no program starts another one.
pub(super) fn uninstall(ground: &Ground, places: &Places) -> Vec<Step> {
    let mut steps = Vec::new();
    if ground.loaded != Loaded::No {
        steps.extend((ground.mark == Mark::None).then_some(Step::LeaveStopMark));
        steps.extend(boot_out(ground));
    }
    if matches!(ground.found, Found::Ours(_)) {
        steps.push(Step::RemoveFile { path: places.agent.clone() });
    }
    if steps.contains(&Step::LeaveStopMark) {
        steps.push(Step::LiftStopMark);
    }
    steps
}

/// What ends the daemon and takes its sockets away, until the next login or [`listen`].
pub(super) fn stop(ground: &Ground) -> Vec<Step> {
    if ground.loaded == Loaded::No { Vec::new() } else { boot_out(ground).to_vec() }
}

/// What brings the sockets back, where an agent is installed.
pub(super) fn listen(ground: &Ground, places: &Places) -> Vec<Step> {
    let is_away = ground.loaded == Loaded::No && ground.found != Found::Nothing;
    is_away.then(|| take_up(ground, places)).into_iter().collect()
}

fn take_up(ground: &Ground, places: &Places) -> Step {
    Step::Run(launchctl(["bootstrap", &ground.domain(), &places.agent.to_string_lossy()]))
}

fn boot_out(ground: &Ground) -> [Step; 2] {
    [Step::Run(launchctl(["bootout", &ground.target()])), Step::Await(Awaited::End)]
}

/// Whether what launchctl complains of is only that a daemon takes its time to leave: EINPROGRESS, which is 36 there.
pub(crate) fn goes_on(call: &Call, complaint: &str) -> bool {
    call.program == "launchctl" && call.arguments.first().is_some_and(|verb| verb == "bootout") && complaint.contains(" 36: ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::{Page, Paint};
    use crate::service::step;

    fn ground(found: Found, loaded: Loaded) -> Ground {
        Ground { found, loaded, mark: Mark::None, uid: 501 }
    }

    fn running() -> Loaded {
        Loaded::Yes { pid: Some(4242), last_exit_code: None }
    }

    fn shown(steps: &[Step]) -> String {
        step::shown(steps, Page { width: 80, paint: Paint::Plain })
    }

    #[test]
    fn each_state_has_its_plan() {
        let (places, ours) = (super::super::agent::tests::places(), || Found::Ours("new\n".to_owned()));
        let plan = |ground: &Ground| shown(&install(ground, &places, "new\n"));
        let stopped = Ground { mark: Mark::Stands, ..ground(ours(), Loaded::No) };
        let away = |ground: &Ground| shown(&uninstall(ground, &places));
        insta::assert_snapshot!(
            [
                ("first", plan(&ground(Found::Nothing, Loaded::No))),
                ("there", plan(&ground(ours(), running()))),
                ("of another version", plan(&ground(Found::Ours("old\n".to_owned()), running()))),
                ("stopped", plan(&stopped)),
                ("away", away(&ground(ours(), running()))),
                ("away, edited", away(&ground(Found::Edited("new\n".to_owned()), running()))),
                ("ended", shown(&stop(&ground(ours(), running())))),
                ("ended, not running", shown(&stop(&ground(ours(), Loaded::No)))),
                ("listens again", shown(&listen(&ground(ours(), Loaded::No), &places))),
                ("listens already", shown(&listen(&ground(ours(), running()), &places))),
                ("away, nothing there", away(&ground(Found::Nothing, Loaded::No))),
            ]
            .map(|(name, steps)| format!("-- {name}\n{steps}"))
            .concat()
        );
    }

    #[test]
    fn only_a_daemon_that_is_leaving_is_no_failure() {
        let boot_out = launchctl(["bootout", "gui/501/mcp-authd"]);
        assert!(goes_on(&boot_out, "Boot-out failed: 36: Operation now in progress"));
        assert!(!goes_on(&boot_out, "Boot-out failed: 5: Input/output error"));
        assert!(!goes_on(&launchctl(["bootstrap", "gui/501"]), "Bootstrap failed: 36: Operation now in progress"));
    }
}
