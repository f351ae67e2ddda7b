//! Nobody is connected and nothing is left to do: the daemon leaves, and the next client wakes it. Where anything is left it stays.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use mcp_authd_client::{Answer, Need};
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::token_state::State;
use mcp_authd_proto::v1::tokens_client::TokensClient;
use mcp_authd_tests::daemon::{Account, Config};
use mcp_authd_tests::programs::{approve, code, prompt, until};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::service::{Machine, inside};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tonic::transport::Endpoint;

use super::{configured, logged_in, look, service_is, token};

const PATIENCE: Duration = Duration::from_secs(1);
/// Longer than a day: such a token is renewed by whoever asks in its last day, and not ahead of time before.
const TWO_DAYS: Duration = Duration::from_secs(48 * 3600);
const LEAVES: &str = "nobody is connected and nothing is left to do";
const ROUNDS: u32 = 12;
const HAMMERS: u64 = 4;

/// The units, with a daemon that waits for a second only. It is to say twice in two seconds that it lives: the clock of these stories.
fn soon_idle(machine: &Machine) {
    machine.install();
    let (program, patience) = (machine.program("mcp-authd"), PATIENCE.as_secs());
    let start =
        format!("[Service]\nWatchdogSec=2\nExecStart=\nExecStart={} --take-over --idle-exit {patience}\n", program.display());
    machine.edit("mcp-authd.service", &start);
    machine.listen();
}

fn long_lived() -> AuthorizationServer {
    AuthorizationServer::start(Settings { access_token_life: TWO_DAYS, ..Settings::default() })
}

async fn left(machine: &Machine) {
    service_is(machine, "inactive").await;
    assert_eq!((machine.property("Result"), machine.property("NRestarts")), ("success".to_owned(), "0".to_owned()));
    assert_eq!((machine.property("ExecMainStatus"), machine.main_pid()), ("0".to_owned(), 0));
}

/// It has looked whether it may leave, and stays for this reason.
async fn stays(machine: &Machine, why: &str) {
    let told = format!("nobody is connected; this daemon stays why={why}");
    until(&told, || machine.log().contains(&told)).await;
    assert_eq!(machine.property("ActiveState"), "active");
}

#[tokio::test]
async fn an_idle_daemon_leaves_and_the_next_call_wakes_it_with_its_token() {
    let Some(machine) = inside("idle::an_idle_daemon_leaves_and_the_next_call_wakes_it_with_its_token") else { return };
    let server = long_lived();
    configured(&machine, &server);
    soon_idle(&machine);
    logged_in(&machine).await;
    let first = token(&machine).await;
    for woken in 1..=3 {
        left(&machine).await;
        let log = machine.log();
        assert_eq!((log.matches(LEAVES).count(), log.matches(" leaving").count()), (woken, woken), "{log}");
        assert_eq!(machine.property("StatusText"), "left, as nobody was connected: the next client starts it");
        assert!(machine.tokens_socket().exists());
        // Whoever comes first wakes it: a program or the person's tool.
        if woken == 2 {
            assert_eq!(machine.tool().status().await.unwrap().accounts.len(), 1);
        }
        assert_eq!(token(&machine).await.sha256(), first.sha256());
        assert_eq!(machine.property("ActiveState"), "active");
    }
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (1, 0));
}

#[tokio::test]
async fn a_client_that_is_connected_keeps_it_and_its_leaving_lets_go() {
    let Some(machine) = inside("idle::a_client_that_is_connected_keeps_it_and_its_leaving_lets_go") else { return };
    let server = long_lived();
    configured(&machine, &server);
    soon_idle(&machine);
    logged_in(&machine).await;
    let fed = || machine.property("WatchdogTimestampMonotonic").parse::<u64>().unwrap();

    let client = machine.client();
    assert!(matches!(client.token(look()).await, Ok(Answer::UseToken(_))));
    let (begin, served_by) = (fed(), machine.main_pid());
    until("three times its patience is over", || fed() > begin + 3_000_000).await;
    assert_eq!((machine.main_pid(), machine.log().matches(LEAVES).count()), (served_by, 0));
    assert!(matches!(client.token(look()).await, Ok(Answer::UseToken(_))));
    drop(client);
    left(&machine).await;

    // The person's tool alone, too: it watches.
    let watching = machine.tool().watch_accounts(None).await.unwrap();
    let (begin, served_by) = (fed(), machine.main_pid());
    until("three times its patience is over", || fed() > begin + 3_000_000).await;
    assert_eq!(machine.main_pid(), served_by);
    drop(watching);
    left(&machine).await;
}

#[tokio::test]
async fn a_login_that_waits_keeps_it_until_its_grant_is_saved() {
    let Some(machine) = inside("idle::a_login_that_waits_keeps_it_until_its_grant_is_saved") else { return };
    let server = long_lived();
    configured(&machine, &server);
    soon_idle(&machine);
    let first = prompt(machine.client().token(Need::account("work")).await.unwrap());
    stays(&machine, "a login is going on").await;
    let served_by = machine.main_pid();
    approve(&first).await;
    // Nobody is connected, and the daemon polls: only then it has nothing left to do.
    left(&machine).await;
    assert_eq!(server.counts().device_authorizations, 1);
    token(&machine).await;
    assert_ne!(machine.main_pid(), served_by);
    assert_eq!(server.counts().device_authorizations, 1, "what was granted to nobody was kept");
}

