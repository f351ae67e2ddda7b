//! The file as commands change it: what a person wrote there stands, wherever it is, and whoever writes at once.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{program, tool};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::skip::{Skip, skipped};

use super::{add, assert_done, file};
use crate::authctl::{Told, authctl};
use crate::logged_in::{log_in, look, used};

/// As people write: comments at every place, odd spaces, a table in one line.
pub(super) const BY_HAND: &str = "\
# Accounts of this machine.  Ask Kim before you change them!

[accounts.\"old.one\"]   # still needed on Fridays
  issuer = 'https://old.example.com'      # moved twice
client_id   =    \"abc\"
scopes = [
    \"a\", # the first
    # \"b\" is gone
    \"c\",
]

# [accounts.later]
# issuer = \"https://later.example.com\"

# -- the end --
";

#[tokio::test]
async fn comments_and_odd_spaces_stand_byte_for_byte_after_accounts_came_and_went() {
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::prepare(Config::new());
    std::fs::write(daemon.dirs().config_file(), BY_HAND).unwrap();
    let daemon = started(daemon).await;

    assert_done(&add(&daemon, &server, "work", &["--scope=x y", "--parameter", "prompt=consent"]).await, "work is added.");
    let with_work = file(&daemon);
    assert!(hand_written(&with_work), "{with_work}");
    assert_done(&authctl(&daemon, &["account", "remove", "work", "--yes"]).await, "work is removed");
    assert_eq!(file(&daemon), BY_HAND);

    // and a further one, taken out from between the person's lines
    assert_done(&authctl(&daemon, &["account", "remove", "old.one", "--yes"]).await, "old.one is removed");
    let left = file(&daemon);
    for kept in ["# Accounts of this machine.  Ask Kim before you change them!\n", "# [accounts.later]\n", "# -- the end --\n"] {
        assert!(left.contains(kept), "{kept:?} is lost:\n{left}");
    }
    assert!(!left.contains("client_id"), "{left}");
}

#[tokio::test]
async fn a_link_stays_a_link_and_its_target_keeps_its_mode() {
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::prepare(Config::new());
    let dotfiles = daemon.dirs().home().join("dotfiles");
    std::fs::create_dir(&dotfiles).unwrap();
    let target = dotfiles.join("authd.toml");
    std::fs::write(&target, BY_HAND).unwrap();
    std::fs::set_permissions(&target, PermissionsExt::from_mode(0o640)).unwrap();
    link_config_to(&daemon, &target);
    let daemon = started(daemon).await;

    assert_done(&add(&daemon, &server, "work", &[]).await, "work is added.");
    assert_eq!(std::fs::read_link(daemon.dirs().config_file()).unwrap(), target, "the link is what it was");
    let written = std::fs::read_to_string(&target).unwrap();
    assert!(written.contains("[accounts.work]") && hand_written(&written), "{written}");
    assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
    let litter: Vec<PathBuf> =
        entries(&dotfiles).into_iter().filter(|path| path.extension().is_some_and(|end| end != "lock")).collect();
    assert_eq!(litter, [target], "no temporary file is left");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_answered_with_the_text_to_paste_and_to_take_out() {
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::prepare(Config::new());
    std::fs::write(daemon.dirs().config_file(), BY_HAND).unwrap();
    let daemon = started(daemon).await;
    let path = daemon.dirs().config_file();
    let folder = path.parent().unwrap();

    for (what, read_only, writable) in [(path.as_path(), 0o400, 0o600), (folder, 0o500, 0o700)] {
        // given a file, or a folder, whose owner has taken the right to write away
        std::fs::set_permissions(what, PermissionsExt::from_mode(read_only)).unwrap();

        // when an account is added, nothing is written, and nothing but the text stands on standard output
        let told = add(&daemon, &server, "work", &["--scope", "mcp:read"]).await;
        assert_not_written(&told, &format!("[accounts.work]\nissuer = \"{}\"\n", server.issuer()));
        let removal = authctl(&daemon, &["account", "remove", "old.one", "--yes"]).await;
        assert_not_written(&removal, "[accounts.\"old.one\"]");
        assert_eq!(file(&daemon), BY_HAND);
        assert_eq!(tool(&daemon).status().await.unwrap().accounts.len(), 1);

        // then the person pastes it as it is, and has the account
        std::fs::set_permissions(what, PermissionsExt::from_mode(writable)).unwrap();
        std::fs::write(&path, format!("{BY_HAND}{}", told.out)).unwrap();
        assert_done(&authctl(&daemon, &["reload"]).await, "added work");
        assert_done(&add(&daemon, &server, "work", &["--scope", "mcp:read"]).await, "work is there already");
        assert_done(&authctl(&daemon, &["account", "remove", "work", "--yes"]).await, "work is removed");
        std::fs::write(&path, BY_HAND).unwrap();
    }
}

#[tokio::test]
async fn a_place_where_not_even_root_can_write_is_answered_with_the_text_to_paste() {
    // An interface's empty alias: a file like any other to read, in a folder where nobody can make one.
    let place = Path::new("/sys/class/net/lo/ifalias");
    if !std::fs::read_to_string(place).is_ok_and(|text| text.trim().is_empty()) {
        let why = format!("{} is not there, or not empty; run it on Linux with /sys", place.display());
        return skipped("a_place_where_not_even_root_can_write_is_answered_with_the_text_to_paste", &Skip(why));
    }
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::prepare(Config::new());
    link_config_to(&daemon, place);
    let daemon = started(daemon).await;
    assert_not_written(&add(&daemon, &server, "work", &[]).await, "[accounts.work]\n");
    assert!(tool(&daemon).status().await.unwrap().accounts.is_empty());
}

/// Why on standard error, the text alone on standard output.
fn assert_not_written(told: &Told, text: &str) {
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.out.contains(text) && toml_edit::DocumentMut::from_str(&told.out).is_ok(), "{told:?}");
    assert!(told.err.starts_with("authctl: ") && told.err.contains("cannot be written"), "{told:?}");
    assert!(told.err.lines().last().unwrap().starts_with("next: "), "{told:?}");
}

/// Five ways to break a file, and the lines of what is told.
fn broken(server: &AuthorizationServer) -> [(&'static str, String, Vec<usize>); 5] {
    let good = Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"])).to_toml();
    let lines = good.lines().count();
    [
        ("no TOML", format!("{good}client_id = \"never ended\n"), vec![lines + 1]),
        ("a typing mistake", good.replace("issuer", "isuer"), vec![1, 3]),
        ("a secret", format!("# mine\n{}", good.replace("scopes", "client_secret = \"x\"\nscopes")), vec![5]),
        (
            "two at once",
            format!("{good}[accounts.b]\nclient_id = 7\nissuer = \"https://b.example\"\n[acounts]\n"),
            vec![lines + 2, lines + 4],
        ),
        ("text of a merge", format!("<<<<<<< HEAD\n{good}=======\n"), vec![1]),
    ]
}

#[tokio::test]
async fn a_broken_file_is_told_with_its_lines_never_touched_and_the_old_one_goes_on_serving() {
    let server = AuthorizationServer::start(Settings::default());
    let work = Account::at("work", server.issuer()).scopes(["mcp:read"]);
    let daemon = Daemon::start(Config::new().account(work)).await;
    let token = log_in(&program(&daemon), &server, "work").await;
    let good = file(&daemon);

    for (how, text, lines) in broken(&server) {
        std::fs::write(daemon.dirs().config_file(), &text).unwrap();
        let other = ["account", "add", "other", "--issuer", server.issuer(), "--client-id", "other"];
        for told in [authctl(&daemon, &other).await, authctl(&daemon, &["reload"]).await] {
            assert_eq!((told.code, told_lines(&told)), (Some(1), lines.clone()), "{how}: {told:?}");
            assert!(told.err.lines().last().unwrap().starts_with("next: "), "{how}: {told:?}");
        }
        let removed = authctl(&daemon, &["account", "remove", "work", "--yes"]).await;
        assert_eq!((removed.code, told_lines(&removed)), (Some(1), lines), "{how}: {removed:?}");
        assert_eq!(file(&daemon), text, "{how}");
        assert_eq!(used(look(&program(&daemon), "work").await).expose(), token.expose(), "{how}");
    }

    std::fs::write(daemon.dirs().config_file(), good).unwrap();
    assert_done(&authctl(&daemon, &["reload"]).await, "Nothing has changed.");
    assert_eq!(used(look(&program(&daemon), "work").await).expose(), token.expose());
    assert_eq!((server.counts().device_authorizations, server.counts().revocations), (1, 0));
}

// ---- a person's hands

pub(super) async fn started(mut daemon: Daemon) -> Daemon {
    daemon.start_again().await;
    daemon
}

fn link_config_to(daemon: &Daemon, target: &Path) {
    std::fs::remove_file(daemon.dirs().config_file()).unwrap();
    symlink(target, daemon.dirs().config_file()).unwrap();
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Every line that the person wrote is there, in the person's order.
pub(super) fn hand_written(text: &str) -> bool {
    let mut lines = text.lines();
    BY_HAND.lines().filter(|line| !line.is_empty()).all(|wanted| lines.any(|line| line == wanted))
}

/// The lines that a refusal names: `  line 3: ...`.
fn told_lines(told: &Told) -> Vec<usize> {
    let named = |line: &str| line.strip_prefix("  line ")?.split(':').next()?.parse().ok();
    told.err.lines().filter_map(named).collect()
}
