//! An account in one line.
//!
//! Must never: be wider than the page, or break.

use mcp_authd_client::status::AccountStatus;

use super::block::{health, life, next_step, used};
use super::page::Shown;
use crate::screen::terminal::cut;
use crate::screen::{self, Page, Tone};

/// The widest column for the names.
const NAME_LIMIT: usize = 24;

/// The longest health in words, and two spaces.
const HEALTH_WIDTH: usize = 23;

/// A line for each.
pub(super) fn one_line_each(accounts: &[&AccountStatus], shown: Shown<'_>, page: Page) -> Vec<String> {
    let names: Vec<String> = accounts.iter().map(|account| cut(&screen::clean(&account.name), NAME_LIMIT)).collect();
    let name_width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let health_width = accounts.iter().map(|account| health(account).1.chars().count() + 2).max().unwrap_or(HEALTH_WIDTH);
    let line = |(account, name): (&&AccountStatus, &String)| {
        let (tone, health) = health(account);
        let space = " ".repeat(health_width.saturating_sub(health.chars().count()));
        let line = format!("{name:name_width$}  {}{space}{}", page.tint(tone, health), what(account, shown, page));
        cut(line.trim_end(), page.width)
    };
    accounts.iter().zip(&names).map(line).collect()
}

/// The most important thing about an account: what to type, else its token and who has it.
fn what(account: &AccountStatus, shown: Shown<'_>, page: Page) -> String {
    match (next_step(account), &account.grant) {
        (Some(next_step), _) => page.tint(Tone::Strong, &screen::clean(&next_step)),
        (None, Some(grant)) => {
            let used = account.last_use.is_some().then(|| used(account, shown.present, shown.uses())).flatten();
            let used = used.map(|used| screen::clean(&format!("; used {used}"))).unwrap_or_default();
            life(grant, shown.present) + &used
        }
        (None, None) => String::new(),
    }
}
