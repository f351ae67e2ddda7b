//! The listener on real sockets of this machine. Time stands still unless a test moves it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod browser;
mod by_hand;
mod closing;
mod dispatching;
mod opening;
mod refusing;

use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mcp_authd_oauth::authorization_code::response::{AuthorizationResponse, ResponseOutcome};
use mcp_authd_oauth::secret::State;
use mcp_authd_oauth::time::{Instant, Now, WallTime};

use super::*;

/// Time stands still, and is moved by a test only: nothing is too slow because the machine is.
#[derive(Clone, Default)]
struct Time(Arc<AtomicU64>);

impl Time {
    fn clock(&self) -> Clock {
        let passed = self.0.clone();
        Clock::from_fn(move || {
            let passed = passed.load(Ordering::Relaxed);
            let (instant, wall) = (Instant::from_millis(1_000_000), WallTime::from_millis(1_790_000_000_000));
            Now { instant: instant + Duration::from_millis(passed), wall: wall + Duration::from_millis(passed) }
        })
    }

    async fn pass(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
        tokio::time::pause();
        tokio::time::advance(time + Duration::from_millis(1)).await;
        tokio::time::resume();
    }

    fn callbacks(&self) -> Callbacks {
        Callbacks::new(&Tasks::new(), &self.clock())
    }
}

fn callbacks() -> Callbacks {
    Time::default().callbacks()
}

fn state(text: &str) -> State {
    State::new(text)
}

fn fixed(port: NonZeroU16) -> Redirect {
    Redirect { port: PortWanted::Fixed(port), ..Redirect::default() }
}

fn code(response: &AuthorizationResponse) -> String {
    match &response.outcome {
        ResponseOutcome::Code(code) => code.expose().to_owned(),
        ResponseOutcome::Error(_) => "an error".to_owned(),
    }
}

/// A port for a fixed one. None that the system hands out: a connection of anybody, also an ended one, may hold such a one.
fn unused() -> NonZeroU16 {
    static TRIED: AtomicU64 = AtomicU64::new(0);
    loop {
        let tried = TRIED.fetch_add(1, Ordering::Relaxed);
        let port = 10_240 + (u64::from(std::process::id()) * 97 + tried * 131) % 22_000;
        let port = NonZeroU16::new(u16::try_from(port).unwrap()).unwrap();
        if Sockets::bind(PortWanted::Fixed(port), listen).is_ok() {
            return port;
        }
    }
}
