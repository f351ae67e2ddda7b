//! The words of a notification: whose login, who asked, where and with which code, and how long it waits (P18).
//!
//! What a server or a program says stands in its own place, short and in one line, and is never markup: a desktop that reads some
//! gets it escaped (Desktop Notifications Specification 1.2, "Markup").
//!
//! Must never: show what the server tells the person in its own words, or a code without the page that it belongs to (D20).

use std::time::Duration;

use mcp_authd_oauth::sign_in::Prompt;

use super::page::Page;
use crate::accounts::grant::Purpose;
use crate::accounts::waiting::Waiting;

/// The longest words of somebody else, in characters: a code, a name, a list of scopes.
const LONGEST: usize = 80;

/// What a notification service can do, as far as it matters here ("GetCapabilities").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Abilities {
    /// `actions`: it shows buttons.
    pub(super) buttons: bool,
    /// `body-markup`: it reads markup in the body.
    pub(super) markup: bool,
}

/// A notification, ready to be shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Notice {
    /// One line, without markup in any case.
    pub(super) summary: String,
    /// A few lines; escaped where markup is read.
    pub(super) body: String,
    /// What the button says, where there is one.
    pub(super) button: Option<&'static str>,
}

impl std::fmt::Debug for Notice {
    /// Without the body, which holds the code.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notice").field("summary", &self.summary).field("button", &self.button).finish_non_exhaustive()
    }
}

impl Notice {
    /// Tells a login that waits so long.
    pub(super) fn of(login: &Waiting, left: Duration, can: Abilities) -> Self {
        let page = Page::of(&login.prompt.prompt);
        let button = page.as_ref().filter(|_| can.buttons).map(|_| "Open the page");
        let mut lines = vec![who(login)];
        lines.extend(where_to(login, page.as_ref(), button));
        lines.push(format!(
            "It waits for {}. If you do not expect it, do not answer it; this ends it: authctl login {} --cancel",
            minutes(left),
            login.account
        ));
        let body = lines.join("\n");
        Self { summary: summary(login), body: if can.markup { escaped(&body) } else { body }, button }
    }
}

fn summary(login: &Waiting) -> String {
    match login.prompt.purpose {
        Purpose::First | Purpose::Again => format!("Log in to \"{}\"", login.account),
        Purpose::MoreAccess => format!("Allow more access to \"{}\"", login.account),
    }
}

fn who(login: &Waiting) -> String {
    let program = one_line(&login.prompt.asked_by).replace('"', "'");
    match login.prompt.purpose {
        Purpose::First | Purpose::Again => format!("The program \"{program}\" asks for it."),
        Purpose::MoreAccess => {
            let more: Vec<&str> = login.prompt.more.iter().collect();
            format!("The program \"{program}\" asks for: {}", one_line(&more.join(" ")))
        }
    }
}

fn where_to(login: &Waiting, page: Option<&Page>, button: Option<&str>) -> Vec<String> {
    match (&login.prompt.prompt, page) {
        (Prompt::Device(device), Some(page)) => {
            vec![format!("Code: {}", one_line(device.user_code.as_str())), format!("Page: {}", page.shown())]
        }
        // The address is long, and whoever has it can answer the login.
        (Prompt::Browser(_), Some(page)) if button.is_some() => vec![format!("Page: {}", page.origin())],
        (Prompt::Browser(_), Some(page)) => {
            vec![format!("Page: {}", page.origin()), format!("To open it: authctl login {}", login.account)]
        }
        (_, None) => vec![format!("To see how: authctl login {}", login.account)],
    }
}

