//! `authctl token` as a whole process, from fork to reaped, against `/bin/true` and against a bare client that does one raw exchange.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::effort::Effort;
use crate::samples::{Rounds, Samples};
use crate::stage::{LONG, Stage};
use crate::table::{Goal, Row, Unit};

/// By turns: the three follow each other, time and again.
pub(crate) async fn measure(stage: &mut Stage, effort: Effort) -> Result<Vec<Row>> {
    let mut nothing = Command::new("/bin/true");
    nothing.env_clear();
    let mut bare = stage.floor.asker()?;
    let mut authctl = stage.daemon.program("authctl").into_std();
    authctl.args(["token", LONG]);
    let (mut against_nothing, mut against_bare) = (Rounds::default(), Rounds::default());
    for _ in 0..effort.of(15, 1) {
        let mut took: [Samples; 3] = Default::default();
        for _ in 0..effort.of(40, 1) {
            for (samples, command) in took.iter_mut().zip([&mut nothing, &mut bare, &mut authctl]) {
                samples.time(|| run(command))?;
            }
        }
        let [nothing, bare, ours] = took.map(|samples| samples.percentile(50));
        against_nothing.add_times(ours, nothing);
        against_bare.add_times(ours, bare);
    }
    Ok(vec![
        Row::pair("authctl token, to /bin/true", Unit::Time, &against_nothing, Goal::TimesAtMost(2.5)),
        Row::pair("authctl token, to a bare client", Unit::Time, &against_bare, Goal::TimesAtMost(1.5)),
    ])
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = status.with_context(|| format!("{:?} can be started", command.get_program()))?;
    ensure!(status.success(), "{:?} failed: {status}", command.get_program());
    Ok(())
}
