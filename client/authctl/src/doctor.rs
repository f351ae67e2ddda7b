//! `authctl doctor`: what is wrong, and the command that mends it; also where no daemon runs.
//!
//! ```text
//! facts.rs    what is so                                   gather.rs  finds it out
//! judge/      from facts to findings, purely               page.rs    what the person reads, and what programs read
//! ```
//!
//! Must never: start a daemon, change anything, or end without the fix where something is wrong.

mod facts;
mod finding;
mod gather;
mod judge;
mod page;

use crate::cli::doctor::Doctor;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page};
use facts::Asking;

/// `authctl doctor`.
pub(crate) async fn run(options: Doctor) -> Result<Exit, Failure> {
    let asking = if options.offline { Asking::None } else { Asking::Each };
    let facts = gather::facts(asking).await?;
    let findings = judge::judge(&facts);
    let text = if options.json { json::line(&page::object(&findings)) } else { page::render(&findings, Page::of_stdout()) };
    screen::print(&text)?;
    Ok(finding::exit(&findings))
}
