//! `authctl login`: begins a login or joins the one that waits, shows it, opens the browser, waits for its end.
//!
//! Must never: end a login because nobody waits any more (D21); only `--cancel` does. Never show a code without the plain address
//! and its host beside it (D19, D20).

use std::time::Duration;

use mcp_authd_client::admin::StartSignIn;
use mcp_authd_client::status::{AccountStatus, Health, SignInEnd};
use mcp_authd_client::{AdminClient, CallError, ConnectError, How, Purpose, SignIn};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::browser::{self, NotOpened};
use crate::cli::Login;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page, Tone, words};

/// How often and how long a daemon that restarts is looked for: a hand-over may take 90 s (DESIGN, section 5).
const PAUSE: Duration = Duration::from_secs(1);
const PATIENCE: u32 = 95;

/// `authctl login`.
pub(crate) async fn run(options: Login) -> Result<Exit, Failure> {
    let admin = AdminClient::find()?;
    let teller = Teller::new(&options);
    if options.cancel {
        let account = admin.cancel_sign_in(options.account).await?;
        teller.cancelled(&account.name)?;
        return Ok(Exit::Done);
    }
    // Before anything is shown: from then on Ctrl-C must not end us without a word.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let named = options.account.clone();
    // Another user cannot come into an account that begins no login because it is good.
    let again = options.again || options.replace;
    let order = StartSignIn { account: options.account, again, replace: options.replace };
    tokio::select! {
        ended = log_in(&admin, order, &teller) => ended,
        _ = interrupt.recv() => Err(stopped_waiting(named.as_deref())),
    }
}

async fn log_in(admin: &AdminClient, order: StartSignIn, teller: &Teller) -> Result<Exit, Failure> {
    let begun = admin.start_sign_in(order).await?;
    let account = begun.name.clone();
    let mut shown = None;
    match after_start(begun) {
        Course::Waits(sign_in) => teller.show(sign_in.as_deref(), &mut shown)?,
        Course::Granted => {
            teller.already(&account)?;
            return Ok(Exit::Done);
        }
        Course::NotGranted(ending) => return teller.not_granted(&account, ending),
    }
    match settle(admin, &account, teller, &mut shown).await? {
        None => {
            teller.granted(&account)?;
            Ok(Exit::Done)
        }
        Some(ending) => teller.not_granted(&account, ending),
    }
}

/// How a login goes.
#[derive(Debug, PartialEq, Eq)]
enum Course {
    /// It waits for the person; or, without a prompt, for the server's answer.
    Waits(Option<Box<SignIn>>),
    /// The account is logged in.
    Granted,
    /// It ended otherwise.
    NotGranted(Ending),
}

/// A login that ended without a grant.
#[derive(Debug, PartialEq, Eq)]
struct Ending {
    end: Option<SignInEnd>,
    message: Option<String>,
    next_step: Option<String>,
}

/// The daemon's answer to the beginning. A good account begins none; how an older login ended does not matter then.
fn after_start(status: AccountStatus) -> Course {
    let good = status.health == Health::Good && status.sign_in.is_none();
    if good { Course::Granted } else { course(status) }
}

/// How a login that was begun goes.
fn course(status: AccountStatus) -> Course {
    let AccountStatus { health, sign_in, last_sign_in_end: end, message, next_step, grant, .. } = status;
    match (sign_in, health, end) {
        (Some(sign_in), ..) => Course::Waits(Some(Box::new(sign_in))),
        (None, Health::SigningIn | Health::Loading, _) => Course::Waits(None),
        (None, _, None | Some(SignInEnd::Granted)) if grant.is_some() => Course::Granted,
        (None, _, end) => Course::NotGranted(Ending { end, message, next_step }),
    }
}

