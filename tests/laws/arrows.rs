//! Who may know whom: every path of every room against the map, and what may not be named at all.

use crate::map::{self, Forbidden, Map};
use crate::names::{self, Module, Named, Names};
use crate::obeyed;
use crate::tree::{self, Source};

const HOUSES: [&str; 4] = ["daemon/src/", "daemon/oauth/src/", "client/src/", "client/authctl/src/"];

/// The room of a module, if the laws know its crate. `Err`: it stands in no room.
fn room(of: &str, path: &[String]) -> Option<Result<String, String>> {
    Some(Ok(match of {
        "mcp_authd_oauth" => "oauth".to_owned(),
        "mcp_authd_proto" => "proto".to_owned(),
        "mcp_authd_client" | "authctl" | "authctl(main)" => "client".to_owned(),
        "mcp_authd(main)" => "daemon".to_owned(),
        "mcp_authd" => match path.first().map(String::as_str) {
            None => "daemon".to_owned(),
            Some("*") => return Some(Err("names the whole crate at once".to_owned())),
            Some(room @ ("accounts" | "config" | "daemon" | "desktop" | "host" | "rpc" | "store" | "upstream")) => {
                room.to_owned()
            }
            Some(other) => return Some(Err(format!("`{other}` is no room of the map"))),
        },
        _ => return None,
    }))
}

fn broken(sources: &[Source], map: &Map) -> Vec<String> {
    names::of_all(sources)
        .iter()
        .flat_map(|(source, module, names)| {
            let mut broken = wrong_arrows(module, names, map);
            broken.extend(forbidden_names(module, names, map));
            broken.sort();
            broken.dedup();
            broken.into_iter().map(|(line, what)| format!("{}:{line}: {what}", source.path)).collect::<Vec<_>>()
        })
        .collect()
}

fn wrong_arrows(module: &Module, names: &Names, map: &Map) -> Vec<(usize, String)> {
    let from = match room(&module.of, &module.path) {
        Some(Ok(from)) => from,
        Some(Err(why)) => return vec![(1, why)],
        None => return vec![],
    };
    let judge = |named: &Named| {
        let (of, path) = named.path.split_first()?;
        let why = match room(of, path)? {
            Ok(to) if to == from || map.arrows.get(&from).is_some_and(|allowed| allowed.contains(&to)) => return None,
            // A room inside its own crate names the crate's root only to reach another room.
            Ok(to) => format!("`{from}` may not use `{to}`: {}", named.shown()),
            Err(why) => format!("{why}: {}", named.shown()),
        };
        Some((named.line, why))
    };
    names.paths.iter().filter_map(judge).collect()
}

fn forbidden_names(module: &Module, names: &Names, map: &Map) -> Vec<(usize, String)> {
    let Some(Ok(room)) = room(&module.of, &module.path) else { return vec![] };
    let place = if module.of == "mcp_authd" { module.path.join("/") } else { room };
    let forbidden = map.never.iter().filter(|(where_, _)| where_.holds(&place)).flat_map(|(_, forbidden)| forbidden);
    forbidden
        .flat_map(|forbidden| match forbidden {
            Forbidden::Path(path) => {
                let path: Vec<_> = path.iter().map(String::as_str).collect();
                let found = names.paths.iter().filter(|named| named.is_below(&path));
                found.map(|named| (named.line, format!("`{place}` may not name {}", named.shown()))).collect::<Vec<_>>()
            }
            Forbidden::Word(word) => {
                let found = names.words.iter().filter(|(_, have)| have == word);
                found.map(|(line, word)| (*line, format!("`{place}` may not name {word}"))).collect()
            }
        })
        .collect()
}

#[test]
fn no_room_knows_another_but_by_an_arrow_of_the_map() {
    obeyed("daemon/README.md, \"Arrows\"", &broken(&tree::rust_below(&HOUSES), &map::of_the_house()));
}

/// What the law says to one imagined file.
fn told(path: &str, text: &str) -> Vec<String> {
    broken(&[Source::imagined(path, text)], &map::of_the_house())
}

#[test]
fn a_wrong_arrow_is_found_however_it_is_written() {
    let ways = [
        "use crate::store::Store;",
        "use crate::{config::AccountName, store::{self, Store}};",
        "use super::super::store as cellar;",
        "fn f() { crate::store::open(); }",
        "fn f(store: &crate::store::Store) {}",
        "fn f() -> Vec<crate::store::Store> { vec![] }",
        "pub use crate::store::*;",
        "use crate as house; fn f() { house::store::open(); }",
        "use crate::{self as house}; fn f() { house::store::open(); }",
        "extern crate self as house; fn f() { house::store::open(); }",
        "use mcp_authd::store::Store;",
        "mod inner { fn f() { super::super::super::store::open(); } }",
        "fn f() { tracing::info!(path = crate::store::PATH); }",
        "macro_rules! m { () => { use $crate::{config, store::Store}; } }",
        "#[serde(with = \"crate::store::seal\")] struct S;",
        "#[derive(crate::store::Derive)] struct S;",
        "impl crate::store::Sealed for u8 {}",
        "#[cfg(any(test, feature = \"x\"))] use crate::store::Store;",
        "#[cfg(not(test))] use crate::store::Store;",
        "fn f() { { use crate::store; store::open() } }",
    ];
    for way in ways {
        let told = told("daemon/src/rpc/tokens.rs", way);
        assert!(told.iter().any(|told| told.contains("`rpc` may not use `store`")), "{way}: {told:?}");
        assert!(told.iter().all(|told| told.starts_with("daemon/src/rpc/tokens.rs:1: ")), "{told:?}");
    }
}

