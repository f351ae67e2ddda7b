//! What has to be done with systemd: from what is so to a plan. Pure; `launchd.rs` can stand beside it with other plans.
//!
//! Must never: look at anything by itself, plan to overwrite or remove a file that somebody has edited, or wait inside a program of
//! the manager for what may take longer than some seconds.

use std::path::{Path, PathBuf};

use super::step::{Awaited, Call, Step};
use super::unit::{self, ADMIN, Found, SERVICE, SHIPPED, TOKENS};
use super::units_now::{Load, Runs, UnitNow, UnitsNow};

/// What is so.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    /// The folder of the person's units.
    pub(crate) folder: PathBuf,
    /// How the file of each unit stands there, in the order of [`SHIPPED`].
    pub(crate) found: [Found; 3],
    /// What the manager says.
    pub(crate) now: UnitsNow,
    /// Whether `authctl daemon stop` has left its mark.
    pub(crate) mark: Mark,
}

/// The mark of `authctl daemon stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It stands.
    Stands,
    /// It does not.
    None,
}

/// What to do with a file that somebody has edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edits {
    /// It stays, and nothing is done.
    Keep,
    /// It is replaced: `--force`.
    Overwrite,
}

/// Why nothing can be planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hindrance {
    /// Files were edited; where each differs from what would be written.
    Edited(Vec<(PathBuf, Vec<String>)>),
    /// These units are masked.
    Masked(Vec<&'static str>),
    /// A file cannot be read; the system's words.
    Unreadable(PathBuf, String),
}

/// What an installation comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installing {
    /// What is done. Where all stands already, only what verifies it.
    pub(crate) steps: Vec<Step>,
    /// Whose units are used.
    pub(crate) units: Units,
    /// Whether all of it stood already.
    pub(crate) is_there: bool,
}

/// Whose units are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Units {
    /// Those in the person's folder.
    Own,
    /// Those that a package has put into a folder of the system.
    Packaged,
}

impl Ground {
    fn each(&self) -> impl Iterator<Item = (&'static str, &'static str, &Found, &UnitNow)> {
        let now = self.now.each();
        SHIPPED.into_iter().zip(&self.found).zip(now).map(|(((name, text), found), (_, now))| (name, text, found, now))
    }

    /// Where the manager reads units that nobody has to write.
    fn units(&self) -> Units {
        let packaged = |found: &Found, now: &UnitNow| {
            *found == Found::Nothing && now.load == Load::Loaded && Path::new(&now.file).parent() != Some(self.folder.as_path())
        };
        let all = self.each().all(|(_, _, found, now)| packaged(found, now) && !now.file.is_empty());
        if all { Units::Packaged } else { Units::Own }
    }
}

/// What installs the service with this program, as `ExecStart=` names it.
pub(crate) fn install(ground: &Ground, program: &str, edits: Edits) -> Result<Installing, Hindrance> {
    let masked = |(name, _, found, now): (&'static str, _, &Found, &UnitNow)| {
        (*found == Found::Masked || now.load == Load::Masked).then_some(name)
    };
    let masked: Vec<_> = ground.each().filter_map(masked).collect();
    if !masked.is_empty() {
        return Err(Hindrance::Masked(masked));
    }
    let units = ground.units();
    let writes = if units == Units::Own { writes(ground, program, edits)? } else { Vec::new() };
    let written = |name: &str| writes.iter().any(|(of, _)| *of == name);
    let (tokens, admin, service) = (&ground.now.tokens, &ground.now.admin, &ground.now.service);
    let is_changed = |name, now: &UnitNow| written(name) || now.is_outdated;
    let mut steps: Vec<Step> = writes.iter().map(|(_, step)| step.clone()).collect();
    if !writes.is_empty() || ground.now.each().iter().any(|(_, now)| now.is_outdated) {
        steps.push(reload());
    }
    if ground.mark == Mark::Stands {
        steps.push(Step::LiftStopMark);
    }
    let listens = |now: &UnitNow| now.enabled == "enabled" && now.active == Runs::Does;
    if !listens(tokens) || !listens(admin) {
        steps.push(systemctl(["enable", "--now", TOKENS, ADMIN]));
    }
    // What has been read anew counts from the next start on.
    let anew: Vec<&str> = [(TOKENS, tokens), (ADMIN, admin), (SERVICE, service)]
        .into_iter()
        .filter(|(name, now)| is_changed(name, now) && now.is_up())
        .map(|(name, _)| name)
        .collect();
    if !anew.is_empty() {
        steps.push(systemctl(["restart", "--no-block"].into_iter().chain(anew.iter().copied())));
    }
    // Started at once and not by the first who asks: so one that a program has started hands over now.
    if !service.is_up() {
        steps.push(systemctl(["start", "--no-block", SERVICE]));
    }
    let is_there = steps.iter().all(|step| matches!(step, Step::Run(call) if call.arguments.iter().any(|word| word == "start")));
    steps.push(Step::Await(Awaited::Answer));
    Ok(Installing { steps, units, is_there })
}

