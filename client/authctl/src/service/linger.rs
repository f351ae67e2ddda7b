//! Whether the person's service manager outlives the person's sessions (loginctl(1)).
//!
//! Must never: be worth more than a sentence: what cannot be told is not said.

use super::program;
use super::step::Call;

/// What makes it so.
pub(crate) const ENABLE: &str = "loginctl enable-linger";

/// Whether it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linger {
    /// It runs from the boot on.
    On,
    /// It ends with the last session, and this one is a desktop's: so do the programs that ask.
    Off,
    /// It ends with the last session, and this one is one over SSH: programs that outlive it are likely.
    OffOverSsh,
    /// Nobody tells.
    Unknown,
}

impl Linger {
    /// When a service begins that waits for whoever asks.
    pub(crate) fn begins(self) -> &'static str {
        match self {
            Self::On => "when a program first asks, from the boot on",
            Self::Off | Self::OffOverSsh | Self::Unknown => "when a program first asks after you have logged in to this machine",
        }
    }

    /// What a person should know who has not asked for it.
    pub(crate) fn worth_knowing(self) -> Option<&'static str> {
        let words =
            "with your last session on this machine, and what runs on without one (tmux, cron) finds no daemon; it goes on with:";
        (self == Self::OffOverSsh).then_some(words)
    }
}

/// Asks.
pub(crate) async fn look() -> Linger {
    let Some(name) = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name) else {
        return Linger::Unknown;
    };
    let call = Call::new("loginctl", ["show-user", "--property=Linger", "--value", &name]);
    let is_over_ssh = std::env::var_os("SSH_CONNECTION").is_some_and(|value| !value.is_empty());
    match program::run(&call).await.as_deref().map(str::trim) {
        Ok("yes") => Linger::On,
        Ok("no") if is_over_ssh => Linger::OffOverSsh,
        Ok("no") => Linger::Off,
        _ => Linger::Unknown,
    }
}
