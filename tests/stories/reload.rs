//! The configuration is read again while the daemon runs: only what differs changes, and what does not hold changes nothing (B35).

mod by_command;
mod under_load;

use std::time::Duration;

use mcp_authd_client::admin::AccountChanges;
use mcp_authd_client::status::{AccountStatus, Health};
use mcp_authd_client::{Answer, Client, Need, Reason, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{Crowd, a_refusal, a_token, account_is, program, prompted, records, tool, until, watched};
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, Settings};

use crate::logged_in::{log_in, look, prompt, refused, used, user_code};
use crate::written::Written;

/// Far longer than anything here takes.
const WATCHDOG: Duration = Duration::from_secs(100);

/// An account with the scopes that the test server likes.
fn account(name: &str, server: &AuthorizationServer) -> Account {
    Account::at(name, server.issuer()).scopes(["mcp:read"])
}

/// The file says so from now on, and the daemon is told by a signal.
fn hang_up_with(daemon: &Daemon, config: &Config) {
    daemon.write_config(config);
    daemon.hang_up();
}

/// The next change of this account that is like this.
async fn next(changes: &mut AccountChanges, name: &str, so: impl Fn(&AccountStatus) -> bool) -> AccountStatus {
    let waiting = async {
        loop {
            let status = changes.next().await.unwrap();
            if status.name == name && so(&status) {
                return status;
            }
        }
    };
    tokio::time::timeout(WATCHDOG, waiting).await.unwrap_or_else(|_| panic!("{name} never came to it"))
}

async fn no_such_account(program: &Client, name: &str) {
    assert_eq!(refused(look(program, name).await).reason, Reason::NoSuchAccount, "{name}");
}

/// The records of one account.
fn records_of(daemon: &Daemon, name: &str) -> Vec<String> {
    let ends = format!("-{name}.sealed");
    records(daemon).into_iter().filter(|record| record.ends_with(&ends)).collect()
}

#[tokio::test]
async fn a_hang_up_adds_changes_and_removes_and_leaves_alone_what_is_as_it_was() {
    // given two accounts that are logged in, a third, and a person who watches
    let (near, far) = (AuthorizationServer::start(Settings::default()), AuthorizationServer::start(Settings::default()));
    let stays = || account("stays", &near);
    let daemon =
        Daemon::start(Config::new().account(stays()).account(account("goes", &far)).account(account("asks", &near))).await;
    let client = program(&daemon);
    let (kept, gone) = (log_in(&client, &near, "stays").await, log_in(&client, &far, "goes").await);
    let mut changes = tool(&daemon).watch_accounts(None).await.unwrap();

    // when one is taken out, one comes, and one asks for more from now on
    let more = Account::at("asks", near.issuer()).scopes(["mcp:read", "mcp:write"]);
    hang_up_with(&daemon, &Config::new().account(stays()).account(more).account(account("comes", &far)));

    // then who watches sees the one go and the other come, each once, and the change
    let (mut came, mut asks) = (None, None);
    let mut gone_times = 0;
    let seen = async {
        while gone_times == 0 || came.is_none() || asks.is_none() {
            let status = changes.next().await.unwrap();
            match status.name.as_str() {
                "goes" if status.health == Health::Removed => gone_times += 1,
                "goes" => assert_eq!(gone_times, 0, "nothing is told of it after that"),
                "comes" if status.health == Health::LoginRequired => came = Some(status),
                "asks" if status.scopes == ["mcp:read", "mcp:write"] => asks = Some(status),
                _ => {}
            }
        }
    };
    tokio::time::timeout(WATCHDOG, seen).await.unwrap();
    assert_eq!(gone_times, 1);
    let names: Vec<_> = client.accounts().await.unwrap().into_iter().map(|account| account.name).collect();
    assert_eq!(names, ["asks", "comes", "stays"]);

    // and the login of the one that is gone is given back and forgotten
    no_such_account(&client, "goes").await;
    far.wait_for(|counts| counts.revocations_effective > 0).await;
    until("its records are erased", || records_of(&daemon, "goes").is_empty()).await;
    assert_eq!(far.end_grants(), 0);

    // and what was as it is, is as it was
    assert_eq!(used(look(&client, "stays").await).sha256(), kept.sha256());
    assert_eq!((near.counts().revocations, near.counts().refreshes, near.counts().device_authorizations), (0, 0, 1));
    assert_ne!(kept.sha256(), gone.sha256());
    // and the next login asks for what is configured now
    drop(prompted(&daemon, "asks").await);
    let asked = near.log().into_iter().rfind(|request| request.path.ends_with("/device_authorization")).unwrap();
    assert_eq!(asked.scope.as_deref(), Some("mcp:read mcp:write"));
}

