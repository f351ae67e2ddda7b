//! Every finding that any of the cases leads to, on one page: to be read as a person reads it.

use super::*;

#[test]
fn every_finding_is_as_committed_on_80_columns() {
    let mut found: Vec<Finding> = Vec::new();
    for finding in cases().into_iter().flat_map(|(_, facts, ..)| judge(&facts)) {
        if !found.contains(&finding) {
            found.push(finding);
        }
    }
    let shown = page::render(&found, PAGE);
    insta::assert_snapshot!(shown);
    let wide: Vec<&str> = shown.lines().filter(|line| line.chars().count() > 80 && !line.starts_with("  fix ")).collect();
    assert!(wide.is_empty(), "{wide:#?}");
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n') && shown.ends_with('\n'), "{shown:?}");
}
