//! The whole screen: how it is in a line, the daemon, and the accounts, those first that need the person.
//!
//! Must never: show a token or a code; `authctl login` shows codes.

use mcp_authd_client::status::{AccountStatus, DaemonStatus, Health, Key, StartedBy};

use super::block::{Uses, block};
use super::here::{Here, StopMark};
use super::line::one_line_each;
use super::summary::{self, ordered};
use crate::screen::Page;
use crate::screen::present::Present;

/// With more accounts than these, one that asks nothing of the person has a line instead of a block.
const BLOCKS: usize = 8;

/// What is shown: what the daemon says, and what authctl knows beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) daemon: &'a DaemonStatus,
    pub(super) here: &'a Here,
    pub(super) present: Present,
}

impl Shown<'_> {
    /// Whether the daemon tells who was given a token: one of this version does.
    pub(super) fn uses(self) -> Uses {
        if self.here.version == self.daemon.version { Uses::Told } else { Uses::Unknown }
    }

    /// An account whole.
    pub(super) fn block(self, account: &AccountStatus, page: Page) -> String {
        block(account, (self.present, self.uses()), page)
    }
}

/// The whole page.
pub(super) fn render(shown: Shown<'_>, page: Page) -> String {
    let accounts = ordered(&shown.daemon.accounts);
    let mut text = heading(shown, page);
    if accounts.is_empty() {
        return text + "\n" + &no_account(page);
    }
    let in_a_line = |account: &&AccountStatus| accounts.len() > BLOCKS && says_little(account);
    let (lines, blocks): (Vec<&AccountStatus>, Vec<_>) = accounts.iter().copied().partition(in_a_line);
    text.extend(blocks.into_iter().map(|account| format!("\n{}", shown.block(account, page))));
    if !lines.is_empty() {
        text.push('\n');
        text.extend(one_line_each(&lines, shown, page).into_iter().map(|line| line + "\n"));
        text.push('\n');
        text.push_str(&page.paragraph("Everything about one of them: authctl account show NAME"));
    }
    text
}

/// What its line leaves out is of no matter now: it serves, or waits for the key, which is told above.
fn says_little(account: &AccountStatus) -> bool {
    matches!(account.health, Health::Good | Health::Locked | Health::Loading)
}

/// What is said where there is nothing else to say.
pub(crate) fn no_account(page: Page) -> String {
    page.paragraph("No account is configured yet. To add one:")
        + &page.whole("", "authctl account add URL", None)
        + &page.paragraph("with the URL of your MCP server; other ways: authctl account add --help")
}

/// All but the accounts: how it is, what to type, and the daemon.
pub(super) fn heading(shown: Shown<'_>, page: Page) -> String {
    let summary = summary::with_commands(shown.daemon, page);
    if summary.is_empty() { of_daemon(shown, page) } else { summary + "\n" + &of_daemon(shown, page) }
}

/// The daemon itself: some lines.
pub(super) fn of_daemon(shown: Shown<'_>, page: Page) -> String {
    let Shown { daemon, here, .. } = shown;
    let mut text = title(shown, page);
    if let Some(started) = started(shown) {
        text.push_str(&page.field("started", &started));
    }
    text.push_str(&page.field("key", &key(daemon)));
    text.push_str(&page.field("config", &daemon.config_path));
    if let Some(socket) = &here.named_socket {
        text.push_str(&page.field("socket", &format!("{}, as MCP_AUTHD_SOCKET says", socket.display())));
    }
    if let Some(service) = here.service_in_words() {
        text.push_str(&page.field("service", &service));
    }
    if here.mark == StopMark::Stands && here.named_socket.is_none() {
        let until = "by hand before; once this one ends, no program starts another until: authctl daemon start";
        text.push_str(&page.field("stopped", until));
    }
    if let Some((how, next)) = here.to_one_version(daemon) {
        text.push_str(&page.field("authctl", &format!("{}, {how}", here.version)));
        text.push_str(&page.next("next", &next));
    }
    text
}

/// The daemon in one line.
pub(super) fn title(shown: Shown<'_>, page: Page) -> String {
    let Shown { daemon, present, .. } = shown;
    let age = present.since(daemon.started_at).map(|age| format!(", for {age}")).unwrap_or_default();
    page.paragraph(&format!("mcp-authd {} is running (pid {}{age})", daemon.version, daemon.pid))
}

/// When, in which zone all times here are, and by whom.
fn started(shown: Shown<'_>) -> Option<String> {
    let at = shown.daemon.started_at.and_then(|start| shown.present.wall_and_zone(start));
    let by = match shown.daemon.started_by {
        StartedBy::Person => Some("by you"),
        StartedBy::Program => Some("by a program that needed it"),
        StartedBy::Manager => Some("by the service manager"),
        _ => None,
    };
    match (at, by) {
        (Some(at), Some(by)) => Some(format!("{at}, {by}")),
        (Some(at), None) => Some(at),
        (None, by) => by.map(ToOwned::to_owned),
    }
}

