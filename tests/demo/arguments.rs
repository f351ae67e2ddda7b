//! What a person may type after `cargo demo`.

/// Enough to race, few enough to read.
const PROGRAMS: usize = 5;
const MOST_PROGRAMS: usize = 50;

pub(crate) const HELP: &str = "\
Several programs, one login, one refresh: mcp-authd at work.

Usage: cargo demo [OPTIONS]

  --yes            Run by itself: approve through the test server's page
  --programs N     How many programs, 2 to 50 (default: 5)
  --test-server    Use the test server although your config.toml has an account
  --account NAME   Use this account of your config.toml (default: its first)
  --help           Show this

Without an account in your config.toml, and with --yes, a test server on this
machine and a temporary home are used; they are gone when the demo ends.

Exit codes: 0 every count was right, 1 not so, 2 wrong usage, 130 stopped.";

/// What to do.
pub(crate) enum Order {
    Help,
    /// Be one of the programs: started by the demo itself.
    Program,
    Show(Arguments),
}

/// How to show it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) approval: Approval,
    pub(crate) programs: usize,
    pub(crate) place: Place,
}

/// Who presses Approve.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Approval {
    #[default]
    ByThePerson,
    ByItself,
}

/// Which authorization server.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first account of the configuration, else the test server.
    #[default]
    WhatIsConfigured,
    Account(String),
    TestServer,
}

/// Reads the arguments.
pub(crate) fn read(given: impl Iterator<Item = String>) -> Result<Order, String> {
    let mut arguments = Arguments { programs: PROGRAMS, ..Arguments::default() };
    let mut given = given;
    while let Some(word) = given.next() {
        match word.as_str() {
            "program" => return Ok(Order::Program),
            "--help" | "-h" => return Ok(Order::Help),
            "--yes" => arguments.approval = Approval::ByItself,
            "--test-server" => arguments.place = Place::TestServer,
            "--account" => arguments.place = Place::Account(given.next().ok_or("--account needs a name")?),
            "--programs" => {
                let number = given.next().and_then(|word| word.parse().ok());
                let fits = number.filter(|number| (2..=MOST_PROGRAMS).contains(number));
                arguments.programs = fits.ok_or_else(|| format!("--programs needs a number from 2 to {MOST_PROGRAMS}"))?;
            }
            other => return Err(format!("'{other}' is not known")),
        }
    }
    match (arguments.approval, &arguments.place) {
        // Nobody presses Approve at somebody's real account but that person.
        (Approval::ByItself, Place::Account(_)) => Err("--yes works at the test server only".to_owned()),
        (Approval::ByItself, _) => Ok(Order::Show(Arguments { place: Place::TestServer, ..arguments })),
        (Approval::ByThePerson, _) => Ok(Order::Show(arguments)),
    }
}
