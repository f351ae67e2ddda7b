//! The configuration is read again and again under calls: files that do not hold, files that do, accounts that are taken out while
//! programs wait for them (B35).

use std::time::{Duration, Instant};

use mcp_authd_client::admin::Reloading;
use mcp_authd_client::{Answer, Client, Need, Reason, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{Crowd, a_token, logged_in, program, prompted, token, tool, watched};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::effort::{figures, rounds};

/// 200 calls a second: four programs, a call in each fiftieth of a second each.
const PROGRAMS: usize = 4;
const A_CALL_EACH: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b35_reloads_that_hold_and_that_do_not_fail_no_call_and_who_waits_for_a_removed_account_is_told() {
    // given two accounts that serve, programs that ask for them steadily, and one that watches
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(held(&server, 0).environment("MCP_AUTHD_LOG", "info")).await;
    let mut tokens = Vec::new();
    for name in ["work", "home"] {
        logged_in(&daemon, name).await;
        tokens.push(token(program(&daemon).token(Need::account(name)).await.unwrap()).sha256());
    }
    let mut watch = program(&daemon).watch(Need::account("work"));
    watched(&mut watch, a_token).await;
    let (over, is_over) = watch::channel(false);
    let mut load = JoinSet::new();
    for number in 0..PROGRAMS {
        let name = if number % 2 == 0 { "work" } else { "home" };
        load.spawn(calling(program(&daemon), name, tokens[number % 2], is_over.clone()));
    }

    // when the file is read again, a third of the times broken, a third changed, a third with an account less
    let tool = tool(&daemon);
    let (rounds, mut told) = (rounds(34, 3), 0);
    let passing = |config: Config| config.account(Account::at("passing", server.issuer()).scopes(["mcp:read"]));
    for round in 0..rounds {
        let (broken, line) = &broken()[round % broken().len()];
        std::fs::write(daemon.dirs().config_file(), broken).unwrap();
        let Reloading::Refused(why) = tool.reload().await.unwrap() else { panic!("round {round}: {broken:?} does not hold") };
        assert!(why.problems.iter().any(|problem| problem.line == Some(*line)), "round {round}: {why:?}");

        daemon.write_config(&passing(held(&server, round)));
        let Reloading::Done(changes) = tool.reload().await.unwrap() else { panic!("round {round}: it holds") };
        assert_eq!(changes.added, ["passing"], "round {round}");
        assert!(changes.signed_out.is_empty() && changes.removed.is_empty(), "round {round}: {changes:?}");

        drop(prompted(&daemon, "passing").await);
        let waits = Request::new(Need::account("passing")).sign_in(SignInMode::StartAndWait);
        let mut waiting = Crowd::of(5, &daemon).begin(4, waits);
        waiting.taken().await;
        daemon.write_config(&held(&server, round));
        let Reloading::Done(changes) = tool.reload().await.unwrap() else { panic!("round {round}: it holds") };
        assert_eq!(changes.removed, ["passing"], "round {round}");
        for answer in waiting.answers().await {
            let Answer::GiveUp(refusal) = answer else { panic!("round {round}: {answer:?}") };
            assert_eq!(refusal.reason, Reason::NoSuchAccount, "round {round}: {refusal:?}");
            told += 1;
        }
        assert!(watch.token().map(a_token).unwrap().is_some(), "round {round}: who watches has lost its token");
    }

    // then every call had the token that was there before
    over.send_replace(true);
    let mut took = Vec::new();
    while let Some(calls) = load.join_next().await {
        took.extend(calls.unwrap());
    }
    took.sort_unstable();
    assert!(took.len() >= rounds * PROGRAMS, "there was a load: {}", took.len());
    assert_eq!(told, rounds * 20);
    assert_eq!((server.counts().refreshes, server.counts().revocations, server.counts().grants_started), (0, 0, 2));
    figures(
        "b35",
        format!(
            "{} reloads ({rounds} of a file that does not hold) under {} calls: 0 failed, {:.1?} median, {:.1?} the slowest of a \
             hundred, {:.1?} at most; {told} who waited for a removed account were told so",
            rounds * 3,
            took.len(),
            took[took.len() / 2],
            took[took.len() * 99 / 100],
            took[took.len() - 1]
        ),
    );
}

/// `home` as ever, and `work` with other scopes each time.
fn held(server: &AuthorizationServer, round: usize) -> Config {
    let scopes: &[&str] = if round.is_multiple_of(2) { &["mcp:read"] } else { &["mcp:read", "mcp:write"] };
    let work = Account::at("work", server.issuer()).scopes(scopes.iter().copied());
    Config::new().account(Account::at("home", server.issuer()).scopes(["mcp:read"])).account(work)
}

/// Files that do not hold, and the line that is told.
fn broken() -> [(&'static str, u32); 4] {
    [
        ("[accounts.work]\nissuer = 7\nclient_id = \"c\"\n", 2),
        ("[accounts.work\n", 1),
        ("\n\n[acounts.work]\n", 3),
        ("[accounts.work]\nissuer = \"https://as.example\"\nclient_id = \"c\"\nclient_secret = \"in-clear\"\n", 4),
    ]
}

/// A program that asks steadily, and how long each answer took.
async fn calling(client: Client, name: &'static str, held: [u8; 32], mut over: watch::Receiver<bool>) -> Vec<Duration> {
    let mut pace = tokio::time::interval(A_CALL_EACH);
    let mut took = Vec::new();
    loop {
        tokio::select! {
            _ = pace.tick() => {}
            _ = over.wait_for(|over| *over) => return took,
        }
        let asked = Instant::now();
        match client.token(Need::account(name)).await {
            Ok(Answer::UseToken(token)) if token.sha256() == held => took.push(asked.elapsed()),
            failed => panic!("{name}: {failed:?}"),
        }
    }
}