#[test]
fn a_right_arrow_and_the_room_itself_are_in_order() {
    let ways = [
        "use crate::accounts::status::Status; use super::peer; use self::inner::X; use mcp_authd_proto::v1;",
        "#[cfg(test)] mod tests { use crate::store::Store; }",
        "#[cfg(all(test, unix))] use crate::store::Store;",
        "#[tokio::test] async fn t() { crate::store::open(); }",
        "/// See [`crate::store::Store`].\nfn f(store: u8) { let upstream = store; }",
        "pub(crate) fn f() {} pub(in crate::rpc) fn g() {}",
        "mod store { pub fn open() {} } fn f() { store::open() }",
    ];
    for way in ways {
        assert_eq!(told("daemon/src/rpc/tokens.rs", way), Vec::<String>::new(), "{way}");
    }
}

#[test]
fn a_file_of_tests_is_left_out_and_only_that() {
    let house = |text: &str| {
        let files = [
            Source::imagined("daemon/src/rpc/mod.rs", text),
            Source::imagined("daemon/src/rpc/proof.rs", "use crate::store::Store;"),
            Source::imagined("daemon/src/rpc/proof/more.rs", "use crate::store::Store;"),
        ];
        broken(&files, &map::of_the_house()).len()
    };
    assert_eq!(house("#[cfg(test)] mod proof;"), 0);
    assert_eq!(house("mod proof;"), 2);
}

#[test]
fn each_crate_has_its_arrows() {
    let cases = [
        ("daemon/oauth/src/flow.rs", "use mcp_authd_proto::v1;", "`oauth` may not use `proto`"),
        ("daemon/src/host/clock.rs", "use crate::accounts::Need;", "`host` may not use `accounts`"),
        ("daemon/src/config/raw.rs", "use crate::store::Store;", "`config` may not use `store`"),
        ("daemon/src/accounts/keeper.rs", "use crate::upstream::Drive;", "`accounts` may not use `upstream`"),
        ("daemon/src/upstream/drive.rs", "use crate::store::Store;", "`upstream` may not use `store`"),
        ("daemon/src/store/file.rs", "use crate::config::Config;", "`store` may not use `config`"),
        ("daemon/src/store/file.rs", "use crate::daemon::Daemon;", "`store` may not use `daemon`"),
        ("client/src/lib.rs", "use mcp_authd::config::Config;", "`client` may not use `config`"),
        ("client/authctl/src/main.rs", "fn f() { mcp_authd_oauth::time::now() }", "`client` may not use `oauth`"),
        ("daemon/src/cellar/mod.rs", "", "`cellar` is no room of the map"),
        ("daemon/src/rpc/mod.rs", "use crate::*;", "names the whole crate at once"),
    ];
    for (path, text, expected) in cases {
        let told = told(path, text);
        assert!(told.iter().any(|told| told.contains(expected)), "{path}: {told:?}");
    }
    assert!(told("daemon/src/daemon.rs", "use crate::store::Store; use crate::rpc; use mcp_authd_oauth::time::Now;").is_empty());
    assert!(told("daemon/src/main.rs", "use mcp_authd::daemon::run;").is_empty());
    assert!(told("client/authctl/src/main.rs", "use mcp_authd_client::Client; mod login; use crate::login;").is_empty());
}

#[test]
fn what_may_not_be_named_is_found() {
    let cases = [
        ("daemon/oauth/src/flow.rs", "use std::fs;"),
        ("daemon/oauth/src/flow.rs", "use std::{fmt, time::{Duration, Instant}};"),
        ("daemon/oauth/src/flow.rs", "async fn f() { tokio::time::sleep(d).await }"),
        ("daemon/src/accounts/machine.rs", "use tokio::sync::oneshot;"),
        ("daemon/src/accounts/machine/serve.rs", "use crate::host::clock::Clock;"),
        ("daemon/src/accounts/machine_refresh.rs", "use crate::host;"),
        ("daemon/src/accounts/keeper.rs", "use std as s; fn f() { s::fs::read(p); }"),
        ("daemon/src/store/file.rs", "use reqwest::Client;"),
        ("daemon/src/rpc/convert.rs", "use mcp_authd_oauth::secret::RefreshToken;"),
        ("daemon/src/rpc/convert.rs", "use mcp_authd_oauth::secret; fn f(s: secret::ClientSecret) {}"),
        ("daemon/src/rpc/convert.rs", "fn f() { debug!(\"{}\", DeviceCode::new(1)) }"),
        ("client/src/lib.rs", "use mcp_authd_oauth as o;"),
    ];
    for (path, text) in cases {
        let told = told(path, text);
        assert!(told.iter().any(|told| told.contains("may not name")), "{path}: {text}: {told:?}");
    }
    assert!(told("daemon/src/accounts/keeper.rs", "use tokio::sync::oneshot; use crate::host::clock::Clock;").is_empty());
    assert!(told("daemon/oauth/src/flow.rs", "use std::time::Duration; use crate::time::Instant;").is_empty());
}
