//! The benchmarks still run: each measure, once, with hardly anything to do. Nothing is said about speed.

use std::process::Stdio;

use tokio::process::Command;

/// What the table of the README tells, by the beginnings of its rows.
const ROWS: [&str; 36] = [
    "GetToken, one core, p50 ",
    "GetToken, one core, p99 ",
    "GetToken, one core, p50, to bare tonic ",
    "GetToken, any core, p50 ",
    "GetToken, any core, p99 ",
    "GetToken, any core, p50, to bare tonic ",
    "calls, 1 on one channel ",
    "calls, 1 on own channels ",
    "calls, 16 on one channel ",
    "calls, 16 on own channels ",
    "calls, 64 on one channel ",
    "calls, 64 on own channels ",
    "calls, 256 on one channel ",
    "calls, 256 on own channels ",
    "calls, 64 on own channels, to bare tonic ",
    "cached read ",
    "authctl token, to /bin/true ",
    "authctl token, to a bare client ",
    "start to first answer ",
    "resident, idle ",
    "resident, after 10,000 calls ",
    "of it the daemon's own ",
    "resident, 1,000 connections ",
    "resident, after they have gone ",
    "wake-ups a minute, no account ",
    "wake-ups a minute, 1 login ",
    "wake-ups a minute, 50 logins ",
    "calls, 64 on own channels, to oidc-agent ",
    "calls, 64, each on a new connection, to oidc-agent ",
    "push to 1 watcher ",
    "push to 100 watchers, the first ",
    "push to 100 watchers, the last ",
    "1,000 callers, expired token ",
    "1,000 callers, refresh requests ",
    "1,000 callers, the same token ",
    "GetToken beside one that hangs, p50 ",
];

#[tokio::test]
async fn every_measure_of_the_benchmarks_runs_and_tells_its_rows() {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_bench"));
    let ended = bench.arg("--quick").stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let (table, progress) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));

    assert!(ended.status.success(), "{table}\n{progress}");
    for row in ROWS {
        let line = table.lines().find(|line| line.starts_with(&format!("| {row}")));
        let line = line.unwrap_or_else(|| panic!("no row {row:?} in\n{table}"));
        let not_installed = row.contains("oidc-agent") && line.contains("not installed");
        assert!(not_installed || !line.contains("NOT MEASURED"), "{line}");
    }
    assert!(table.contains("mean nothing"), "a quick run must not look like a measurement:\n{table}");
}

#[tokio::test]
async fn a_measure_that_does_not_exist_is_told_with_the_next_step() {
    let ended = Command::new(env!("CARGO_BIN_EXE_bench")).arg("sped").output().await.unwrap();
    assert_eq!(ended.status.code(), Some(2));
    assert_eq!(
        String::from_utf8_lossy(&ended.stderr),
        "bench: 'sped' is neither an option nor a measure\nnext: tests/bench --help\n"
    );
}
