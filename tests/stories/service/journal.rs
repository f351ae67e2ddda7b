//! The daemon at a real journal: each line with its fields, so that a person finds who was given which token (P12).

use std::process::{Command, Stdio};
use std::time::Duration;

use mcp_authd_tests::programs::until;
use mcp_authd_tests::sentinel;
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::service::{Journal, Machine, inside_with_a_journal};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{installed, logged_in, token};

/// As it stands in the daemon.
const AUDIT_ID: &str = "MESSAGE_ID=4c1f5a4bb0a94d5f9d3b2f6c1e7a80d2";

fn found(matches: &[&str]) -> Vec<Value> {
    let mut journalctl = Command::new("journalctl");
    journalctl.args(["--directory=/run/log/journal", "--quiet", "--no-pager", "--output=json"]).args(matches);
    let output = journalctl.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(sentinel::in_bytes(&output.stdout), None, "a secret stands in the journal");
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A service that writes to the journal, and what a token's way to a program has it say.
async fn told_to_it(machine: &Machine) {
    let server = AuthorizationServer::start(Settings::default());
    installed(machine, &server);
    // As the unit is shipped.
    machine.edit("mcp-authd.service", "[Service]\nStandardError=journal\nEnvironment=MCP_AUTHD_LOG=info\n");
    machine.listen();
    logged_in(machine).await;
    token(machine).await;
}

#[tokio::test]
async fn the_journal_has_each_line_with_its_fields_under_the_filters_of_the_unit() {
    let story = "journal::the_journal_has_each_line_with_its_fields_under_the_filters_of_the_unit";
    let Some(machine) = inside_with_a_journal(story, Journal::Volatile) else { return };
    told_to_it(&machine).await;

    // A person looks for one account's tokens.
    let audit = [AUDIT_ID, "MCP_AUTHD_ACCOUNT=work"];
    until("the token is told", || !found(&audit).is_empty()).await;
    let line = found(&audit).remove(0);
    let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("{name}: {line}")).to_owned();
    assert_eq!(text("_TRANSPORT"), "journal");
    assert_eq!((text("PRIORITY").as_str(), text("SYSLOG_IDENTIFIER").as_str()), ("6", "mcp-authd"));
    assert_eq!(text("MCP_AUTHD_EVENT"), "a token was given to a program");
    assert_eq!((text("MCP_AUTHD_PID"), text("MCP_AUTHD_UID")), (std::process::id().to_string(), text("_UID")));
    assert!(text("MESSAGE").starts_with("a token was given to a program account=work uid="), "{line}");
    assert!(!found(&["MCP_AUTHD_EVENT=a login has ended well", "MCP_AUTHD_ACCOUNT=work"]).is_empty());
    assert!(found(&["PRIORITY=7", "SYSLOG_IDENTIFIER=mcp-authd"]).is_empty(), "the level counts here, too");

    // Nothing of it went to standard error as text, which the manager would have brought here by another way.
    assert_eq!(found(&["_TRANSPORT=stdout", "SYSLOG_IDENTIFIER=mcp-authd"]), Vec::<Value>::new());
    // A forbidden system call would have killed it.
    assert_eq!((machine.property("NRestarts"), machine.property("Result")), ("0".to_owned(), "success".to_owned()));
}

#[tokio::test]
async fn service_logs_shows_the_lines_of_the_service_to_who_administers_a_machine_that_forgets() {
    let story = "journal::service_logs_shows_the_lines_of_the_service_to_who_administers_a_machine_that_forgets";
    let Some(machine) = inside_with_a_journal(story, Journal::Volatile) else { return };
    shows_the_lines_of_the_service(&machine).await;
}

#[tokio::test]
async fn service_logs_shows_the_lines_of_the_service_to_who_may_read_nothing_else() {
    let story = "journal::service_logs_shows_the_lines_of_the_service_to_who_may_read_nothing_else";
    let Some(machine) = inside_with_a_journal(story, Journal::Persistent) else { return };
    shows_the_lines_of_the_service(&machine).await;
}

async fn shows_the_lines_of_the_service(machine: &Machine) {
    told_to_it(machine).await;
    let mut followed = tokio::process::Command::new(machine.program("authctl"));
    followed.args(["service", "logs", "--follow", "--lines", "1000"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut followed = followed.stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(followed.stdout.take().unwrap()).lines();
    let mut comes = async |words: &str| {
        let looking = async { while !lines.next_line().await.unwrap().expect("it goes on").contains(words) {} };
        tokio::time::timeout(Duration::from_secs(60), looking).await.unwrap_or_else(|_| panic!("{words:?} never came"));
    };
    comes("a token was given to a program account=work uid=").await;

    // What the past has, as many lines as are wished, and from where.
    let (code, out, err) = machine.authctl(&["service", "logs"]).await;
    let line = out.lines().find(|line| line.contains("a token was given to a program account=work uid="));
    assert!(code == 0 && line.is_some_and(|line| line.contains(" mcp-authd[")), "{out}{err}");
    let says = "authctl: of the service, from the journal: journalctl --user-unit mcp-authd.service --no-pager --lines 50\n";
    assert!(err.starts_with(says), "{err}");
    assert_eq!(sentinel::in_bytes(out.as_bytes()), None, "a secret is shown");
    let (code, out, err) = machine.authctl(&["service", "logs", "-n", "1"]).await;
    assert_eq!((code, out.lines().count()), (0, 1), "{out}{err}");

    // What comes is shown as it comes.
    machine.systemctl(&["restart", "mcp-authd.service"]);
    comes(" leaving").await;
    comes(&format!(" mcp-authd[{}]: serving ", machine.main_pid())).await;
}