#[tokio::test]
async fn another_client_signs_out_that_account_alone_and_a_program_may_log_in_anew() {
    // given two accounts at one server
    let server = AuthorizationServer::start(Settings::default());
    let home = || account("home", &server);
    let daemon = Daemon::start(Config::new().account(home()).account(account("work", &server).client_id("old-client"))).await;
    let client = program(&daemon);
    let kept = log_in(&client, &server, "home").await;
    let ended = log_in(&client, &server, "work").await;

    // when one of them is to be another client from now on
    hang_up_with(&daemon, &Config::new().account(home()).account(account("work", &server).client_id("new-client")));

    // then its login is given back as the old client, and its token is served no more
    account_is(&tool(&daemon), "work", |status| status.client_id == "new-client" && status.health == Health::LoginRequired).await;
    server.wait_for(|counts| counts.revocations == 2).await;
    let clients: Vec<_> =
        server.log().into_iter().filter(|request| request.path.ends_with("/revoke")).map(|request| request.client_id).collect();
    assert_eq!(clients, [Some("old-client".to_owned()), Some("old-client".to_owned())]);
    let refusal = refused(look(&client, "work").await);
    assert_eq!(refusal.reason, Reason::LoginRequired);
    assert!(refusal.message.contains("another server, client or resource"), "{refusal:?}");

    // and the next program logs in as the new one, as with any account that is new
    let sign_in = prompt(client.token(Need::account("work")).await.unwrap());
    server.approve(&user_code(&sign_in)).unwrap();
    let waits = Request::new(Need::account("work")).sign_in(SignInMode::StartAndWait);
    assert_ne!(used(client.token(waits).await.unwrap()).sha256(), ended.sha256());
    let asked = server.log().into_iter().rfind(|request| request.path.ends_with("/device_authorization")).unwrap();
    assert_eq!(asked.client_id.as_deref(), Some("new-client"));

    // and the other account has not noticed
    assert_eq!(used(look(&client, "home").await).sha256(), kept.sha256());
    assert_eq!(server.counts().revocations, 2);
}

#[tokio::test]
async fn who_waits_for_an_account_that_is_taken_out_is_told_so_and_sees_it_when_it_is_back() {
    // given an account whose refresh hangs at its server, programs that wait for it, and one that watches
    let server = AuthorizationServer::start(Settings::default());
    let with = || Config::new().account(account("work", &server)).account(account("other", &server));
    let daemon = Daemon::start(with()).await;
    let client = program(&daemon);
    let token = log_in(&client, &server, "work").await;
    let mut watch = client.watch(Need::account("work"));
    watched(&mut watch, a_token).await;
    server.script(At::Refresh, Misbehaviour::Hold(Commit::After));
    let mut waiting = Crowd::of(5, &daemon).report(4, &token);
    server.wait_for(|counts| counts.held == 1).await;
    waiting.taken().await;

    // when it is taken out
    hang_up_with(&daemon, &Config::new().account(account("other", &server)));

    // then all of them are told that there is none
    for answer in waiting.answers().await {
        assert_eq!(refused(answer).reason, Reason::NoSuchAccount, "B35");
    }
    let refusal = watched(&mut watch, a_refusal).await;
    assert_eq!(refusal.reason, Reason::NoSuchAccount);

    // and what the refresh still brings is given back
    server.release();
    server.wait_for(|counts| counts.revocations == 4).await;
    assert_eq!(server.end_grants(), 0);
    until("its records are erased", || records_of(&daemon, "work").is_empty()).await;

    // and when it is back, who watches sees it, and the token of its next login
    hang_up_with(&daemon, &with());
    let is_back = |answer| a_refusal(answer).filter(|refusal| refusal.reason == Reason::LoginRequired);
    watched(&mut watch, is_back).await;
    let newer = log_in(&client, &server, "work").await;
    assert_eq!(watched(&mut watch, a_token).await.sha256(), newer.sha256());
    server.counts().assert_no_race_was_lost();
}

#[tokio::test]
async fn a_watch_of_one_account_tells_that_it_is_gone_and_shows_it_when_it_is_back() {
    let server = AuthorizationServer::start(Settings::default());
    let with = || Config::new().account(account("work", &server)).account(account("other", &server));
    let daemon = Daemon::start(with()).await;
    let mut changes = tool(&daemon).watch_accounts(Some("work".to_owned())).await.unwrap();
    let there = next(&mut changes, "work", |status| status.health == Health::LoginRequired).await;
    hang_up_with(&daemon, &Config::new().account(account("other", &server)));
    let gone = changes.next().await.unwrap();
    assert_eq!((gone.name.as_str(), gone.health), ("work", Health::Removed));
    hang_up_with(&daemon, &with());
    let back = next(&mut changes, "work", |status| status.health == Health::LoginRequired).await;
    assert!(there.revision < gone.revision && gone.revision < back.revision, "the revision rises for ever");
}

