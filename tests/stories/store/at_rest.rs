//! What lies on the disk: sealed, private, and worth nothing without the key (P4-P6, B10).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use mcp_authd_client::status::{Health, Key};
use mcp_authd_client::{Reason, Token};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{program, tool};
use mcp_authd_tests::server::{AuthorizationServer, Rotation, Settings};
use sha2::{Digest as _, Sha256};

use super::{account, becomes, grant_of, key_file, mode_of, records, set_mode};
use crate::logged_in::{insist, log_in, logged_in_at, look, refused, used};

/// Two accounts at two servers, both logged in.
async fn two_accounts() -> (AuthorizationServer, AuthorizationServer, Daemon, [Token; 2]) {
    let (one, two) = (AuthorizationServer::start(Settings::default()), AuthorizationServer::start(Settings::default()));
    let config = Config::new().account(Account::at("one", one.issuer())).account(Account::at("two", two.issuer()));
    let daemon = Daemon::start(config).await;
    let client = program(&daemon);
    let tokens = tokio::join!(log_in(&client, &one, "one"), log_in(&client, &two, "two"));
    (one, two, daemon, tokens.into())
}

/// Every file of a folder, by its hash.
fn hashes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), Sha256::digest(fs::read(entry.path()).unwrap()).to_vec()))
        .collect()
}

#[tokio::test]
async fn a_damaged_record_is_set_aside_its_account_asks_for_a_login_and_no_other_is_touched() {
    let (one, two, mut daemon, [_, other]) = two_accounts().await;
    daemon.stop().await;
    let good = fs::read(grant_of(&daemon, "one")).unwrap();
    let untouched = fs::read(grant_of(&daemon, "two")).unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let cases = [
        ("magic", flipped(0)),
        ("version", flipped(9)),
        ("key id", flipped(12)),
        ("generation", flipped(25)),
        ("nonce", flipped(30)),
        ("checksum", flipped(51)),
        ("first byte of the ciphertext", flipped(54)),
        ("middle", flipped(good.len() / 2)),
        ("tag", flipped(good.len() - 1)),
        ("empty", Vec::new()),
        ("half", good[..good.len() / 2].to_vec()),
        ("one byte short", good[..good.len() - 1].to_vec()),
        ("one byte more", [good.clone(), vec![0]].concat()),
        ("another record", untouched.clone()),
    ];
    for (case, bytes) in cases {
        // given a record that was changed while the daemon was away
        fs::write(grant_of(&daemon, "one"), &bytes).unwrap();
        set_mode(&grant_of(&daemon, "one"), 0o600);
        daemon.start_again().await;

        // then it is set aside, whole and private, and its account asks for a login
        let client = program(&daemon);
        let refusal = refused(look(&client, "one").await);
        assert_eq!(refusal.reason, Reason::LoginRequired, "{case}");
        assert!(refusal.message.contains("damaged") && refusal.next_step.contains("authctl login one"), "{case}: {refusal:?}");
        let aside = set_aside(&daemon);
        assert!(!grant_of(&daemon, "one").exists() && aside.len() == 1, "{case}: {aside:?}");
        assert_eq!((mode_of(&aside[0]), fs::read(&aside[0]).unwrap()), (0o600, bytes), "{case}");

        // and the other account serves what it has served before
        assert_eq!(used(look(&client, "two").await).sha256(), other.sha256(), "{case}");
        assert_eq!(fs::read(grant_of(&daemon, "two")).unwrap(), untouched, "{case}");
        daemon.stop().await;
        fs::remove_file(&aside[0]).unwrap();
    }
    assert_eq!((one.counts().refreshes, two.counts().refreshes), (0, 0));

    // when the person logs in, all is well again
    daemon.start_again().await;
    log_in(&program(&daemon), &one, "one").await;
    assert_eq!(account(&daemon, "one").await.health, Health::Good);
}

fn set_aside(daemon: &Daemon) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(records(daemon)).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_string_lossy().contains(".sealed.corrupt-")).collect()
}

