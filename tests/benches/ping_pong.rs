//! The raw floor seen from here: blocking exchanges with its process, one or many at a time.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::floor_process::FloorProcess;

/// The bytes of one call on a connection that has made some, as strace shows them: HTTP/2 frames with headers that are indexed by
/// then, and the message.
const QUESTION: usize = 80;
const ANSWER: usize = 142;

/// The process that answers.
#[derive(Debug)]
pub(crate) struct PingPong(FloorProcess);

impl PingPong {
    /// Starts it, and waits until it answers.
    pub(crate) async fn start() -> Result<Self> {
        let floor = FloorProcess::start("bench-floor", |command, socket| {
            command.arg("serve").arg(socket).args(sizes());
        });
        Ok(Self(floor.await?))
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// The program that asks it once.
    pub(crate) fn asker(&self) -> Result<Command> {
        let mut command = FloorProcess::program("bench-floor")?;
        command.arg("ask").arg(self.0.socket()).args(sizes());
        Ok(command)
    }

    /// A connection.
    pub(crate) fn connect(&self) -> Result<Exchange> {
        Ok(Exchange { stream: UnixStream::connect(self.0.socket())?, said: vec![0; QUESTION], heard: vec![0; ANSWER] })
    }

    /// So many connections, a thread each, and so many exchanges on each of them. Exchanges a second.
    pub(crate) fn rate(&self, connections: usize, each: usize) -> Result<f64> {
        let exchanges: Result<Vec<Exchange>> = (0..connections).map(|_| self.connect()).collect();
        let exchanges = exchanges?;
        let begun = Instant::now();
        let went_well = std::thread::scope(|scope| {
            let talk = |mut exchange: Exchange| move || (0..each).try_for_each(|_| exchange.once());
            let threads: Vec<_> = exchanges.into_iter().map(|exchange| scope.spawn(talk(exchange))).collect();
            threads.into_iter().all(|thread| matches!(thread.join(), Ok(Ok(()))))
        });
        ensure!(went_well, "the floor did not answer");
        Ok(rate(connections * each, begun.elapsed()))
    }
}

/// One connection to the floor.
#[derive(Debug)]
pub(crate) struct Exchange {
    stream: UnixStream,
    said: Vec<u8>,
    heard: Vec<u8>,
}

impl Exchange {
    /// One question and its answer.
    pub(crate) fn once(&mut self) -> Result<()> {
        self.stream.write_all(&self.said)?;
        Ok(self.stream.read_exact(&mut self.heard)?)
    }
}

/// So many in this time, a second.
pub(crate) fn rate(number: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX)) / took.as_secs_f64()
}

fn sizes() -> [String; 2] {
    [QUESTION.to_string(), ANSWER.to_string()]
}
