//! A tool's call with a token: made once, or twice after a 401, and every way in which there is no result is flagged as an error.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use mcp_authd_proto::v1;
use rmcp::handler::server::tool::IntoCallToolResult as _;
use rmcp::model::{CallToolResponse, CallToolResult};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::server::{Server, refusal, sign_in, token};
use crate::challenge::insufficient_scope;
use crate::mcp::{Failure, RETRY_AFTER, SIGN_IN, ToolError};
use crate::{Client, How, Need, Purpose, Reason, Refusal, SignIn, Sockets};

/// A resource that rejects these tokens, and remembers which it has seen.
struct Resource {
    rejects: &'static [&'static str],
    seen: RefCell<Vec<String>>,
}

impl Resource {
    fn rejecting(rejects: &'static [&'static str]) -> Self {
        Self { rejects, seen: RefCell::default() }
    }

    async fn call(&self, client: &Client) -> Result<&'static str, ToolError> {
        let call = |token: crate::Token| async move {
            self.seen.borrow_mut().push(token.expose().to_owned());
            if self.rejects.contains(&token.expose()) { Err(Failure::Rejected) } else { Ok("served") }
        };
        client.with_token(Need::account("github"), call).await
    }
}

fn sign_in_of(purpose: Purpose, how: How) -> ToolError {
    ToolError::ShowSignIn(Box::new(SignIn {
        account: "github".into(),
        id: "7".into(),
        purpose,
        how,
        expires_in: Some(Duration::from_secs(599)),
        message: "The daemon's own paragraph.".into(),
        asked_by: Some("whoami".into()),
    }))
}

fn device() -> How {
    How::Device {
        user_code: "ABCD-1234".into(),
        verification_uri: "https://github.com/login/device".into(),
        verification_uri_complete: Some("https://github.com/login/device?user_code=ABCD-1234".into()),
    }
}

fn refused(retry_after: Option<u64>) -> Refusal {
    Refusal {
        account: Some("github".into()),
        reason: Reason::Unavailable,
        message: "No token right now: the server is overloaded.".into(),
        next_step: "look with: authctl status".into(),
        retry_after: retry_after.map(Duration::from_secs),
    }
}

/// What a tool returns for it, and the text in it.
fn result(error: ToolError) -> (CallToolResult, String) {
    let result = CallToolResult::from(error);
    let json = serde_json::to_value(&result).unwrap();
    let text = json.pointer("/content/0/text").and_then(Value::as_str).unwrap().to_owned();
    (result, text)
}

