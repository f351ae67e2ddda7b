//! The roster with a moved clock and a store that fails: one keeper for a name, and one turn at a time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mcp_authd_oauth::terms::Resource;
use tempfile::TempDir;

use super::*;
use crate::accounts::Stored;
use crate::accounts::keeper::tests::{Scene, record, scene};
use crate::accounts::need::{AnswerState, Refusal};
use crate::accounts::registry::{NoAccount, Target};
use crate::accounts::status::Health;

/// As the fixture's grants are bound.
const WORK: &str = "[accounts.work]\ndevice_authorization_endpoint = \"https://as.example/device\"\n\
    token_endpoint = \"https://as.example/token\"\nclient_id = \"client\"\n";

struct Home {
    scene: Scene,
    roster: Roster,
    folder: TempDir,
}

impl Home {
    /// A daemon that serves what the file says.
    fn with(text: &str) -> Self {
        let (scene, folder) = (scene(Duration::ZERO), tempfile::tempdir().unwrap());
        std::fs::write(file(&folder), text).unwrap();
        let config = ConfigFile::at(file(&folder)).load().unwrap();
        let network = watch::channel(Network::default()).0;
        let roster = Roster::begin(scene.house.clone(), config, network).unwrap();
        Self { scene, roster, folder }
    }

    async fn reload_with(&self, text: &str) -> Result<Reloaded, NotReloaded> {
        std::fs::write(file(&self.folder), text).unwrap();
        self.roster.reload().await
    }

    fn work(&self) -> Result<AccountHandle, NoAccount> {
        self.roster.registry().find(&Target::Account("work".to_owned()))
    }

    fn loads(&self) -> usize {
        self.scene.memory.loads.load(Ordering::SeqCst)
    }
}

fn file(folder: &TempDir) -> PathBuf {
    let folder: &Path = folder.path();
    folder.join("config.toml")
}

fn named(names: &[AccountName]) -> Vec<&str> {
    names.iter().map(AccountName::as_str).collect()
}

