//! A daemon that a program has started serves; then the units are started: it hands over, and nobody notices.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use mcp_authd_client::{Answer, Need};
use mcp_authd_tests::programs::{account_is, approve, prompt, until};
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour};
use mcp_authd_tests::service::{Machine, inside};
use tokio::task::JoinSet;

use super::{configured, lasting, look, service_is, short_lived, token, token_ended};

const CALLERS: u32 = 5;

/// A daemon that a program has started, with a refresh that is held at the server, and programs that wait for it.
pub(crate) struct Busy {
    pub(crate) server: AuthorizationServer,
    own: i64,
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicU32>,
    callers: JoinSet<()>,
}

impl Busy {
    pub(crate) async fn on(machine: &Machine) -> Self {
        let server = short_lived();
        configured(machine, &server);
        let client = machine.program_with_library();
        approve(&prompt(client.token(Need::account("work")).await.unwrap())).await;
        account_is(&machine.tool(), "work", |status| status.grant.is_some()).await;
        token_ended(machine).await;
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
        Self { server, own, is_over, answered, callers }
    }

    /// The first daemon was asked to leave.
    pub(crate) async fn leaves(&self, machine: &Machine) {
        let log = machine.home().join(".local/state/mcp-authd/mcp-authd.log");
        until("the first one leaves", || std::fs::read_to_string(&log).unwrap().contains("leaving")).await;
    }

    /// The service's daemon has taken its place, and every call has its token, before and after, of one refresh.
    pub(crate) async fn was_handed_over(self, machine: &Machine) {
        let Self { server, own, is_over, answered, mut callers } = self;
        let now = machine.tool().status().await.unwrap().pid;
        assert!(now == i64::from(machine.main_pid()) && now != own);
        let before = answered.load(Ordering::SeqCst);
        until("the calls go on", || answered.load(Ordering::SeqCst) >= before + CALLERS * 2).await;
        is_over.store(true, Ordering::SeqCst);
        while let Some(caller) = callers.join_next().await {
            caller.unwrap();
        }
        token(machine).await;
        let counts = server.counts();
        assert_eq!((counts.refreshes, counts.refreshes_ok(), counts.device_authorizations), (1, 1, 1));
        counts.assert_no_race_was_lost();
        until("the first one has ended", || !Path::new(&format!("/proc/{own}")).exists()).await;
    }
}

#[tokio::test]
async fn a_daemon_that_a_program_has_started_hands_over_and_ready_means_served() {
    let story = "hand_over::a_daemon_that_a_program_has_started_hands_over_and_ready_means_served";
    let Some(machine) = inside(story) else { return };
    let busy = Busy::on(&machine).await;

    // when the units are put there and started
    machine.install();
    machine.listen();
    machine.systemctl(&["start", "--no-block", "mcp-authd.service"]);
    busy.leaves(&machine).await;
    // then it is not ready as long as nobody would be answered by it
    assert_eq!((machine.property("ActiveState").as_str(), busy.server.counts().refreshes), ("activating", 1));
    busy.server.release();
    service_is(&machine, "active").await;
    busy.was_handed_over(&machine).await;
}
