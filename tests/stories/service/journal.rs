//! The daemon at a real journal: each line with its fields, so that a person finds who was given which token (P12).

use std::process::Command;

use mcp_authd_tests::programs::until;
use mcp_authd_tests::sentinel;
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::service::inside_with_a_journal;
use serde_json::Value;

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

#[tokio::test]
async fn the_journal_has_each_line_with_its_fields_under_the_filters_of_the_unit() {
    let story = "journal::the_journal_has_each_line_with_its_fields_under_the_filters_of_the_unit";
    let Some(machine) = inside_with_a_journal(story) else { return };
    let server = AuthorizationServer::start(Settings::default());
    installed(&machine, &server);
    // As the unit is shipped.
    machine.edit("mcp-authd.service", "[Service]\nStandardError=journal\nEnvironment=MCP_AUTHD_LOG=info\n");
    machine.listen();
    logged_in(&machine).await;
    token(&machine).await;

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
