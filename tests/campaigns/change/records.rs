//! Records of every version, as bytes that were written when it was the present one: each opens, and a later one is left alone (B34).
//!
//! There is one version so far, so there is no migration that a kill could interrupt; whoever writes the first one adds that campaign.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use mcp_authd_client::admin::{Reloading, StartSignIn};
use mcp_authd_client::status::Health;
use mcp_authd_client::{Answer, Need, Reason, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{look, program, records, token, tool};
use sha2::{Digest as _, Sha256};

use crate::effort::{figures, rounds};

/// What the kept records were issued by. Nobody ever listens there.
const SERVER: &str = "http://127.0.0.1:9";
const LATER: &str = "grant-later.sealed";
/// A client there that the configuration names, with a secret that is kept; and one that was registered.
const CLIENT: &str = "client";
const REGISTERED: &str = "registered";
pub(crate) const OF_CLIENTS: [&str; 2] = ["registration-", "registered-client-"];
/// The account of that client.
pub(crate) const SECRETIVE: &str = "secretive";

/// What this daemon writes, and the newest that it reads.
pub(crate) const PRESENT: u16 = mcp_authd::store::VERSION;

fn kept(version: u16) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../daemon/src/store/tests/fixtures/version-{version}"))
}

fn put(from: &Path, into: &Path) {
    fs::copy(from, into).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    fs::set_permissions(into, fs::Permissions::from_mode(0o600)).unwrap();
}

fn private(folder: PathBuf) -> PathBuf {
    if !folder.exists() {
        fs::create_dir(&folder).unwrap();
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

fn state(daemon: &Daemon) -> PathBuf {
    private(daemon.dirs().state().join("mcp-authd"))
}

/// A daemon that has not begun, on these records of a version and its key.
pub(crate) fn on_records(version: u16, accounts: &[&str]) -> Daemon {
    let account = |name: &&str| Account::at(name, SERVER);
    let secretive = Account::at(SECRETIVE, SERVER).client_id(CLIENT);
    let daemon = Daemon::prepare(accounts.iter().map(account).fold(Config::new().account(secretive), Config::account));
    put(&kept(version).join("store.key"), &private(daemon.dirs().data().join("mcp-authd")).join("store.key"));
    for account in accounts {
        for record in [format!("grant-{account}.sealed"), format!("sign-in-{account}.sealed")] {
            let from = kept(version).join(&record);
            if from.exists() {
                put(&from, &state(&daemon).join(record));
            }
        }
    }
    for entry in fs::read_dir(kept(version)).unwrap().map(Result::unwrap) {
        let record = entry.file_name().into_string().unwrap();
        if OF_CLIENTS.iter().any(|kind| record.starts_with(kind)) {
            put(&entry.path(), &state(&daemon).join(record));
        }
    }
    daemon
}

/// Every file of the records, by its hash, but for the lock, which says whose they are.
fn hashes(daemon: &Daemon) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(state(daemon)).unwrap().map(Result::unwrap);
    let hashed = entries.map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        (name, (entry.metadata().unwrap().permissions().mode(), Sha256::digest(fs::read(entry.path()).unwrap()).to_vec()))
    });
    let hashed = hashed.filter(|(name, _)| name != "mcp-authd.lock");
    hashed.map(|(name, (mode, hash))| (name, [&mode.to_be_bytes()[..], &hash].concat())).collect()
}

#[tokio::test]
async fn b34_records_of_every_version_serve_and_are_never_set_aside() {
    for version in 1..=PRESENT {
        let serving = ["work", "resting", "not-issued", "dead", "in-doubt"];
        let ended = ["logged-out", "reconfigured", "before-reloads"];
        let mut daemon = on_records(version, &[&serving[..], &ended].concat());
        let before = hashes(&daemon);
        assert_eq!(before.len(), serving.len() + ended.len() + OF_CLIENTS.len(), "every one is there");
        for round in 0..rounds(50, 3) {
            daemon.start_again().await;
            for account in serving {
                let held = token(look(&program(&daemon), account).await);
                assert_eq!(held.expose(), "SNTL_AT_kept", "version {version}, round {round}: {account}");
            }
            for account in ended {
                let Answer::GiveUp(refusal) = look(&program(&daemon), account).await else { panic!("{account} was ended") };
                let expected = if account == "reconfigured" { Reason::LoginRequired } else { Reason::SignedOut };
                assert_eq!(refusal.reason, expected, "version {version}, round {round}: {account}");
            }
            // (for a login its client's secret is read; nobody is there to log in to)
            let start = StartSignIn { account: Some(SECRETIVE.to_owned()), ..StartSignIn::default() };
            let _in_vain = tool(&daemon).start_sign_in(start).await;
            let clients = tool(&daemon).clients().await.unwrap().clients;
            let clients: Vec<_> = clients.iter().map(|client| (&*client.issuer, &*client.client_id)).collect();
            assert_eq!(clients, [(SERVER, REGISTERED)], "version {version}, round {round}");
            assert!(daemon.stop().await.success());
        }
        let after = hashes(&daemon);
        assert!(before.keys().all(|name| after.contains_key(name)), "nothing was set aside: {:?}", after.keys());
        assert!(after.keys().all(|name| name.ends_with(".sealed")), "{:?}", after.keys());
        figures("b34", format!("version {version}: {} records open and serve, {} starts", before.len(), rounds(50, 3)));
    }
}

