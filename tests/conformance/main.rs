//! `conformance-client URL`: a small MCP client over the daemon, for the public MCP conformance suite to start.
//!
//! The suite plays an MCP server and its authorization servers, and says in the environment which scenario it is and for which
//! revision. The client does what a person and a program do: the person adds an account by the server's URL ([`person`]), the program
//! asks the daemon for tokens and speaks MCP ([`mcp`]), the person follows each prompt once. On standard output it says how it
//! ended, as `done` or `refused: ...`; `stories/conformance.rs` judges that and what the suite has seen.
//!
//! Must never: speak OAuth, read a challenge otherwise than by the client library, listen anywhere, or outlive its deadline.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the client is a part of the proof; JSON that is not there is null"
)]

mod mcp;
mod person;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mcp_authd_client::Need;
use mcp_authd_client::mcp::ToolError;
use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::programs::program;
use serde_json::Value;

use mcp::{Operation, Server};
use person::Person;

/// The suite waits longer, and would leave the daemon behind.
const DEADLINE: Duration = Duration::from_secs(60);
/// "No more than a few times" (MCP, scope challenge handling).
const MOST_LOGINS: usize = 3;

/// What the suite says in the environment.
struct Scenario {
    name: String,
    revision: String,
    /// A client that was registered beforehand.
    context: Value,
}

impl Scenario {
    fn of_the_environment() -> Result<Self> {
        let variable =
            |name: &str| std::env::var(name).with_context(|| format!("{name} is not set: the suite starts this program"));
        let context = std::env::var("MCP_CONFORMANCE_CONTEXT").unwrap_or_else(|_| "{}".to_owned());
        Ok(Self {
            name: variable("MCP_CONFORMANCE_SCENARIO")?,
            revision: variable("MCP_CONFORMANCE_PROTOCOL_VERSION")?,
            context: serde_json::from_str(&context).context("MCP_CONFORMANCE_CONTEXT is no JSON")?,
        })
    }
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be built");
    let ended = runtime.block_on(async {
        let played = async { tokio::time::timeout(DEADLINE, play()).await.context("the deadline is over")? };
        tokio::select! {
            ended = played => ended,
            () = asked_to_leave() => bail!("the suite has given it up"),
        }
    });
    let (told, code) = match ended {
        Ok(()) => ("done".to_owned(), ExitCode::SUCCESS),
        Err(why) => (format!("refused: {why:#}"), ExitCode::FAILURE),
    };
    let _no_matter = writeln!(std::io::stdout().lock(), "{told}");
    code
}

async fn asked_to_leave() {
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    terminate.expect("a signal can be awaited").recv().await;
}

async fn play() -> Result<()> {
    let url = std::env::args().nth(1).context("usage: conformance-client URL")?;
    let scenario = Scenario::of_the_environment()?;
    let daemon = Daemon::start(Config::new()).await;
    let person = Person::of(&daemon);
    let account = person.adds(&url, &scenario).await?;
    let server = Server::new(url, &scenario.revision)?;
    for operation in server.operations() {
        done(&daemon, &person, &account, (&server, &operation)).await?;
    }
    Ok(())
}

/// Calls the server until it has answered; whatever stands in the way is the person's to do.
async fn done(daemon: &Daemon, person: &Person<'_>, account: &str, (server, operation): (&Server, &Operation)) -> Result<()> {
    let program = program(daemon);
    for _ in 0..=MOST_LOGINS {
        match program.with_token(Need::account(account), |token| server.call(token, operation)).await {
            Ok(_) => return Ok(()),
            Err(ToolError::ShowSignIn(prompt)) => person.answers(&prompt, server.url()).await?,
            Err(why) => bail!("{}: {why}", operation.method),
        }
    }
    bail!("{}: {MOST_LOGINS} logins were not enough", operation.method)
}
