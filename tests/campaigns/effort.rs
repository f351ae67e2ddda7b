//! How much a campaign does, and how it tells its figures.

use std::fmt::Display;

/// The variable that `tests/campaign` sets.
const VARIABLE: &str = "MCP_AUTHD_CAMPAIGN";

/// So many rounds: all of them by `tests/campaign`, fewer in `tests/run`.
pub(crate) fn rounds(whole: usize, short: usize) -> usize {
    if is_whole() { whole } else { short }
}

/// Whether all of it is wanted.
pub(crate) fn is_whole() -> bool {
    std::env::var_os(VARIABLE).is_some_and(|effort| effort == "whole")
}

/// The closing line of a campaign.
pub(crate) fn figures(number: &str, figures: impl Display) {
    let effort = if is_whole() { "" } else { " (short form)" };
    eprintln!("FIGURES {number}{effort}: {figures}");
}
