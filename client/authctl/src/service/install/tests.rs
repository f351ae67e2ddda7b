//! The screens of an installation.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::super::systemd::tests::{bare, installed, packaged};
use super::*;
use crate::screen::Paint;

const PAGE: Page = Page { width: 80, paint: Paint::Plain };

fn done(installing: &Installing) -> Done<'_> {
    Done { installing, folder: "/home/ada/.config/systemd/user".into(), program: "/usr/bin/mcp-authd".into(), status: None }
}

#[test]
fn what_was_done_is_told_with_what_comes_next() {
    let plan = |ground| systemd::install(&ground, "/opt/mcp-authd", Edits::Keep).unwrap();
    let screens = [
        told(&done(&plan(bare())), Linger::OffOverSsh, PAGE),
        told(&done(&plan(packaged())), Linger::Off, PAGE),
        told(&done(&plan(installed())), Linger::On, PAGE),
    ];
    insta::assert_snapshot!(screens.join("----\n"));
}

fn hindrances() -> [Hindrance; 4] {
    let path = PathBuf::from("/home/ada/.config/systemd/user/mcp-authd.service");
    [
        Hindrance::Edited(vec![(path.clone(), vec!["- WatchdogSec=6".into(), "+ WatchdogSec=60".into()])]),
        Hindrance::Masked(vec!["mcp-authd.service"]),
        Hindrance::Masked(vec!["mcp-authd-tokens.socket", "mcp-authd.service"]),
        Hindrance::Unreadable(path, "Permission denied (os error 13)".into()),
    ]
}

pub(in crate::service) fn failures() -> Vec<Failure> {
    let hindered = hindrances().map(|hindrance| hindered(&hindrance, PAGE).1);
    let unwritable = [Unwritable::Relative, Unwritable::NotText, Unwritable::Character('"')]
        .map(|why| unwritable("/home/ada/\"my\" programs/mcp-authd".as_ref(), why));
    hindered.into_iter().chain(unwritable).collect()
}

#[test]
fn what_stands_in_the_way_is_told_with_what_to_type() {
    let screens = hindrances().map(|hindrance| {
        let (text, failure) = hindered(&hindrance, PAGE);
        format!("{text}authctl: {}\nnext: {}\n", failure.message, failure.next_step.unwrap())
    });
    insta::assert_snapshot!(screens.join("----\n"));
}

#[test]
fn a_path_that_systemd_does_not_take_is_told_with_the_way_out() {
    for why in [Unwritable::Relative, Unwritable::NotText, Unwritable::Character('"')] {
        let failure = unwritable("/a\"b".as_ref(), why);
        assert!(failure.next_step.unwrap().starts_with("export MCP_AUTHD_BIN="));
    }
}
