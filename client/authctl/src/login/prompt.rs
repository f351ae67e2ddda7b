//! What a person sees of a login that waits: the plain address in full, its host, the code, who asks, how long (D19, P18); beside it,
//! where the terminal has room, a QR code.
//!
//! Must never: show a QR code without address, host and code in words, or the address with the code inside in words (D20).

use mcp_authd_client::{How, Purpose, SignIn};
use url::{Host, Url};

use crate::browser::{self, NotOpened};
use crate::screen::qr::Qr;
use crate::screen::terminal::Size;
use crate::screen::{self, Page, Tone, words};

/// Between the picture and the words.
const GAP: &str = "  ";

/// What stands below the words in any case: an empty line, how to go on (two lines), the live line.
const BELOW: usize = 4;

/// The prompt as it stands in a pipe, or on standard error.
pub(crate) fn prompt(sign_in: &SignIn, page: Page) -> String {
    let mut text = heading(sign_in, page) + "\n" + &fields(sign_in, page);
    if let Some(left) = sign_in.expires_in {
        text.push_str(&page.field("time left", &words(left)));
    }
    text + "\n"
}

/// The prompt on a terminal, where a live line tells the time left.
pub(super) fn on_terminal(sign_in: &SignIn, page: Page, picture: Option<&(Qr, Size)>) -> (String, Picture) {
    let pictured = picture.and_then(|(qr, size)| {
        let place = (qr, *size);
        beside(sign_in, page, place).or_else(|| above(sign_in, page, place))
    });
    let drawn = if pictured.is_some() { Picture::Drawn } else { Picture::None };
    let body = pictured.unwrap_or_else(|| fields(sign_in, page));
    (format!("{}\n{body}\n", heading(sign_in, page)), drawn)
}

/// Whether the prompt has a QR code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Picture {
    /// It has.
    Drawn,
    /// There is none, or no room for it.
    None,
}

/// The picture at the left, the words at its right; `None` where they do not fit.
fn beside(sign_in: &SignIn, page: Page, (qr, size): (&Qr, Size)) -> Option<String> {
    let room = size.columns.checked_sub(qr.columns + GAP.len()).filter(|room| *room >= NARROWEST)?;
    let words = fields(sign_in, Page { width: room.min(page.width), ..page });
    let words: Vec<&str> = words.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    let fits = words.iter().all(|line| screen::clean(line).chars().count() <= room);
    let rows = qr.rows.len().max(words.len());
    let tall = rows + heading(sign_in, page).lines().count() + 1 + BELOW <= size.rows;
    // The words in the middle of the picture's height.
    let from = (rows - words.len()) / 2;
    let row = |at: usize| {
        let picture = qr.rows.get(at).cloned().unwrap_or_else(|| " ".repeat(qr.columns));
        let words = at.checked_sub(from).and_then(|at| words.get(at)).map(|words| format!("{GAP}{words}"));
        format!("{picture}{}\n", words.unwrap_or_default())
    };
    (fits && tall).then(|| (0..rows).map(row).collect())
}

/// The narrowest column for the words.
const NARROWEST: usize = 24;

/// The words above the picture; `None` where they do not fit.
fn above(sign_in: &SignIn, page: Page, (qr, size): (&Qr, Size)) -> Option<String> {
    let words = fields(sign_in, page);
    // A command or an address that is wider than the terminal takes more than one row.
    let taken = |line: &str| screen::clean(line).chars().count().div_ceil(size.columns.max(1)).max(1);
    let used: usize = words.lines().chain(heading(sign_in, page).lines()).map(taken).sum();
    let fits = qr.columns <= size.columns && used + 2 + qr.rows.len() + BELOW <= size.rows;
    fits.then(|| format!("{words}\n{}\n", qr.rows.join("\n")))
}

fn heading(sign_in: &SignIn, page: Page) -> String {
    let mut text = page.paragraph(&format!("Log in to {}", sign_in.account));
    if let Some(program) = &sign_in.asked_by {
        text.push_str(&page.paragraph(&format!("{program} has asked for it already; there is one login for all programs.")));
    }
    if sign_in.purpose == Purpose::MoreAccess {
        text.push_str(&page.paragraph("The present token goes on serving; a program needs more access."));
    }
    text
}

fn fields(sign_in: &SignIn, page: Page) -> String {
    let mut text = String::new();
    match &sign_in.how {
        How::Device { user_code, verification_uri, .. } => {
            text.push_str(&address(verification_uri, page));
            text.push_str(&page.whole("code", user_code, Some(Tone::Strong)));
        }
        How::Browser { authorization_uri } => text.push_str(&address(authorization_uri, page)),
        _ => text.push_str(&page.field("open", "this login is of a kind that needs a newer authctl")),
    }
    text + &page.field("asked by", sign_in.asked_by.as_deref().unwrap_or("you"))
}

fn address(uri: &str, page: Page) -> String {
    let host = browser::web_address(uri).and_then(|address| address.host_str().map(ToOwned::to_owned));
    let host = match host {
        Some(host) => page.whole("host", &host, Some(Tone::Strong)),
        None => page.field("host", "NOT A WEB ADDRESS: do not open it"),
    };
    page.whole("open", uri, None) + &host
}

