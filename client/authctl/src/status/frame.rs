//! One frame of the watched status: lines for a terminal of a given size.
//!
//! Must never: be higher or wider than the terminal, or keep quiet about an account that has no room.

use mcp_authd_client::status::{AccountStatus, DaemonStatus};

use super::here::Here;
use super::line::one_line_each;
use super::page::{self, Shown};
use super::summary::{self, ordered, urgency};
use crate::screen::Page;
use crate::screen::present::Present;
use crate::screen::terminal::{Size, cut};

/// What is shown.
#[derive(Debug)]
pub(super) enum Scene {
    /// The daemon as it was told last.
    Daemon(Box<DaemonStatus>),
    /// There is none at this moment; why, and the next step.
    Away(String),
}

/// The last line.
const HOW_TO_END: &str = "Ctrl-C ends the watching, and nothing else.";

/// The lines. One column stays free, so that no terminal wraps.
pub(super) fn frame(scene: &Scene, (here, present): (&Here, Present), (page, size): (Page, Size)) -> Vec<String> {
    let columns = size.columns.saturating_sub(1);
    let page = Page { width: page.width.min(columns), ..page };
    let mut lines = match scene {
        Scene::Daemon(daemon) => of_daemon(Shown { daemon, here, present }, (page, size)),
        Scene::Away(message) => {
            let text = page.paragraph(message) + "\n" + &page.paragraph("Waiting for it to come back.");
            text.lines().map(ToOwned::to_owned).collect()
        }
    };
    if lines.len() + 2 <= size.rows {
        lines.push(String::new());
        lines.push(HOW_TO_END.to_owned());
    }
    lines.truncate(size.rows);
    lines.iter().map(|line| cut(line, columns)).collect()
}

/// Below this, the accounts have every row that the first line leaves.
const LOW: usize = 12;

/// Four sizes: everything; an account a line; and where those have no room either, little or next to nothing above them.
fn of_daemon(shown: Shown<'_>, (page, size): (Page, Size)) -> Vec<String> {
    let accounts = ordered(&shown.daemon.accounts);
    let above = |text: String| text.lines().map(ToOwned::to_owned).chain([String::new()]).collect::<Vec<String>>();
    // Two for how to end.
    let room = |above: &Vec<String>| size.rows.saturating_sub(above.len() + 2);
    let mut lines = above(page::heading(shown, page));
    let blocks: Vec<String> = accounts.iter().map(|account| shown.block(account, page)).collect();
    let blocks = if blocks.is_empty() { page::no_account(page) } else { blocks.join("\n") };
    if blocks.lines().count() <= room(&lines) {
        lines.extend(blocks.lines().map(ToOwned::to_owned));
        return lines;
    }
    // The commands stand in the lines.
    let summary = summary::in_a_line(shown.daemon, page);
    lines = above(summary.clone() + &page::of_daemon(shown, page));
    if accounts.len() > room(&lines) {
        lines = if size.rows < LOW {
            summary.lines().map(ToOwned::to_owned).collect()
        } else {
            above(summary + &page::title(shown, page))
        };
    }
    let room = room(&lines);
    lines.extend(as_many_as_fit(&accounts, shown, (page, room)));
    lines
}

