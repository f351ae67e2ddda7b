//! Tells what happens to a login: to a person, or as JSON to a program.
//!
//! Must never: tell the same prompt twice, or leave the live line standing before something else is printed.

use std::cell::RefCell;
use std::convert::Infallible;

use mcp_authd_client::shell::word;
use mcp_authd_client::{Countdown, How, SignIn};
use serde_json::json;
use tokio::sync::Notify;

use super::course::{Ending, Way};
use super::live::Waiting;
use super::pasted::Source;
use super::prompt::{self, Picture, prompt};
use super::seat::{Seat, elsewhere};
use crate::browser;
use crate::cli::Login;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::terminal::{LiveLine, Size, writes_utf8};
use crate::screen::{self, Page, Paint};

/// Tells what happens.
pub(super) struct Teller {
    audience: Audience,
    by_hand: Allowed,
    /// An address for a browser is shown.
    prompted: Notify,
    state: RefCell<State>,
}

enum Audience {
    Person { browser: Allowed, qr: Allowed },
    Program,
}

/// Whether something may be done that the person can forbid.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    Yes,
    No,
}

impl From<bool> for Allowed {
    fn from(allowed: bool) -> Self {
        if allowed { Self::Yes } else { Self::No }
    }
}

/// What stands on the screen.
struct State {
    line: LiveLine,
    waiting: Waiting,
    shown: Option<(String, How)>,
    /// A question stands at the end, and its line is not over.
    asks: bool,
}

impl Teller {
    pub(super) fn new(options: &Login) -> Self {
        let audience = if options.json {
            Audience::Program
        } else {
            let browser = !options.no_browser && !options.paste;
            Audience::Person { browser: browser.into(), qr: (!options.no_qr).into() }
        };
        let state = State { line: LiveLine::default(), waiting: Waiting::Prompt, shown: None, asks: false };
        Self { audience, by_hand: options.paste.into(), prompted: Notify::new(), state: RefCell::new(state) }
    }

    /// Whether the answer of a browser is taken by hand.
    pub(super) fn takes_by_hand(&self) -> bool {
        self.by_hand == Allowed::Yes
    }

    /// Whether a program reads what is told.
    pub(super) fn is_for_a_program(&self) -> bool {
        matches!(self.audience, Audience::Program)
    }

    /// Ends when an address for a browser is shown.
    pub(super) async fn browser_is_prompted(&self) {
        self.prompted.notified().await;
    }

    /// Keeps the live line's time, for ever.
    pub(super) async fn keep_time(&self) -> Result<Infallible, Failure> {
        loop {
            self.show_line()?;
            let next = self.state.borrow().waiting.next();
            tokio::time::sleep(next).await;
        }
    }

    /// Something else is waited for from now on.
    pub(super) fn waits_for(&self, waiting: Waiting) -> Result<(), Failure> {
        self.state.borrow_mut().waiting = waiting;
        self.show_line()
    }

    /// Not where a person types: the line is theirs.
    fn show_line(&self) -> Result<(), Failure> {
        let mut state = self.state.borrow_mut();
        if !self.is_for_a_program() && !self.takes_by_hand() {
            let line = state.waiting.line();
            state.line.show(&line)?;
        }
        Ok(())
    }

    /// The login as it waits now. Each prompt is told once; also one that has taken the place of ours. Without one: the server is
    /// being asked.
    pub(super) async fn show(&self, sign_in: Option<&SignIn>) -> Result<(), Failure> {
        let prompted = self.state.borrow().shown.is_some();
        let Some(sign_in) = sign_in else {
            return self.waits_for(if prompted { Waiting::Grant } else { Waiting::Prompt });
        };
        let countdown = sign_in.expires_in.map(Countdown::of);
        let this = (sign_in.id.clone(), sign_in.how.clone());
        let known = self.state.borrow().shown.as_ref() == Some(&this);
        if !known {
            self.state.borrow_mut().shown = Some(this);
            match &self.audience {
                Audience::Program => screen::print(&json::line(&json::event("sign_in", json::sign_in(sign_in))))?,
                Audience::Person { browser, qr } => {
                    if prompted {
                        self.say(&format!("\n{}", Page::of_stdout().paragraph(overtaken(sign_in))))?;
                    }
                    match self.by_hand {
                        Allowed::Yes => self.show_for_pasting(sign_in)?,
                        Allowed::No => self.show_to_person(sign_in, (*browser, *qr)).await?,
                    }
                }
            }
            if let How::Browser { .. } = sign_in.how {
                self.prompted.notify_one();
            }
        }
        self.waits_for(Waiting::Person(countdown))
    }

    async fn show_to_person(&self, sign_in: &SignIn, (browser, qr): (Allowed, Allowed)) -> Result<(), Failure> {
        let page = Page::of_stdout();
        // The code and the address are on the screen before the browser is (D20).
        let (text, picture) = match Size::of_stdout() {
            None => (prompt(sign_in, page), Picture::None),
            Some(size) => {
                // Without colours of its own a picture would be right on dark terminals only, or on light ones.
                let drawable = page.paint == Paint::Colour && writes_utf8(|name| std::env::var_os(name));
                let picture = if qr == Allowed::Yes && drawable { prompt::picture(sign_in) } else { None };
                prompt::on_terminal(sign_in, page, picture.map(|picture| (picture, size)).as_ref())
            }
        };
        self.say(&text)?;
        self.state.borrow_mut().waiting = Waiting::Person(sign_in.expires_in.map(Countdown::of));
        let opened = match browser {
            Allowed::Yes => Some(browser::open(prompt::address_to_open(sign_in)).await),
            Allowed::No => None,
        };
        // Where a browser opens, it is most likely on this machine.
        let elsewhere =
            if opened == Some(Ok(())) && Seat::of_environment() == Seat::Here { String::new() } else { elsewhere(sign_in, page) };
        self.say(&(page.paragraph(&prompt::how_to_go_on(sign_in, opened, picture)) + &elsewhere))
    }

