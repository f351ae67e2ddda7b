//! One login at the desktop, from its first notice to its end.
//!
//! Must never: be waited for. It is a task of its own, and what it cannot do is a line of the log. A daemon that leaves takes away what
//! it shows, as nobody would hear its button; it gives that [`LEAVING`] at most, and nothing where nothing is shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mcp_authd_oauth::sign_in::Prompt;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::bus::{Bus, Unheard};
use super::notice::{Abilities, Notice};
use super::notifications::{self, Activation, Heard, Shown};
use super::page::Page;
use super::portal;
use crate::accounts::waiting::Waiting;
use crate::config::Desktop;
use crate::host::clock::Clock;
use crate::host::tasks::Tasks;

/// How often the page of one login is opened, at most: by itself, and for whoever presses the button again because nothing came.
const MOST_OPENED: u32 = 3;
/// How long a daemon that leaves waits for the desktop at most. Who does not answer has been asked all the same.
const LEAVING: Duration = Duration::from_millis(500);
/// How old a daemon is before it tells a login that one before it has begun. One that is killed cannot take away what it shows, and
/// its service manager starts it four times a second: that must not become four notices a second.
const SETTLED: Duration = Duration::from_secs(5);

/// A login, and what its desktop is told of it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) login: Waiting,
    pub(super) wishes: Desktop,
    pub(super) clock: Clock,
    pub(super) begun: Begun,
    /// The login has ended, or this daemon leaves.
    pub(super) over: CancellationToken,
    pub(super) absence: Absence,
}

/// Whether the log says already that there is no desktop. One for all logins: where there is none, there is none for the next one.
#[derive(Debug, Clone, Default)]
pub(super) struct Absence(Arc<AtomicBool>);

impl Absence {
    /// Whether it is still to be said.
    fn is_news(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    fn is_over(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Which daemon has begun a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    /// This one.
    Here,
    /// One before it, which has opened its page if that was wished, and took its notice away unless it was killed.
    Before,
}

/// How a login was not told, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Failed {
    /// Nothing was shown.
    Untold(Unheard),
    /// It was shown, and nobody knows whether it still is.
    Lost(Unheard),
}

impl Session {
    /// As a task: tells it, and stays until it ends, the person has put it aside, or the daemon leaves.
    pub(super) fn begin(self, address: Option<Address>, tasks: &Tasks) {
        let (leaves, over) = (tasks.clone(), self.over.clone());
        tasks.work("tell the desktop of a login", async move {
            let out_of_time = async {
                leaves.stopping().await;
                over.cancel();
                tokio::time::sleep(LEAVING).await;
            };
            tokio::select! {
                () = self.attend(address.as_ref()) => {}
                () = out_of_time => {}
            }
        });
    }

    async fn attend(&self, address: Option<&Address>) {
        let account = self.login.account.as_str();
        match self.tell(address).await {
            Ok(()) => {}
            Err(Failed::Untold(why @ (Unheard::Unnamed | Unheard::NoBus(_)))) if self.absence.is_news() => {
                tracing::info!(account, %why, "nobody tells the desktop of logins; authctl status shows those that wait");
            }
            Err(Failed::Untold(why @ (Unheard::Unnamed | Unheard::NoBus(_)))) => {
                tracing::debug!(account, %why, "the desktop is not told of a login, again");
            }
            Err(Failed::Untold(why)) => {
                tracing::info!(account, %why, "the desktop is not told of a login; it waits all the same");
            }
            Err(Failed::Lost(why)) => {
                tracing::info!(account, %why, "the desktop was told of a login and is lost since; the login waits all the same");
            }
        }
    }

    async fn tell(&self, address: Option<&Address>) -> Result<(), Failed> {
        // Nothing is shown yet, so that nothing is to be taken away.
        let Some(desk) = self.over.run_until_cancelled(self.sit_down(address)).await else { return Ok(()) };
        let (mut desk, can) = desk.map_err(Failed::Untold)?;
        if let Some(can) = can {
            return desk.notify(can).await;
        }
        if desk.opened > 0 {
            // The portal may have a question to the person first.
            self.over.cancelled().await;
        }
        Ok(())
    }

