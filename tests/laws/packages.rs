//! What a package depends on, by its `Cargo.toml`: the guests never on the house, the annex on no I/O, nobody on what is banned.

use toml_edit::{Document, TableLike};

use crate::obeyed;
use crate::tree::{self, Source};

/// The manifest, and what it never lists. Development dependencies do not count: a guest may be tried against the real house.
const NEVER: [(&str, &[&str]); 4] = [
    ("client/Cargo.toml", &["mcp-authd", "mcp-authd-oauth", "reqwest"]),
    ("client/authctl/Cargo.toml", &["mcp-authd", "mcp-authd-oauth"]),
    ("proto/Cargo.toml", &["mcp-authd", "mcp-authd-oauth", "mcp-authd-client", "tokio"]),
    ("daemon/oauth/Cargo.toml", &["mcp-authd-proto", "tokio", "reqwest", "rustls", "nix", "getrandom", "rand", "tracing"]),
];

fn broken(source: &Source, never: &[&str]) -> Vec<String> {
    let manifest = Document::parse(source.text.as_str()).unwrap_or_else(|error| panic!("{}: {error}", source.path));
    let lists = dependencies(manifest.as_table());
    let found = never.iter().filter(|name| lists.iter().any(|listed| listed == *name));
    found.map(|name| format!("{}: may not depend on {name}", source.path)).collect()
}

/// What `[dependencies]`, `[build-dependencies]` and the same below `[target.*]` list, by the name of the package.
fn dependencies(manifest: &dyn TableLike) -> Vec<String> {
    let mut all = Vec::new();
    for kind in ["dependencies", "build-dependencies"] {
        let listed = manifest.get(kind).and_then(|item| item.as_table_like());
        for (name, item) in listed.into_iter().flat_map(|table| table.iter()) {
            let renamed = item.as_table_like().and_then(|table| table.get("package")).and_then(|name| name.as_str());
            all.push(renamed.unwrap_or(name).to_owned());
        }
    }
    let targets = manifest.get("target").and_then(|item| item.as_table_like());
    for (_, target) in targets.into_iter().flat_map(|table| table.iter()) {
        all.extend(target.as_table_like().into_iter().flat_map(dependencies));
    }
    all
}

#[test]
fn no_package_depends_on_what_its_room_may_not_know() {
    let sources = tree::texts();
    let told = NEVER.iter().flat_map(|(path, never)| {
        let source = sources.iter().find(|source| source.path == *path).unwrap_or_else(|| panic!("{path} is gone"));
        broken(source, never)
    });
    obeyed("daemon/README.md, \"Arrows\"", &told.collect::<Vec<_>>());
}

#[test]
fn a_forbidden_dependency_is_found_however_it_is_written() {
    let ways = [
        "[dependencies]\nmcp-authd = { path = \"..\" }",
        "[dependencies]\nmcp-authd.workspace = true",
        "[dependencies.mcp-authd]\npath = \"..\"",
        "[dependencies]\nhouse = { path = \"..\", package = \"mcp-authd\" }",
        "[target.'cfg(unix)'.dependencies]\nmcp-authd = \"1\"",
        "[build-dependencies]\nmcp-authd = \"1\"",
    ];
    for way in ways {
        assert_eq!(broken(&Source::imagined("client/Cargo.toml", way), &["mcp-authd"]).len(), 1, "{way}");
    }
    let fine = "[dependencies]\nmcp-authd-proto.workspace = true\n[dev-dependencies]\nmcp-authd.workspace = true";
    assert!(broken(&Source::imagined("client/Cargo.toml", fine), &["mcp-authd"]).is_empty());
}
