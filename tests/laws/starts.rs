//! Where things begin: tasks and threads in `host/tasks.rs` and nowhere else, programs nowhere at all (house style 12).

use crate::names::{self, Named};
use crate::obeyed;
use crate::tree::{self, Source};

const TASKS: &str = "daemon/src/host/tasks.rs";
/// Functions and methods that begin a task or a thread.
const SPAWNS: [&str; 6] = ["spawn", "spawn_local", "spawn_blocking", "spawn_on", "spawn_local_on", "spawn_blocking_on"];

fn broken(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for (source, _, names) in names::of_all(sources) {
        let begins = names.words.iter().filter(|(_, word)| SPAWNS.contains(&word.as_str()) && source.path != TASKS);
        broken.extend(begins.map(|(line, word)| format!("{}:{line}: {word}; begin it through host::tasks", source.path)));
        let starts = names.paths.iter().filter(|named| is_program(named));
        broken.extend(
            starts.map(|named| format!("{}:{}: {}; the daemon starts no program", source.path, named.line, named.shown())),
        );
    }
    broken.sort();
    broken.dedup();
    broken
}

fn is_program(named: &Named) -> bool {
    named.is_below(&["std", "process", "Command"])
        || named.is_below(&["tokio", "process"])
        || named.is_below(&["nix", "unistd", "fork"])
}

#[test]
fn a_task_is_born_only_in_host_tasks_and_a_program_nowhere() {
    obeyed("tasks are born in daemon/src/host/tasks.rs", &broken(&tree::rust_below(&["daemon/"])));
}

#[test]
fn a_birth_elsewhere_is_found_however_it_is_written() {
    let ways = [
        "fn f() { tokio::spawn(async {}); }",
        "use tokio::task; fn f() { task::spawn_blocking(g); }",
        "use tokio::spawn as begin;",
        "fn f() { std::thread::spawn(g); }",
        "fn f(set: JoinSet<()>) { set.spawn(g()); }",
        "fn f() { std::thread::Builder::new().spawn(g); }",
        "fn f() { select! { _ = tokio::spawn(x) => {} } }",
        "use std::process::Command;",
        "use std::process; fn f() { process::Command::new(\"sh\"); }",
    ];
    for way in ways {
        let told = broken(&[Source::imagined("daemon/src/rpc/tokens.rs", way)]);
        assert!(!told.is_empty(), "{way}");
    }
    assert!(broken(&[Source::imagined(TASKS, "fn f() { tokio::spawn(g()); }")]).is_empty());
    assert!(!broken(&[Source::imagined(TASKS, "fn f() { std::process::Command::new(\"sh\"); }")]).is_empty());
    let tests = "#[cfg(test)] mod tests { fn f() { tokio::spawn(g()); } } fn g() { std::process::exit(1) }";
    assert!(broken(&[Source::imagined("daemon/src/rpc/tokens.rs", tests)]).is_empty());
}
