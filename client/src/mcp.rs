//! What every MCP server needs, for servers on rmcp (feature `rmcp`): a tool's call with a token, and every way in which there is none
//! as a tool error that tells the person what to do.
//!
//! A whole server. Its tools are listed without a login; the first call that needs one is answered at once with the address and the
//! code, and so is every call until the person has approved:
//!
//! ```no_run
//! use mcp_authd_client::mcp::{Failure, ToolError};
//! use mcp_authd_client::{Client, Need};
//! use rmcp::{ServiceExt as _, tool, tool_router, transport::stdio};
//!
//! struct Whoami(Client);
//!
//! #[tool_router(server_handler)]
//! impl Whoami {
//!     #[tool(description = "Tells who you are")]
//!     async fn whoami(&self) -> Result<String, ToolError> {
//!         let ask = |token: mcp_authd_client::Token| async move {
//!             let request = reqwest::Client::new().get("https://api.example.com/me").bearer_auth(token.expose());
//!             match request.send().await? {
//!                 answer if answer.status() == 401 => Err(Failure::Rejected), // it is reported, and tried once more
//!                 answer => Ok(answer.error_for_status()?.text().await?),
//!             }
//!         };
//!         self.0.with_token(Need::account("work"), ask).await
//!     }
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     Whoami(Client::find()?).serve(stdio()).await?.waiting().await?;
//!     Ok(())
//! }
//! ```
//!
//! Must never: put a token into a result, wait for a person inside a tool call unless the request says so, try a call more than
//! twice, or write to standard output, which is the protocol's.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::handler::server::tool::IntoCallToolResult;
use rmcp::model::{CallToolResponse, CallToolResult, ContentBlock, MetaObject};
use serde_json::{Value, json};

use crate::{Answer, CallError, Client, How, Purpose, Refusal, Request, SignIn, Token};

/// Where a result's `_meta` tells programs the login that waits. Not in the structured content: clients hold that against the tool's
/// output schema, also in an error, and would throw the prompt away.
pub const SIGN_IN: &str = "mcp-authd/sign-in";
/// Where a result's `_meta` tells programs after how many seconds another call makes sense.
pub const RETRY_AFTER: &str = "mcp-authd/retry-after";

impl Client {
    /// Makes a call with a token. If the resource server rejects the token, reports it and makes the call once more with another one;
    /// if the server wants more scopes, asks for a token that has them, too.
    ///
    /// `call` is made at most twice, and a second time only after [`Failure::Rejected`] or [`Failure::InsufficientScope`]: a server
    /// that refuses a token has done nothing (RFC 6750, 3.1).
    ///
    /// # Errors
    /// A [`ToolError`] where there is no token, or the call failed. Return it from the tool as it is.
    pub async fn with_token<T, F>(&self, request: impl Into<Request>, call: impl Fn(Token) -> F) -> Result<T, ToolError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let request = request.into();
        let first = Token::try_from(self.token(request.clone()).await?)?;
        let failure = match call(first.clone()).await {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        let answer = match &failure {
            Failure::Failed(_) => return Err(failure.finally(&first)),
            Failure::Rejected => self.report_rejected(&first).await?,
            Failure::InsufficientScope(scopes) => self.token(request.clone().also_scopes(scopes)).await?,
        };
        let second = Token::try_from(answer)?;
        if second.sha256() == first.sha256() {
            return Err(failure.finally(&first));
        }
        match call(second.clone()).await {
            Ok(done) => Ok(done),
            Err(Failure::InsufficientScope(scopes)) => {
                // Where a login can bring it, it is begun; the call is not made a third time.
                Token::try_from(self.token(request.also_scopes(&scopes)).await?)?;
                Err(Failure::InsufficientScope(scopes).finally(&second))
            }
            Err(failure) => Err(failure.finally(&second)),
        }
    }
}

