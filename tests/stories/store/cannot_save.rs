//! A disk that refuses: what cannot be saved is not spent, what was got is served and saved later (B7-B9, B11).

use std::fs;
use std::path::PathBuf;

use mcp_authd_client::status::Health;
use mcp_authd_client::{Need, Reason, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::program;
use mcp_authd_tests::server::{At, Commit, Misbehaviour, Settings};

use super::{account, becomes, grant_of, mode_of, records};
use crate::logged_in::{daemon_at, insist, logged_in_at, look, prompt, refused, used, user_code};

/// A folder that refuses every write, to root too: a file stands in its place.
struct Broken {
    place: PathBuf,
    away: PathBuf,
}

impl Broken {
    fn folder(place: PathBuf) -> Self {
        let away = place.with_extension("away");
        fs::rename(&place, &away).unwrap();
        fs::write(&place, "in the way").unwrap();
        Self { place, away }
    }

    fn mend(self) {
        fs::remove_file(&self.place).unwrap();
        fs::rename(&self.away, &self.place).unwrap();
    }
}

async fn status_of_authctl(daemon: &Daemon) -> (Option<i32>, String) {
    let output = daemon.program("authctl").arg("status").output().await.unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn what_cannot_be_saved_is_not_refreshed_and_the_account_says_so_and_recovers_by_itself() {
    // given an account that is logged in, and then a disk that refuses
    let (server, daemon, token) = logged_in_at(Settings::default()).await;
    let program = program(&daemon);
    let broken = Broken::folder(records(&daemon));

    // when a refresh is wanted
    let refusal = refused(program.report_rejected(&token).await.unwrap());

    // then none is sent (B7), and the living token is served from memory
    assert_eq!(refusal.reason, Reason::NotSaved);
    assert!(refusal.retry_after.is_some());
    for _ in 0..3 {
        assert_eq!(used(look(&program, "work").await).sha256(), token.sha256());
        assert_eq!(refused(program.report_rejected(&token).await.unwrap()).reason, Reason::NotSaved);
    }
    assert_eq!(server.counts().refreshes, 0);

    // and the person sees it
    let degraded = account(&daemon, "work").await;
    assert!(degraded.health == Health::Degraded && degraded.message.unwrap().starts_with("Not saved"));
    let (code, shown) = status_of_authctl(&daemon).await;
    assert_eq!(code, Some(4), "{shown}");
    assert!(shown.contains("DEGRADED") && shown.contains("Not saved") && shown.contains("next"), "{shown}");

    // when the disk is well again, then so is the account, without a restart and without a call
    broken.mend();
    becomes(&daemon, "work", Health::Good).await;
    server.counts().assert_no_race_was_lost();
}

#[tokio::test]
async fn a_refresh_that_the_disk_held_up_is_done_for_the_next_call_after() {
    let (server, daemon, token) = logged_in_at(Settings::default()).await;
    let program = program(&daemon);
    let broken = Broken::folder(records(&daemon));
    refused(program.report_rejected(&token).await.unwrap());
    broken.mend();
    assert_ne!(used(insist(&program, &token).await).sha256(), token.sha256());
    assert_eq!((server.counts().refreshes, account(&daemon, "work").await.health), (1, Health::Good));
}

#[tokio::test]
async fn a_new_token_that_cannot_be_saved_is_served_and_saved_later_with_no_refresh_before() {
    // given a refresh that the server has done, and a disk that refuses from then on
    let (server, mut daemon, first) = logged_in_at(Settings::default()).await;
    let program_ = program(&daemon);
    server.script(At::Refresh, Misbehaviour::Hold(Commit::After));
    let (second, broken) = tokio::join!(async { used(program_.report_rejected(&first).await.unwrap()) }, async {
        server.wait_for(|counts| counts.held == 1).await;
        let broken = Broken::folder(records(&daemon));
        server.release();
        broken
    });

    // then the new token is served (B8), visibly degraded
    assert_ne!(second.sha256(), first.sha256());
    assert_eq!(used(look(&program_, "work").await).sha256(), second.sha256());
    let degraded = account(&daemon, "work").await;
    assert!(degraded.health == Health::Degraded && degraded.message.unwrap().starts_with("Not saved"));
    assert_eq!(status_of_authctl(&daemon).await.0, Some(4));

    // and no further refresh is sent before it is saved
    assert_eq!(refused(program_.report_rejected(&second).await.unwrap()).reason, Reason::NotSaved);
    assert_eq!(server.counts().refreshes, 1);

    // when the disk is well again, then it is saved by itself, and survives the daemon's death
    broken.mend();
    becomes(&daemon, "work", Health::Good).await;
    daemon.kill();
    daemon.start_again().await;
    assert_eq!(used(look(&program(&daemon), "work").await).sha256(), second.sha256());
    assert_eq!(server.counts().refreshes, 1);
    server.counts().assert_no_race_was_lost();
}

#[tokio::test]
async fn a_login_that_cannot_be_saved_is_served_and_saved_later() {
    let (server, mut daemon) = daemon_at(Settings::default()).await;
    let client = program(&daemon);
    let code = user_code(&prompt(client.token(Need::account("work")).await.unwrap()));
    let broken = Broken::folder(records(&daemon));
    server.approve(&code).unwrap();
    let waiting = Request::new(Need::account("work")).sign_in(SignInMode::StartAndWait);
    let token = used(client.token(waiting).await.unwrap());
    assert_eq!(account(&daemon, "work").await.health, Health::Degraded);

    broken.mend();
    becomes(&daemon, "work", Health::Good).await;
    daemon.kill();
    daemon.start_again().await;
    assert_eq!(used(look(&program(&daemon), "work").await).sha256(), token.sha256());
    assert_eq!(server.counts().device_authorizations, 1);
}

#[tokio::test]
async fn a_token_that_was_never_saved_gets_one_last_save_when_the_daemon_leaves() {
    let (server, mut daemon, first) = logged_in_at(Settings::default()).await;
    let client = program(&daemon);
    server.script(At::Refresh, Misbehaviour::Hold(Commit::After));
    let (second, broken) = tokio::join!(async { used(client.report_rejected(&first).await.unwrap()) }, async {
        server.wait_for(|counts| counts.held == 1).await;
        let broken = Broken::folder(records(&daemon));
        server.release();
        broken
    });
    broken.mend();
    daemon.restart().await;
    assert_eq!(used(look(&program(&daemon), "work").await).sha256(), second.sha256());
    assert_eq!(server.counts().refreshes, 1);
}

#[tokio::test]
async fn a_logout_that_cannot_be_erased_is_told_and_never_served_again() {
    let (server, daemon, token) = logged_in_at(Settings::default()).await;
    let broken = Broken::folder(records(&daemon));
    let output = daemon.program("authctl").args(["logout", "work"]).output().await.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(8), "{told}");
    assert!(told.contains("could not be erased") && told.contains("next: authctl status"), "{told}");
    let client = program(&daemon);
    assert_eq!(refused(look(&client, "work").await).reason, Reason::SignedOut);
    assert_eq!(refused(client.report_rejected(&token).await.unwrap()).reason, Reason::SignedOut);

    broken.mend();
    becomes(&daemon, "work", Health::LoginRequired).await;
    assert!(!grant_of(&daemon, "work").exists(), "erased by itself");
    server.wait_for(|counts| counts.revocations_effective == 1).await;
}

#[tokio::test]
async fn a_store_that_is_deleted_under_the_daemon_comes_back_private_with_the_next_save() {
    // B11
    let (server, mut daemon, first) = logged_in_at(Settings::default()).await;
    // The record of the login's end may be written at this very moment, and then the folder is not empty at the end.
    while let Err(error) = fs::remove_dir_all(records(&daemon)) {
        assert_eq!(error.kind(), std::io::ErrorKind::DirectoryNotEmpty);
    }
    let client = program(&daemon);
    assert_eq!(used(look(&client, "work").await).sha256(), first.sha256());
    let second = used(client.report_rejected(&first).await.unwrap());
    assert_eq!((mode_of(&records(&daemon)), mode_of(&grant_of(&daemon, "work"))), (0o700, 0o600));
    daemon.kill();
    daemon.start_again().await;
    assert_eq!(used(look(&program(&daemon), "work").await).sha256(), second.sha256());
    assert_eq!(server.counts().refreshes, 1);
    server.counts().assert_no_race_was_lost();
}

#[tokio::test]
async fn a_daemon_whose_store_cannot_be_written_does_not_start_and_names_the_path() {
    // B9
    let mut daemon = Daemon::prepare(Config::new().account(Account::at("work", "http://127.0.0.1:1/")));
    fs::write(records(&daemon), "in the way").unwrap();
    daemon.launch();
    assert_eq!(daemon.exited().await.code(), Some(1));
    let last = daemon.logs().lines().last().unwrap_or_default().to_owned();
    assert!(last.contains(records(&daemon).to_str().unwrap()) && last.contains("not a folder"), "{last}");
}
