//! Plans from made-up ground.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;

const PROGRAM: &str = "/opt/mcp-authd";
const FOLDER: &str = "/home/ada/.config/systemd/user";

fn text(index: usize) -> String {
    let (name, shipped) = SHIPPED[index];
    unit::text(name, shipped, PROGRAM)
}

/// Nothing of it stands anywhere.
pub(in crate::service) fn bare() -> Ground {
    let found = [Found::Nothing, Found::Nothing, Found::Nothing];
    Ground { folder: FOLDER.into(), found, now: UnitsNow::default(), mark: Mark::None }
}

fn unit_now(name: &str, enabled: &str) -> UnitNow {
    let file = format!("{FOLDER}/{name}");
    UnitNow { load: Load::Loaded, enabled: enabled.into(), file, active: Runs::Does, ..UnitNow::default() }
}

/// Installed, and it runs.
pub(in crate::service) fn installed() -> Ground {
    let found = [0, 1, 2].map(|index| Found::Ours(text(index)));
    let now = UnitsNow {
        tokens: unit_now(TOKENS, "enabled"),
        admin: unit_now(ADMIN, "enabled"),
        service: UnitNow { pid: Some(12), ..unit_now(SERVICE, "indirect") },
    };
    Ground { found, now, ..bare() }
}

/// As a package leaves it.
pub(in crate::service) fn packaged() -> Ground {
    let unit = |name: &str| UnitNow {
        load: Load::Loaded,
        file: format!("/usr/lib/systemd/user/{name}"),
        enabled: "disabled".into(),
        ..UnitNow::default()
    };
    Ground { now: UnitsNow { tokens: unit(TOKENS), admin: unit(ADMIN), service: unit(SERVICE) }, ..bare() }
}

fn words(steps: &[Step]) -> Vec<String> {
    let word = |step: &Step| match step {
        Step::WriteFile { path, .. } => format!("write {}", path.file_name().unwrap().to_string_lossy()),
        Step::MakeFolder { .. } => "folder".to_owned(),
        Step::RemoveFile { path } => format!("remove {}", path.file_name().unwrap().to_string_lossy()),
        Step::Run(call) => call.arguments[1..].join(" "),
        Step::LeaveStopMark => "mark".to_owned(),
        Step::LiftStopMark => "unmark".to_owned(),
        Step::Await(awaited) => format!("{awaited:?}"),
    };
    steps.iter().map(word).collect()
}

fn plan(ground: &Ground) -> Vec<String> {
    words(&install(ground, PROGRAM, Edits::Keep).unwrap().steps)
}

#[test]
fn on_bare_ground_all_is_written_enabled_started_and_waited_for_in_this_order() {
    let expected = [
        "write mcp-authd-tokens.socket",
        "write mcp-authd-admin.socket",
        "write mcp-authd.service",
        "daemon-reload",
        "enable --now mcp-authd-tokens.socket mcp-authd-admin.socket",
        "start --no-block mcp-authd.service",
        "Answer",
    ];
    assert_eq!(plan(&bare()), expected);
}

#[test]
fn where_all_stands_it_is_only_looked_whether_it_answers() {
    let installing = install(&installed(), PROGRAM, Edits::Keep).unwrap();
    assert_eq!((words(&installing.steps), installing.is_there), (vec!["Answer".to_owned()], true));
    // Idle: the next who asks starts it; so do we.
    let mut idle = installed();
    idle.now.service = UnitNow { active: Runs::Not, pid: None, ..idle.now.service };
    let installing = install(&idle, PROGRAM, Edits::Keep).unwrap();
    assert_eq!(words(&installing.steps), ["start --no-block mcp-authd.service", "Answer"]);
    assert!(installing.is_there);
}

#[test]
fn an_older_unit_of_ours_is_replaced_and_what_runs_is_started_anew() {
    let mut ground = installed();
    ground.found[2] = Found::Ours(unit::text(SERVICE, SHIPPED[2].1, "/usr/bin/mcp-authd"));
    let expected = ["write mcp-authd.service", "daemon-reload", "restart --no-block mcp-authd.service", "Answer"];
    assert_eq!(plan(&ground), expected);
    let mut ground = installed();
    ground.now.service.is_outdated = true;
    assert_eq!(plan(&ground), expected[1..]);
}

#[test]
fn the_stop_mark_is_lifted_as_the_person_wants_it_now() {
    let ground = Ground { mark: Mark::Stands, ..installed() };
    assert_eq!(plan(&ground), ["unmark", "Answer"]);
    assert!(!install(&ground, PROGRAM, Edits::Keep).unwrap().is_there);
}

#[test]
fn units_of_a_package_are_enabled_and_nothing_is_written() {
    let installing = install(&packaged(), PROGRAM, Edits::Keep).unwrap();
    let expected =
        ["enable --now mcp-authd-tokens.socket mcp-authd-admin.socket", "start --no-block mcp-authd.service", "Answer"];
    assert_eq!((words(&installing.steps), installing.units), (expected.map(str::to_owned).to_vec(), Units::Packaged));
    // One of them alone is none: all are written.
    let mut half = packaged();
    half.now.admin = UnitNow::default();
    assert_eq!(install(&half, PROGRAM, Edits::Keep).unwrap().units, Units::Own);
}

