//! Who reads a clock: `host/clock.rs`, the client's one file, and nobody else (house style 10, I10).

use crate::names::{self, Named};
use crate::obeyed;
use crate::tree::{self, Source};

const CLOCKS: [&str; 2] = ["daemon/src/host/clock.rs", "client/src/clock.rs"];

fn broken(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for (source, _, names) in names::of_all(sources) {
        if CLOCKS.contains(&source.path.as_str()) {
            continue;
        }
        let paths = names.paths.iter().filter(|named| reads_a_clock(named));
        broken.extend(paths.map(|named| format!("{}:{}: {}; time is passed in", source.path, named.line, named.shown())));
        let words = names.words.iter().filter(|(_, word)| word == "clock_gettime" || word == "gettimeofday");
        broken.extend(words.map(|(line, word)| format!("{}:{line}: {word}; time is passed in", source.path)));
    }
    broken
}

fn reads_a_clock(named: &Named) -> bool {
    const CLOCKS: [&str; 5] = ["Instant", "SystemTime", "Utc", "Local", "OffsetDateTime"];
    let [.., clock, read] = named.path.as_slice() else { return false };
    CLOCKS.contains(&clock.as_str()) && ["now", "now_utc", "now_local", "elapsed"].contains(&read.as_str())
}

#[test]
fn a_clock_is_read_only_where_clocks_are_read() {
    obeyed("clocks are read in host/clock.rs and client/src/clock.rs", &broken(&tree::rust_below(&["daemon/", "client/"])));
}

#[test]
fn a_reading_elsewhere_is_found_however_it_is_written() {
    let ways = [
        "fn f() { std::time::Instant::now(); }",
        "use std::time::SystemTime; fn f() { SystemTime::now(); }",
        "use tokio::time::Instant as Later; fn f() { Later::now(); }",
        "use nix::time::clock_gettime;",
        "fn f() { debug!(\"{:?}\", Instant::now()); }",
        "fn f(x: Option<Instant>) { x.unwrap_or_else(Instant::now); }",
        "fn f() { SystemTime::elapsed(&t); }",
    ];
    for way in ways {
        assert!(!broken(&[Source::imagined("daemon/src/rpc/tokens.rs", way)]).is_empty(), "{way}");
        assert!(!broken(&[Source::imagined("client/src/watch.rs", way)]).is_empty(), "{way}");
        assert!(broken(&[Source::imagined("client/src/clock.rs", way)]).is_empty(), "{way}");
    }
    assert!(
        broken(&[Source::imagined("daemon/src/rpc/tokens.rs", "fn f(clock: &Clock) { clock.now(); Clock::now(clock); }")])
            .is_empty()
    );
}
