//! What the person reads: what is wrong and the command that mends it, then what is worth knowing, then what is well; and the same
//! for programs.
//!
//! Must never: break a command, or say how bad something is by colour alone.

use serde_json::{Value, json};

use super::finding::{Finding, Level, worst};
use crate::screen::{Page, Tone};

/// The whole page.
pub(super) fn render(findings: &[Finding], page: Page) -> String {
    let mut text = String::new();
    for (level, tone) in [(Level::Wrong, Tone::Bad), (Level::WorthKnowing, Tone::Warning)] {
        let of_level: Vec<&Finding> = findings.iter().filter(|finding| finding.level == level).collect();
        if !of_level.is_empty() {
            text.push_str(&format!("{}\n", page.tint(tone, &heading(level, of_level.len()))));
            text.extend(of_level.into_iter().map(|finding| format!("\n{}", block(finding, page))));
            text.push('\n');
        }
    }
    let all_well = worst(findings) != Level::Wrong;
    let heading = if all_well { page.tint(Tone::Good, "Nothing is wrong:") } else { "What is well:".to_owned() };
    text.push_str(&format!("{heading}\n\n"));
    text.extend(findings.iter().filter(|finding| finding.level == Level::Well).map(|finding| block(finding, page)));
    text
}

fn heading(level: Level, count: usize) -> String {
    match (level, count) {
        (Level::Wrong, 1) => "One thing is wrong:".to_owned(),
        (Level::Wrong, count) => format!("{count} things are wrong:"),
        (_, 1) => "One thing is worth knowing:".to_owned(),
        (_, count) => format!("{count} things are worth knowing:"),
    }
}

fn block(finding: &Finding, page: Page) -> String {
    let name = finding.check.name();
    let mut text = match &finding.about {
        Some(about) => page.field(name, about) + &page.field("", &finding.message),
        None => page.field(name, &finding.message),
    };
    if let Some(fix) = &finding.fix {
        text.push_str(&page.whole("fix", fix, Some(Tone::Strong)));
    }
    text
}

/// The same for programs.
pub(super) fn object(findings: &[Finding]) -> Value {
    let word = |level: Level| match level {
        Level::Well => "well",
        Level::WorthKnowing => "worth_knowing",
        Level::Wrong => "wrong",
    };
    let finding = |finding: &Finding| {
        json!({
            "check": finding.check.name(),
            "about": finding.about,
            "level": word(finding.level),
            "message": finding.message,
            "fix": finding.fix,
        })
    };
    json!({ "verdict": word(worst(findings)), "findings": findings.iter().map(finding).collect::<Vec<_>>() })
}
