//! The shape of a file: its length, its first line, and names that tell nothing (house style 1, 3, 4).

use std::collections::BTreeSet;

use crate::obeyed;
use crate::tree::{self, Source};

/// House style 3: files aim at 200 lines and stay under 500.
const LONGEST: usize = 500;
/// Names that tell nothing, for files and folders.
const EMPTY_NAMES: [&str; 10] =
    ["utils", "util", "common", "helpers", "helper", "types", "manager", "managers", "misc", "shared"];

fn ill_shaped(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        let lines = source.text.lines().count();
        if lines > LONGEST {
            broken.push(format!("{}: {lines} lines, {LONGEST} at most; split it by what it tells", source.path));
        }
        if !source.text.starts_with("//!") {
            broken.push(format!("{}:1: begins without //!; say what the file is for and what it must never do", source.path));
        }
    }
    broken
}

/// DESIGN, section 2: a room stands in one of these, and nothing else at the top.
const TOP: [&str; 4] = ["client", "daemon", "proto", "tests"];

fn at_the_top(paths: &[String]) -> Vec<String> {
    let folders = paths.iter().filter_map(|path| path.split_once('/')).map(|(folder, _)| folder);
    let strange: BTreeSet<_> = folders.filter(|folder| !folder.starts_with('.') && !TOP.contains(folder)).collect();
    strange.into_iter().map(|folder| format!("{folder}/: the top level is fixed; put it into {}", TOP.join(", "))).collect()
}

fn ill_named(paths: &[String]) -> Vec<String> {
    let tells_nothing = |part: &str| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or(part).to_ascii_lowercase().as_str());
    let ill_named = paths.iter().filter(|path| path.split('/').any(tells_nothing));
    ill_named.map(|path| format!("{path}: the name tells nothing; name it after what it holds")).collect()
}

#[test]
fn every_file_begins_with_its_purpose_and_stays_short() {
    obeyed("house style 3 and 4", &ill_shaped(&tree::rust()));
}

#[test]
fn no_name_tells_nothing() {
    obeyed("house style 1", &ill_named(&tree::paths()));
}

#[test]
fn the_top_level_is_the_one_that_was_agreed() {
    obeyed("DESIGN, section 2", &at_the_top(&tree::paths()));
    let paths = ["daemon/src/main.rs", ".ci/run", "Cargo.toml", "packaging/build", "packaging/man/a.1"].map(str::to_owned);
    assert_eq!(at_the_top(&paths), ["packaging/: the top level is fixed; put it into client, daemon, proto, tests"]);
}

#[test]
fn an_ill_shaped_file_is_found() {
    let long = format!("//! long\n{}", "\n".repeat(LONGEST));
    assert_eq!(ill_shaped(&[Source::imagined("a.rs", &long)]).len(), 1);
    assert_eq!(ill_shaped(&[Source::imagined("a.rs", "// not a doc\n")]).len(), 1);
    assert_eq!(ill_shaped(&[Source::imagined("a.rs", &long[..long.len() - 1])]).len(), 0);
    let paths = ["daemon/src/utils.rs", "daemon/src/common/x.rs", "tests/Helpers.mjs", "daemon/src/host/tasks.rs"];
    assert_eq!(ill_named(&paths.map(str::to_owned)).len(), 3);
}