/// An account a line, those first that need the person. Where not all have room: how many more there are.
fn as_many_as_fit(accounts: &[&AccountStatus], shown: Shown<'_>, (page, room): (Page, usize)) -> Vec<String> {
    let fit = if accounts.len() <= room { accounts.len() } else { room.saturating_sub(1) };
    let (fitting, hidden) = accounts.split_at(fit);
    let mut lines = one_line_each(fitting, shown, page);
    if !hidden.is_empty() {
        let of_you = hidden.iter().filter(|account| urgency(account.health) == 0).count();
        let of_you = if of_you > 0 { format!(", {of_you} of them in need of you") } else { String::new() };
        let accounts = if hidden.len() == 1 { "account has" } else { "accounts have" };
        lines.push(format!("{} more {accounts} no room here{of_you}; all of them: authctl status", hidden.len()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use mcp_authd_client::status::Health;

    use super::super::sample::{PAGE, account, daemon, every_kind, here, many, present};
    use super::*;
    use crate::screen::{self, Paint};

    const USUAL: Size = Size { columns: 80, rows: 24 };

    fn at(daemon: DaemonStatus, size: Size) -> String {
        frame(&Scene::Daemon(Box::new(daemon)), (&here(), present()), (PAGE, size)).join("\n")
    }

    #[test]
    fn a_tall_terminal_shows_every_account_whole() {
        insta::assert_snapshot!(at(every_kind(), Size { columns: 80, rows: 70 }));
    }

    #[test]
    fn the_usual_terminal_gives_each_account_a_line_where_the_blocks_have_no_room() {
        insta::assert_snapshot!(at(every_kind(), USUAL));
    }

    #[test]
    fn too_many_accounts_show_those_in_need_first_and_count_the_rest() {
        let shown = at(many(60), USUAL);
        insta::assert_snapshot!(shown);
        assert_eq!(shown.lines().filter(|line| line.contains("LOGIN NEEDED")).count(), 8, "all that need the person");
    }

    #[test]
    fn a_name_of_200_characters_keeps_to_its_lines() {
        let name = format!("{}-{}", "a".repeat(99), "b".repeat(100));
        let whole = at(daemon(vec![account(&name, Health::LoginRequired)]), USUAL);
        let short =
            at(daemon(vec![account(&name, Health::LoginRequired), account("github", Health::Good)]), Size { rows: 12, ..USUAL });
        insta::assert_snapshot!(format!("{whole}\n\n{}\n\n{short}", "=".repeat(79)));
    }

    #[test]
    fn a_daemon_that_has_gone_is_told_and_waited_for() {
        let error = mcp_authd_client::ConnectError::NoDaemon { path: "/run/user/1000/mcp-authd/admin.sock".into() };
        insta::assert_snapshot!(frame(&Scene::Away(error.to_string()), (&here(), present()), (PAGE, USUAL)).join("\n"));
    }

    #[test]
    fn a_daemon_without_accounts_says_what_to_do() {
        insta::assert_snapshot!(at(daemon(vec![]), USUAL));
    }

    #[test]
    fn no_frame_is_higher_or_wider_than_its_terminal() {
        let scenes = || {
            let away = Scene::Away("mcp-authd is not running".repeat(9));
            let all = [every_kind(), many(60), many(1), daemon(vec![])];
            all.into_iter().map(|daemon| Scene::Daemon(Box::new(daemon))).chain([away])
        };
        for (columns, rows) in (1..100).step_by(9).flat_map(|columns| (1..60).step_by(4).map(move |rows| (columns, rows))) {
            for scene in scenes() {
                let page = Page { width: columns.clamp(40, 80), paint: Paint::Colour };
                let lines = frame(&scene, (&here(), present()), (page, Size { columns, rows }));
                assert!(lines.len() <= rows, "{columns}x{rows}: {lines:?}");
                let widest = lines.iter().map(|line| screen::clean(line).chars().count()).max();
                assert!(widest < Some(columns), "{columns}x{rows}: {lines:?}");
            }
        }
    }

    #[test]
    fn a_low_window_shows_the_account_before_the_daemon() {
        let shown = at(many(1), Size { columns: 40, rows: 6 });
        assert!(shown.starts_with("1 account: good\naccount-0  good  valid for "), "{shown}");
    }

    #[test]
    fn every_account_is_shown_or_counted() {
        for rows in 8..80 {
            let shown = at(many(30), Size { columns: 80, rows });
            let named = shown.lines().filter(|line| line.starts_with("account-")).count();
            let more = shown.lines().find_map(|line| line.split_once(" more account")).and_then(|(count, _)| count.parse().ok());
            assert_eq!(named + more.unwrap_or(0), 30, "{rows}: {shown}");
        }
    }
}
