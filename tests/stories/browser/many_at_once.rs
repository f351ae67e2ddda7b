//! Several accounts that log in at once through the one listener: each gets its own answer.

use std::collections::BTreeMap;

use mcp_authd_client::{Answer, Client, Need, Request, SignIn, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::person::in_browser;
use mcp_authd_tests::programs::{a_token, program, prompt, prompted, token, tool, url, watched};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use tokio::task::JoinSet;

use super::{asked, listens_only_at, port_of, stops_listening, subject_of};

const ACCOUNTS: [(&str, &str); 3] = [("one", "alice"), ("two", "bob"), ("three", "carol")];

/// Three accounts at so many servers, in turns.
async fn three_accounts_at(servers: &[AuthorizationServer]) -> Daemon {
    let at = |(turn, (name, _)): (usize, &(&str, &str))| {
        let server = &servers[turn % servers.len()];
        Account::at(name, server.issuer()).scopes(["mcp:read"]).client_id(&format!("client-of-{name}"))
    };
    let config = ACCOUNTS.iter().enumerate().map(at).fold(Config::new(), Config::account);
    Daemon::start(config).await
}

/// Everybody asks for everything at once: the prompts, by account.
async fn asked_by_all(programs: &[Client]) -> BTreeMap<String, SignIn> {
    let mut calls = JoinSet::new();
    for program in programs {
        for (name, _) in ACCOUNTS {
            let program = program.clone();
            calls.spawn(async move { prompt(program.token(Need::account(name)).await.unwrap()) });
        }
    }
    let mut shown: BTreeMap<String, SignIn> = BTreeMap::new();
    while let Some(one) = calls.join_next().await {
        let one = one.unwrap();
        let known = shown.entry(one.account.clone()).or_insert_with(|| one.clone());
        assert_eq!((&known.id, &known.how), (&one.id, &one.how), "one login for each account");
    }
    assert_eq!(shown.len(), ACCOUNTS.len());
    shown
}

async fn each_account_gets_its_own_answer(servers: &[AuthorizationServer]) {
    // given 8 programs that ask for 3 accounts at once
    let daemon = three_accounts_at(servers).await;
    let programs: Vec<Client> = (0..8).map(|_| program(&daemon)).collect();
    let shown = asked_by_all(&programs).await;

    // then there are three URLs, and one way back
    let port = port_of(&shown["one"]);
    assert!(shown.values().all(|one| port_of(one) == port), "one listener for all");
    let states: std::collections::BTreeSet<String> = shown.values().map(|one| asked(one)["state"].clone()).collect();
    assert_eq!(states.len(), 3);
    listens_only_at(&daemon, port).await;

    // when three persons answer, and all come back at once
    let mut waiting = JoinSet::new();
    for program in &programs {
        for (name, subject) in ACCOUNTS {
            let (program, request) = (program.clone(), Request::new(Need::account(name)).sign_in(SignInMode::StartAndWait));
            waiting.spawn(async move { (name, subject, token(program.token(request).await.unwrap())) });
        }
    }
    let mut back = Vec::new();
    for (name, subject) in ACCOUNTS.iter().rev() {
        back.push(in_browser::answer("approve", &url(&shown[*name]), &[("subject", subject)]).await.unwrap());
    }
    let pages: JoinSet<_> = back.into_iter().map(|back| async move { in_browser::follow(&back).await.unwrap() }).collect();
    assert!(pages.join_all().await.iter().all(|seen| seen.status() == 200));

    // then each program has of each account the token of the person who answered for it, by one exchange each
    let mut tokens: BTreeMap<&str, String> = BTreeMap::new();
    for (name, subject, token) in waiting.join_all().await {
        let at = ACCOUNTS.iter().position(|(known, _)| *known == name).unwrap();
        assert_eq!(subject_of(&servers[at % servers.len()], &token).await, subject);
        let known = tokens.entry(name).or_insert_with(|| token.expose().to_owned());
        assert_eq!(known, token.expose(), "one token for all programs");
    }
    let total = |of: fn(&mcp_authd_tests::server::Counts) -> u64| servers.iter().map(|server| of(&server.counts())).sum::<u64>();
    assert_eq!((total(|counts| counts.authorizations_started), total(|counts| counts.exchanges)), (3, 3));
    assert_eq!((total(|counts| counts.codes_redeemed), total(|counts| counts.codes_reused)), (3, 0));
    stops_listening(&daemon, port).await;
}

#[tokio::test]
async fn eight_programs_and_three_accounts_at_one_server_log_in_through_one_listener() {
    each_account_gets_its_own_answer(&[AuthorizationServer::start(Settings::in_browser())]).await;
}

#[tokio::test]
async fn eight_programs_and_three_accounts_at_three_servers_log_in_through_one_listener() {
    each_account_gets_its_own_answer(&[(), (), ()].map(|()| AuthorizationServer::start(Settings::in_browser()))).await;
}

#[tokio::test]
async fn the_listener_stays_for_those_who_wait_while_others_are_answered_denied_or_cancelled() {
    // given three logins that wait
    let server = AuthorizationServer::start(Settings::in_browser());
    let daemon = three_accounts_at(std::slice::from_ref(&server)).await;
    let shown = asked_by_all(&[program(&daemon)]).await;
    let port = port_of(&shown["one"]);

    // when one is cancelled and one is denied
    tool(&daemon).cancel_sign_in(Some("one".to_owned())).await.unwrap();
    assert_eq!(in_browser::deny(&url(&shown["two"])).await.unwrap().status(), 200);

    // then the third is answered there as before; what comes for the first is nobody's
    let late = in_browser::answer("approve", &url(&shown["one"]), &[]).await.unwrap();
    assert_eq!(in_browser::follow(&late).await.unwrap().status(), 400);
    listens_only_at(&daemon, port).await;
    assert_eq!(in_browser::approve_as("carol", &url(&shown["three"])).await.unwrap().status(), 200);
    let served = watched(&mut program(&daemon).watch(Need::account("three")), a_token).await;
    assert_eq!(subject_of(&server, &served).await, "carol");
    assert_eq!(server.counts().exchanges, 1);

    // and a login that begins while the port is open goes through the same one
    let next = prompted(&daemon, "one").await;
    assert_ne!(asked(&next)["state"], asked(&shown["one"])["state"]);
    in_browser::approve(&url(&next)).await.unwrap();
    watched(&mut program(&daemon).watch(Need::account("one")), a_token).await;
    let denied = program(&daemon).token(Need::account("two")).await.unwrap();
    assert!(matches!(denied, Answer::GiveUp(_)), "{denied:?}");
    stops_listening(&daemon, port_of(&next)).await;
}