/// Why a call with a token came to nothing. Every error becomes a [`Failure::Failed`] by `?`.
#[derive(Debug)]
pub enum Failure {
    /// The resource server has rejected the token: status 401 (RFC 6750, 3.1: `invalid_token`). A 403 is no rejection of the token.
    Rejected,
    /// The resource server wants these scopes, too: status 403 (RFC 6750, 3.1: `insufficient_scope`). They are read with
    /// [`challenge::insufficient_scope`](crate::challenge::insufficient_scope); where that finds none, the call has failed.
    InsufficientScope(Vec<String>),
    /// Anything else.
    Failed(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// As what the last failure of a call with this token is told.
    fn finally(self, token: &Token) -> ToolError {
        let account = token.account().to_owned();
        match self {
            Self::Failed(why) => ToolError::Failed(why),
            Self::Rejected => ToolError::StillRejected { account },
            Self::InsufficientScope(scopes) => ToolError::StillInsufficient { account, scopes },
        }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Why a tool has no result. As a tool's error it becomes a result with `isError`, for the person and the model to read.
#[derive(Debug)]
#[non_exhaustive]
pub enum ToolError {
    /// A person has to log in; calling again shows the same prompt until they have.
    ShowSignIn(Box<SignIn>),
    /// Nobody has to do anything; call again later.
    TryLater(Refusal),
    /// A person has to do its `next_step` first.
    GiveUp(Refusal),
    /// There is no answer from mcp-authd.
    NoAnswer(CallError),
    /// The resource server has rejected the token, and the one after it, too.
    StillRejected {
        /// Whose token.
        account: String,
    },
    /// The resource server wants scopes that the token has already, as far as anybody knows.
    StillInsufficient {
        /// Whose token.
        account: String,
        /// What the server wants.
        scopes: Vec<String>,
    },
    /// The call failed, with a token that was not rejected.
    Failed(Box<dyn Error + Send + Sync>),
}

impl From<CallError> for ToolError {
    fn from(error: CallError) -> Self {
        Self::NoAnswer(error)
    }
}

impl TryFrom<Answer> for Token {
    type Error = ToolError;

    fn try_from(answer: Answer) -> Result<Self, ToolError> {
        match answer {
            Answer::UseToken(token) => Ok(token),
            Answer::ShowSignIn(sign_in) => Err(ToolError::ShowSignIn(sign_in.into())),
            Answer::TryLater(refusal) => Err(ToolError::TryLater(refusal)),
            Answer::GiveUp(refusal) => Err(ToolError::GiveUp(refusal)),
        }
    }
}

impl Error for ToolError {}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShowSignIn(sign_in) => prompt(f, sign_in),
            Self::TryLater(refusal) => {
                let when = refusal.retry_after.map_or_else(|| "later".to_owned(), |wait| format!("in {}", words(wait)));
                write!(f, "{} Call this tool again {when}.\nNext: {}", refusal.message, refusal.next_step)
            }
            Self::GiveUp(refusal) => write!(f, "{}\nNext: {}", refusal.message, refusal.next_step),
            Self::NoAnswer(error) => error.fmt(f),
            Self::StillRejected { account } => write!(
                f,
                "The server has rejected the token of {account}, and the fresh one after it, too (401): another one would not help.\n\
                 Next: see what the token is for with: authctl status; log in anew with: authctl login {account} --again"
            ),
            Self::StillInsufficient { account, scopes } => write!(
                f,
                "The server wants more access than the token of {account} gives (403): scope {}; but nothing is known to be missing \
                 from it.\nNext: add it to the scopes of \"{account}\" in config.toml, then: authctl reload; then: authctl login \
                 {account} --again",
                scopes.join(" ")
            ),
            Self::Failed(why) => whole(f, why.as_ref()),
        }
    }
}

/// What the person needs to log in, and what whoever reads it is to do.
fn prompt(f: &mut fmt::Formatter<'_>, sign_in: &SignIn) -> fmt::Result {
    let account = &sign_in.account;
    match sign_in.purpose {
        Purpose::Again => writeln!(f, "The login to {account} has ended; the user has to log in again.\n")?,
        Purpose::MoreAccess => writeln!(f, "The login to {account} does not cover this tool; the user has to allow more.\n")?,
        Purpose::First | Purpose::Other => writeln!(f, "The user has to log in to {account} first.\n")?,
    }
    match &sign_in.how {
        How::Device { user_code, verification_uri, .. } => {
            writeln!(f, "  open      {verification_uri}\n  code      {user_code}")?;
        }
        How::Browser { authorization_uri } => writeln!(f, "  open      {authorization_uri}")?,
    }
    if let Some(left) = sign_in.expires_in {
        writeln!(f, "  time left {}", words(left))?;
    }
    if let Some(asked_by) = &sign_in.asked_by {
        writeln!(f, "  asked by  {asked_by}")?;
    }
    write!(
        f,
        "\nShow this to the user unchanged; do not open it yourself. When they have approved it in a browser, call this tool again.\n\
         In a terminal the user can also type: authctl login {account}"
    )
}

/// The error with its causes.
fn whole(f: &mut fmt::Formatter<'_>, error: &dyn Error) -> fmt::Result {
    write!(f, "{error}")?;
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(f, ": {error}")?;
        cause = error.source();
    }
    Ok(())
}

fn words(length: Duration) -> String {
    match (length.as_secs() / 60, length.as_secs() % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

impl From<ToolError> for CallToolResult {
    fn from(error: ToolError) -> Self {
        let mut result = Self::error(vec![ContentBlock::text(error.to_string())]);
        result.meta = for_programs(&error);
        result
    }
}

impl IntoCallToolResult for ToolError {
    fn into_call_tool_result(self) -> Result<CallToolResponse, ErrorData> {
        Ok(CallToolResult::from(self).into())
    }
}

fn for_programs(error: &ToolError) -> Option<MetaObject> {
    let (key, value) = match error {
        ToolError::ShowSignIn(sign_in) => (SIGN_IN, sign_in_json(sign_in)),
        ToolError::TryLater(Refusal { retry_after: Some(wait), .. }) => (RETRY_AFTER, json!(wait.as_secs())),
        _ => return None,
    };
    let mut meta = MetaObject::new();
    meta.0.insert(key.to_owned(), value);
    Some(meta)
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::First => "first",
        Purpose::Again => "again",
        Purpose::MoreAccess => "more_access",
        Purpose::Other => "unknown",
    }
}

/// With the members that `authctl login --json` has.
fn sign_in_json(sign_in: &SignIn) -> Value {
    let mut prompt = json!({
        "account": sign_in.account,
        "id": sign_in.id,
        "expires_in": sign_in.expires_in.map(|left| left.as_secs()),
        "asked_by": sign_in.asked_by,
        "purpose": purpose(sign_in.purpose),
    });
    let how = match &sign_in.how {
        How::Device { user_code, verification_uri, verification_uri_complete } => json!({
            "kind": "device",
            "user_code": user_code,
            "verification_uri": verification_uri,
            "verification_uri_complete": verification_uri_complete,
        }),
        How::Browser { authorization_uri } => json!({ "kind": "browser", "authorization_uri": authorization_uri }),
    };
    if let (Value::Object(prompt), Value::Object(how)) = (&mut prompt, how) {
        prompt.extend(how);
    }
    prompt
}
