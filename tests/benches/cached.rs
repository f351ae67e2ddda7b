//! Reading a watched token in the program's own memory, its end checked each time, against one reading of the clock that it is
//! checked on.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;
use mcp_authd_client::Need;
use mcp_authd_tests::programs::{a_token, program, watched};
use nix::time::{ClockId, clock_gettime};

use crate::effort::Effort;
use crate::samples::Rounds;
use crate::stage::{LONG, Stage};
use crate::table::{Goal, Row, Unit};

/// The clock of client/src/clock.rs.
#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;

/// `Watch::token`.
pub(crate) async fn measure(stage: &mut Stage, effort: Effort) -> Result<Vec<Row>> {
    let mut watch = program(&stage.daemon).watch(Need::account(LONG));
    watched(&mut watch, a_token).await;
    let mut rounds = Rounds::default();
    for _ in 0..effort.of(31, 1) {
        let reads = u32::try_from(effort.of(100_000, 100))?;
        let floor = of_many(reads, || clock_gettime(CLOCK));
        let ours = of_many(reads, || watch.token());
        rounds.add(ours, floor);
    }
    Ok(vec![Row::pair("cached read", Unit::Time, &rounds, Goal::TimesAtMost(3.0))])
}

/// Seconds for one.
fn of_many<T>(times: u32, read: impl Fn() -> T) -> f64 {
    let begun = Instant::now();
    for _ in 0..times {
        black_box(read());
    }
    begun.elapsed().as_secs_f64() / f64::from(times)
}
