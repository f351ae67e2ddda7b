//! What is wrong with an installed service, and what mends it; from what the manager says, purely. For `authctl service status` and
//! for the doctor.
//!
//! Must never: find something wrong without what to type, or take a service that waits for the first who asks for one that fails.

use super::systemd::Mark;
use super::unit::SERVICE;
use super::units_now::{Load, Runs, UnitNow, UnitsNow};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// A sentence.
    pub(crate) message: String,
    /// What to type.
    pub(crate) fix: String,
}

/// The daemon's exit codes that say what to mend (`mcp-authd --help`).
const ANOTHER_SERVES: i32 = 75;
const CONFIGURATION: i32 = 78;

/// Everything that is wrong with units that somebody has asked for.
pub(crate) fn all(now: &UnitsNow, mark: Mark) -> Vec<Trouble> {
    if !now.are_wanted() {
        return Vec::new();
    }
    let mut found: Vec<Trouble> = now.each().into_iter().filter_map(|(name, unit)| loading(name, unit)).collect();
    // Where one cannot be loaded, how the others run says nothing more.
    if found.is_empty() {
        found.extend(outdated(now));
        found.extend(sockets(now, mark));
        found.extend(service(&now.service));
    }
    found
}

fn trouble(message: String, fix: impl Into<String>) -> Option<Trouble> {
    Some(Trouble { message, fix: fix.into() })
}

fn loading(name: &str, unit: &UnitNow) -> Option<Trouble> {
    match unit.load {
        Load::Loaded => None,
        Load::NotFound => trouble(format!("There is no {name}."), "authctl service install"),
        Load::Masked => trouble(
            format!("{name} is masked, so that nothing may start it."),
            format!("systemctl --user unmask {name} && authctl service install"),
        ),
        Load::Broken => trouble(format!("{name} does not hold."), format!("systemd-analyze --user verify {name}")),
    }
}

fn outdated(now: &UnitsNow) -> Option<Trouble> {
    let units: Vec<&str> = now.each().iter().filter(|(_, unit)| unit.is_outdated).map(|(name, _)| *name).collect();
    if units.is_empty() {
        return None;
    }
    let message = format!("Changed since the service manager has read it: {}.", units.join(", "));
    trouble(message, format!("systemctl --user daemon-reload && systemctl --user restart {}", units.join(" ")))
}

fn sockets(now: &UnitsNow, mark: Mark) -> Vec<Trouble> {
    let sockets = [now.each()[0], now.each()[1]];
    let mut found = Vec::new();
    for (name, unit) in sockets {
        let silent = match unit.active {
            Runs::Does | Runs::Begins => None,
            Runs::Failed => Some(Trouble {
                message: format!("{name} has failed ({}), so that nobody is heard there.", unit.result),
                fix: format!("systemctl --user restart {name}"),
            }),
            // As the person wants it.
            _ if mark == Mark::Stands => None,
            _ => Some(Trouble { message: format!("{name} does not listen."), fix: "authctl daemon start".to_owned() }),
        };
        found.extend(silent);
    }
    let disabled: Vec<&str> = sockets.iter().filter(|(_, unit)| unit.enabled == "disabled").map(|(name, _)| *name).collect();
    if !disabled.is_empty() {
        let message = format!("Disabled, so that it does not come back with the next login: {}.", disabled.join(", "));
        found.extend(trouble(message, "authctl service install"));
    }
    found
}

fn service(unit: &UnitNow) -> Option<Trouble> {
    let why = unit.failure()?;
    let fix = match unit.exit_code {
        Some(CONFIGURATION) => "authctl service logs -n 20 && authctl daemon start".to_owned(),
        Some(ANOTHER_SERVES) => "authctl daemon status".to_owned(),
        _ => "authctl service logs -n 20".to_owned(),
    };
    let tried = if unit.active == Runs::Failed { "" } else { " It is tried again and again." };
    trouble(format!("{SERVICE} has failed: {why}.{tried}"), fix)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::systemd::tests::{installed, packaged};
    use super::*;

    fn one(change: impl FnOnce(&mut UnitsNow), mark: Mark) -> Vec<Trouble> {
        let mut now = installed().now;
        change(&mut now);
        all(&now, mark)
    }

    #[test]
    fn a_service_that_runs_or_waits_for_the_first_who_asks_is_well() {
        assert_eq!(one(|_| (), Mark::None), []);
        assert_eq!(one(|now| now.service = UnitNow { active: Runs::Not, ..now.service.clone() }, Mark::None), []);
        let stopped = |now: &mut UnitsNow| (now.tokens.active, now.admin.active) = (Runs::Not, Runs::Not);
        assert_eq!(one(stopped, Mark::Stands), []);
        assert_eq!(one(stopped, Mark::None).len(), 2);
    }

    #[test]
    fn each_thing_that_is_wrong_says_what_to_type() {
        type Change = fn(&mut UnitsNow);
        let cases: [(Change, &str, &str); 8] = [
            (|now| now.admin.load = Load::Masked, "masked", "systemctl --user unmask mcp-authd-admin.socket"),
            (|now| now.admin = UnitNow::default(), "no mcp-authd-admin", "authctl service install"),
            (|now| now.service.load = Load::Broken, "does not hold", "systemd-analyze --user verify mcp-authd.service"),
            (|now| now.service.is_outdated = true, "has read it", "systemctl --user daemon-reload && systemctl --user restart"),
            (|now| now.tokens.active = Runs::Failed, "nobody is heard", "systemctl --user restart mcp-authd-tokens.socket"),
            (|now| now.tokens.enabled = "disabled".into(), "next login", "authctl service install"),
            (
                |now| {
                    (now.service.active, now.service.exit_code, now.service.told) =
                        (Runs::Failed, Some(78), "cannot serve: c:1: no.".into())
                },
                "has failed: c:1: no (exit code 78).",
                "authctl service logs -n 20 && authctl daemon start",
            ),
            (
                |now| {
                    (now.service.active, now.service.sub) = (Runs::Begins, "auto-restart".into());
                    now.service.result = "signal".into();
                },
                "it has ended (signal). It is tried again",
                "authctl service logs",
            ),
        ];
        for (change, message, fix) in cases {
            let found = one(change, Mark::None);
            let [only] = found.as_slice() else { unreachable!("{message}: {found:?}") };
            assert!(only.message.contains(message) && only.fix.starts_with(fix), "{only:?}");
        }
        assert_eq!(all(&packaged().now, Mark::None), [], "a package enables nothing by itself");
        let mut enabled = packaged().now;
        enabled.tokens.enabled = "enabled".into();
        assert!(all(&enabled, Mark::None).len() >= 3);
    }
}
