//! `tests/bench`: how fast it is, and how small, as ratios to what the machine can do at all, measured by turns in the same run.
//!
//! It asserts nothing: a figure that is not reached is told in the table, and the machine may be busy. What the rows mean stands in
//! tests/benches/README.md.
//!
//! Must never: tell a figure that was not measured, or leave a process behind.

mod cached;
mod calls;
mod commands;
mod cores;
mod effort;
mod floor_process;
mod herd;
mod memory;
mod peer;
mod peer_server;
mod ping_pong;
mod push;
mod samples;
mod stage;
mod start;
mod table;
mod unary;
mod wakeups;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::effort::Effort;
use crate::stage::Stage;
use crate::table::Row;

const HELP: &str = "\
How fast mcp-authd is, and how small: a table of ratios.

Usage: tests/bench [--quick] [MEASURE...]

  --quick   Only see that every measure runs; its figures mean nothing
  --help    Show this

Measures, all of them unless some are named:";

/// In this order: from `push` on the daemon refreshes a brief token every now and then.
const MEASURES: [&str; 10] = ["unary", "calls", "cached", "commands", "start", "memory", "wakeups", "peer", "push", "herd"];

struct Order {
    effort: Effort,
    measures: Vec<&'static str>,
}

fn main() -> ExitCode {
    let order = match read(std::env::args().skip(1)) {
        Ok(Some(order)) => order,
        Ok(None) => {
            say(&format!("{HELP}\n  {}", MEASURES.join(" ")));
            return ExitCode::SUCCESS;
        }
        Err(complaint) => {
            complain(&format!("bench: {complaint}\nnext: tests/bench --help"));
            return ExitCode::from(2);
        }
    };
    match run(&order) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&format!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// `None`: help is wanted.
fn read(given: impl Iterator<Item = String>) -> Result<Option<Order>, String> {
    let mut order = Order { effort: Effort::Full, measures: Vec::new() };
    for word in given {
        match (word.as_str(), MEASURES.into_iter().find(|name| *name == word)) {
            ("--help" | "-h", _) => return Ok(None),
            ("--quick", _) => order.effort = Effort::Quick,
            (_, Some(name)) => order.measures.push(name),
            (_, None) => return Err(format!("'{word}' is neither an option nor a measure")),
        }
    }
    if order.measures.is_empty() {
        order.measures = MEASURES.to_vec();
    }
    Ok(Some(order))
}

/// Whether everything could be measured.
fn run(order: &Order) -> Result<bool> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most.min(65_536), most)?;
    // One thread for all callers, as the daemon has one: with two cores, each has its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (rows, went_well) = runtime.block_on(measured(order))?;
    say(&table::markdown(&rows));
    say(&circumstances(order.effort));
    Ok(went_well)
}

async fn measured(order: &Order) -> Result<(Vec<Row>, bool)> {
    let mut stage = Stage::set().await?;
    let (mut rows, mut went_well) = (Vec::new(), true);
    for name in MEASURES.into_iter().filter(|name| order.measures.contains(name)) {
        complain(&format!("measuring: {name}"));
        let found = match name {
            "unary" => unary::measure(&mut stage, order.effort).await,
            "calls" => calls::measure(&mut stage, order.effort).await,
            "cached" => cached::measure(&mut stage, order.effort).await,
            "commands" => commands::measure(&mut stage, order.effort).await,
            "start" => start::measure(&mut stage, order.effort).await,
            "memory" => memory::measure(&mut stage, order.effort).await,
            "wakeups" => wakeups::measure(order.effort).await,
            "peer" => peer::measure(&mut stage, order.effort).await,
            "push" => push::measure(&mut stage, order.effort).await,
            _ => herd::measure(&mut stage, order.effort).await,
        };
        rows.extend(found.unwrap_or_else(|error| {
            went_well = false;
            vec![Row::missing(name, format!("{error:#}"))]
        }));
    }
    Ok((rows, went_well))
}

fn circumstances(effort: Effort) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let build = if cfg!(debug_assertions) { "a debug build" } else { "a release build" };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let warning = match effort {
        Effort::Full => "",
        Effort::Quick => " A QUICK run: these figures mean nothing.",
    };
    format!("{cores} cores, {build}, load at the end {}.{warning}", load.join(" "))
}

fn say(text: &str) {
    let _no_matter = writeln!(std::io::stdout().lock(), "{text}");
}

fn complain(text: &str) {
    let _no_matter = writeln!(std::io::stderr().lock(), "{text}");
}
