//! Real MCP clients: the official SDK, run with Node (`tests/mcp`). They start copies of a stdio server, as editor windows do, and
//! call its tools.
//!
//! Must never: speak MCP itself. What the SDK makes of an answer is what is proven.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::daemon::{self, Daemon};
use crate::node;
use crate::skip::Skip;

/// Far longer than an answer takes; the SDK itself gives a call up after 60 s.
const WATCHDOG: Duration = Duration::from_secs(100);

/// One Node process with one SDK client for each copy. It ends when this is dropped, and the copies with it.
#[derive(Debug)]
pub struct McpHosts {
    copies: usize,
    orders: u64,
    answered: HashMap<u64, Value>,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

/// A stdio server, as an MCP host's configuration names it.
#[derive(Debug, Clone)]
pub struct StdioServer {
    command: PathBuf,
    args: Vec<String>,
    env: HashMap<String, String>,
}

/// What a tool has answered.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolAnswer {
    /// Whether it is flagged as an error.
    pub is_error: bool,
    /// Its text.
    pub text: String,
    /// Its `_meta`.
    pub meta: Value,
}

/// An order that is on its way.
#[derive(Debug)]
#[must_use]
pub struct Ordered(u64);

impl StdioServer {
    /// An example of ours that asks this daemon and no other, and starts none.
    ///
    /// # Panics
    /// With the command to run, if the example has not been built.
    #[must_use]
    pub fn example(name: &str, argument: &str, daemon: &Daemon) -> Self {
        let command = daemon::programs().join("examples").join(name);
        assert!(command.is_file(), "{} is missing: run `cargo build --workspace --examples` first", command.display());
        let env = [("MCP_AUTHD_SOCKET", daemon.tokens_socket()), ("HOME", daemon.dirs().home())];
        let env = env.map(|(name, path)| (name.to_owned(), path.to_str().expect("a path of ours is text").to_owned()));
        Self { command, args: vec![argument.to_owned()], env: env.into() }
    }

    /// The same behind a shell command of ours: `echo oops; exec "$@"`.
    #[must_use]
    pub fn behind(self, script: &str) -> Self {
        let server = self.command.to_str().expect("a path of ours is text").to_owned();
        let args = ["-c", script, "sh"].map(str::to_owned).into_iter().chain([server]).chain(self.args).collect();
        Self { command: "/bin/sh".into(), args, ..self }
    }
}

impl McpHosts {
    /// Starts this many copies of a server, all at once, and shakes hands with each.
    ///
    /// # Errors
    /// What this machine lacks, with the next step: to be handed to [`crate::skip::skipped`].
    ///
    /// # Panics
    /// If everything is there and a copy does not start all the same.
    pub async fn start(copies: usize, server: &StdioServer) -> Result<Self, Skip> {
        let folder = node::folder("mcp", "@modelcontextprotocol/sdk").await?;
        let mut child = Command::new("node")
            .current_dir(&folder)
            .arg("hosts.mjs")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node can be started");
        let stdin = child.stdin.take().expect("standard input is piped");
        let stdout = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
        let mut hosts = Self { copies, orders: 0, answered: HashMap::new(), stdin, stdout, _child: child };
        let StdioServer { command, args, env } = server;
        let open = json!({ "order": "open", "command": command, "args": args, "env": env, "copies": copies });
        let open = hosts.order(open).await;
        hosts.answer(open).await;
        Ok(hosts)
    }

    /// Every copy is asked for its tools, all at once. Their names, sorted.
    pub async fn list_each(&mut self) -> Vec<Vec<String>> {
        let orders: Vec<Value> = (0..self.copies).map(|copy| json!({ "order": "list", "copy": copy })).collect();
        let lists = self.all(orders).await;
        let names = |tools: &Value| {
            let tools = tools.as_array().expect("tools come as a list");
            let mut names: Vec<String> = tools.iter().map(|tool| text(&tool["name"])).collect();
            names.sort();
            names
        };
        lists.iter().map(names).collect()
    }

    /// Every copy is called, all at once.
    pub async fn call_each(&mut self, tool: &str) -> Vec<ToolAnswer> {
        let calls = self.begin_each(tool).await;
        self.finish(calls).await
    }

    /// The same, and does not wait.
    pub async fn begin_each(&mut self, tool: &str) -> Vec<Ordered> {
        let mut calls = Vec::new();
        for copy in 0..self.copies {
            calls.push(self.begin(copy, tool, json!({})).await);
        }
        calls
    }

    /// Waits for the answers of calls that were begun.
    pub async fn finish(&mut self, calls: Vec<Ordered>) -> Vec<ToolAnswer> {
        let mut answers = Vec::new();
        for call in calls {
            answers.push(self.tool_answer(call).await);
        }
        answers
    }

    /// One copy is called.
    pub async fn call(&mut self, copy: usize, tool: &str, arguments: Value) -> ToolAnswer {
        let call = self.begin(copy, tool, arguments).await;
        self.tool_answer(call).await
    }

    /// The same, and does not wait.
    pub async fn begin(&mut self, copy: usize, tool: &str, arguments: Value) -> Ordered {
        self.order(json!({ "order": "call", "copy": copy, "tool": tool, "arguments": arguments })).await
    }

    /// Waits for the answer of a call that was begun.
    pub async fn tool_answer(&mut self, call: Ordered) -> ToolAnswer {
        let answer = self.answer(call).await;
        ToolAnswer {
            is_error: answer["isError"].as_bool().unwrap_or(false),
            text: text(&answer["content"][0]["text"]),
            meta: answer["_meta"].clone(),
        }
    }

    /// The lines of all copies that the SDK could not read as messages.
    pub async fn strange_lines(&mut self) -> Vec<String> {
        let heard = self.heard().await;
        let strange = heard.iter().flat_map(|heard| heard["strange"].as_array().cloned().unwrap_or_default());
        strange.map(|line| text(&line)).collect()
    }

    /// What all copies have written to standard error.
    pub async fn logs(&mut self) -> String {
        self.heard().await.iter().map(|heard| text(&heard["log"])).collect()
    }

    async fn heard(&mut self) -> Vec<Value> {
        let orders: Vec<Value> = (0..self.copies).map(|copy| json!({ "order": "heard", "copy": copy })).collect();
        self.all(orders).await
    }

    async fn all(&mut self, orders: Vec<Value>) -> Vec<Value> {
        let mut ordered = Vec::new();
        for order in orders {
            ordered.push(self.order(order).await);
        }
        let mut answers = Vec::new();
        for order in ordered {
            answers.push(self.answer(order).await);
        }
        answers
    }

    async fn order(&mut self, mut order: Value) -> Ordered {
        self.orders += 1;
        order["id"] = json!(self.orders);
        self.stdin.write_all(format!("{order}\n").as_bytes()).await.expect("the hosts listen");
        Ordered(self.orders)
    }

    /// Answers come as they are there; those of other orders are kept.
    async fn answer(&mut self, Ordered(id): Ordered) -> Value {
        let waiting = async {
            loop {
                if let Some(mut answer) = self.answered.remove(&id) {
                    assert!(answer["error"].is_null(), "an order went wrong: {}", text(&answer["error"]));
                    return answer["ok"].take();
                }
                let line = self.stdout.next_line().await.expect("the hosts can be read").expect("the hosts live");
                let answer: Value = serde_json::from_str(&line).expect("the hosts speak JSON");
                self.answered.insert(answer["id"].as_u64().expect("each answer names its order"), answer);
            }
        };
        tokio::time::timeout(WATCHDOG, waiting).await.expect("the hosts answer")
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