#[tokio::test]
async fn a_file_that_does_not_hold_changes_nothing_and_the_log_names_its_line() {
    let server = AuthorizationServer::start(Settings::default());
    let with = Config::new().account(account("work", &server));
    let daemon = Daemon::start(with.clone()).await;
    let client = program(&daemon);
    let token = log_in(&client, &server, "work").await;

    // given five ways to break it, one of them by removing it
    let path = daemon.dirs().config_file();
    let name = path.to_str().unwrap().to_owned();
    for (broken, told) in [
        ("[accounts.work]\nissuer = 7\nclient_id = \"c\"\n", ":2: "),
        ("[accounts.work\n", ":1: "),
        ("\n\n[acounts.work]\n", ":3: "),
        ("[accounts.other]\nissuer = \"https://as.example\"\nclient_id = \"c\"\n\n[network]\nca_file = \"/nowhere\"\n", ":6: "),
    ] {
        // Each at another line, so that each is waited for: a file that is being written must not be read.
        std::fs::write(&path, broken).unwrap();
        daemon.hang_up();
        let line = format!("{name}{told}");
        until(broken, || daemon.logs().contains(&line)).await;
    }
    std::fs::remove_file(&path).unwrap();
    daemon.hang_up();
    until("the missing file is told", || daemon.logs().contains("is not there")).await;

    // then everything is as it was
    assert_eq!(used(look(&client, "work").await).sha256(), token.sha256());
    no_such_account(&client, "other").await;
    assert_eq!(server.counts().revocations, 0);

    // and an empty file means no accounts
    std::fs::write(&path, "").unwrap();
    daemon.hang_up();
    server.wait_for(|counts| counts.revocations == 2).await;
    let refusal = refused(look(&client, "work").await);
    assert_eq!(refusal.reason, Reason::NoSuchAccount);
    assert!(refusal.next_step.contains("authctl account add"), "{refusal:?}");
}

#[tokio::test]
async fn a_login_that_the_file_was_turned_away_from_while_no_daemon_ran_is_given_back_and_never_served() {
    let server = AuthorizationServer::start(Settings::default());
    let mut daemon = Daemon::start(Config::new().account(account("work", &server).client_id("old-client"))).await;
    log_in(&program(&daemon), &server, "work").await;
    daemon.stop().await;
    daemon.write_config(&Config::new().account(account("work", &server).client_id("new-client")));
    daemon.start_again().await;
    let refusal = refused(look(&program(&daemon), "work").await);
    assert_eq!(refusal.reason, Reason::LoginRequired);
    server.wait_for(|counts| counts.revocations == 2).await;
    assert_eq!(server.end_grants(), 0);
    let told = server.log().into_iter().filter(|request| request.client_id.as_deref() == Some("new-client")).count();
    assert_eq!(told, 0, "the new client has nothing to do with it");
}

#[tokio::test]
async fn an_account_may_become_one_whose_token_stands_in_a_file_and_back() {
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(Config::new().account(account("work", &server))).await;
    let client = program(&daemon);
    log_in(&client, &server, "work").await;
    let mut changes = tool(&daemon).watch_accounts(None).await.unwrap();
    let first = next(&mut changes, "work", |_| true).await;

    let file = Written::holding("SNTL_AT_static.first-1\n");
    hang_up_with(&daemon, &Config::new().account(Account::from_file("work", &file.path())));
    let from_file = next(&mut changes, "work", |status| status.token_file.is_some() && status.health == Health::Good).await;
    assert!(from_file.revision > first.revision);
    assert!(matches!(look(&client, "work").await, Answer::UseToken(_)));
    server.wait_for(|counts| counts.revocations == 2).await;

    hang_up_with(&daemon, &Config::new().account(account("work", &server)));
    let back = next(&mut changes, "work", |status| status.health == Health::LoginRequired).await;
    assert_eq!(back.token_file, None);
    assert!(back.revision > from_file.revision, "{back:?} after {from_file:?}");
    log_in(&client, &server, "work").await;
}

#[tokio::test]
async fn the_network_is_reached_by_the_next_request_as_it_is_configured_now() {
    // given an account that is logged in, and a file of certificates that nobody can read
    let server = AuthorizationServer::start(Settings::default());
    let with = || Config::new().account(account("work", &server));
    let daemon = Daemon::start(with()).await;
    let client = program(&daemon);
    let token = log_in(&client, &server, "work").await;
    let certificates = Written::holding("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n");
    let broken = with().text(&format!("[network]\nca_file = \"{}\"", certificates.path().display()));

    // when it is trusted, then nothing is sent; and when it is not any more, the next request goes as before
    let reports = async || client.report_rejected(&token).await.unwrap();
    hang_up_with(&daemon, &broken);
    until("the network is another", || daemon.logs().contains("network_changed=true")).await;
    assert!(matches!(reports().await, Answer::TryLater(_)));
    assert_eq!(server.counts().refreshes, 0);
    hang_up_with(&daemon, &with());
    until("the network is as before", || daemon.logs().matches("network_changed=true").count() == 2).await;
    assert_ne!(used(crate::logged_in::as_told(reports).await).sha256(), token.sha256());
    assert_eq!(server.counts().refreshes, 1);
}
