//! One of the programs: a process of its own with the client library. Orders come in on standard input, one word a line; each is
//! answered with one line of JSON on standard output, which holds no token.
//!
//! | order | what it does | answers |
//! |---|---|---|
//! | `ask` | asks for a token | `token`, or `code` and `page` |
//! | `wait` | waits until somebody has logged in | `token` |
//! | `outlive` | keeps its token to its end, then says so and asks for another | `asking`; then as `ask` |
//! | `call` | calls the protected resource with its token | `status` |
//! | `report` | reports its token as rejected | as `ask` |
//!
//! `trouble` answers any of them. It ends when standard input does.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use mcp_authd_client::{Answer, Client, How, Need, Request, Token};
use mcp_authd_tests::plain_http;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::page;

/// The account and, where there is one, the protected resource.
pub(crate) const ACCOUNT: &str = "DEMO_ACCOUNT";
pub(crate) const RESOURCE: &str = "DEMO_RESOURCE";
pub(crate) const NAME: &str = "DEMO_NAME";

struct Program {
    client: Client,
    need: Need,
    token: Option<Token>,
}

/// The life of a program.
pub(crate) async fn run() -> ExitCode {
    let Ok(mut program) = Program::new() else { return ExitCode::FAILURE };
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(order)) = orders.next_line().await {
        let answer = program.obey(&order).await.unwrap_or_else(|error| json!({ "trouble": format!("{error:#}") }));
        page::line(&answer.to_string());
    }
    ExitCode::SUCCESS
}

impl Program {
    fn new() -> Result<Self> {
        let need = Need::account(std::env::var(ACCOUNT)?).client_name(std::env::var(NAME)?);
        Ok(Self { client: Client::find()?, need, token: None })
    }

    async fn obey(&mut self, order: &str) -> Result<Value> {
        match order {
            "ask" => self.ask().await,
            "wait" => self.wait().await,
            "outlive" => self.outlive().await,
            "call" => self.call().await,
            "report" => self.report().await,
            other => bail!("no such order: {other}"),
        }
    }

    async fn ask(&mut self) -> Result<Value> {
        let request = Request::new(self.need.clone()).max_wait(Duration::from_secs(20));
        let answer = self.client.token(request).await?;
        self.heed(answer)
    }

    async fn report(&mut self) -> Result<Value> {
        let token = self.token.as_ref().context("there is no token yet")?;
        let answer = self.client.report_rejected(token).await?;
        self.heed(answer)
    }

    async fn wait(&mut self) -> Result<Value> {
        let mut watch = self.client.watch(self.need.clone());
        loop {
            match watch.token() {
                Ok(answer @ (Answer::UseToken(_) | Answer::GiveUp(_))) => return self.heed(answer),
                Ok(Answer::ShowSignIn(_) | Answer::TryLater(_)) | Err(_) => watch.changed().await?,
            }
        }
    }

    async fn outlive(&mut self) -> Result<Value> {
        let token = self.token.as_ref().context("there is no token yet")?;
        let left = token.remaining().context("this token does not say when it ends")?;
        // law: sleep: the end of its own token is what the program waits for
        tokio::time::sleep(left).await;
        page::line(&json!({ "asking": true }).to_string());
        self.ask().await
    }

    async fn call(&self) -> Result<Value> {
        let token = self.token.as_ref().context("there is no token yet")?;
        let resource = std::env::var(RESOURCE)?;
        let answered = plain_http::fetch_with_token(&resource, token.expose()).await?;
        Ok(json!({ "status": answered.status }))
    }

    fn heed(&mut self, answer: Answer) -> Result<Value> {
        match answer {
            Answer::UseToken(token) => {
                let told = json!({ "token": fingerprint(&token) });
                self.token = Some(token);
                Ok(told)
            }
            Answer::ShowSignIn(sign_in) => match sign_in.how {
                How::Device { user_code, verification_uri, verification_uri_complete } => {
                    Ok(json!({ "code": user_code, "page": verification_uri, "page_with_code": verification_uri_complete }))
                }
                _ => Err(anyhow!("this login is not one with a code; use authctl login")),
            },
            Answer::TryLater(refusal) | Answer::GiveUp(refusal) => {
                Err(anyhow!("{}; next: {}", refusal.message, refusal.next_step))
            }
        }
    }
}

/// Names a token without telling it: the beginning of its SHA-256.
fn fingerprint(token: &Token) -> String {
    token.sha256().iter().take(3).fold(String::new(), |mut text, byte| {
        let _never_fails = write!(text, "{byte:02x}");
        text
    })
}
