//! What no tracked text holds: hosts of package registries, and paths of the machine it was written on.

use crate::obeyed;
use crate::tree::{self, Source};

/// Written in two halves, so that this file obeys too.
const HOSTS: [&str; 7] = [
    concat!("crates", ".io"),
    concat!("registry.npm", "js.org"),
    concat!("pypi", ".org"),
    concat!("files.python", "hosted.org"),
    concat!("deb.deb", "ian.org"),
    concat!("security.deb", "ian.org"),
    concat!("proxy.golang", ".org"),
];
const PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// A lock file of cargo names the registry in every entry.
fn is_judged(source: &Source) -> bool {
    !source.path.ends_with("Cargo.lock")
}

fn broken(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources.iter().filter(|source| is_judged(source)) {
        for (index, line) in source.text.lines().enumerate() {
            let host = HOSTS.into_iter().find(|host| line.contains(host));
            if let Some(word) = host.or_else(|| machine_path(line)) {
                broken.push(format!("{}:{}: {word}", source.path, index + 1));
            }
        }
    }
    broken
}

/// Where it begins a path: not as a part of a longer one, nor of a URL.
fn machine_path(line: &str) -> Option<&'static str> {
    let begins = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-~/}$".contains(c));
    PATHS.into_iter().find(|path| line.match_indices(path).any(|(at, _)| begins(at)))
}

#[test]
fn no_text_names_a_registry_or_a_path_of_a_machine() {
    obeyed("no registry hosts, no machine paths", &broken(&tree::texts()));
}

#[test]
fn no_lock_file_of_npm_names_where_a_package_came_from() {
    let locks: Vec<_> = tree::texts().into_iter().filter(|source| source.path.ends_with("package-lock.json")).collect();
    let resolved = locks.iter().filter(|lock| lock.text.contains("\"resolved\""));
    let told: Vec<_> = resolved.map(|lock| format!("{}: \"resolved\"; delete these members", lock.path)).collect();
    obeyed("package-lock.json holds no \"resolved\"", &told);
    assert!(!locks.is_empty(), "there is no package-lock.json any more; this law has nothing to judge");
}

#[test]
fn a_host_and_a_path_are_found() {
    let host = format!("see https://{}/x", HOSTS[0]);
    assert_eq!(broken(&[Source::imagined("README.md", &host)]).len(), 1);
    for path in PATHS {
        assert_eq!(broken(&[Source::imagined("a.sh", &format!("cd {path}x"))]).len(), 1);
        assert_eq!(broken(&[Source::imagined("a.sh", &format!("\"{path}\""))]).len(), 1);
        assert_eq!(broken(&[Source::imagined("a.sh", &format!("x='$DIR{path}y'; https://as.example{path}"))]).len(), 0);
    }
    assert_eq!(broken(&[Source::imagined("Cargo.lock", &host)]).len(), 0);
}
