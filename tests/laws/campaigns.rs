//! The table of the campaigns in `tests/README.md`: each of its numbers has a test whose name begins with it, and the other way round.

use std::collections::BTreeSet;

use crate::obeyed;
use crate::tree::{self, Source};

/// The head of the table.
const HEAD: &str = "| number | what happens | figure |";

/// `b12` of `B12`, and of `b12_calendar_jumps`: a fault or a threat of the requirements.
fn number(word: &str) -> Option<String> {
    let number = word.split('_').next()?.to_lowercase();
    let digits = number.strip_prefix(['b', 'p'])?;
    (!digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())).then_some(number)
}

/// The first cells of the rows, in their order.
fn of_the_table(text: &str) -> Vec<String> {
    let rows = text.lines().skip_while(|line| *line != HEAD).skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_start_matches('|').split('|').next().unwrap_or_default().trim().to_owned()).collect()
}

/// The numbers with which names of tests begin.
fn of_the_tests(sources: &[Source]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources {
        let mut is_test = false;
        for line in source.text.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some((_, name)) = line.split_once("fn ") {
                found.extend(number(name.split('(').next().unwrap_or_default()).filter(|_| is_test));
                is_test = false;
            }
        }
    }
    found
}

fn differences(text: &str, sources: &[Source]) -> Vec<String> {
    let (rows, tests) = (of_the_table(text), of_the_tests(sources));
    let mut broken = Vec::new();
    let mut told = BTreeSet::new();
    for row in rows {
        match number(&row) {
            None => broken.push(format!("{row:?} is no number")),
            Some(number) if !tests.contains(&number) => {
                broken.push(format!("{row} stands in the table, and no test begins with {number}_"))
            }
            Some(number) if !told.insert(number.clone()) => broken.push(format!("{row} stands in the table twice")),
            Some(_) => {}
        }
    }
    let untold = tests.difference(&told).map(|number| format!("{number}_ begins a test, and the table has no row for it"));
    broken.extend(untold);
    broken
}

#[test]
fn every_number_of_the_table_has_a_test_and_every_test_with_a_number_has_its_row() {
    let text = std::fs::read_to_string(tree::root().join("tests/README.md")).expect("tests/README.md");
    let sources = tree::rust_below(&["tests/"]);
    assert!(of_the_table(&text).len() > 40 && of_the_tests(&sources).len() > 40, "the law reads what there is");
    obeyed("the table of tests/README.md and the tests name the same numbers", &differences(&text, &sources));
}

#[test]
fn a_row_without_a_test_and_a_test_without_a_row_are_found() {
    let table =
        format!("words\n{HEAD}\n| --- | --- | --- |\n| B1 | a | b |\n| P5 | a | b |\n| P5 | a | b |\n| C1 | a | b |\n\n| B9 |\n");
    let code = "#[test]\nfn b1_it_holds() {}\nfn b3_is_no_test() {}\n#[tokio::test(flavor = \"x\")]\nasync fn p5_it_holds() {}\n#[test]\nfn b2_too() {}\n#[test]\nfn bytes_are_no_number() {}";
    let broken = differences(&table, &[Source::imagined("tests/campaigns/one.rs", code)]);
    assert_eq!(
        broken,
        ["P5 stands in the table twice", "\"C1\" is no number", "b2_ begins a test, and the table has no row for it"]
    );
    let unproven = differences(&table, &[]);
    assert!(unproven.contains(&"B1 stands in the table, and no test begins with b1_".to_owned()), "{unproven:?}");
}