#[tokio::test]
async fn an_account_in_use_keeps_it_and_its_logout_lets_go() {
    let Some(machine) = inside("idle::an_account_in_use_keeps_it_and_its_logout_lets_go") else { return };
    let server = AuthorizationServer::start(Settings { access_token_life: Duration::from_secs(3600), ..Settings::default() });
    configured(&machine, &server);
    soon_idle(&machine);
    logged_in(&machine).await;
    stays(&machine, "an account in use owes a refresh").await;
    // That it is in use is kept: the next daemon stays, too, though nobody has asked it for a token.
    machine.systemctl(&["restart", "mcp-authd.service"]);
    let told = "stays why=an account in use owes a refresh";
    until("the next one stays", || machine.log().matches(told).count() == 2).await;

    machine.tool().sign_out(Some("work".to_owned())).await.unwrap();
    left(&machine).await;
}

/// A program without our library: one connection, one call, and no second try.
async fn bare_call(socket: &Path) -> Result<v1::TokenState, String> {
    let once = Arc::new(AtomicBool::new(false));
    let socket = socket.to_owned();
    let connector = tower::service_fn(move |_| {
        let (socket, is_second) = (socket.clone(), once.swap(true, Ordering::SeqCst));
        async move {
            if is_second {
                Err(std::io::Error::other("the first connection was lost"))
            } else {
                UnixStream::connect(socket).await.map(TokioIo::new)
            }
        }
    });
    let channel = Endpoint::from_static("http://mcp-authd.invalid").connect_with_connector(connector).await;
    let channel = channel.map_err(|error| format!("{error:?}"))?;
    let target = Some(v1::need::Target::Account("work".to_owned()));
    let need = Some(v1::Need { target, ..v1::Need::default() });
    let request = v1::GetTokenRequest { need, ..v1::GetTokenRequest::default() };
    let answer = TokensClient::new(channel).get_token(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| format!("{status:?}"))
}

async fn is_answered(socket: &Path) {
    let answered = tokio::time::timeout(Duration::from_secs(30), bare_call(socket)).await;
    match answered.map(|answered| answered.map(|state| state.state)) {
        Ok(Ok(Some(State::Token(_)))) => {}
        other => panic!("a call was lost: {other:?}"),
    }
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the story tells its figures")]
async fn whoever_connects_at_the_moment_of_its_leaving_is_answered() {
    let Some(machine) = inside("idle::whoever_connects_at_the_moment_of_its_leaving_is_answered") else { return };
    let server = long_lived();
    configured(&machine, &server);
    soon_idle(&machine);
    logged_in(&machine).await;
    let (machine, mut in_the_gap) = (Arc::new(machine), 0);
    let decided = |machine: &Machine| machine.log().matches(LEAVES).count();
    for round in 0..ROUNDS {
        is_answered(&machine.tokens_socket()).await;
        let before = decided(&machine);
        let mut hammers = JoinSet::new();
        if round % 2 == 0 {
            // At the very moment, and around it: a few at a time, a millisecond or less apart.
            for hammer in 0..HAMMERS {
                let socket = machine.tokens_socket();
                let moment = PATIENCE + Duration::from_micros(500 * hammer * u64::from(round + 1) / 4);
                hammers.spawn(async move {
                    // law: sleep: the moment of the leaving is what is aimed at; whether it is met changes no assertion
                    tokio::time::sleep(moment).await;
                    is_answered(&socket).await;
                });
            }
        } else {
            // After the decision, and before the end: this daemon takes nobody in any more.
            let gone = machine.clone();
            until("it has decided", || decided(&gone) > before).await;
            for _ in 0..HAMMERS {
                let socket = machine.tokens_socket();
                hammers.spawn(async move { is_answered(&socket).await });
            }
        }
        while let Some(ended) = hammers.join_next().await {
            ended.unwrap();
        }
        in_the_gap += u32::from(decided(&machine) > before);
    }
    println!(
        "FIGURES: {ROUNDS} leavings aimed at, {in_the_gap} of them decided by the end of the round (counted, not asserted): every call was \
         answered"
    );
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (1, 0));
    left(&machine).await;
}

#[tokio::test]
async fn a_daemon_whose_sockets_are_its_own_never_leaves_by_itself() {
    let Some(machine) = inside("idle::a_daemon_whose_sockets_are_its_own_never_leaves_by_itself") else { return };
    let server = long_lived();
    machine.configure(&Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"])));
    let log = std::fs::File::create(machine.log_file()).unwrap();
    let mut command = std::process::Command::new(machine.program("mcp-authd"));
    command.args(["--idle-exit", "1"]).env("MCP_AUTHD_LOG", "debug").stderr(log);
    let mut daemon = command.spawn().unwrap();
    until("it serves", || machine.tokens_socket().exists()).await;
    let first = prompt(machine.client().token(Need::account("work")).await.unwrap());
    let told = "nobody is connected; this daemon stays why=nobody else holds the sockets";
    until(told, || machine.log().contains(told)).await;
    assert_eq!(daemon.try_wait().unwrap(), None);
    assert_eq!(code(&prompt(machine.client().token(Need::account("work")).await.unwrap())), code(&first));
    machine.tool().stop().await.unwrap();
    assert!(daemon.wait().unwrap().success());
}
