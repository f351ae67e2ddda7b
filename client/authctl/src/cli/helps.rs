//! What every command says of itself, on a page of 80 columns; a command without a committed page fails here.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

use clap::{Command, CommandFactory as _, Parser as _};

use crate::cli::Cli;
use crate::exit;

/// Every page that `--help` shows, with the words of its command.
fn pages() -> Vec<(Vec<String>, String)> {
    let mut found = vec![vec![]];
    walk(&Cli::command(), &[], &mut found);
    found.into_iter().map(|words| (words.clone(), page(&words))).collect()
}

fn walk(command: &Command, words: &[String], found: &mut Vec<Vec<String>>) {
    for below in command.get_subcommands() {
        let words = [words, &[below.get_name().to_owned()]].concat();
        walk(below, &words, found);
        found.push(words);
    }
}

/// As the program prints it.
fn page(words: &[String]) -> String {
    let typed = ["authctl".to_owned()].into_iter().chain(words.iter().cloned()).chain(["--help".to_owned()]);
    Cli::try_parse_from(typed).map(drop).unwrap_err().to_string()
}

fn name(words: &[String]) -> String {
    [&["help".to_owned()], words].concat().join("_")
}

/// What is wrong with a page, as a screen.
fn wrong(page: &str) -> Option<String> {
    let wide = page.lines().find(|line| line.chars().count() > 80).map(|line| format!("too wide: {line}"));
    let steers = page.contains(|c: char| c.is_control() && c != '\n').then(|| format!("a control character: {page:?}"));
    let open = (!page.ends_with('\n') || page.ends_with("\n\n")).then(|| "it does not end in one line break".to_owned());
    wide.or(steers).or(open)
}

#[test]
fn every_help_is_as_committed() {
    for (words, page) in pages() {
        insta::assert_snapshot!(name(&words), page);
    }
}

#[test]
fn no_page_is_wider_than_80_columns_steers_the_terminal_or_lacks_its_end() {
    let wrong: Vec<String> =
        pages().into_iter().filter_map(|(words, page)| Some(format!("{}: {}", name(&words), wrong(&page)?))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for bad in ["x".repeat(81) + "\n", "x".to_owned(), "x\n\n".to_owned(), "\u{1b}[1mx\n".to_owned()] {
        assert!(self::wrong(&bad).is_some(), "{bad:?}");
    }
}

#[test]
fn no_committed_page_is_of_a_command_that_has_gone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/snapshots");
    let known: BTreeSet<String> =
        pages().into_iter().map(|(words, _)| format!("authctl__cli__helps__{}.snap", name(&words))).collect();
    let names = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<String> = names.filter(|name| name.starts_with("authctl__cli__helps__help")).collect();
    assert_eq!(found, known);
}

/// What a person may mistype, and what is answered: clap's words, and ours where it asks us.
#[test]
fn wrong_usage_is_answered_with_the_usage() {
    let typed = [
        &["frobnicate"][..],
        &["login", "--agian"],
        &["token", "github", "--resource", "https://mcp.example/"],
        &["token", "--min-validity", "soon"],
        &["status", "--json", "--schema"],
        &["account", "add", "--token-file", "~/token"],
        &["account", "show", ""],
        &["provider", "check"],
    ];
    let told = typed.map(|arguments| {
        let all = ["authctl"].iter().chain(arguments);
        let told = Cli::try_parse_from(all).map(drop).unwrap_err().to_string();
        let told = exit::usage(&told, Some(80));
        assert!(told.contains("--help") && wrong(&told).is_none(), "{told}");
        format!("$ authctl {}\n{told}", arguments.join(" "))
    });
    insta::assert_snapshot!(told.join("\n"));
}
