//! Manual pages and completions, made from a program's own definition of its command line, and held to be what is committed.
//!
//! A test of each program calls [`Program::is_as_committed`]; with `MCP_AUTHD_REGENERATE=1` that writes the files anew.
//!
//! Must never: be a dependency of a program that is shipped; it is for the tests of both.
#![allow(clippy::panic, clippy::expect_used, reason = "for tests: what is stale or cannot be written ends them, with a sentence")]

mod committed;
mod help;
mod page;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Command;
use clap_complete::Shell;

pub use page::Term;

/// A program with a manual.
#[derive(Debug)]
pub struct Program {
    /// Its command line.
    pub command: Command,
    /// What its own page says about the files that it reads and writes.
    pub files: &'static [Term],
    /// What its own page says about the variables that it reads.
    pub environment: &'static [Term],
    /// Further pages, for all of its own: `mcp-authd(1)`.
    pub see_also: &'static [&'static str],
}

/// A file with a page in section 5.
#[derive(Debug)]
pub struct Format {
    /// The name of the page: `mcp-authd.toml`.
    pub name: &'static str,
    /// What it is, in half a sentence.
    pub what: &'static str,
    /// What is to be known of all of it, a paragraph each.
    pub description: &'static [&'static str],
    /// What may stand in it: a head, and the terms below.
    pub sections: &'static [(&'static str, &'static [Term])],
    /// A whole one.
    pub example: &'static str,
    /// Further pages.
    pub see_also: &'static [&'static str],
}

impl Format {
    /// As [`Program::is_as_committed`].
    ///
    /// # Panics
    /// Where the page is stale, with what to type.
    pub fn is_as_committed(&self) {
        let made = page::of_format(self);
        let stale = committed::stale(&folder().join("man"), &made, |file| made.contains_key(file));
        assert!(stale.is_empty(), "{stale:?} are stale; run the same test with: MCP_AUTHD_REGENERATE=1");
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

impl Program {
    /// Compares what this program's definition makes with the committed files, and with `MCP_AUTHD_REGENERATE` in the environment
    /// writes these first. Pages of commands that are gone count as stale.
    ///
    /// # Panics
    /// With the names of the files that are stale, and what to type.
    pub fn is_as_committed(&self) {
        let name = self.command.get_name();
        let folder = folder();
        let is_below = |rest: &str| rest.starts_with(['.', '-']) && rest.ends_with(".1");
        let ours = |file: &str| file.strip_prefix(name).is_some_and(is_below);
        let mut stale = committed::stale(&folder.join("man"), &page::all(self), ours);
        let completions = self.completions();
        stale.extend(committed::stale(&folder.join("completions"), &completions, |file| completions.contains_key(file)));
        assert!(stale.is_empty(), "{stale:?} are stale; run: MCP_AUTHD_REGENERATE=1 cargo test -p {name} --bins the_manual");
    }

    /// By the name under which the shell looks for it.
    fn completions(&self) -> BTreeMap<String, String> {
        let name = self.command.get_name();
        let shells = [(Shell::Bash, name.to_owned()), (Shell::Zsh, format!("_{name}")), (Shell::Fish, format!("{name}.fish"))];
        let made = shells.map(|(shell, file)| {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut self.command.clone(), name, &mut script);
            (file, String::from_utf8(script).expect("a completion is UTF-8"))
        });
        made.into_iter().collect()
    }
}