/// Waits for the end; `None` is a grant. A daemon that restarts under the login has it still, so it is looked for.
async fn settle(
    admin: &AdminClient,
    account: &str,
    teller: &Teller,
    shown: &mut Option<String>,
) -> Result<Option<Ending>, Failure> {
    let mut patience = PATIENCE;
    loop {
        let error = match admin.watch_accounts(Some(account.to_owned())).await {
            Ok(mut changes) => loop {
                match changes.next().await {
                    Ok(status) if status.name != account => {}
                    Ok(status) => match course(status) {
                        Course::Waits(sign_in) => teller.show(sign_in.as_deref(), shown)?,
                        Course::Granted => return Ok(None),
                        Course::NotGranted(ending) => return Ok(Some(ending)),
                    },
                    Err(error) => break error,
                }
                patience = PATIENCE;
            },
            Err(error) => error,
        };
        let passes = matches!(error, CallError::Interrupted | CallError::Connect(ConnectError::NoDaemon { .. }));
        patience = patience.saturating_sub(1);
        if !passes || patience == 0 {
            return Err(error.into());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn stopped_waiting(account: Option<&str>) -> Failure {
    let again = account.map_or_else(|| "authctl login".to_owned(), |account| format!("authctl login {account}"));
    let to = account.map(|account| format!(" to {account}")).unwrap_or_default();
    let message = format!("stopped waiting; the login{to} still waits for you");
    Failure::new(Exit::Interrupted, message, format!("{again} (to see it again), or {again} --cancel (to end it)"))
}

/// Tells what happens: to a person, or as JSON to a program.
enum Teller {
    Person(WithBrowser),
    Program,
}

/// Whether a person's browser is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WithBrowser {
    Yes,
    No,
}

impl Teller {
    fn new(options: &Login) -> Self {
        match (options.json, options.no_browser) {
            (true, _) => Self::Program,
            (false, true) => Self::Person(WithBrowser::No),
            (false, false) => Self::Person(WithBrowser::Yes),
        }
    }

    /// Each login once; also one that has taken the place of ours.
    fn show(&self, sign_in: Option<&SignIn>, shown: &mut Option<String>) -> Result<(), Failure> {
        let Some(sign_in) = sign_in.filter(|sign_in| shown.as_ref() != Some(&sign_in.id)) else { return Ok(()) };
        *shown = Some(sign_in.id.clone());
        match self {
            Self::Program => screen::print(&json::line(&json::event("sign_in", json::sign_in(sign_in))))?,
            Self::Person(with_browser) => {
                let page = Page::of_stdout();
                // The code and the address are on the screen before the browser is (D20).
                screen::print(&prompt(sign_in, page))?;
                let opened = (*with_browser == WithBrowser::Yes).then(|| browser::open(address_to_open(sign_in)));
                screen::print(&page.paragraph(waiting(opened)))?;
            }
        }
        Ok(())
    }

    fn already(&self, account: &str) -> Result<(), Failure> {
        let text = match self {
            Self::Program => json::line(&json::event("already_logged_in", json!({ "account": account }))),
            Self::Person(_) => {
                let page = Page::of_stdout();
                page.paragraph(&format!("{account} is logged in already. To log in anew:"))
                    + &page.whole("", &format!("authctl login {account} --again"), None)
            }
        };
        Ok(screen::print(&text)?)
    }

    fn cancelled(&self, account: &str) -> Result<(), Failure> {
        let text = match self {
            Self::Program => json::line(&json::event("cancelled", json!({ "account": account }))),
            Self::Person(_) => Page::of_stdout().paragraph(&format!("No login to {account} waits any more.")),
        };
        Ok(screen::print(&text)?)
    }

    fn granted(&self, account: &str) -> Result<(), Failure> {
        let text = match self {
            Self::Program => settled(account, "granted", &Ending { end: None, message: None, next_step: None }),
            Self::Person(_) => Page::of_stdout().paragraph(&format!("{account} is logged in.")),
        };
        Ok(screen::print(&text)?)
    }

    fn not_granted(&self, account: &str, ending: Ending) -> Result<Exit, Failure> {
        match self {
            Self::Program => {
                screen::print(&settled(account, ending.end.map_or("unknown", json::end), &ending))?;
                Ok(Exit::NotGranted)
            }
            Self::Person(_) => Err(not_granted(account, ending)),
        }
    }
}

fn settled(account: &str, outcome: &str, ending: &Ending) -> String {
    let object = json!({ "account": account, "outcome": outcome, "message": ending.message, "next_step": ending.next_step });
    json::line(&json::event("settled", object))
}

fn not_granted(account: &str, ending: Ending) -> Failure {
    let message = match ending.end {
        Some(SignInEnd::Denied) => format!("the login to {account} was refused"),
        Some(SignInEnd::Expired) => format!("the login to {account} was not answered in time"),
        Some(SignInEnd::Cancelled) => format!("the login to {account} was cancelled"),
        Some(SignInEnd::OtherSubject) => {
            format!("the login to {account} came back for another user; what the account held is untouched")
        }
        _ => format!("the login to {account} failed"),
    };
    let usual = match ending.end {
        Some(SignInEnd::OtherSubject) => format!("authctl login {account} --replace"),
        _ => format!("authctl login {account}"),
    };
    let message = match ending.message {
        Some(more) => format!("{message}: {more}"),
        None => message,
    };
    Failure::new(Exit::NotGranted, message, ending.next_step.unwrap_or(usual))
}

/// The address with the code inside, where there is one: it is for opening only (D20).
fn address_to_open(sign_in: &SignIn) -> &str {
    match &sign_in.how {
        How::Device { verification_uri, verification_uri_complete, .. } => {
            verification_uri_complete.as_ref().unwrap_or(verification_uri)
        }
        How::Browser { authorization_uri } => authorization_uri,
        _ => "",
    }
}

/// What a person sees: the plain address in full, its host, the code, who asks, how long (D19, P18).
pub(crate) fn prompt(sign_in: &SignIn, page: Page) -> String {
    let mut text = page.paragraph(&format!("Log in to {}", sign_in.account));
    if sign_in.purpose == Purpose::MoreAccess {
        text.push_str(&page.paragraph("The present token goes on serving; a program needs more access."));
    }
    text.push('\n');
    match &sign_in.how {
        How::Device { user_code, verification_uri, .. } => {
            text.push_str(&address(verification_uri, page));
            text.push_str(&page.whole("code", user_code, Some(Tone::Strong)));
        }
        How::Browser { authorization_uri } => text.push_str(&address(authorization_uri, page)),
        _ => text.push_str(&page.field("open", "this login is of a kind that needs a newer authctl")),
    }
    text.push_str(&page.field("asked by", sign_in.asked_by.as_deref().unwrap_or("you")));
    if let Some(left) = sign_in.expires_in {
        text.push_str(&page.field("time left", &words(left)));
    }
    text.push('\n');
    text
}

fn address(uri: &str, page: Page) -> String {
    let host = browser::web_address(uri).and_then(|address| address.host_str().map(ToOwned::to_owned));
    let host = match host {
        Some(host) => page.whole("host", &host, Some(Tone::Strong)),
        None => page.field("host", "NOT A WEB ADDRESS: do not open it"),
    };
    page.whole("open", uri, None) + &host
}

fn waiting(opened: Option<Result<(), NotOpened>>) -> &'static str {
    match opened {
        Some(Ok(())) => {
            "Your browser opens. Go on only if it shows this host and this code. Waiting for you there; Ctrl-C ends only the waiting."
        }
        Some(Err(NotOpened::NotAWebAddress)) => {
            "No browser was opened, because that is no web address. Waiting; Ctrl-C ends only the waiting."
        }
        Some(Err(NotOpened::NotStarted)) => {
            "No browser could be started: open the address yourself. Waiting for you there; Ctrl-C ends only the waiting."
        }
        Some(Err(NotOpened::Headless)) | None => {
            "Open the address yourself, on any machine. Waiting for you there; Ctrl-C ends only the waiting."
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]

    use super::*;
    use crate::screen::Paint;
    use mcp_authd_client::status::GrantStatus;

    const PAGE: Page = Page { width: 80, paint: Paint::Plain };

    fn sign_in(account: &str) -> SignIn {
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

    fn status(health: Health, end: Option<SignInEnd>) -> AccountStatus {
        AccountStatus {
            name: "github".into(),
            issuer: String::new(),
            client_id: String::new(),
            resources: vec![],
            scopes: vec![],
            revision: 1,
            health,
            message: None,
            next_step: None,
            grant: None,
            sign_in: None,
            last_sign_in_end: end,
            token_file: None,
        }
    }

    fn with_grant(status: AccountStatus) -> AccountStatus {
        let grant = GrantStatus {
            scopes: vec![],
            expires_at: None,
            expires_in: None,
            obtained_at: None,
            refreshed_at: None,
            renewable: true,
            refreshing: false,
            subject: None,
        };
        AccountStatus { grant: Some(grant), ..status }
    }

    #[test]
    fn a_prompt_shows_address_host_code_asker_and_time() {
        insta::assert_snapshot!(prompt(&sign_in("github"), PAGE));
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
        insta::assert_snapshot!(prompt(&SignIn { how, asked_by: None, purpose: Purpose::MoreAccess, ..sign_in("github") }, PAGE));
    }

    #[test]
    fn the_address_with_the_code_is_opened_but_not_shown() {
        assert_eq!(address_to_open(&sign_in("github")), "https://github.com/login/device?user_code=ABCD-1234");
        assert!(!prompt(&sign_in("github"), PAGE).contains("user_code="));
    }

    #[test]
    fn a_good_account_begins_no_login_whatever_the_last_one_was() {
        let good = with_grant(status(Health::Good, Some(SignInEnd::Denied)));
        assert_eq!(after_start(good), Course::Granted);
    }

    #[test]
    fn a_login_without_a_prompt_yet_is_waited_for() {
        assert_eq!(after_start(status(Health::SigningIn, None)), Course::Waits(None));
    }

    #[test]
    fn a_refused_login_is_no_success_although_the_account_holds_a_token() {
        let Course::NotGranted(ending) = course(with_grant(status(Health::Good, Some(SignInEnd::Denied)))) else { panic!() };
        let failure = not_granted("github", ending);
        assert_eq!(failure.exit, Exit::NotGranted);
        assert_eq!(failure.next_step.as_deref(), Some("authctl login github"));
    }

    #[test]
    fn a_settled_login_is_a_success_even_where_something_else_is_wrong() {
        assert_eq!(course(with_grant(status(Health::Degraded, None))), Course::Granted);
    }

    #[test]
    fn another_user_names_the_replacement() {
        let ending = Ending { end: Some(SignInEnd::OtherSubject), message: None, next_step: None };
        assert_eq!(not_granted("github", ending).next_step.as_deref(), Some("authctl login github --replace"));
    }

    #[test]
    fn stopping_to_wait_says_that_the_login_goes_on_and_how_to_end_it() {
        let failure = stopped_waiting(Some("github"));
        assert!(failure.message.contains("still waits"));
        assert!(failure.next_step.is_some_and(|next| next.contains("authctl login github --cancel")));
    }

    #[test]
    fn the_json_of_a_login_is_as_documented() {
        let lines = json::line(&json::event("sign_in", json::sign_in(&sign_in("github"))))
            + &settled("github", "granted", &Ending { end: None, message: None, next_step: None });
        insta::assert_snapshot!(lines);
    }
}
