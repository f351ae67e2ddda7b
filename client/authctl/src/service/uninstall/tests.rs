//! The screens of an uninstallation.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::super::systemd::tests::{bare, installed, packaged};
use super::super::systemd::{Ground, uninstall};
use super::super::unit::Found;
use super::super::units_now::{Runs, UnitNow, UnitsNow};
use super::*;
use crate::screen::Paint;

const PAGE: Page = Page { width: 80, paint: Paint::Plain };

/// Not running and not enabled.
fn at_rest(ground: &Ground) -> UnitsNow {
    let still = |now: &UnitNow| UnitNow { active: Runs::Not, enabled: "disabled".into(), ..now.clone() };
    UnitsNow { tokens: still(&ground.now.tokens), admin: still(&ground.now.admin), service: still(&ground.now.service) }
}

/// Installed, and these files edited since.
fn edited(files: &[usize]) -> Ground {
    let mut ground = installed();
    for file in files {
        ground.found[*file] = Found::Edited(String::new());
    }
    ground
}

pub(in crate::service) fn failures() -> Vec<Failure> {
    [&[2][..], &[0, 2]].into_iter().filter_map(|files| left(&uninstall(&edited(files)))).collect()
}

#[test]
fn what_was_done_is_told_with_what_stays() {
    let enabled_of_package = {
        let mut ground = packaged();
        ground.now.tokens.enabled = "enabled".into();
        ground
    };
    let edited = edited(&[2]);
    let screen = |ground: &Ground, mark| {
        let uninstalling = uninstall(ground);
        let left =
            left(&uninstalling).map(|failure| format!("authctl: {}\nnext: {}\n", failure.message, failure.next_step.unwrap()));
        told(&uninstalling, mark, PAGE) + &left.unwrap_or_default()
    };
    let screens = [
        screen(&installed(), Mark::None),
        screen(&installed(), Mark::Stands),
        screen(&enabled_of_package, Mark::None),
        screen(&edited, Mark::None),
        screen(&Ground { now: at_rest(&edited), ..edited.clone() }, Mark::Stands),
        screen(&bare(), Mark::None),
        screen(&packaged(), Mark::None),
    ];
    insta::assert_snapshot!(screens.join("----\n"));
}