/// The address to open: the one with the code inside, where there is one (D20). It has to lead to the host that the person sees;
/// else the plain one is opened.
pub(super) fn address_to_open(sign_in: &SignIn) -> &str {
    match &sign_in.how {
        How::Device { verification_uri, verification_uri_complete, .. } => {
            let same = |complete: &&String| origin(complete).is_some() && origin(complete) == origin(verification_uri);
            verification_uri_complete.as_ref().filter(same).unwrap_or(verification_uri)
        }
        How::Browser { authorization_uri } => authorization_uri,
        _ => "",
    }
}

fn origin(uri: &str) -> Option<url::Origin> {
    browser::web_address(uri).map(|address| address.origin())
}

/// The picture of that address, for another device. Where only this machine will do there is none.
pub(super) fn picture(sign_in: &SignIn) -> Option<Qr> {
    if only_here(sign_in) {
        return None;
    }
    Qr::of(browser::web_address(address_to_open(sign_in))?.as_str())
}

/// Whether the page, or the answer of the login, can be reached on this machine only.
fn only_here(sign_in: &SignIn) -> bool {
    let How::Device { verification_uri, .. } = &sign_in.how else { return true };
    match browser::web_address(verification_uri).as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// How to go on. `opened` is `None` where no browser was to be opened.
pub(super) fn how_to_go_on(sign_in: &SignIn, opened: Option<Result<(), NotOpened>>, picture: Picture) -> String {
    let yourself = match (only_here(sign_in), picture) {
        (true, _) => "open the address yourself, in a browser on this machine.",
        (false, Picture::Drawn) => "scan the picture or open the address, on any device.",
        (false, Picture::None) => "open the address yourself, on any device.",
    };
    let now = match opened {
        Some(Ok(())) => match sign_in.how {
            How::Browser { .. } => "Your browser opens. Go on only if it shows this host.".to_owned(),
            _ => "Your browser opens. Go on only if it shows this host and this code.".to_owned(),
        },
        Some(Err(NotOpened::NotAWebAddress)) => "No browser was opened, because that is no web address.".to_owned(),
        Some(Err(NotOpened::NotStarted)) => format!("No browser could be started: {yourself}"),
        Some(Err(NotOpened::OverSsh)) => format!("Over SSH no browser is opened: {yourself}"),
        Some(Err(NotOpened::Headless)) | None => format!("To go on, {yourself}"),
    };
    format!("{now} Waiting for you there; Ctrl-C ends only the waiting.")
}

/// How to answer a login by hand, and when there is nothing to answer so.
pub(super) fn how_to_paste(sign_in: &SignIn, page: Page) -> String {
    match sign_in.how {
        How::Browser { .. } => {
            page.paragraph("Open this address in any browser, and log in there. When the browser says that it cannot connect, copy the whole address from its address bar, and paste it here.")
                + &page.paragraph("Go on only if it shows this host. Ctrl-C ends only the waiting.")
        }
        _ => page.paragraph(&how_to_go_on(sign_in, None, Picture::None)) + &page.paragraph("There is nothing to paste for a login of this kind."),
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use super::*;
    use crate::screen::Paint;

    const PAGE: Page = Page { width: 80, paint: Paint::Plain };
    const SIZE: Size = Size { columns: 80, rows: 24 };

    pub(crate) fn sign_in(account: &str) -> SignIn {
        SignIn {
            account: account.into(),
            id: "7".into(),
            purpose: Purpose::First,
            how: How::Device {
                user_code: "ABCD-1234".into(),
                verification_uri: "https://github.com/login/device".into(),
                verification_uri_complete: Some("https://github.com/login/device?user_code=ABCD-1234".into()),
            },
            expires_in: Some(Duration::from_secs(899)),
            message: String::new(),
            asked_by: Some("editor".into()),
        }
    }

    fn with_picture(sign_in: &SignIn, size: Size) -> String {
        let picture = (picture(sign_in).unwrap(), size);
        on_terminal(sign_in, PAGE, Some(&picture)).0.lines().map(|line| screen::clean(line) + "\n").collect()
    }

    fn has_picture(shown: &str) -> bool {
        shown.contains('\u{2588}')
    }

    #[test]
    fn a_prompt_shows_address_host_code_asker_and_time() {
        insta::assert_snapshot!(prompt(&sign_in("github"), PAGE));
    }

    #[test]
    fn a_prompt_on_a_terminal_leaves_the_time_to_the_live_line() {
        insta::assert_snapshot!(on_terminal(&SignIn { asked_by: None, ..sign_in("github") }, PAGE, None).0);
    }

    #[test]
    fn a_picture_stands_beside_the_words_on_the_usual_terminal() {
        let shown = with_picture(&sign_in("github"), SIZE);
        insta::assert_snapshot!(shown);
        assert!(shown.lines().all(|line| line.chars().count() <= 80));
        assert!(shown.lines().count() + 3 <= 24, "the code, how to go on and the live line are on the screen at once");
    }

    #[test]
    fn a_picture_stands_below_the_words_on_a_narrow_and_tall_terminal() {
        insta::assert_snapshot!(with_picture(&sign_in("github"), Size { columns: 50, rows: 40 }));
    }

    #[test]
    fn where_the_picture_has_no_room_the_words_stand_alone() {
        for (columns, rows) in [(80, 23), (20, 60), (50, 24), (32, 100)] {
            let shown = with_picture(&sign_in("github"), Size { columns, rows });
            assert!(!has_picture(&shown) && shown.contains("code      ABCD-1234"), "{columns}x{rows}: {shown}");
        }
    }

    #[test]
    fn a_picture_is_never_without_address_host_and_code_and_never_wider_than_the_terminal() {
        for (columns, rows) in (30..130).flat_map(|columns| [20, 24, 30, 40, 60].map(|rows| (columns, rows))) {
            let shown = with_picture(&sign_in(&"a".repeat(200)), Size { columns, rows });
            for word in ["https://github.com/login/device", "host      github.com", "code      ABCD-1234"] {
                assert!(shown.contains(word), "{columns}x{rows}: {shown}");
            }
            let pictured = shown.lines().filter(|line| has_picture(line));
            assert!(pictured.into_iter().all(|line| line.chars().count() <= columns), "{columns}x{rows}: {shown}");
        }
    }

    #[test]
    fn a_prompt_for_a_name_of_200_characters_stays_in_its_width() {
        let shown = prompt(&sign_in(&"a".repeat(200)), PAGE);
        insta::assert_snapshot!(shown);
        assert!(shown.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn a_hostile_server_cannot_steer_the_terminal() {
        let how = How::Device {
            user_code: "AB\u{1b}[8mCD\u{202e}12".into(),
            verification_uri: "https://good.example@evil.example/\u{1b}]8;;x\u{7}\n".into(),
            verification_uri_complete: None,
        };
        let hostile = SignIn { how, asked_by: None, purpose: Purpose::MoreAccess, ..sign_in("github") };
        assert_eq!(picture(&hostile), None);
        insta::assert_snapshot!(prompt(&hostile, PAGE));
    }

    #[test]
    fn the_address_with_the_code_is_opened_but_not_shown() {
        assert_eq!(address_to_open(&sign_in("github")), "https://github.com/login/device?user_code=ABCD-1234");
        assert!(!prompt(&sign_in("github"), PAGE).contains("user_code="));
    }

    #[test]
    fn what_is_opened_leads_to_the_host_that_is_shown() {
        for other in ["https://evil.example/?user_code=ABCD-1234", "http://github.com/login/device?c=1", "--help", ""] {
            let how = How::Device {
                user_code: "ABCD-1234".into(),
                verification_uri: "https://github.com/login/device".into(),
                verification_uri_complete: Some(other.into()),
            };
            assert_eq!(address_to_open(&SignIn { how, ..sign_in("github") }), "https://github.com/login/device", "{other}");
        }
    }

    #[test]
    fn a_login_by_hand_says_what_to_copy_and_one_by_a_code_that_there_is_nothing_to_paste() {
        let how = How::Browser { authorization_uri: "https://github.com/login/oauth/authorize?state=x".into() };
        let in_browser = SignIn { how, ..sign_in("github") };
        let told = [in_browser, sign_in("github")].map(|sign_in| prompt(&sign_in, PAGE) + &how_to_paste(&sign_in, PAGE));
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn a_login_that_comes_back_to_this_machine_has_no_picture_and_names_this_machine() {
        let how = How::Browser { authorization_uri: "https://github.com/authorize?state=x".into() };
        let here = SignIn { how, ..sign_in("github") };
        assert_eq!(picture(&here), None);
        assert!(how_to_go_on(&here, Some(Err(NotOpened::Headless)), Picture::None).contains("on this machine"));
    }

    #[test]
    fn a_page_that_only_this_machine_reaches_has_no_picture_and_names_this_machine() {
        for page in ["http://127.0.0.1:8080/device", "http://localhost/device", "http://[::1]/device"] {
            let how =
                How::Device { user_code: "ABCD-1234".into(), verification_uri: page.into(), verification_uri_complete: None };
            let here = SignIn { how, ..sign_in("github") };
            assert_eq!(picture(&here), None, "{page}");
            assert!(how_to_go_on(&here, None, Picture::None).contains("on this machine"), "{page}");
        }
    }

    #[test]
    fn every_way_of_going_on_is_said_in_two_lines() {
        let ways = [
            None,
            Some(Ok(())),
            Some(Err(NotOpened::NotAWebAddress)),
            Some(Err(NotOpened::Headless)),
            Some(Err(NotOpened::OverSsh)),
            Some(Err(NotOpened::NotStarted)),
        ];
        let told = |picture| ways.map(|way| PAGE.paragraph(&how_to_go_on(&sign_in("github"), way, picture)));
        let told = [told(Picture::None), told(Picture::Drawn)].concat();
        assert!(told.iter().all(|text| text.lines().count() <= 2));
        insta::assert_snapshot!(told.join("\n"));
    }
}
