//! What the operating system asks by signals.
//!
//! Must never: act. It only tells `daemon.rs`.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// SIGTERM or SIGINT: leave.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The signals, caught from the moment this is made.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Begins to catch them. Within a tokio runtime only.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next one. May be dropped and called again without losing any. A stop goes before a reload.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }

    /// The next stop; what else is asked meanwhile means nothing any more. A terminal that closes, and systemd with
    /// `SendSIGHUP=`, send a hang-up right after a termination.
    pub async fn stop(&mut self) {
        while self.next().await != Asked::Stop {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use nix::sys::signal::{Signal as Kind, raise};

    #[tokio::test]
    async fn a_hang_up_asks_for_a_reload_and_a_termination_for_the_end() {
        let mut signals = Signals::catch().unwrap();
        raise(Kind::SIGHUP).unwrap();
        assert_eq!(signals.next().await, Asked::Reload);
        raise(Kind::SIGTERM).unwrap();
        assert_eq!(signals.next().await, Asked::Stop);
        raise(Kind::SIGINT).unwrap();
        assert_eq!(signals.next().await, Asked::Stop);
        raise(Kind::SIGHUP).unwrap();
        let hung_up = tokio::time::timeout(std::time::Duration::from_millis(50), signals.stop()).await;
        assert!(hung_up.is_err(), "a hang-up is no second stop");
        raise(Kind::SIGINT).unwrap();
        signals.stop().await;
    }
}
