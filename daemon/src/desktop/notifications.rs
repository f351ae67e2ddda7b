//! The notification service, as the Desktop Notifications Specification has it: 1.2, and the signal `ActivationToken` that has come since.

use std::time::Duration;

use super::bus::{Bus, Unheard};
use super::notice::{Abilities, Notice};
use super::wire::{Body, Kind, Message, Service, Variant};

const SERVICE: Service<'_> = Service {
    name: "org.freedesktop.Notifications",
    path: "/org/freedesktop/Notifications",
    interface: "org.freedesktop.Notifications",
};
/// The key of the button.
const OPEN: &str = "open";
/// The key of a click on the notification itself.
const DEFAULT: &str = "default";
/// "Normal": it is told, and does not break into what the person has asked to be left alone in.
const URGENCY: u8 = 1;
/// An icon of every theme (Icon Naming Specification).
const ICON: &str = "dialog-password";

/// No compositor makes a longer one, in bytes.
const LONGEST_ACTIVATION: usize = 1024;

/// A notification that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    id: u32,
    /// Who shows it: nobody else is believed about it.
    by: String,
}

/// What brings a window to the front that the person has asked for by a button. Where windows must not do that by themselves, as with
/// Wayland, the browser shows the page behind the others without it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Activation(String);

impl Activation {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Activation {
    /// Without the words, with which any window could come to the front.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Activation(..)")
    }
}

/// What the service says of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// For the page, if the person wants it: that is said next.
    MayActivate(Activation),
    /// The person wants the page.
    Pressed,
    /// It is not shown any more.
    Closed,
    /// Who shows it has left the bus.
    Gone,
}

impl Shown {
    /// The next that is said of this one. It may be dropped and called again without losing any.
    ///
    /// # Errors
    /// Where the bus has gone.
    pub(super) async fn heard(&self, bus: &mut Bus) -> Result<Heard, Unheard> {
        loop {
            let signal = bus.signal().await?;
            if let Some(heard) = self.meant(&signal) {
                return Ok(heard);
            }
        }
    }

    fn meant(&self, signal: &Message) -> Option<Heard> {
        if Bus::says_gone(signal, SERVICE.name, &self.by) {
            return Some(Heard::Gone);
        }
        let Kind::Signal(interface, name) = &signal.kind else { return None };
        if signal.sender != self.by || interface != SERVICE.interface {
            return None;
        }
        match name.as_str() {
            "ActivationToken" => {
                let mut body = signal.body("us")?;
                let (id, words) = (body.unsigned()?, body.string()?);
                let is_meant = id == self.id && words.len() <= LONGEST_ACTIVATION;
                is_meant.then(|| Heard::MayActivate(Activation(words.to_owned())))
            }
            "ActionInvoked" => {
                let mut body = signal.body("us")?;
                (body.unsigned()? == self.id && [OPEN, DEFAULT].contains(&body.string()?)).then_some(Heard::Pressed)
            }
            "NotificationClosed" => (signal.body("uu")?.unsigned()? == self.id).then_some(Heard::Closed),
            _ => None,
        }
    }
}

/// Wishes to hear from now on what it says.
///
/// # Errors
/// Where the bus does not take the wish.
pub(super) async fn listen(bus: &mut Bus) -> Result<(), Unheard> {
    bus.listen(SERVICE).await
}

/// What it can do.
///
/// # Errors
/// Where there is no such service, or none that answers.
pub(super) async fn abilities(bus: &mut Bus) -> Result<Abilities, Unheard> {
    let answer = bus.call(SERVICE, "GetCapabilities", &Body::default()).await?;
    let able = answer.body("as").and_then(|mut body| body.strings()).ok_or(Unheard::Broken)?;
    Ok(Abilities { buttons: able.contains(&"actions"), markup: able.contains(&"body-markup") })
}

/// Shows a notice for so long, in the place of one that was shown before.
///
/// # Errors
/// Where the service refuses it, or does not answer.
pub(super) async fn show(bus: &mut Bus, notice: &Notice, (left, before): (Duration, Option<&Shown>)) -> Result<Shown, Unheard> {
    let actions: Vec<&str> = notice.button.iter().flat_map(|button| [DEFAULT, *button, OPEN, *button]).collect();
    let milliseconds = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
    let body = Body::default().string("mcp-authd").unsigned(before.map_or(0, |shown| shown.id)).string(ICON);
    let body = body.string(&notice.summary).string(&notice.body).strings(&actions);
    // Resident: the code is to be seen after the button was pressed.
    let body = body.options(&[("urgency", Variant::Byte(URGENCY)), ("resident", Variant::Boolean(true))]).signed(milliseconds);
    let answer = bus.call(SERVICE, "Notify", &body).await?;
    let id = answer.body("u").and_then(|mut body| body.unsigned()).ok_or(Unheard::Broken)?;
    Ok(Shown { id, by: answer.sender })
}

/// Takes it away. Who shows it is asked and nobody else: a service that has come in its place has its own of the same number, and one
/// that has gone need not be started for it.
///
/// # Errors
/// Where it is gone already, or the service does not answer.
pub(super) async fn close(bus: &mut Bus, shown: &Shown) -> Result<(), Unheard> {
    let its_own = Service { name: &shown.by, ..SERVICE };
    bus.call(its_own, "CloseNotification", &Body::default().unsigned(shown.id)).await.map(drop)
}