fn key(daemon: &DaemonStatus) -> String {
    let state = match daemon.key {
        Key::Open => "open",
        Key::Locked => "LOCKED",
        Key::Wrong => "WRONG: it does not open the store",
        Key::Loading => "is being fetched",
        _ => "unknown to this authctl",
    };
    if daemon.key_source.is_empty() { state.to_owned() } else { format!("{state} ({})", daemon.key_source) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use mcp_authd_client::Purpose;
    use mcp_authd_client::SignIn;

    use super::super::block::health;
    use super::super::here::Installed;
    use super::super::sample::{PAGE, account, daemon, every_kind, grant, here, many, present, service, shown, sign_in, whole};
    use super::*;
    use crate::json;
    use crate::screen::{self, Paint};

    fn alone(account: &AccountStatus) -> String {
        block(account, (present(), Uses::Told), PAGE)
    }

    #[test]
    fn one_screen_shows_every_kind_of_account() {
        insta::assert_snapshot!(whole(&every_kind()));
    }

    #[test]
    fn one_account_that_is_good_needs_half_a_screen() {
        let shown = whole(&daemon(vec![every_kind().accounts.into_iter().next().unwrap()]));
        insta::assert_snapshot!(shown);
        assert!(shown.lines().count() < 20 && !shown.contains("next"), "{shown}");
    }

    #[test]
    fn twenty_accounts_have_a_line_each_but_for_those_that_need_the_person() {
        let shown = whole(&many(20));
        insta::assert_snapshot!(shown);
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }

    #[test]
    fn a_daemon_of_another_version_and_a_stop_mark_come_with_what_to_type() {
        let held = AccountStatus { grant: Some(grant(None)), ..account("github", Health::Good) };
        let old = DaemonStatus { version: "0.0.9".into(), ..daemon(vec![held]) };
        let here = Here { service: Installed::Yes(service()), mark: StopMark::Stands, ..here() };
        let shown = render(shown(&old, &here), PAGE);
        insta::assert_snapshot!(shown);
        assert!(!shown.contains("  used "), "a daemon of another version may not tell who was given a token");
    }

    #[test]
    fn a_socket_that_is_named_and_who_has_started_the_daemon_are_said() {
        let here = Here { named_socket: Some("/run/user/1000/other/tokens.sock".into()), ..here() };
        let by = |started_by| of_daemon(shown(&DaemonStatus { started_by, ..daemon(vec![]) }, &here), PAGE);
        insta::assert_snapshot!([StartedBy::Person, StartedBy::Program, StartedBy::Manager, StartedBy::Other].map(by).join("\n"));
    }

    #[test]
    fn a_key_that_is_not_open_is_said_first_and_what_opens_it_last() {
        let locked = |name: &str| AccountStatus {
            message: Some("The store's key is not open.".into()),
            next_step: Some("put the old key back, or move the records away; see where they are with: authctl doctor".into()),
            ..account(name, Health::Locked)
        };
        let told = [Key::Locked, Key::Wrong, Key::Loading]
            .map(|key| whole(&DaemonStatus { key, ..daemon(vec![locked("github"), locked("gitlab")]) }));
        assert!(told.iter().flat_map(|page| page.lines()).all(|line| line.chars().count() <= 80), "{told:?}");
        insta::assert_snapshot!(told.join(&format!("{}\n", "=".repeat(80))));
    }

    #[test]
    fn who_was_given_the_token_last_is_said_as_far_as_it_is_known() {
        use mcp_authd_client::status::LastUse;
        let base = || AccountStatus { grant: Some(grant(Some(60))), ..account("github", Health::Good) };
        let by = |ago: Option<u64>, program: Option<&str>, pid| {
            let at = ago.and_then(|ago| present().now.checked_sub(Duration::from_secs(ago)));
            alone(&AccountStatus { last_use: Some(LastUse { at, program: program.map(Into::into), pid }), ..base() })
        };
        for (shown, line) in [
            (by(Some(180), Some("editor"), Some(4242)), "  used      3 min ago by editor (pid 4242)\n"),
            (by(Some(0), Some("editor"), None), "  used      just now by editor\n"),
            (by(Some(60), None, Some(7)), "  used      1 min ago by a program (pid 7)\n"),
            (by(None, None, None), "  used      by a program\n"),
            (alone(&base()), "  used      not since mcp-authd was started\n"),
        ] {
            assert!(shown.contains(line), "{line}: {shown}");
        }
        assert!(!block(&base(), (present(), Uses::Unknown), PAGE).contains("  used "), "an older daemon does not know");
        assert!(!alone(&account("x", Health::LoginRequired)).contains("  used "));
    }

    #[test]
    fn scopes_that_were_asked_for_and_not_granted_are_said() {
        let with = |asked: &[&str], granted: &[&str]| {
            let owned = |scopes: &[&str]| scopes.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>();
            let held = mcp_authd_client::status::GrantStatus { scopes: owned(granted), ..grant(None) };
            alone(&AccountStatus { scopes: owned(asked), grant: Some(held), ..account("x", Health::Good) })
        };
        let shown = with(&["repo", "gist"], &["repo", "read:org"]);
        assert!(shown.contains("  scopes    repo read:org\n  missing   gist (asked for, not granted)\n"), "{shown}");
        assert!(!with(&["repo"], &["repo", "read:org"]).contains("missing"));
        assert!(!with(&["repo", "offline_access"], &["repo"]).contains("missing"), "a refresh token is there");
        // RFC 6749, 5.1: a server that names none may mean all.
        assert!(!with(&["repo"], &[]).contains("missing"));
        assert!(alone(&account("x", Health::LoginRequired)).contains("  asks for  repo\n"));
    }

    #[test]
    fn an_account_that_needs_more_access_says_so_beside_its_living_token() {
        let more = AccountStatus {
            message: Some("It needs more access: scope gist; the present token goes on serving.".into()),
            next_step: Some("authctl login github".into()),
            grant: Some(grant(Some(28_799))),
            sign_in: Some(SignIn { purpose: Purpose::MoreAccess, ..sign_in() }),
            ..account("github", Health::SigningIn)
        };
        let shown = alone(&more);
        assert!(shown.contains("health    NEEDS MORE ACCESS\n") && shown.contains("token     valid for "), "{shown}");
        let end = "  login     waits for you, 14 min left, asked by editor\n\
                   \x20 why       It needs more access: scope gist; the present token goes on serving.\n\
                   \x20 next      authctl login github\n";
        assert!(shown.ends_with(end), "{shown}");
        assert_eq!(health(&AccountStatus { sign_in: Some(sign_in()), ..more }).1, "A LOGIN WAITS FOR YOU");
    }

    #[test]
    fn a_daemon_without_accounts_says_what_to_do() {
        insta::assert_snapshot!(whole(&DaemonStatus { key: Key::Locked, ..daemon(vec![]) }));
    }

    #[test]
    fn a_name_of_200_characters_is_shown_whole_and_only_its_command_is_wide() {
        let name = format!("{}-{}", "a".repeat(99), "b".repeat(100));
        let shown = whole(&daemon(vec![account(&name, Health::LoginRequired)]));
        insta::assert_snapshot!(shown);
        let wide: Vec<&str> = shown.lines().filter(|line| line.chars().count() > 80).collect();
        assert_eq!(wide, [format!("  next      authctl login {name}"), format!("  next      authctl login {name}")]);
    }

    #[test]
    fn what_to_type_is_the_last_line_of_every_block() {
        for health in super::super::sample::HEALTHS {
            let shown = alone(&AccountStatus {
                message: Some("So it is.".into()),
                next_step: Some("authctl doctor".into()),
                sign_in: Some(sign_in()),
                grant: Some(grant(None)),
                ..account("x", health)
            });
            assert!(shown.ends_with("  why       So it is.\n  next      authctl doctor\n"), "{shown}");
        }
    }

    #[test]
    fn status_shows_no_code() {
        assert!(!whole(&every_kind()).contains("ABCD"));
        assert!(!json::status::running(&every_kind(), &here(), None).to_string().contains("ABCD"));
    }

    #[test]
    fn without_colour_nothing_is_lost() {
        let (daemon, here) = (every_kind(), here());
        for daemon in [daemon, many(20)] {
            let colour = render(shown(&daemon, &here), Page { paint: Paint::Colour, ..PAGE });
            let plain: Vec<String> = colour.lines().map(screen::clean).collect();
            assert_eq!(plain.join("\n"), whole(&daemon).trim_end());
        }
    }

    #[test]
    fn a_hostile_daemon_cannot_steer_the_terminal() {
        use mcp_authd_client::status::LastUse;
        let evil = || "a\u{1b}[2J\u{202e}b\nc".to_owned();
        let hostile = AccountStatus {
            message: Some(evil()),
            next_step: Some(evil()),
            resources: vec![evil()],
            last_use: Some(LastUse { at: None, program: Some(evil()), pid: None }),
            grant: Some(mcp_authd_client::status::GrantStatus { subject: Some(evil()), scopes: vec![evil()], ..grant(None) }),
            ..account(&evil(), Health::LoginRequired)
        };
        let hostile = DaemonStatus { version: evil(), key_source: evil(), config_path: evil(), ..daemon(vec![hostile]) };
        let shown = whole(&hostile);
        assert!(shown.contains("why       ab c\n"), "{shown}");
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n') && !shown.contains('\u{202e}'), "{shown:?}");
    }
}