fn writes(ground: &Ground, program: &str, edits: Edits) -> Result<Vec<(&'static str, Step)>, Hindrance> {
    let (mut writes, mut edited) = (Vec::new(), Vec::new());
    for (name, shipped, found, _) in ground.each() {
        let (path, text) = (unit::file(&ground.folder, name), unit::text(name, shipped, program));
        match found {
            Found::Ours(there) if *there == text => continue,
            Found::Edited(there) if unit::body(there) == unit::body(&text) => continue,
            Found::Edited(there) if edits == Edits::Keep => {
                edited.push((path, unit::difference(unit::body(there), unit::body(&text))));
                continue;
            }
            Found::Unreadable(why) => return Err(Hindrance::Unreadable(path, why.clone())),
            Found::Nothing | Found::Masked | Found::Ours(_) | Found::Edited(_) => {}
        }
        writes.push((name, Step::WriteFile { path, text }));
    }
    if edited.is_empty() { Ok(writes) } else { Err(Hindrance::Edited(edited)) }
}

/// What taking it away comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Uninstalling {
    /// What is done. Empty: there is nothing to be done.
    pub(crate) steps: Vec<Step>,
    /// Files that are not ours to remove.
    pub(crate) kept: Vec<PathBuf>,
    /// Ours that stay beside them: a unit of which a part is gone fails every program that has the manager start it.
    pub(crate) beside: Vec<PathBuf>,
    /// Files of a package; they stay, and are not used from now on.
    pub(crate) packaged: Vec<PathBuf>,
}

/// What takes the service away. While it ends the stop mark stands: a program that asks at this very moment must not have the
/// manager start it again.
pub(crate) fn uninstall(ground: &Ground) -> Uninstalling {
    let is_foreign = |found: &Found| matches!(found, Found::Edited(_) | Found::Unreadable(_));
    let paths = |wanted: &dyn Fn(&Found) -> bool| -> Vec<PathBuf> {
        ground.each().filter(|(_, _, found, _)| wanted(found)).map(|(name, ..)| unit::file(&ground.folder, name)).collect()
    };
    let (ours, kept) = (paths(&|found| matches!(found, Found::Ours(_))), paths(&is_foreign));
    let (removed, beside) = if kept.is_empty() { (ours, Vec::new()) } else { (Vec::new(), ours) };
    let files = ground.each().filter(|(_, _, found, now)| !is_foreign(found) && now.load == Load::Loaded && !now.file.is_empty());
    let packaged = files.map(|(.., now)| PathBuf::from(&now.file)).filter(|file| file.parent() != Some(&ground.folder)).collect();
    let enabled = ground.each().filter(|(.., now)| now.enabled == "enabled");
    let (linked, disabled): (Vec<_>, Vec<_>) = enabled.partition(|(_, _, found, _)| is_foreign(found));
    let failed = ground.now.each().into_iter().any(|(_, now)| now.active == Runs::Failed);
    let mut steps = Vec::new();
    if ground.now.are_up() {
        steps.extend((ground.mark == Mark::None).then_some(Step::LeaveStopMark));
        steps.extend(stop(&ground.now));
    }
    if !disabled.is_empty() {
        steps.push(systemctl(["disable"].into_iter().chain(disabled.into_iter().map(|(name, ..)| name))));
    }
    if failed {
        steps.push(systemctl(["reset-failed", SERVICE]));
    }
    // Where a unit is itself a link, `disable` would remove it, too.
    let linked = linked.into_iter().map(|(name, ..)| wanted_by(name, &ground.folder));
    let removes: Vec<Step> = linked.chain(removed).map(|path| Step::RemoveFile { path }).collect();
    let reloads = (!removes.is_empty()).then(reload);
    steps.extend(removes.into_iter().chain(reloads));
    if steps.contains(&Step::LeaveStopMark) {
        steps.push(Step::LiftStopMark);
    }
    Uninstalling { steps, kept, beside, packaged }
}

/// The link by which a login starts a unit (systemd.unit(5), `WantedBy=`): of a socket ours, of a service the usual one.
fn wanted_by(name: &str, folder: &Path) -> PathBuf {
    let target = if name == SERVICE { "default" } else { "sockets" };
    folder.join(format!("{target}.target.wants")).join(name)
}

/// What ends the service and its sockets, all at once: a socket that goes on listening would start it again.
pub(crate) fn stop(now: &UnitsNow) -> Vec<Step> {
    let known: Vec<&str> =
        now.each().iter().filter(|(_, unit)| unit.load != Load::NotFound || unit.is_up()).map(|(name, _)| *name).collect();
    if !now.are_up() {
        return Vec::new();
    }
    vec![systemctl(["stop", "--no-block"].into_iter().chain(known)), Step::Await(Awaited::End)]
}

fn reload() -> Step {
    systemctl(["daemon-reload"])
}

fn systemctl<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Step {
    Step::Run(Call::new("systemctl", ["--user"].into_iter().chain(arguments)))
}

#[cfg(test)]
pub(super) mod tests;
