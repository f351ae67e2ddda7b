//! The daemon as a service: whether its manager holds what programs need, and what is wrong with the units.

use super::super::facts::{Facts, Heard};
use super::super::finding::{Check, Finding};
use crate::exit::Exit;
use crate::service::{Managed, Mark, Trouble};

pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mark = if facts.situation.stop_mark.is_some() { Mark::Stands } else { Mark::None };
    match &facts.service {
        Managed::No => Vec::new(),
        Managed::OutOfReach(why) => {
            let failure = why.failure(("how the service is cannot be told from here", "authctl doctor"));
            let message = super::sentence(&failure.message);
            vec![Finding::worth_knowing(Check::Service, message, failure.next_step.unwrap_or_default())]
        }
        Managed::Units(now) if !now.are_wanted() => {
            let message = "Its units are there, and nobody has enabled them: the first program that asks starts the daemon.";
            vec![Finding::worth_knowing(Check::Service, message, "authctl service install")]
        }
        Managed::Units(_) => {
            let troubles = facts.service.troubles(mark);
            if troubles.is_empty() {
                vec![Finding::well(Check::Service, how(facts))]
            } else {
                troubles.into_iter().map(|trouble| wrong(trouble, facts)).collect()
            }
        }
    }
}

fn how(facts: &Facts) -> &'static str {
    match facts.service.units() {
        _ if facts.service.waits() => "The service manager listens, and starts the daemon at the first call.",
        Some(now) if now.service.is_up() => "The service manager runs it, and its units are in order.",
        _ => "Its units are in order; none of them runs.",
    }
}

/// Where nobody could be asked because of it, that is what the command ends with.
fn wrong(trouble: Trouble, facts: &Facts) -> Finding {
    let finding = Finding::wrong(Check::Service, trouble.message, trouble.fix);
    if matches!(facts.daemon, Heard::Answers(_)) { finding } else { finding.ending(Exit::NotRunning) }
}