#[tokio::test]
async fn a_token_that_serves_is_asked_for_once_and_used_once() {
    let server = Server::start([Ok(token("tok-1", None))]);
    let resource = Resource::rejecting(&[]);
    assert_eq!(resource.call(&server.client()).await.unwrap(), "served");
    assert_eq!((*resource.seen.borrow()).as_slice(), ["tok-1"]);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_login_that_waits_is_told_at_once_and_no_call_is_made() {
    let server = Server::start([Ok(sign_in()), Ok(sign_in())]);
    let (client, resource) = (server.client(), Resource::rejecting(&[]));
    for _ in 0..2 {
        let error = resource.call(&client).await.unwrap_err();
        assert!(error.to_string().contains("ABCD-1234"), "{error}");
    }
    assert!(resource.seen.borrow().is_empty());
    assert_eq!(server.asked()[0].sign_in(), v1::SignInMode::StartAndReturn);
}

#[tokio::test]
async fn a_rejected_token_is_reported_once_and_the_call_is_made_once_more() {
    let server = Server::start([Ok(token("tok-1", None)), Ok(token("tok-2", None))]);
    let resource = Resource::rejecting(&["tok-1"]);
    assert_eq!(resource.call(&server.client()).await.unwrap(), "served");
    assert_eq!((*resource.seen.borrow()).as_slice(), ["tok-1", "tok-2"]);
    let asked = server.asked();
    assert_eq!((asked.len(), &asked[1].rejected_sha256[..]), (2, &Sha256::digest(b"tok-1")[..]));
}

#[tokio::test]
async fn a_second_rejection_is_an_error_and_begins_no_loop() {
    let server = Server::start([Ok(token("tok-1", None)), Ok(token("tok-2", None)), Ok(token("tok-3", None))]);
    let resource = Resource::rejecting(&["tok-1", "tok-2"]);
    let error = resource.call(&server.client()).await.unwrap_err();
    assert!(matches!(&error, ToolError::StillRejected { account } if account == "github"), "{error:?}");
    assert_eq!((resource.seen.borrow().len(), server.asked().len()), (2, 2));
}

#[tokio::test]
async fn the_same_token_in_answer_to_a_report_is_not_tried_again() {
    let server = Server::start([Ok(token("tok-1", None)), Ok(token("tok-1", None))]);
    let resource = Resource::rejecting(&["tok-1"]);
    assert!(matches!(resource.call(&server.client()).await, Err(ToolError::StillRejected { .. })));
    assert_eq!(resource.seen.borrow().len(), 1);
}

/// A call for "files" to a server that wants "write" with these tokens. How it went, and which tokens it has seen.
async fn call_for_more(client: &Client, not_enough: &[&str]) -> (Result<&'static str, ToolError>, Vec<String>) {
    let seen = RefCell::new(Vec::new());
    let call = |token: crate::Token| {
        seen.borrow_mut().push(token.expose().to_owned());
        let wants = r#"Bearer error="insufficient_scope", scope="files write""#;
        let enough = !not_enough.contains(&token.expose());
        async move { if enough { Ok("served") } else { Err(Failure::InsufficientScope(insufficient_scope([wants]).unwrap())) } }
    };
    let ended = client.with_token(Need::account("github").scope("files").scope("read"), call).await;
    (ended, seen.into_inner())
}

#[tokio::test]
async fn a_server_that_wants_more_is_asked_once_more_with_a_token_for_the_union() {
    let server = Server::start([Ok(token("tok-1", None)), Ok(token("tok-2", None))]);
    let (ended, seen) = call_for_more(&server.client(), &["tok-1"]).await;
    assert_eq!((ended.unwrap(), seen), ("served", vec!["tok-1".to_owned(), "tok-2".to_owned()]));
    let asked = server.asked();
    assert_eq!(asked[1].need.as_ref().unwrap().scopes, ["files", "read", "write"]);
    assert!(asked[1].rejected_sha256.is_empty(), "a 403 is no rejection of the token");
    assert_eq!(asked.len(), 2);
}

#[tokio::test]
async fn a_server_that_wants_more_leads_to_the_login_for_it() {
    let server = Server::start([Ok(token("tok-1", None)), Ok(sign_in())]);
    let (ended, seen) = call_for_more(&server.client(), &["tok-1"]).await;
    assert!(matches!(ended, Err(ToolError::ShowSignIn(_))), "{ended:?}");
    assert_eq!(seen.len(), 1);
}

#[tokio::test]
async fn a_server_that_wants_what_the_token_has_is_not_asked_again() {
    let server = Server::start([Ok(token("tok-1", None)), Ok(token("tok-1", None))]);
    let (ended, seen) = call_for_more(&server.client(), &["tok-1"]).await;
    let Err(ToolError::StillInsufficient { account, scopes }) = ended else { panic!("{ended:?}") };
    assert_eq!((account.as_str(), scopes, seen.len()), ("github", vec!["files".to_owned(), "write".to_owned()], 1));
}

#[tokio::test]
async fn a_server_that_wants_more_again_and_again_begins_no_loop() {
    let server = Server::start(["tok-1", "tok-2", "tok-3", "tok-4"].map(|name| Ok(token(name, None))));
    let (ended, seen) = call_for_more(&server.client(), &["tok-1", "tok-2", "tok-3", "tok-4"]).await;
    assert!(matches!(ended, Err(ToolError::StillInsufficient { .. })), "{ended:?}");
    assert_eq!((seen.len(), server.asked().len()), (2, 3));
}

#[tokio::test]
async fn a_report_that_ends_in_a_login_shows_it() {
    let server = Server::start([Ok(token("tok-1", None)), Ok(sign_in())]);
    let resource = Resource::rejecting(&["tok-1"]);
    assert!(matches!(resource.call(&server.client()).await, Err(ToolError::ShowSignIn(_))));
    assert_eq!(resource.seen.borrow().len(), 1);
}

#[tokio::test]
async fn a_call_that_fails_otherwise_is_not_made_again_and_told_with_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("the file list could not be read")]
    struct NoList(#[source] io::Error);

    let server = Server::start([Ok(token("tok-1", None))]);
    let calls = RefCell::new(0);
    let call = |_token| {
        *calls.borrow_mut() += 1;
        async { Err::<(), Failure>(NoList(io::Error::other("connection refused")).into()) }
    };
    let error = server.client().with_token(Need::account("github"), call).await.unwrap_err();
    assert_eq!(error.to_string(), "the file list could not be read: connection refused");
    assert_eq!((*calls.borrow(), server.asked().len()), (1, 1));
}

#[tokio::test]
async fn what_passes_and_what_does_not_come_as_different_errors() {
    let script = [refusal(v1::Reason::Unavailable, Some(30)), refusal(v1::Reason::Denied, None)];
    let server = Server::start(script.map(Ok));
    let (client, resource) = (server.client(), Resource::rejecting(&[]));
    assert!(matches!(resource.call(&client).await, Err(ToolError::TryLater(_))));
    assert!(matches!(resource.call(&client).await, Err(ToolError::GiveUp(_))));
    assert!(resource.seen.borrow().is_empty());
}

