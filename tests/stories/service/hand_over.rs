//! A daemon that a program has started serves; then the units are started: it hands over, and nobody notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use mcp_authd_client::Answer;
use mcp_authd_tests::programs::{prompt, until};
use mcp_authd_tests::server::{At, Commit, Misbehaviour};
use mcp_authd_tests::service::inside;
use tokio::task::JoinSet;

use super::{configured, lasting, look, service_is, short_lived, token, token_ended};

const CALLERS: u32 = 5;

#[tokio::test]
async fn a_daemon_that_a_program_has_started_hands_over_and_ready_means_served() {
    let story = "hand_over::a_daemon_that_a_program_has_started_hands_over_and_ready_means_served";
    let Some(machine) = inside(story) else { return };
    // given a daemon that a program has started, with a refresh that is held at the server, and programs that wait for it
    let server = short_lived();
    configured(&machine, &server);
    let client = machine.program_with_library();
    mcp_authd_tests::programs::approve(&prompt(client.token(mcp_authd_client::Need::account("work")).await.unwrap())).await;
    mcp_authd_tests::programs::account_is(&machine.tool(), "work", |status| status.grant.is_some()).await;
    token_ended(&machine).await;
    lasting(&server);
    let own = machine.tool().status().await.unwrap().pid;
    server.script(At::Refresh, Misbehaviour::Hold(Commit::After));
    let (is_over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (client, is_over, answered) = (machine.program_with_library(), is_over.clone(), answered.clone());
        callers.spawn(async move {
            while !is_over.load(Ordering::SeqCst) {
                match client.token(look()).await {
                    Ok(Answer::UseToken(_)) => answered.fetch_add(1, Ordering::SeqCst),
                    other => panic!("a call was lost: {other:?}"),
                };
            }
        });
    }
    server.wait_for(|counts| counts.held == 1).await;

    // when the units are put there and started
    machine.install();
    machine.listen();
    machine.systemctl(&["start", "--no-block", "mcp-authd.service"]);
    let started_log = machine.home().join(".local/state/mcp-authd/mcp-authd.log");
    until("the first one leaves", || std::fs::read_to_string(&started_log).unwrap().contains("leaving")).await;
    // then it is not ready as long as nobody would be answered by it
    assert_eq!((machine.property("ActiveState").as_str(), server.counts().refreshes), ("activating", 1));
    server.release();
    service_is(&machine, "active").await;
    let now = machine.tool().status().await.unwrap().pid;
    assert!(now == i64::from(machine.main_pid()) && now != own);

    // and every call has its token, before and after, of one refresh
    let before = answered.load(Ordering::SeqCst);
    until("the calls go on", || answered.load(Ordering::SeqCst) >= before + CALLERS * 2).await;
    is_over.store(true, Ordering::SeqCst);
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    token(&machine).await;
    let counts = server.counts();
    assert_eq!((counts.refreshes, counts.refreshes_ok(), counts.device_authorizations), (1, 1, 1));
    counts.assert_no_race_was_lost();
    until("the first one has ended", || !std::path::Path::new(&format!("/proc/{own}")).exists()).await;
}