    fn show_for_pasting(&self, sign_in: &SignIn) -> Result<(), Failure> {
        let page = Page::of_stdout();
        self.say(&(prompt(sign_in, page) + &prompt::how_to_paste(sign_in, page)))
    }

    /// Asks for the address, where there is a terminal to type at.
    pub(super) fn ask(&self, source: Source) -> Result<(), Failure> {
        if source == Source::Terminal && !self.is_for_a_program() {
            self.say("  address   ")?;
            self.state.borrow_mut().asks = true;
        }
        Ok(())
    }

    /// A line was read, and with it its end.
    fn was_answered(&self) {
        self.state.borrow_mut().asks = false;
    }

    pub(super) fn taken(&self, account: &str) -> Result<(), Failure> {
        self.was_answered();
        self.say(&match self.audience {
            Audience::Program => json::line(&json::event("taken", json!({ "account": account }))),
            Audience::Person { .. } => Page::of_stdout().paragraph("That is the answer of this login. Fetching the token ..."),
        })
    }

    pub(super) fn not_taken(&self, why: &Failure) -> Result<(), Failure> {
        self.was_answered();
        let object = json!({ "message": why.message, "next_step": why.next_step });
        self.say(&match self.audience {
            Audience::Program => json::line(&json::event("not_taken", object)),
            Audience::Person { .. } => not_taken(why, Page::of_stdout()),
        })
    }

    /// In the place of the live line.
    fn say(&self, text: &str) -> Result<(), Failure> {
        self.leave_question()?;
        self.state.borrow_mut().line.erase()?;
        Ok(screen::print(text)?)
    }

    /// What follows stands on a line of its own.
    fn leave_question(&self) -> Result<(), Failure> {
        let asked = std::mem::take(&mut self.state.borrow_mut().asks);
        if asked { Ok(screen::print("\n")?) } else { Ok(()) }
    }

    pub(super) fn already(&self, account: &str) -> Result<(), Failure> {
        self.say(&match self.audience {
            Audience::Program => json::line(&json::event("already_logged_in", json!({ "account": account }))),
            Audience::Person { .. } => already(account, Page::of_stdout()),
        })
    }

    pub(super) fn cancelled(&self, account: &str) -> Result<(), Failure> {
        self.say(&match self.audience {
            Audience::Program => json::line(&json::event("cancelled", json!({ "account": account }))),
            Audience::Person { .. } => Page::of_stdout().paragraph(&format!("No login to {account} waits any more.")),
        })
    }

    pub(super) fn granted(&self, account: &str) -> Result<(), Failure> {
        self.say(&match self.audience {
            Audience::Program => settled(account, "granted", &Ending { end: None, message: None, next_step: None, server: None }),
            Audience::Person { .. } => Page::of_stdout().paragraph(&format!("{account} is logged in.")),
        })
    }

    pub(super) fn not_granted(&self, account: &str, ending: Ending) -> Result<Exit, Failure> {
        self.leave_question()?;
        let in_browser = matches!(self.state.borrow().shown, Some((_, How::Browser { .. })));
        let ending = ending.hinted(account, if in_browser { Way::Browser } else { Way::Other });
        match self.audience {
            Audience::Program => {
                screen::print(&settled(account, ending.end.map_or("unknown", json::end), &ending))?;
                Ok(Exit::NotGranted)
            }
            Audience::Person { .. } => Err(ending.failure(account)),
        }
    }
}

fn overtaken(sign_in: &SignIn) -> &'static str {
    match sign_in.how {
        How::Browser { .. } => "The address before this one no longer counts.",
        _ => "The code before this one no longer counts.",
    }
}

fn already(account: &str, page: Page) -> String {
    page.paragraph(&format!("{account} is logged in already. To log in anew:"))
        + &page.whole("", &format!("authctl login {} --again", word(account)), None)
}

fn not_taken(why: &Failure, page: Page) -> String {
    let next = why.next_step.as_ref().map(|next| page.field("next", next));
    page.field("no", &why.message) + &next.unwrap_or_default()
}

fn settled(account: &str, outcome: &str, ending: &Ending) -> String {
    let object = json!({ "account": account, "outcome": outcome, "message": ending.message, "next_step": ending.next_step });
    json::line(&json::event("settled", object))
}

#[cfg(test)]
mod tests {
    use super::super::prompt::tests::sign_in;
    use super::*;

    const PAGE: Page = Page { width: 80, paint: Paint::Plain };

    #[test]
    fn an_account_that_is_logged_in_says_how_to_log_in_anew() {
        insta::assert_snapshot!(already("github", PAGE) + "\n" + &already(&"a".repeat(200), PAGE));
    }

    #[test]
    fn an_address_that_was_not_taken_is_told_with_what_to_do() {
        let why = Failure::new(
            Exit::Failed,
            "What was pasted holds no `state` (RFC 6749, 4.1.2).",
            "copy the whole address from the address bar of the browser, as it stands there after the login, and paste it again",
        );
        insta::assert_snapshot!(not_taken(&why, PAGE));
    }

    #[test]
    fn the_json_of_a_login_is_as_documented() {
        let lines = json::line(&json::event("sign_in", json::sign_in(&sign_in("github"))))
            + &settled("github", "granted", &Ending { end: None, message: None, next_step: None, server: None });
        insta::assert_snapshot!(lines);
    }
}