#[tokio::test]
async fn no_secret_stands_in_clear_anywhere_and_nobody_else_may_open_a_file() {
    // given two accounts with everything behind them that writes, and a log at trace
    let (one, two, mut daemon, [first, other]) = two_accounts().await;
    one.change(|settings| settings.rotation = Rotation::Grace(std::time::Duration::from_secs(60)));
    let client = program(&daemon);
    let second = used(insist(&client, &first).await);
    daemon.restart().await;
    let again = program(&daemon);
    assert_eq!(used(look(&again, "one").await).sha256(), second.sha256());
    let status = daemon.program("authctl").args(["status", "--json"]).output().await.unwrap();
    assert!(status.status.code().is_some());
    tool(&daemon).sign_out(Some("two".to_owned())).await.unwrap();
    two.wait_for(|counts| counts.revocations > 0).await;

    // then no token, no code and no half of one stands in a file or in the log
    assert!(daemon.logs().contains("TRACE"), "the log is at trace");
    daemon.assert_no_secret_in_clear();
    for token in [&first, &second, &other] {
        let text = token.expose();
        assert!(!daemon.logs().contains(&text[text.len() - 8..]), "the end of a token stands in the log");
    }

    // and the state, the key and the sockets are for this user alone (P4)
    let mut folders = vec![daemon.dirs().state(), daemon.dirs().data(), daemon.dirs().runtime()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            assert_eq!(mode_of(&entry.path()) & 0o077, 0, "{}", entry.path().display());
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
}

#[tokio::test]
async fn a_folder_that_others_may_enter_is_refused_with_the_command_that_closes_it() {
    let (_server, mut daemon, token) = logged_in_at(Settings::default()).await;
    daemon.stop().await;
    let sockets = daemon.dirs().runtime().join("mcp-authd");
    for (folder, loose) in [(records(&daemon), 0o755), (records(&daemon), 0o770), (sockets, 0o777)] {
        set_mode(&folder, loose);
        daemon.launch();
        assert_eq!(daemon.exited().await.code(), Some(1), "{} {loose:o}", folder.display());
        let last = daemon.logs().lines().last().unwrap_or_default().to_owned();
        assert!(last.contains(&format!("chmod 700 \"{}\"", folder.display())), "{last}");
        set_mode(&folder, 0o700);
    }
    daemon.start_again().await;
    assert_eq!(used(look(&program(&daemon), "work").await).sha256(), token.sha256());
}

#[tokio::test]
async fn a_key_or_a_record_that_others_may_read_is_refused_until_the_command_is_given_that_closes_it() {
    let (server, mut daemon, token) = logged_in_at(Settings::default()).await;

    // the key
    daemon.stop().await;
    set_mode(&key_file(&daemon), 0o644);
    daemon.start_again().await;
    assert_eq!(refused(look(&program(&daemon), "work").await).reason, Reason::Locked);
    assert_eq!(tool(&daemon).status().await.unwrap().key, Key::Locked);
    let command = format!("chmod 600 \"{}\"", key_file(&daemon).display());
    assert!(daemon.logs().replace("\\\"", "\"").contains(&command), "the log names the command");
    let shown = daemon.program("authctl").arg("status").output().await.unwrap();
    assert_eq!(shown.status.code(), Some(5), "locked");
    set_mode(&key_file(&daemon), 0o600);
    becomes(&daemon, "work", Health::Good).await;
    assert_eq!(used(look(&program(&daemon), "work").await).sha256(), token.sha256());

    // a record
    daemon.stop().await;
    set_mode(&grant_of(&daemon, "work"), 0o640);
    daemon.start_again().await;
    let told = refused(look(&program(&daemon), "work").await);
    assert_eq!(told.reason, Reason::Unavailable);
    assert!(told.message.contains("chmod 600"), "{told:?}");
    set_mode(&grant_of(&daemon, "work"), 0o600);
    becomes(&daemon, "work", Health::Good).await;
    assert_eq!(used(look(&program(&daemon), "work").await).sha256(), token.sha256());
    assert_eq!((server.counts().refreshes, server.counts().grants_started), (0, 1));
}

#[tokio::test]
async fn records_without_their_key_are_worth_nothing_and_nothing_is_touched() {
    // given records that were copied without the key
    let (server, mut daemon, token) = logged_in_at(Settings::default()).await;
    daemon.stop().await;
    let away = daemon.dirs().home().join("store.key");
    fs::rename(key_file(&daemon), &away).unwrap();
    let before = hashes(&records(&daemon));

    // when a daemon starts on them, it refuses, makes no new key, and touches nothing
    daemon.start_again().await;
    let client = program(&daemon);
    for _ in 0..3 {
        assert_eq!(refused(look(&client, "work").await).reason, Reason::Locked);
        assert_eq!(refused(client.token(mcp_authd_client::Need::account("work")).await.unwrap()).reason, Reason::Locked);
    }
    let status = tool(&daemon).status().await.unwrap();
    assert_eq!((status.key, status.accounts[0].health), (Key::Locked, Health::Locked));
    assert!(daemon.logs().contains("put it back"), "the log says what to do");
    assert!(!key_file(&daemon).exists(), "no new key");
    assert_eq!(server.counts().device_authorizations, 1, "and no login");
    daemon.stop().await;
    let lock_left_out = |mut hashes: BTreeMap<String, Vec<u8>>| {
        hashes.remove("mcp-authd.lock");
        hashes
    };
    assert_eq!(lock_left_out(hashes(&records(&daemon))), lock_left_out(before.clone()));

    // with another key: the same
    fs::write(key_file(&daemon), format!("{}\n", "6b".repeat(32))).unwrap();
    set_mode(&key_file(&daemon), 0o600);
    daemon.start_again().await;
    assert_eq!(refused(look(&program(&daemon), "work").await).reason, Reason::Locked);
    assert_eq!(tool(&daemon).status().await.unwrap().key, Key::Wrong);
    assert_eq!(lock_left_out(hashes(&records(&daemon))), lock_left_out(before));

    // and when the key is put back, the daemon goes on by itself
    fs::rename(&away, key_file(&daemon)).unwrap();
    becomes(&daemon, "work", Health::Good).await;
    assert_eq!(used(look(&program(&daemon), "work").await).sha256(), token.sha256());
    assert_eq!(server.counts().refreshes, 0);
}
