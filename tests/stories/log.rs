//! What has happened, and who was given which token: `authctl log` at the real daemon (P12).

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mcp_authd_client::Need;
use mcp_authd_client::admin::{LogEntries, LogEntry, LogKind, LogLevel, LogQuery};
use mcp_authd_client::status::Health;
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::admin_client::AdminClient;
use mcp_authd_tests::bare::narrow_channel;
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{a_token, account_is, logged_in, look, program, tool, watched};
use mcp_authd_tests::sentinel;
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::authctl::authctl;
use crate::logged_in::{daemon_at, insist, logged_in_at, used};
use crate::written::Written;

const STATIC: &str = "SNTL_AT_static.only-1";
/// Far longer than a line takes.
const WATCHDOG: Duration = Duration::from_secs(100);

/// Everything that the daemon has kept, as the person's tool prints it.
async fn kept(daemon: &Daemon, arguments: &[&str]) -> Vec<Value> {
    let told = authctl(daemon, &[&["log", "--json", "--last", "1000"], arguments].concat()).await;
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""));
    assert_eq!(sentinel::in_bytes(told.out.as_bytes()), None, "a secret stands in the log");
    told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn audits(entries: &[Value]) -> Vec<&Value> {
    entries.iter().filter(|entry| entry["kind"] == "audit").collect()
}

fn messages(entries: &[Value], account: &str) -> Vec<String> {
    let of_account = entries.iter().filter(|entry| entry["account"] == account && entry["kind"] == "event");
    of_account.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
}

/// Waits for an entry that is so.
async fn comes(entries: &mut LogEntries, so: impl Fn(&LogEntry) -> bool) -> LogEntry {
    let waiting = async {
        loop {
            let entry = entries.next().await.unwrap();
            if so(&entry) {
                return entry;
            }
        }
    };
    tokio::time::timeout(WATCHDOG, waiting).await.expect("it is told")
}

fn millis(at: SystemTime) -> u128 {
    at.duration_since(UNIX_EPOCH).unwrap().as_millis()
}

