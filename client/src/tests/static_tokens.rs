//! A token from outside: where it is read, what is refused, and that no daemon is asked.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use crate::static_token::{FILE_LIMIT, FILE_VARIABLE, TOKEN_VARIABLE};
use crate::{Answer, CallError, Client, ConnectError, Need, Reason, StaticToken, StaticTokenError, Token, Watch, WatchError};

fn found(variables: &[(&str, &str)]) -> Result<Option<StaticToken>, StaticTokenError> {
    StaticToken::from_environment(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
}

fn client_of(variable: &str, value: &str) -> Client {
    Client::of_static_token(found(&[(variable, value)]).unwrap().unwrap())
}

/// A file with this content, and a client that reads it.
fn file(content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf, Client) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::fs::write(&path, content).unwrap();
    let client = client_of(FILE_VARIABLE, path.to_str().unwrap());
    (directory, path, client)
}

fn used(answer: Answer) -> Token {
    match answer {
        Answer::UseToken(token) => token,
        other => panic!("{other:?}"),
    }
}

async fn told(client: &Client) -> String {
    used(client.token(Need::only_account()).await.unwrap()).expose().to_owned()
}

async fn refused(client: &Client) -> StaticTokenError {
    match client.token(Need::only_account()).await.unwrap_err() {
        CallError::Connect(ConnectError::StaticToken(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_empty_variable_counts_as_unset_and_two_are_an_error() {
    assert!(found(&[]).unwrap().is_none());
    assert!(found(&[(TOKEN_VARIABLE, ""), (FILE_VARIABLE, "")]).unwrap().is_none());
    assert_eq!(found(&[(TOKEN_VARIABLE, "a"), (FILE_VARIABLE, "")]).unwrap().unwrap().variable(), TOKEN_VARIABLE);
    let error = found(&[(TOKEN_VARIABLE, "tok-1"), (FILE_VARIABLE, "/x")]).unwrap_err();
    assert_eq!(error, StaticTokenError::Both);
    assert!(error.to_string().ends_with("unset MCP_AUTHD_STATIC_TOKEN"));
}

#[tokio::test]
async fn every_need_is_answered_for_the_account_and_the_resource_that_were_asked_for() {
    let client = client_of(TOKEN_VARIABLE, "tok-1");
    let named = used(client.token(Need::account("github").scope("repo")).await.unwrap());
    assert_eq!((named.expose(), named.account(), named.resource()), ("tok-1", "github", None));
    let resource = used(client.token(Need::resource("https://mcp.example/")).await.unwrap());
    assert_eq!((resource.account(), resource.resource()), ("static", Some("https://mcp.example/")));
    let only = used(client.token(Need::only_account()).await.unwrap());
    assert_eq!((only.account(), only.remaining(), only.scopes().len(), only.revision()), ("static", None, 0, 0));
    assert_eq!(client.accounts().await.unwrap()[0].name, "static");
}

#[tokio::test]
async fn only_what_rfc_6750_lets_stand_in_a_header_is_handed_out() {
    for good in ["a", "ghp_AZaz09", "a.b-c_d~e+f/g==", "eyJ0eXAi.e30.c2ln"] {
        assert_eq!(told(&client_of(TOKEN_VARIABLE, good)).await, good);
    }
    for bad in ["=", "a=b", "Bearer tok-1", "tok\r\nEvil: 1", "tok-1\n", "tök-1", "\u{1b}[2J", " tok-1"] {
        let error = found(&[(TOKEN_VARIABLE, bad)]).unwrap_err();
        assert_eq!(error, StaticTokenError::NoTokenInVariable, "{bad:?}");
    }
    let bytes = OsString::from_vec(vec![b't', 0xff]);
    let error = StaticToken::from_environment(|name| (name == TOKEN_VARIABLE).then(|| bytes.clone())).unwrap_err();
    assert_eq!(error, StaticTokenError::NoTokenInVariable);
}

#[tokio::test]
async fn a_file_is_read_at_each_use_and_one_line_break_is_dropped() {
    let (_directory, path, client) = file("tok-1\n");
    assert_eq!(told(&client).await, "tok-1");
    std::fs::write(&path, "tok-2\r\n").unwrap();
    assert_eq!(told(&client).await, "tok-2");
    std::fs::write(&path, "tok-3").unwrap();
    assert_eq!(told(&client).await, "tok-3");
    for bad in ["", "\n", "tok-1\n\n", "tok-1\ntok-2\n", "tok-1\r", "# the token\n"] {
        std::fs::write(&path, bad).unwrap();
        assert_eq!(refused(&client).await, StaticTokenError::NoTokenInFile { path: path.clone() }, "{bad:?}");
    }
}

#[tokio::test]
async fn a_file_may_have_sixteen_kibibytes_and_not_a_byte_more() {
    let (_directory, path, client) = file("a".repeat(FILE_LIMIT));
    assert_eq!(told(&client).await.len(), FILE_LIMIT);
    std::fs::write(&path, "a".repeat(FILE_LIMIT + 1)).unwrap();
    assert_eq!(refused(&client).await, StaticTokenError::TooLarge { path });
}

#[tokio::test]
async fn only_a_regular_file_is_read_and_a_symlink_to_one() {
    let (directory, path, _client) = file("tok-1");
    let at = |path: &Path| client_of(FILE_VARIABLE, path.to_str().unwrap());

    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(told(&at(&link)).await, "tok-1");

    // A pipe that nobody writes to: not regular, and not waited for.
    let pipe = directory.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    for odd in [directory.path(), &pipe, Path::new("/dev/null")] {
        assert_eq!(refused(&at(odd)).await, StaticTokenError::NotAFile { path: odd.to_owned() });
    }
    let gone = directory.path().join("gone");
    let error = refused(&at(&gone)).await;
    assert!(matches!(&error, StaticTokenError::Unreadable { path, .. } if *path == gone));
    assert!(error.to_string().contains("ls -l ") && error.to_string().contains(FILE_VARIABLE), "{error}");
}

#[tokio::test]
async fn no_debug_and_no_error_tells_anything_of_the_token() {
    let (_directory, path, from_file) = file("SNTL secret");
    let from_variable = client_of(TOKEN_VARIABLE, "SNTL-secret");
    let token = used(from_variable.token(Need::only_account()).await.unwrap());
    let shown = [
        format!("{from_variable:?} {from_file:?} {token:?} {:?}", from_variable.static_token()),
        refused(&from_file).await.to_string(),
        format!("{:?}", found(&[(TOKEN_VARIABLE, "SNTL secret")])),
        found(&[(TOKEN_VARIABLE, "SNTL secret")]).unwrap_err().to_string(),
    ];
    assert!(shown.iter().all(|text| !text.contains("SNTL")), "{shown:?}");
    assert!(shown[1].contains(path.to_str().unwrap()) && shown[3].contains(TOKEN_VARIABLE), "{shown:?}");
}

#[tokio::test]
async fn a_rejected_token_is_answered_with_the_one_that_stands_there_now_or_given_up() {
    let (_directory, path, client) = file("tok-1");
    let rejected = used(client.token(Need::account("github")).await.unwrap());
    let Answer::GiveUp(refusal) = client.report_rejected(&rejected).await.unwrap() else { panic!() };
    assert_eq!((refusal.reason, refusal.account.as_deref()), (Reason::TokenRejected, Some("github")));
    assert!(refusal.next_step.contains(FILE_VARIABLE) && refusal.next_step.contains(path.to_str().unwrap()), "{refusal:?}");
    std::fs::write(&path, "tok-2").unwrap();
    let better = used(client.report_rejected(&rejected).await.unwrap());
    assert_eq!((better.expose(), better.account()), ("tok-2", "github"));

    let client = client_of(TOKEN_VARIABLE, "tok-1");
    let rejected = used(client.token(Need::only_account()).await.unwrap());
    let Answer::GiveUp(refusal) = client.report_rejected(&rejected).await.unwrap() else { panic!() };
    assert!(refusal.next_step.contains(TOKEN_VARIABLE) && !refusal.message.contains("tok-1"), "{refusal:?}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_serves_what_stands_in_the_file_and_tells_its_change() {
    let (_directory, path, client) = file("tok-1");
    let served = |watch: &Watch| used(watch.token().unwrap()).expose().to_owned();
    let mut watch = client.watch(Need::account("github"));
    assert_eq!(served(&watch), "tok-1");
    watch.changed().await.unwrap();

    std::fs::write(&path, "tok-2").unwrap();
    assert_eq!(served(&watch), "tok-2", "a read looks at the file");
    watch.changed().await.unwrap();

    std::fs::remove_file(&path).unwrap();
    assert!(matches!(watch.token(), Err(WatchError::Lost(_))));
    watch.changed().await.unwrap();
    std::fs::write(&path, "tok-3").unwrap();
    watch.changed().await.unwrap();
    assert_eq!(served(&watch), "tok-3");
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_a_token_that_cannot_change_tells_it_once() {
    let mut watch = client_of(TOKEN_VARIABLE, "tok-1").watch(Need::account("github"));
    watch.changed().await.unwrap();
    let day = std::time::Duration::from_secs(86_400);
    assert!(tokio::time::timeout(day, watch.changed()).await.is_err());
    assert_eq!(used(watch.token().unwrap()).account(), "github");
}
