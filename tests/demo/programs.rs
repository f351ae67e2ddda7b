//! The programs as the demo sees them: child processes that it gives orders to, all at once.
//!
//! Must never: outlive the demo. Each ends with its standard input, and is killed where its handle is dropped.

use std::ffi::OsString;
use std::process::Stdio;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::program::NAME;

/// Several programs.
pub(crate) struct Programs {
    all: Vec<Member>,
}

struct Member {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Programs {
    /// Starts so many, with these variables beside the environment of the demo.
    pub(crate) fn start(so_many: usize, environment: &[(&str, OsString)]) -> Result<Self> {
        let all = (1..=so_many).map(|number| Member::start(number, environment)).collect::<Result<_>>()?;
        Ok(Self { all })
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The process id of each.
    pub(crate) fn pids(&self) -> impl Iterator<Item = u32> {
        self.all.iter().map(|member| member.child.id().unwrap_or_default())
    }

    /// Gives the order to all of them, without waiting between two.
    pub(crate) async fn order(&mut self, order: &str) -> Result<()> {
        for member in &mut self.all {
            member.orders.write_all(format!("{order}\n").as_bytes()).await.context("a program has ended")?;
        }
        Ok(())
    }

    /// The next answer of each.
    pub(crate) async fn answers(&mut self) -> Result<Vec<Value>> {
        let mut answers = Vec::with_capacity(self.all.len());
        for member in &mut self.all {
            let line = member.answers.next_line().await?.context("a program has ended")?;
            answers.push(serde_json::from_str(&line).with_context(|| format!("a program said {line:?}"))?);
        }
        Ok(answers)
    }

    /// Gives the order to all of them, and hears them all.
    pub(crate) async fn all(&mut self, order: &str) -> Result<Vec<Value>> {
        self.order(order).await?;
        self.answers().await
    }
}

impl Member {
    fn start(number: usize, environment: &[(&str, OsString)]) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("program")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env(NAME, format!("demo program {number}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("the demo cannot start itself as a program")?;
        let orders = child.stdin.take().context("standard input is piped")?;
        let answers = BufReader::new(child.stdout.take().context("standard output is piped")?).lines();
        Ok(Self { child, orders, answers })
    }
}

/// A member of an answer, or the trouble that it tells.
pub(crate) fn text<'v>(answer: &'v Value, name: &str) -> Result<&'v str> {
    answer.get(name).and_then(Value::as_str).ok_or_else(|| trouble(answer))
}

/// The status of a call.
pub(crate) fn status(answer: &Value) -> Result<u64> {
    answer.get("status").and_then(Value::as_u64).ok_or_else(|| trouble(answer))
}

/// The same text from all of them.
pub(crate) fn the_same<'v>(answers: &'v [Value], name: &str) -> Result<&'v str> {
    let mut texts = answers.iter().map(|answer| text(answer, name));
    let first = texts.next().context("there are programs")??;
    for other in texts {
        if other? != first {
            bail!("two programs were told different things: {name} is not the same for all");
        }
    }
    Ok(first)
}

fn trouble(answer: &Value) -> anyhow::Error {
    let told = answer.get("trouble").and_then(Value::as_str);
    told.map_or_else(|| anyhow!("a program said something unexpected: {answer}"), |told| anyhow!("a program was told: {told}"))
}
