//! Somebody else's authorization server: a certified one that runs with Node (`tests/idp`). It keeps our own server honest.
//!
//! Its secrets carry no mark, so it proves behaviour and never the absence of leaks.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use url::Url;

use crate::node;
use crate::plain_http;
use crate::skip::Skip;

/// Far longer than a start takes.
const START_WATCHDOG: Duration = Duration::from_secs(60);

/// A running lab server. It ends when this is dropped: by the signal, or because its standard input ends.
#[derive(Debug)]
pub struct RealIdp {
    ready: Value,
    _child: Child,
    _stdin: ChildStdin,
}

impl RealIdp {
    /// Starts one with its default settings.
    ///
    /// # Errors
    /// What this machine lacks, with the next step: to be handed to [`crate::skip::skipped`].
    pub async fn start() -> Result<Self, Skip> {
        Self::start_with(&[]).await
    }

    /// Starts one with settings from `tests/idp/README.md`: `["--access-token-ttl", "2"]`.
    ///
    /// # Errors
    /// What this machine lacks, with the next step.
    ///
    /// # Panics
    /// If everything is there and it does not start all the same.
    pub async fn start_with(settings: &[&str]) -> Result<Self, Skip> {
        let folder = node::folder("idp", "oidc-provider").await?;
        let mut child = Command::new("node")
            .current_dir(&folder)
            .args(["idp.mjs", "--port", "0", "--die-with-stdin"])
            .args(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node can be started");
        let stdin = child.stdin.take().expect("standard input is piped");
        let mut lines = BufReader::new(child.stdout.take().expect("standard output is piped")).lines();
        let line = tokio::time::timeout(START_WATCHDOG, lines.next_line()).await.expect("the lab server gets ready");
        let line = line.expect("its standard output can be read").expect("it says one line when it is ready");
        let ready = serde_json::from_str(&line).expect("the line is JSON");
        Ok(Self { ready, _child: child, _stdin: stdin })
    }

    /// Its issuer identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.said("issuer")
    }

    /// The origin of all its addresses: the issuer, but for a path.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.said("base")
    }

    /// Its protected resource.
    #[must_use]
    pub fn resource(&self) -> &str {
        self.said("resource")
    }

    /// Its MCP server.
    #[must_use]
    pub fn mcp(&self) -> &str {
        self.said("mcp")
    }

    fn said(&self, name: &str) -> &str {
        self.ready.get(name).and_then(Value::as_str).expect("the ready line is complete")
    }

    /// Approves a login as `login`; the subject.
    ///
    /// # Errors
    /// No pending login has this code.
    pub async fn approve(&self, user_code: &str, login: &str) -> Result<String> {
        let answer = self.lab_post("approve", &json!({ "user_code": user_code, "login": login })).await?;
        Ok(answer.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// Denies a login.
    ///
    /// # Errors
    /// No pending login has this code.
    pub async fn deny(&self, user_code: &str) -> Result<()> {
        self.lab_post("deny", &json!({ "user_code": user_code })).await.map(drop)
    }

    /// A person opens this URL in a browser and approves as `login`: where the browser is sent then, without going there.
    ///
    /// # Errors
    /// The login does not come so far.
    pub async fn approve_in_browser(&self, authorization_url: &Url, login: &str) -> Result<Url> {
        self.sent_back(&json!({ "url": authorization_url.as_str(), "login": login })).await
    }

    /// The same, and denies.
    ///
    /// # Errors
    /// The login does not come so far.
    pub async fn deny_in_browser(&self, authorization_url: &Url) -> Result<Url> {
        self.sent_back(&json!({ "url": authorization_url.as_str(), "deny": true })).await
    }

    async fn sent_back(&self, asked: &Value) -> Result<Url> {
        let end = self.lab_post("authorize", asked).await?;
        let location = end.get("location").and_then(Value::as_str).with_context(|| format!("no way back: {end}"))?;
        Ok(Url::parse(location)?)
    }

    /// The logins that wait.
    ///
    /// # Errors
    /// The lab did not answer.
    pub async fn pending(&self) -> Result<Value> {
        self.lab_fetch("pending").await
    }

    /// Its counts: see `tests/idp/README.md`.
    ///
    /// # Errors
    /// The lab did not answer.
    pub async fn counts(&self) -> Result<Value> {
        self.lab_fetch("counts").await
    }

    /// One number of its counts by a JSON pointer: `/refresh_reuses_detected`, `/token/refresh_token/ok`. 0 where it is not there.
    ///
    /// # Errors
    /// The lab did not answer.
    pub async fn count(&self, pointer: &str) -> Result<u64> {
        Ok(self.counts().await?.pointer(pointer).and_then(Value::as_u64).unwrap_or(0))
    }

    /// Its last requests, without secrets.
    ///
    /// # Errors
    /// The lab did not answer.
    pub async fn log(&self) -> Result<Value> {
        self.lab_fetch("log").await
    }

    /// Arms a fault, or a list of them: `{"endpoint": "token", "mode": "drop-after-commit", "count": 1}`.
    ///
    /// # Errors
    /// The lab does not know such a fault.
    pub async fn fault(&self, fault: &Value) -> Result<()> {
        self.lab_post("faults", fault).await.map(drop)
    }

    /// Changes settings: `{"rotation": "never"}`.
    ///
    /// # Errors
    /// The lab does not know such a setting.
    pub async fn configure(&self, settings: &Value) -> Result<()> {
        self.lab_post("config", settings).await.map(drop)
    }

    /// Moves its clock forward: tokens, JWTs, the `Date` header; not its timers.
    ///
    /// # Errors
    /// The lab did not answer.
    pub async fn advance(&self, by: Duration) -> Result<()> {
        self.lab_post("clock", &json!({ "advance_s": by.as_secs() })).await.map(drop)
    }

    /// The person withdraws every access. How many grants ended.
    ///
    /// # Errors
    /// The lab did not answer.
    pub async fn revoke_grants(&self) -> Result<u64> {
        let answer = self.lab_post("revoke-grants", &json!({})).await?;
        Ok(answer.get("revoked").and_then(Value::as_u64).unwrap_or(0))
    }

    /// Forgets every client that has registered itself. How many.
    ///
    /// # Errors
    /// The lab did not answer.
    pub async fn forget_clients(&self) -> Result<u64> {
        let answer = self.lab_post("forget-clients", &json!({})).await?;
        Ok(answer.get("forgotten").and_then(Value::as_u64).unwrap_or(0))
    }

    /// Forgets counts, log, faults and the moved clock; tokens and settings stay.
    ///
    /// # Errors
    /// The lab did not answer.
    pub async fn reset(&self) -> Result<()> {
        self.lab_post("reset", &json!({})).await.map(drop)
    }

    async fn lab_fetch(&self, call: &str) -> Result<Value> {
        accepted(call, &plain_http::fetch(&format!("{}{call}", self.said("lab"))).await?)
    }

    async fn lab_post(&self, call: &str, body: &Value) -> Result<Value> {
        accepted(call, &plain_http::post_json(&format!("{}{call}", self.said("lab")), body).await?)
    }
}

fn accepted(call: &str, answer: &plain_http::Answered) -> Result<Value> {
    ensure!(answer.status == 200, "the lab refused {call}: {}", answer.text());
    serde_json::from_slice(&answer.body).with_context(|| format!("the lab answered {call} with no JSON"))
}
