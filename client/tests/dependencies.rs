//! The law of the library's size: every crate that a guest takes in with it stands in `dependencies.txt`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const REFRESH: &str = "cargo tree -p mcp-authd-client -e normal --prefix none --no-dedupe --target x86_64-unknown-linux-gnu \
                       --offline --locked | cut -d' ' -f1 | LC_ALL=C sort -u > client/dependencies.txt";

#[test]
fn the_dependencies_are_the_ones_that_are_written_down() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO"))
        .current_dir(here)
        .args(["tree", "-p", "mcp-authd-client", "-e", "normal", "--prefix", "none", "--no-dedupe"])
        .args(["--target", "x86_64-unknown-linux-gnu", "--offline", "--locked"])
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo tree failed: {}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let found: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let written = std::fs::read_to_string(here.join("dependencies.txt")).unwrap();
    let written: BTreeSet<&str> = written.lines().collect();
    let more: Vec<_> = found.difference(&written).collect();
    let gone: Vec<_> = written.difference(&found).collect();
    assert!(more.is_empty() && gone.is_empty(), "new: {more:?}, gone: {gone:?}; if that is meant: {REFRESH}");
}