#[tokio::test(start_paused = true)]
async fn an_account_that_comes_back_while_the_old_one_erases_never_meets_a_second_keeper() {
    // given an account with a login, in a store that erases nothing
    let home = Home::with("");
    let grant = Some(record(home.scene.house.clock.now(), Duration::from_secs(3000)));
    let name = AccountName::parse("work").unwrap();
    home.scene.memory.records.lock().unwrap().insert(name.clone(), Stored { grant, ..Stored::default() });
    home.reload_with(WORK).await.unwrap();
    let account = home.work().unwrap();
    account.status().wait_for(|status| status.grant.is_some()).await.unwrap();
    home.scene.memory.keeps_all.store(true, Ordering::SeqCst);

    // when it is taken out and added again, again and again
    for _ in 0..3 {
        assert_eq!(named(&home.reload_with("").await.unwrap().removed), ["work"]);
        assert_eq!(home.work().unwrap_err(), NoAccount::NoneConfigured);
        account.status().wait_for(|status| matches!(status.health, Health::Removing(Some(_)))).await.unwrap();
        assert_eq!(named(&home.reload_with(WORK).await.unwrap().added), ["work"]);
        assert!(home.work().unwrap().is(&account), "the keeper that erases goes on");
        let answer = account.token(home.scene.need(Duration::from_secs(5))).await.unwrap();
        assert!(matches!(answer.state, AnswerState::Refusal(Refusal::LoginRequired(_))), "{answer:?}");
    }
    assert_eq!(home.loads(), 1, "no other keeper has begun");

    // and once everything is erased the next one is a new one
    home.reload_with("").await.unwrap();
    home.scene.memory.keeps_all.store(false, Ordering::SeqCst);
    assert!(account.status().wait_for(|_| false).await.is_err());
    assert_eq!(home.scene.memory.records.lock().unwrap().get(&name), Some(&Stored::default()));
    let last = account.status().borrow().revision;
    home.reload_with(WORK).await.unwrap();
    let newer = home.work().unwrap();
    assert!(!newer.is(&account) && newer.status().borrow().revision > last);
    newer.status().wait_for(|status| matches!(status.health, Health::LoginRequired(_))).await.unwrap();
    assert_eq!(home.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_gone_removes_nobody_and_where_there_never_was_one_nothing_is_wrong() {
    let home = Home::with(WORK);
    std::fs::remove_file(file(&home.folder)).unwrap();
    assert_eq!(home.roster.reload().await, Err(NotReloaded::Missing { path: file(&home.folder) }));
    assert!(home.work().is_ok());
    assert_eq!(named(&home.reload_with("").await.unwrap().removed), ["work"]);

    let folder = tempfile::tempdir().unwrap();
    let config = ConfigFile::at(file(&folder)).load().unwrap();
    let network = watch::channel(Network::default()).0;
    let roster = Roster::begin(home.scene.house.clone(), config, network).unwrap();
    assert_eq!(roster.reload().await, Ok(Reloaded::default()));
}

#[tokio::test(start_paused = true)]
async fn the_file_is_compared_with_what_is_served_and_nothing_changes_by_it() {
    let home = Home::with(WORK);
    let write = |text: &str| std::fs::write(file(&home.folder), text).unwrap();
    assert_eq!(home.roster.compare().await, Ok(Compared::Served));
    write(&format!("# the same\n{WORK}"));
    assert_eq!(home.roster.compare().await, Ok(Compared::Served));
    write("");
    assert_eq!(home.roster.compare().await, Ok(Compared::Changed));
    write("no TOML");
    assert!(matches!(home.roster.compare().await, Ok(Compared::Broken(_))));
    std::fs::remove_file(file(&home.folder)).unwrap();
    assert_eq!(home.roster.compare().await, Ok(Compared::Missing));
    assert!(home.work().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_done_whole_although_whoever_asked_for_it_has_gone() {
    let home = Home::with("");
    std::fs::write(file(&home.folder), WORK).unwrap();
    let mut changes = home.roster.registry().changes();
    let reload = home.roster.reload();
    assert!(tokio::time::timeout(Duration::ZERO, reload).await.is_err(), "the caller went away at once");
    changes.changed().await;
    assert!(home.work().is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_account_that_comes_while_the_daemon_leaves_begins_nothing() {
    let home = Home::with("");
    home.roster.registry().leave().await;
    home.reload_with(WORK).await.unwrap();
    // nothing is in flight and nothing will be: it is ready to leave at once
    home.work().unwrap().leave().await;
}

#[tokio::test(start_paused = true)]
async fn a_program_that_knows_a_url_finds_the_account_of_the_nearest_resource_around_it() {
    let account = |name: &str, resource: &str| format!("{}resource = \"{resource}\"\n", WORK.replace("work", name));
    let all = [
        ("origin", "https://mcp.example"),
        ("tenant", "https://mcp.example/tenant/"),
        ("exact", "https://mcp.example/tenant/mcp"),
        ("one", "https://twins.example/mcp"),
        ("two", "https://twins.example/mcp"),
    ];
    let home = Home::with(&all.map(|(name, resource)| account(name, resource)).concat());
    let at = |url: &str| {
        let found = home.roster.registry().find(&Target::At(Resource::new(url)));
        found.map(|account| account.name().to_string()).map_err(|none| matches!(none, NoAccount::Several { .. }))
    };
    assert_eq!(at("https://mcp.example/tenant/mcp"), Ok("exact".to_owned()));
    assert_eq!(at("https://mcp.example/tenant/other"), Ok("tenant".to_owned()));
    assert_eq!(at("https://mcp.example/tenants"), Ok("origin".to_owned()), "no path speaks for its neighbour");
    assert_eq!(at("https://mcp.example/"), Ok("origin".to_owned()));
    assert_eq!(at("https://twins.example/mcp/deeper"), Err(true));
    for none in ["https://other.example/mcp", "http://mcp.example/tenant", "https://mcp.example:8443/", "work", ""] {
        assert_eq!(at(none), Err(false), "{none}");
    }
}

#[tokio::test]
async fn what_the_desktop_is_told_changes_with_the_file() {
    let home = Home::with(WORK);
    let mut desktop = home.roster.desktop();
    assert_eq!(*desktop.borrow_and_update(), Desktop::default());
    home.reload_with(&format!("{WORK}[desktop]\nnotify = false\nopen_browser = true\n")).await.unwrap();
    assert_eq!(*desktop.borrow_and_update(), Desktop { notify: false, open_browser: true });
    assert!(home.reload_with(&format!("{WORK}[desktop]\nnotify = 1\n")).await.is_err());
    assert!(!desktop.has_changed().unwrap(), "a file that does not hold changes nothing");
}