    /// Until a notice can be shown. `None`: none is to be.
    async fn sit_down(&self, address: Option<&Address>) -> Result<(Desk<'_>, Option<Abilities>), Unheard> {
        if self.begun == Begun::Before {
            tokio::time::sleep(SETTLED).await;
        }
        let bus = Bus::connect(address.ok_or(Unheard::Unnamed)?).await?;
        self.absence.is_over();
        let mut desk = Desk { session: self, bus, page: Page::of(&self.login.prompt.prompt), opened: 0, activation: None };
        if self.wishes.open_browser && self.begun == Begun::Here {
            desk.open().await;
        }
        if !self.wishes.notify {
            return Ok((desk, None));
        }
        // First: whatever is said of the notice from its beginning is heard.
        notifications::listen(&mut desk.bus).await?;
        let can = notifications::abilities(&mut desk.bus).await?;
        Ok((desk, Some(can)))
    }

    fn left(&self) -> Duration {
        self.login.prompt.expires.since(self.clock.now().instant)
    }
}

/// A login, and the bus that it is told on.
struct Desk<'a> {
    session: &'a Session,
    bus: Bus,
    page: Option<Page>,
    opened: u32,
    /// For the page that is opened next.
    activation: Option<Activation>,
}

impl Desk<'_> {
    async fn notify(&mut self, can: Abilities) -> Result<(), Failed> {
        let shown = self.show(can, None).await.map_err(Failed::Untold)?;
        tracing::info!(account = self.session.login.account.as_str(), "the desktop was told of a login");
        if let Some(shown) = self.until_over(can, shown).await.map_err(Failed::Lost)? {
            // Where it is gone already that is an error, and all is well.
            let _ = notifications::close(&mut self.bus, &shown).await;
        }
        Ok(())
    }

    /// What is still shown when the login is over. `None`: the person has put it aside before.
    async fn until_over(&mut self, can: Abilities, mut shown: Shown) -> Result<Option<Shown>, Unheard> {
        let over = &self.session.over;
        let is_by_code = matches!(self.session.login.prompt.prompt, Prompt::Device(_));
        loop {
            let Some(heard) = over.run_until_cancelled(shown.heard(&mut self.bus)).await else { return Ok(Some(shown)) };
            match heard? {
                Heard::MayActivate(activation) => self.activation = Some(activation),
                Heard::Pressed if self.opened < MOST_OPENED => {
                    over.run_until_cancelled(self.open()).await;
                    if is_by_code && !over.is_cancelled() {
                        // Most desktops have closed it by now, and the person needs the code.
                        shown = self.show(can, Some(&shown)).await?;
                    }
                }
                // Once a button was pressed that is no answer of the person's.
                Heard::Closed if self.opened == 0 => return Ok(None),
                Heard::Gone => return Err(Unheard::Gone),
                Heard::Pressed | Heard::Closed => {}
            }
        }
    }

    async fn show(&mut self, can: Abilities, before: Option<&Shown>) -> Result<Shown, Unheard> {
        let left = self.session.left();
        notifications::show(&mut self.bus, &Notice::of(&self.session.login, left, can), (left, before)).await
    }

    async fn open(&mut self) {
        let Some(page) = &self.page else { return };
        let account = self.session.login.account.as_str();
        self.opened += 1;
        // It is good for one.
        let activation = self.activation.take();
        match portal::open(&mut self.bus, page, activation.as_ref()).await {
            Ok(()) => tracing::info!(account, page = page.origin(), "the desktop was asked to open the page of a login"),
            Err(why) => tracing::info!(account, %why, "the desktop opens no pages; the login waits all the same"),
        }
    }
}

#[cfg(test)]
mod tests;