#[tokio::test]
async fn three_programs_ask_for_two_accounts_and_the_log_tells_exactly_who_got_what() {
    // given two accounts, one of them with a static token, and three programs of their own names
    let server = AuthorizationServer::start(Settings::default());
    let file = Written::holding(STATIC);
    let work = Account::at("work", server.issuer()).scopes(["mcp:read"]);
    let other = Account::from_file("ci", &file.path()).scopes(["ci:run"]).resource("https://mcp.example/mcp?key=1");
    let daemon = Daemon::start(Config::new().account(work).account(other)).await;
    account_is(&tool(&daemon), "work", |status| status.health == Health::LoginRequired).await;
    logged_in(&daemon, "work").await;
    let folder = tempfile::tempdir().unwrap();

    // when each asks for what it needs, as a process of its own
    let asked = [("editor", "work"), ("editor", "ci"), ("agent (1)", "work"), ("cron", "ci")];
    let mut expected = BTreeMap::new();
    let before = SystemTime::now();
    for (name, account) in asked {
        let file = folder.path().join(name);
        if !file.exists() {
            std::fs::copy(daemon.file_of("authctl"), &file).unwrap();
        }
        let mut command = daemon.any_program(&file);
        let child = command.args(["token", account]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let pid = child.id().unwrap();
        let told = child.wait_with_output().await.unwrap();
        assert!(told.status.success() && told.stdout.starts_with(b"SNTL_AT_"));
        expected.insert(pid, (name, account));
    }

    // then there is one audit line for each, with all that is known of it, and nothing of any token
    let entries = kept(&daemon, &[]).await;
    let uid = nix::unistd::geteuid().to_string();
    let told: BTreeMap<u32, (&str, &str)> = audits(&entries)
        .iter()
        .map(|entry| {
            let fields = &entry["fields"];
            let text = |name: &str| fields[name].as_str();
            let account = entry["account"].as_str().unwrap();
            assert_eq!((text("uid"), text("how")), (Some(uid.as_str()), Some("get_token")), "{entry}");
            let (scopes, resource) =
                if account == "ci" { ("ci:run", Some("https://mcp.example/mcp")) } else { ("mcp:read", None) };
            assert_eq!((text("scopes"), text("resource")), (Some(scopes), resource), "{entry}");
            assert_eq!(text("expires_in").is_some(), account == "work", "{entry}");
            let started: u128 = text("process_start").unwrap().parse().unwrap();
            // The kernel counts in hundredths of a second.
            assert!(started + 1000 > millis(before) && started < millis(SystemTime::now()) + 1000, "{entry}");
            let known = ["uid", "pid", "process_start", "program", "asked_as", "scopes", "resource", "expires_in", "how"];
            assert!(fields.as_object().unwrap().keys().all(|name| known.contains(&name.as_str())), "{entry}");
            (text("pid").unwrap().parse().unwrap(), (text("program").unwrap(), account))
        })
        .collect();
    assert_eq!(told, expected);
    assert_eq!(audits(&entries).len(), 4);

    // and what has happened to the account before, in its order
    assert_eq!(messages(&entries, "work"), ["a person has to log in", "a login has begun", "a login has ended well"]);
    assert_eq!(messages(&entries, "ci"), ["a token was read from its file"]);

    // and one account alone
    assert_eq!(audits(&kept(&daemon, &["ci"]).await).len(), 2);
    // and in words, with the newest last
    let words = authctl(&daemon, &["log", "--last", "1"]).await.out;
    assert!(words.contains(" ci  token given to cron (pid ") && words.lines().count() <= 4, "{words}");

    // and the status tells the last use of each
    let status = tool(&daemon).status().await.unwrap();
    let last_use = |account: &str| status.accounts.iter().find(|held| held.name == account).unwrap().last_use.clone().unwrap();
    assert_eq!((last_use("work").program.as_deref(), last_use("ci").program.as_deref()), (Some("agent (1)"), Some("cron")));
    assert_eq!(expected.get(&u32::try_from(last_use("ci").pid.unwrap()).unwrap()), Some(&("cron", "ci")));
    assert!(last_use("ci").at.is_some_and(|at| at >= last_use("work").at.unwrap()));
}

#[tokio::test]
async fn a_token_is_told_once_for_each_connection_and_its_repeats_are_counted() {
    let (_server, daemon) = daemon_at(Settings::default()).await;
    logged_in(&daemon, "work").await;
    let mut log = tool(&daemon).follow_log(LogQuery { last: 0, ..LogQuery::default() }).await.unwrap();
    let is_audit = |entry: &LogEntry| entry.kind == LogKind::Audit;

    // when a program asks five times on its connection, and watches beside it
    let program_one = program(&daemon);
    let first = used(look(&program_one, "work").await);
    for _ in 0..4 {
        used(look(&program_one, "work").await);
    }
    let mut watch = program_one.watch(Need::account("work"));
    watched(&mut watch, a_token).await;
    // then there is one line
    let line = comes(&mut log, is_audit).await;
    assert_eq!((line.field("how"), line.field("again")), (Some("get_token"), None));

    // when the token changes, then the new one is told with how often the old one was given, and the watcher's is a repeat of it
    used(insist(&program_one, &first).await);
    let fresh = watched(&mut watch, |answer| a_token(answer).filter(|token| token.expose() != first.expose())).await;
    assert_ne!(fresh.expose(), first.expose());
    let line = comes(&mut log, is_audit).await;
    assert_eq!(line.field("again"), Some("5"), "four calls and the watch: {line:?}");

    // and what the connection was given beyond it when it ends
    for _ in 0..3 {
        used(look(&program_one, "work").await);
    }
    drop((watch, program_one));
    let end = comes(&mut log, is_audit).await;
    assert_eq!((end.message.as_str(), end.field("again")), ("the same token was given to a program again", Some("4")));

    // and a watch alone is told as such
    let mut watch = program(&daemon).watch(Need::account("work"));
    watched(&mut watch, a_token).await;
    assert_eq!(comes(&mut log, is_audit).await.field("how"), Some("watch_token"));
}

#[tokio::test]
async fn a_busy_loop_of_programs_pushes_nothing_out_that_has_happened_to_an_account() {
    // given an account that somebody has logged in to, and a person who follows the log
    const TIMES: u64 = 1500;
    let (_server, daemon) = daemon_at(Settings::default()).await;
    account_is(&tool(&daemon), "work", |status| status.health == Health::LoginRequired).await;
    logged_in(&daemon, "work").await;
    let happened = ["a person has to log in", "a login has begun", "a login has ended well"];
    let mut log = tool(&daemon).follow_log(LogQuery { last: 0, ..LogQuery::default() }).await.unwrap();

    // when more programs than the log has room for ask one after the other, each on a connection of its own
    for _ in 0..TIMES {
        used(look(&program(&daemon), "work").await);
    }

    // then all that has happened is still told, before the tokens, in order
    let entries = kept(&daemon, &["work"]).await;
    assert_eq!(messages(&entries, "work"), happened);
    let numbers: Vec<_> = entries.iter().map(|entry| entry["number"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    let given = audits(&entries).len();
    assert!((300..=500).contains(&given), "{given} audit lines are kept");
    // and to a person who asks for no number, too
    let words = authctl(&daemon, &["log", "work"]).await.out;
    assert!(happened.iter().all(|message| words.contains(message)) && words.contains("token given to "), "{words}");

    // and who follows has each token once, or is told how many are missing
    let (mut told, mut last) = (0, None);
    while told < TIMES {
        let entry = comes(&mut log, |_| true).await;
        assert!(last.is_none_or(|last| last + entry.missed + 1 == entry.number), "{entry:?} after {last:?}");
        assert_eq!(entry.kind, LogKind::Audit);
        last = Some(entry.number);
        told += entry.missed + 1;
    }
    assert_eq!((told, last), (TIMES, numbers.last().copied()));
}

#[tokio::test]
async fn a_use_wakes_nobody_who_watches_the_accounts() {
    let (_server, daemon, _) = logged_in_at(Settings::default()).await;
    let mut changes = tool(&daemon).watch_accounts(Some("work".to_owned())).await.unwrap();
    assert_eq!(changes.next().await.unwrap().health, Health::Good);
    for _ in 0..20 {
        used(look(&program(&daemon), "work").await);
    }
    tool(&daemon).sign_out(Some("work".to_owned())).await.unwrap();
    let next = changes.next().await.unwrap();
    assert_ne!(next.health, Health::Good, "the next change is the logout");
    // The use is told with it.
    assert!(next.last_use.is_some_and(|last| last.pid == Some(i64::from(std::process::id()))));
}

#[tokio::test]
async fn following_goes_on_over_a_restart_of_the_daemon() {
    let (_server, mut daemon, _) = logged_in_at(Settings::default()).await;
    let mut command = daemon.program("authctl");
    command.args(["log", "--follow", "--json", "--last", "1"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = async || -> Value {
        let line = tokio::time::timeout(WATCHDOG, lines.next_line()).await.expect("a line comes").unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    };
    let first = next().await;

    // when the daemon is killed, and the next one gives a token to a program
    daemon.kill();
    daemon.start_again().await;
    account_is(&tool(&daemon), "work", |status| status.grant.is_some()).await;
    used(look(&program(&daemon), "work").await);

    // then its beginning and the token are told, each once and in order
    let (mut numbers, mut told) = (vec![first["number"].as_u64().unwrap()], BTreeSet::new());
    while !told.contains("a token was given to a program") {
        let entry = next().await;
        numbers.push(entry["number"].as_u64().unwrap());
        assert!(told.insert(entry["message"].as_str().unwrap().to_owned()), "told twice: {entry}");
    }
    assert!(told.contains("serving"));
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}

#[tokio::test]
async fn a_slow_reader_is_told_how_much_it_has_missed_and_holds_nobody_up() {
    // given a daemon that says little elsewhere, and somebody who asks for the log and does not read
    const TIMES: u64 = 1200;
    let daemon = Daemon::start(Config::new().environment("MCP_AUTHD_LOG", "error")).await;
    let mut slow = AdminClient::new(narrow_channel(daemon.admin_socket(), 16 * 1024).await);
    let asked = v1::WatchLogRequest { follow: true, ..v1::WatchLogRequest::default() };
    let mut stream = slow.watch_log(asked).await.unwrap().into_inner();

    // when more happens than is kept, and more than the way to the reader holds
    let tool = tool(&daemon);
    for _ in 0..TIMES {
        tool.reload().await.unwrap();
    }

    // then it has the first ones, the latest, and the number of those between
    let kept = tool.log(LogQuery { last: u32::MAX, ..LogQuery::default() }).await.unwrap();
    let newest = kept.last().unwrap().number;
    assert!(kept.len() == 500 && kept.last().unwrap().message == "the configuration was read again");
    let (mut read, mut missed, mut last) = (0, 0, None);
    while last != Some(newest) {
        let entry = stream.message().await.unwrap().unwrap();
        assert!(last.is_none_or(|last| last + entry.missed + 1 == entry.number), "{entry:?} after {last:?}");
        last = Some(entry.number);
        read += 1;
        missed += entry.missed;
    }
    assert!(missed > 0 && read < TIMES && read + missed >= TIMES, "{read} read, {missed} missed");
}

#[tokio::test]
async fn trouble_is_told_when_it_begins_and_when_it_ends() {
    let file = Written::nothing();
    let daemon = Daemon::start(Config::new().account(Account::from_file("ci", &file.path()))).await;
    let query = LogQuery { account: Some("ci".to_owned()), last: 10, after: None };
    let mut log = tool(&daemon).follow_log(query).await.unwrap();
    let begins = comes(&mut log, |_| true).await;
    assert_eq!((begins.message.as_str(), begins.level), ("something is wrong; it goes on by itself", LogLevel::Warning));
    assert!(begins.field("why").is_some_and(|why| why.contains("is missing")), "{begins:?}");
    file.write(STATIC);
    account_is(&tool(&daemon), "ci", |status| status.health == Health::Good).await;
    let ends = comes(&mut log, |entry| entry.message != "a token was read from its file").await;
    assert_eq!((ends.message.as_str(), ends.account.as_deref()), ("all is well again", Some("ci")));
}