#[test]
fn an_edited_unit_is_left_alone_and_told_with_its_lines_unless_it_is_asked_for() {
    let mut ground = installed();
    ground.found[2] = Found::Edited(text(2).replace("WatchdogSec=60", "WatchdogSec=6"));
    let Err(Hindrance::Edited(files)) = install(&ground, PROGRAM, Edits::Keep) else { unreachable!("it was edited") };
    let lines = ["- WatchdogSec=6", "+ WatchdogSec=60"].map(str::to_owned).to_vec();
    assert_eq!(files, [(PathBuf::from(FOLDER).join(SERVICE), lines)]);
    let forced = install(&ground, PROGRAM, Edits::Overwrite).unwrap();
    assert_eq!(words(&forced.steps)[0], "write mcp-authd.service");
    // Put there by hand, and the same: then there is nothing to be said.
    ground.found[2] = Found::Edited(unit::body(&text(2)).to_owned());
    assert_eq!(plan(&ground), ["Answer"]);
}

#[test]
fn what_is_masked_or_cannot_be_read_is_never_touched_even_by_force() {
    let mut ground = bare();
    ground.found[0] = Found::Masked;
    assert_eq!(install(&ground, PROGRAM, Edits::Overwrite), Err(Hindrance::Masked(vec![TOKENS])));
    let mut ground = packaged();
    ground.now.service.load = Load::Masked;
    assert_eq!(install(&ground, PROGRAM, Edits::Overwrite), Err(Hindrance::Masked(vec![SERVICE])));
    let mut ground = bare();
    ground.found[1] = Found::Unreadable("no".into());
    assert!(matches!(install(&ground, PROGRAM, Edits::Overwrite), Err(Hindrance::Unreadable(..))));
}

#[test]
fn an_uninstallation_ends_all_of_it_under_the_mark_and_removes_what_is_ours() {
    let expected = [
        "mark",
        "stop --no-block mcp-authd-tokens.socket mcp-authd-admin.socket mcp-authd.service",
        "End",
        "disable mcp-authd-tokens.socket mcp-authd-admin.socket",
        "remove mcp-authd-tokens.socket",
        "remove mcp-authd-admin.socket",
        "remove mcp-authd.service",
        "daemon-reload",
        "unmark",
    ];
    assert_eq!(words(&uninstall(&installed()).steps), expected);
    // A mark of the person's own stays.
    let stopped = Ground { mark: Mark::Stands, ..installed() };
    assert_eq!(words(&uninstall(&stopped).steps), expected[1..8]);
    assert!(uninstall(&bare()).steps.is_empty());
}

#[test]
fn where_an_edited_unit_stays_no_unit_is_removed_and_so_it_is_with_those_of_a_package() {
    let mut ground = installed();
    ground.found[2] = Found::Edited(String::new());
    let uninstalling = uninstall(&ground);
    let folder = Path::new(FOLDER);
    assert_eq!(
        (uninstalling.kept, uninstalling.beside),
        (vec![folder.join(SERVICE)], vec![folder.join(TOKENS), folder.join(ADMIN)])
    );
    let expected = [
        "mark",
        "stop --no-block mcp-authd-tokens.socket mcp-authd-admin.socket mcp-authd.service",
        "End",
        "disable mcp-authd-tokens.socket mcp-authd-admin.socket",
        "unmark",
    ];
    assert_eq!(words(&uninstalling.steps), expected);
    let uninstalling = uninstall(&packaged());
    assert_eq!((uninstalling.steps.len(), uninstalling.packaged.len()), (0, 3));
}

#[test]
fn a_unit_that_may_be_a_link_of_the_persons_own_is_never_disabled_but_only_not_wanted_any_more() {
    let mut ground = installed();
    ground.found = [Found::Edited(text(0)), Found::Ours(text(1)), Found::Unreadable("no".into())];
    ground.now.tokens.file = format!("/home/ada/dotfiles/{TOKENS}");
    ground.now.service.enabled = "enabled".into();
    let uninstalling = uninstall(&ground);
    let said = words(&uninstalling.steps);
    assert_eq!(said[3..5], ["disable mcp-authd-admin.socket", "remove mcp-authd-tokens.socket"]);
    assert_eq!(said[5..], ["remove mcp-authd.service", "daemon-reload", "unmark"]);
    let removed = |path: &str| uninstalling.steps.contains(&Step::RemoveFile { path: Path::new(FOLDER).join(path) });
    assert!(removed("sockets.target.wants/mcp-authd-tokens.socket") && removed("default.target.wants/mcp-authd.service"));
    assert!(uninstalling.packaged.is_empty(), "what a link leads to is no package");
}

#[test]
fn a_stop_ends_the_sockets_with_the_service_and_nothing_where_nothing_runs() {
    let mut idle = installed().now;
    idle.service.active = Runs::Not;
    let all = ["stop --no-block mcp-authd-tokens.socket mcp-authd-admin.socket mcp-authd.service", "End"];
    assert_eq!(words(&stop(&idle)), all);
    assert!(stop(&packaged().now).is_empty());
}
