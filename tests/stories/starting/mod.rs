//! Nobody has started the daemon, and everybody needs it: who starts it, who does not, and what is said (DESIGN, section 5).

mod handing_over;
mod logging;
mod managed;
mod owning;
mod refused;
mod ruled;
mod serviced;
mod together;
mod upgraded;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use mcp_authd_client::{Answer, Client, Need, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{a_token, tool, until, watched};
use mcp_authd_tests::server::AuthorizationServer;
use mcp_authd_tests::skip::skipped;
use mcp_authd_tests::started;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::logged_in::user_code;

const ROLE: &str = "MCP_AUTHD_TESTS_PROGRAM_ROLE";

/// A machine on which no daemon runs, with one account. Programs may start one although the test machine may be a container.
fn machine(server: &AuthorizationServer) -> Daemon {
    machine_with(Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"])))
}

fn machine_with(config: Config) -> Daemon {
    Daemon::prepare(config.environment("MCP_AUTHD_START", "always"))
}

/// Whether the story can run: says so where not.
fn can_run(story: &str) -> bool {
    let in_the_way = started::own_daemon_in_the_way();
    in_the_way.iter().for_each(|reason| skipped(story, reason));
    in_the_way.is_none()
}

/// `authctl`, and what came of it.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    out: String,
    err: String,
}

async fn authctl(machine: &Daemon, arguments: &[&str]) -> Told {
    told(machine.program("authctl").args(arguments)).await
}

async fn told(command: &mut Command) -> Told {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// How many daemons have come to serve, of those that programs have started.
fn served(machine: &Daemon) -> usize {
    machine.logs().matches("mcp_authd::daemon: serving ").count()
}

async fn pid(machine: &Daemon) -> i32 {
    tool(machine).status().await.unwrap().pid.try_into().unwrap()
}

fn kill_hard(pid: i32) {
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
}

/// Waits until the store has no owner.
async fn without_an_owner(machine: &Daemon) {
    until("the store has no owner", || started::owner(machine.dirs()).is_none()).await;
}

/// A program with the client library: this very test program, called again. It does what it reads, line by line.
struct Program {
    _child: Child,
    orders: ChildStdin,
    told: Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn starts(machine: &Daemon) -> Self {
        Self::of(machine.any_program(std::env::current_exe().unwrap()), machine)
    }

    fn of(command: Command, machine: &Daemon) -> Self {
        Self::that_starts(&machine.file_of("mcp-authd"), command)
    }

    /// One that starts this daemon where it finds none.
    fn that_starts(daemon: &Path, mut command: Command) -> Self {
        command
            .args(["--exact", "starting::the_program_does_what_it_reads", "--nocapture"])
            .env(ROLE, "program")
            .env("MCP_AUTHD_BIN", daemon)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let orders = child.stdin.take().unwrap();
        let told = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { _child: child, orders, told }
    }

    async fn order(&mut self, order: &str) {
        self.orders.write_all(format!("{order}\n").as_bytes()).await.unwrap();
    }

    async fn tells(&mut self) -> String {
        loop {
            let line = self.told.next_line().await.unwrap().expect("the program has ended without a word");
            if let Some((_, told)) = line.split_once("told: ") {
                return told.to_owned();
            }
        }
    }

    async fn does(&mut self, order: &str) -> String {
        self.order(order).await;
        self.tells().await
    }
}

/// Each program does the same, all at once; what they tell, without repetitions.
async fn all_do(programs: &mut [Program], order: &str) -> BTreeSet<String> {
    for program in programs.iter_mut() {
        program.order(order).await;
    }
    let mut told = BTreeSet::new();
    for program in programs {
        told.insert(program.tells().await);
    }
    told
}

/// The person logs in, through a program that starts the daemon for it. The token's name.
async fn logged_in_by(program: &mut Program, server: &AuthorizationServer) -> String {
    let code = program.does("ask").await;
    server.approve(code.strip_prefix("code ").unwrap()).unwrap();
    program.does("watch").await
}

/// Passes at once where it is not called as a program.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "the story reads what the program tells on its standard output")]
async fn the_program_does_what_it_reads() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let client = Client::find().unwrap();
    let watch = client.watch(Need::account("work"));
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Some(order) = orders.next_line().await.unwrap() {
        let answer = match order.as_str() {
            "ask" => client.token(Need::account("work")).await,
            "look" => client.token(Request::new(Need::account("work")).sign_in(SignInMode::Never)).await,
            "ask without starting" => client.clone().never_starting().token(Need::account("work")).await,
            "watch" => Ok(Answer::UseToken(watched(&mut watch.clone(), a_token).await)),
            other => panic!("no such order: {other}"),
        };
        let told = match answer {
            Ok(Answer::UseToken(token)) => format!("token {:02x?}", token.sha256()),
            Ok(Answer::ShowSignIn(sign_in)) => format!("code {}", user_code(&sign_in)),
            Ok(Answer::TryLater(refusal) | Answer::GiveUp(refusal)) => format!("refused {}", refusal.message),
            Err(error) => format!("error {error}"),
        };
        println!("told: {}", told.replace('\n', " "));
    }
}
