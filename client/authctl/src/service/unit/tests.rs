//! The texts, what is known again of them, and where two of them differ.

#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn service(program: &str) -> String {
    let shipped = SHIPPED.iter().find(|(name, _)| *name == SERVICE).unwrap().1;
    text(SERVICE, shipped, program)
}

fn found(text: &str) -> Found {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unit");
    fs::write(&path, text).unwrap();
    Found::at(&path)
}

#[test]
fn a_unit_is_what_is_shipped_but_for_the_program_and_the_first_line() {
    for (name, shipped) in SHIPPED {
        let written = text(name, shipped, "/opt/a/mcp-authd");
        let (first, body) = written.split_once('\n').unwrap();
        assert!(first.starts_with('#') && first.contains(&format!("systemctl --user edit {name} ")), "{first}");
        let changed = if name == SERVICE { 1 } else { 0 };
        assert_eq!(difference(shipped, body).len(), changed * 2, "{name}");
    }
    assert!(service("\"/a b/mcp-authd\"").contains("\nExecStart=\"/a b/mcp-authd\" --take-over\n"));
}

#[test]
fn what_we_have_written_is_known_again_and_one_changed_byte_is_not() {
    let written = service("/usr/bin/mcp-authd");
    assert_eq!(found(&written), Found::Ours(written.clone()));
    for changed in [written.replace("WatchdogSec=60", "WatchdogSec=61"), format!("{written}\n"), format!("\n{written}")] {
        assert_eq!(found(&changed), Found::Edited(changed));
    }
    // An older one of ours is ours.
    let older = text(SERVICE, "[Service]\n", "");
    assert_eq!(found(&older), Found::Ours(older.clone()));
    // The text as it is shipped, put there by hand, is somebody else's.
    assert!(matches!(found(SHIPPED[2].1), Found::Edited(_)));
}

#[test]
fn a_masked_unit_a_link_a_folder_and_nothing_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    assert_eq!(Found::at(&path("none")), Found::Nothing);
    std::os::unix::fs::symlink("/dev/null", path("masked")).unwrap();
    assert_eq!(Found::at(&path("masked")), Found::Masked);
    assert_eq!(found(""), Found::Masked);
    let written = service("/usr/bin/mcp-authd");
    fs::write(path("elsewhere"), &written).unwrap();
    std::os::unix::fs::symlink(path("elsewhere"), path("link")).unwrap();
    assert_eq!(Found::at(&path("link")), Found::Edited(written));
    std::os::unix::fs::symlink(path("nowhere"), path("dangling")).unwrap();
    assert!(matches!(Found::at(&path("dangling")), Found::Unreadable(_)));
    fs::create_dir(path("folder")).unwrap();
    assert!(matches!(Found::at(&path("folder")), Found::Unreadable(_)));
}

#[test]
fn a_difference_names_only_the_lines_that_differ() {
    assert_eq!(difference("a\nb\nc\n", "a\nx\nc\nd\n"), ["- b", "+ x", "+ d"]);
    assert!(difference("a\nb\n", "a\nb").is_empty());
}

proptest! {
    #[test]
    fn a_difference_leads_from_the_one_to_the_other(one in "([ab]\n){0,8}", other in "([abc]\n){0,8}") {
        let lines = difference(&one, &other);
        let taken = |sign: &str| lines.iter().filter(|line| line.starts_with(sign)).count();
        prop_assert_eq!(one.lines().count() - taken("- "), other.lines().count() - taken("+ "));
        prop_assert_eq!(lines.is_empty(), one == other);
        let only = |sign: &str, text: &str| {
            lines.iter().filter_map(|line| line.strip_prefix(sign)).all(|line| text.lines().any(|of| of == line))
        };
        prop_assert!(only("- ", &one) && only("+ ", &other));
    }

    #[test]
    fn whatever_is_added_anywhere_is_seen(at in 0_usize..1000, added in "[ -~]{1,3}") {
        let mut changed = service("/usr/bin/mcp-authd");
        // The first line is a comment of ours, and changes nothing.
        let body = changed.find('\n').unwrap() + 1;
        changed.insert_str((body + at).min(changed.len()), &added);
        prop_assert!(!matches!(found(&changed), Found::Ours(_)));
    }
}