/// In one line, without anything that steers, and short.
fn one_line(text: &str) -> String {
    let is_hidden = |c: char| {
        matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
    };
    text.chars().filter(|c| !c.is_control() && !is_hidden(*c)).take(LONGEST).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn minutes(left: Duration) -> String {
    match left.as_secs().div_ceil(60) {
        0 | 1 => "a minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use mcp_authd_oauth::sign_in::{AuthorizationUrl, DevicePrompt};
    use mcp_authd_oauth::terms::{Scopes, UserCode};
    use mcp_authd_oauth::time::Instant;
    use proptest::prelude::*;

    use super::*;
    use crate::accounts::AccountName;
    use crate::accounts::need::SignInPrompt;

    const ALL: Abilities = Abilities { buttons: true, markup: true };
    const NONE: Abilities = Abilities { buttons: false, markup: false };

    fn login(prompt: Prompt, purpose: Purpose, asked_by: &str) -> Waiting {
        let more = Scopes::parse("mail:read <b>");
        let prompt =
            SignInPrompt { id: 1, purpose, prompt, expires: Instant::from_millis(1), asked_by: asked_by.to_owned(), more };
        Waiting { account: AccountName::parse("work").unwrap(), prompt }
    }

    fn device(user_code: &str) -> Prompt {
        Prompt::Device(DevicePrompt {
            user_code: UserCode::new(user_code),
            verification_uri: "https://as.example/device?a=1&b=2".to_owned(),
            verification_uri_complete: None,
            message: Some("Go to https://evil.example".to_owned()),
        })
    }

    fn browser() -> Prompt {
        Prompt::Browser(AuthorizationUrl::new("https://as.example/authorize?state=s"))
    }

    fn notice(login: &Waiting, can: Abilities) -> Notice {
        Notice::of(login, Duration::from_secs(899), can)
    }

    #[test]
    fn p18_a_login_by_code_tells_the_account_the_page_the_code_and_who_asked() {
        let told = notice(&login(device("WDJB-MJHT"), Purpose::First, "editor"), NONE);
        assert_eq!(told.summary, "Log in to \"work\"");
        assert_eq!(
            told.body,
            "The program \"editor\" asks for it.\nCode: WDJB-MJHT\nPage: https://as.example/device?a=1&b=2\n\
             It waits for 15 minutes. If you do not expect it, do not answer it; this ends it: authctl login work --cancel"
        );
        assert_eq!(told.button, None);
        assert_eq!(notice(&login(device("WDJB-MJHT"), Purpose::First, "editor"), ALL).button, Some("Open the page"));
    }

    #[test]
    fn a_login_in_a_browser_tells_the_host_and_never_the_address_that_answers_it() {
        let login = login(browser(), Purpose::Again, "editor");
        let (with, without) = (notice(&login, ALL), notice(&login, NONE));
        assert!(with.body.contains("\nPage: https://as.example\nIt waits"), "{}", with.body);
        assert!(
            without.body.contains("\nPage: https://as.example\nTo open it: authctl login work\nIt waits"),
            "{}",
            without.body
        );
        assert!(!with.body.contains("state") && !without.body.contains("state"));
    }

    #[test]
    fn more_access_tells_for_what() {
        let told = notice(&login(browser(), Purpose::MoreAccess, "editor"), ALL);
        assert_eq!(told.summary, "Allow more access to \"work\"");
        assert!(told.body.contains("The program \"editor\" asks for: &lt;b&gt; mail:read\n"), "{}", told.body);
    }

    #[test]
    fn where_markup_is_read_nobody_s_words_are_markup() {
        let told = notice(&login(device("<a href='https://evil'>&"), Purpose::First, "\"<b>x\" & a\nb\u{202e}"), ALL);
        assert!(told.body.starts_with("The program \"'&lt;b&gt;x' &amp; ab\" asks for it.\n"), "{}", told.body);
        assert!(told.body.contains("\nCode: &lt;a href='https://evil'&gt;&amp;\n"), "{}", told.body);
        assert!(told.body.contains("?a=1&amp;b=2\n"));
    }

    #[test]
    fn an_address_that_may_not_be_opened_has_no_button_and_is_not_shown() {
        let told = notice(&login(Prompt::Browser(AuthorizationUrl::new("file:///etc/passwd")), Purpose::First, "editor"), ALL);
        assert_eq!(told.button, None);
        assert!(told.body.contains("\nTo see how: authctl login work\n") && !told.body.contains("passwd"), "{}", told.body);
    }

    #[test]
    fn time_is_told_in_minutes() {
        let told = |seconds| minutes(Duration::from_secs(seconds));
        assert_eq!([told(0), told(60), told(61), told(900)], ["a minute", "a minute", "2 minutes", "15 minutes"]);
    }

    proptest! {
        #[test]
        fn whatever_they_say_the_notice_is_five_short_lines_at_most_and_holds_no_markup(
            code in any::<String>(), by in any::<String>(), more_access: bool, markup: bool, buttons: bool
        ) {
            let purpose = if more_access { Purpose::MoreAccess } else { Purpose::First };
            let told = notice(&login(device(&code), purpose, &by), Abilities { buttons, markup });
            prop_assert!(told.body.lines().count() <= 5);
            prop_assert!(told.body.chars().count() < 1500 && told.summary.chars().count() < 250);
            prop_assert!(!told.body.chars().any(|c| c.is_control() && c != '\n'));
            prop_assert_eq!(told.body.lines().next().unwrap().matches('"').count(), 2, "the name of the program ends where it ends");
            if markup {
                prop_assert!(!told.body.contains(['<', '>']));
                let plain = notice(&login(device(&code), purpose, &by), Abilities { buttons, markup: false }).body;
                let read = told.body.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
                prop_assert_eq!(read, plain, "and the person reads what it says");
            }
        }
    }
}