#[tokio::test]
async fn no_daemon_is_a_tool_error_that_says_how_to_start_it() {
    let directory = tempfile::tempdir().unwrap();
    let client = Client::new(&Sockets::at(directory.path().join("tokens.sock"))).never_starting();
    let error = Resource::rejecting(&[]).call(&client).await.unwrap_err();
    assert!(matches!(&error, ToolError::NoAnswer(_)), "{error:?}");
    assert!(result(error).1.ends_with("start it with: authctl daemon start"));
}

#[test]
fn a_prompt_tells_address_code_time_and_what_to_do() {
    insta::assert_snapshot!("prompt_first", result(sign_in_of(Purpose::First, device())).1);
    insta::assert_snapshot!("prompt_again", result(sign_in_of(Purpose::Again, device())).1);
    let browser = How::Browser { authorization_uri: "https://auth.example.com/authorize?state=1".into() };
    insta::assert_snapshot!("prompt_more_access_in_a_browser", result(sign_in_of(Purpose::MoreAccess, browser)).1);
}

#[test]
fn every_refusal_tells_what_to_do_next() {
    insta::assert_snapshot!("try_later", result(ToolError::TryLater(refused(Some(90)))).1);
    insta::assert_snapshot!("try_later_without_a_time", result(ToolError::TryLater(refused(None))).1);
    insta::assert_snapshot!("give_up", result(ToolError::GiveUp(refused(None))).1);
    insta::assert_snapshot!("still_rejected", result(ToolError::StillRejected { account: "github".into() }).1);
    let scopes = vec!["files".into(), "write".into()];
    let wanting = result(ToolError::StillInsufficient { account: "github".into(), scopes }).1;
    assert_eq!(
        wanting,
        "The server wants more access than the token of github gives (403): scope files write; but nothing is known to be missing \
         from it.\nNext: add it to the scopes of \"github\" in config.toml, then: authctl reload; then: authctl login github --again"
    );
}

#[test]
fn every_error_is_flagged_whichever_way_a_tool_returns_it() {
    let errors = || {
        [
            sign_in_of(Purpose::First, device()),
            ToolError::TryLater(refused(Some(1))),
            ToolError::GiveUp(refused(None)),
            ToolError::StillRejected { account: "github".into() },
            ToolError::StillInsufficient { account: "github".into(), scopes: vec!["files".into()] },
            ToolError::Failed("down".into()),
        ]
    };
    for error in errors() {
        assert_eq!(CallToolResult::from(error).is_error, Some(true));
    }
    for error in errors() {
        let returned = Err::<String, ToolError>(error).into_call_tool_result().unwrap();
        assert!(matches!(returned, CallToolResponse::Complete(result) if result.is_error == Some(true)));
    }
}

#[test]
fn programs_find_the_prompt_and_the_wait_beside_the_text_and_no_structured_content() {
    let prompt = result(sign_in_of(Purpose::First, device())).0;
    assert_eq!(prompt.structured_content, None, "a client would hold it against the tool's output schema");
    assert_eq!(
        prompt.meta.unwrap().0.get(SIGN_IN),
        Some(&json!({
            "account": "github", "id": "7", "expires_in": 599, "asked_by": "whoami", "purpose": "first", "kind": "device", "user_code": "ABCD-1234",
            "verification_uri": "https://github.com/login/device",
            "verification_uri_complete": "https://github.com/login/device?user_code=ABCD-1234",
        }))
    );
    let later = result(ToolError::TryLater(refused(Some(90)))).0;
    assert_eq!(later.meta.unwrap().0.get(RETRY_AFTER), Some(&json!(90)));
    assert_eq!(result(ToolError::GiveUp(refused(None))).0.meta, None);
}

/// The example in the documentation is compiled; the one in the README is the same.
#[test]
fn the_recipe_in_the_readme_is_the_one_that_is_compiled() {
    let readme = include_str!("../../../README.md");
    let (_, recipe) = readme.split_once("**Your own MCP server in Rust.**").unwrap();
    let (_, recipe) = recipe.split_once("```rust\n").unwrap();
    let recipe: Vec<&str> = recipe.split_once("```").unwrap().0.lines().collect();
    let documented = include_str!("../mcp.rs").lines().skip_while(|line| *line != "//! ```no_run").skip(1);
    let documented: Vec<&str> = documented
        .take_while(|line| *line != "//! ```")
        .map(|line| line.strip_prefix("//!").unwrap())
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    assert_eq!(recipe, documented);
}