#[tokio::test]
async fn b34_a_daemon_that_finds_a_record_of_a_later_version_says_so_and_ends_and_touches_nothing() {
    // given records of now, and among them one of a later version
    let mut daemon = on_records(PRESENT, &["work", "dead"]);
    put(&kept(PRESENT + 1).join(LATER), &state(&daemon).join(LATER));
    fs::write(state(&daemon).join(".unfinished-00"), "of a daemon that was killed").unwrap();
    let before = hashes(&daemon);
    assert_eq!(before.len(), 4 + OF_CLIENTS.len());

    // when the daemon starts on them, then it ends with a sentence that names the record and the cure
    let rounds = rounds(50, 3);
    for round in 0..rounds {
        daemon.launch();
        assert_eq!(daemon.exited().await.code(), Some(1), "round {round}");
        let last = daemon.logs().lines().last().unwrap_or_default().to_owned();
        assert!(last.contains(LATER) && last.contains("written by a newer mcp-authd: install that version again"), "{last}");
        assert!(!daemon.logs().contains("panicked"), "{}", daemon.logs());
        assert_eq!(hashes(&daemon), before, "round {round}: a file was touched");
    }
    figures(
        "b34",
        format!("{rounds} starts on a record of a later version: 0 files touched, each ended with code 1 and its name"),
    );

    // and without that record all is as it was
    fs::remove_file(state(&daemon).join(LATER)).unwrap();
    daemon.start_again().await;
    assert_eq!(token(look(&program(&daemon), "work").await).expose(), "SNTL_AT_kept");
}

#[tokio::test]
async fn b34_an_account_that_comes_with_a_record_of_a_later_version_is_told_and_its_record_stays() {
    // given a daemon that serves, and a record that a later one has left for an account that is added now
    let mut daemon = on_records(PRESENT, &["work"]);
    daemon.start_again().await;
    let place = state(&daemon).join(LATER);
    put(&kept(PRESENT + 1).join(LATER), &place);
    let before = hashes(&daemon)[LATER].clone();
    daemon.write_config(&Config::new().account(Account::at("work", SERVER)).account(Account::at("later", SERVER)));
    let tool = tool(&daemon);
    let Reloading::Done(changes) = tool.reload().await.unwrap() else { panic!("it holds") };
    assert_eq!(changes.added, ["later"]);

    // then whoever asks is told, whatever is asked, and the other account serves
    for mode in [SignInMode::Never, SignInMode::StartAndReturn, SignInMode::StartAndReturn] {
        let answer = program(&daemon).token(Request::new(Need::account("later")).sign_in(mode)).await.unwrap();
        let (Answer::TryLater(refusal) | Answer::GiveUp(refusal)) = answer else { panic!("{answer:?}") };
        assert_eq!(refusal.reason, Reason::Unavailable);
        assert!(refusal.message.contains("newer mcp-authd"), "{refusal:?}");
        assert_eq!(hashes(&daemon)[LATER], before);
    }
    // also to the person, who may begin a login at any other time
    let start = StartSignIn { account: Some("later".to_owned()), ..StartSignIn::default() };
    let status = tool.start_sign_in(start).await.unwrap();
    assert!(status.sign_in.is_none() && status.health == Health::Degraded, "{status:?}");
    assert!(status.message.unwrap_or_default().contains("newer mcp-authd"));
    assert_eq!(token(look(&program(&daemon), "work").await).expose(), "SNTL_AT_kept");
    assert_eq!(hashes(&daemon)[LATER], before);
    assert!(daemon.stop().await.success());
    assert_eq!(hashes(&daemon)[LATER], before, "and when it leaves");
    assert!(records(&daemon).contains(&LATER.to_owned()));
}
