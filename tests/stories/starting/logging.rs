//! The log of a daemon that a program has started: nobody else looks after it, and it does not grow for ever.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;

use mcp_authd_client::admin::{LogKind, LogQuery};
use mcp_authd_tests::daemon::{Account, Config};
use mcp_authd_tests::programs::{look, program, tool};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::started;

use super::{Program, can_run, logged_in_by, machine_with};

#[tokio::test]
async fn the_log_does_not_grow_with_programs_and_begins_anew_where_it_is_too_long() {
    if !can_run("the log of a started daemon does not grow for ever") {
        return;
    }
    // given a daemon at its usual level that a program has started, and an account that is logged in
    let server = AuthorizationServer::start(Settings::default());
    let account = Account::at("work", server.issuer()).scopes(["mcp:read"]);
    let machine = machine_with(Config::new().account(account).environment("MCP_AUTHD_LOG", "info"));
    let _token = logged_in_by(&mut Program::starts(&machine), &server).await;
    let path = started::log(machine.dirs());
    let log = || fs::read_to_string(&path).unwrap();
    let before = log();
    assert!(before.contains("a login has ended well account=work") && !before.contains("a token was given"), "{before}");

    // when many programs ask, each on a connection of its own
    const TIMES: usize = 200;
    for _ in 0..TIMES {
        look(&program(&machine), "work").await;
    }
    // then it is as it was, and the daemon tells of each
    assert_eq!(log(), before);
    let kept = tool(&machine).log(LogQuery { last: u32::MAX, ..LogQuery::default() }).await.unwrap();
    assert!(kept.iter().filter(|entry| entry.kind == LogKind::Audit).count() > TIMES);

    // and when it has become too long all the same, it begins anew with what is said next, as the same file
    let inode = fs::metadata(&path).unwrap().ino();
    OpenOptions::new().append(true).open(&path).unwrap().write_all(&b"what was said long ago\n".repeat(200_000)).unwrap();
    tool(&machine).reload().await.unwrap();
    let after = log();
    let lines: Vec<&str> = after.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("-- this log was longer than 4 MiB"), "{} bytes", after.len());
    assert!(lines[1].contains("the configuration was read again"), "{after}");
    let found = fs::metadata(&path).unwrap();
    assert_eq!((found.ino(), found.mode() & 0o777), (inode, 0o600));
}
