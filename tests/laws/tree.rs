//! The files of the repository: what git tracks, and what it would track after the next commit.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file.
pub(crate) struct Source {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
}

impl Source {
    /// A file that exists only in a test.
    pub(crate) fn imagined(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a parent").to_owned()
}

/// The path of every file.
pub(crate) fn paths() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git tells which files are tracked; install git");
    assert!(listed.status.success(), "git: {}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).expect("paths are UTF-8");
    let mut paths: Vec<_> = listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    paths.retain(|path| root().join(path).is_file());
    paths.sort();
    paths.dedup();
    assert!(paths.len() > 20, "git lists hardly any file: {paths:?}");
    paths
}

/// Every file that is text.
pub(crate) fn texts() -> Vec<Source> {
    paths()
        .into_iter()
        .filter_map(|path| Some(Source { text: std::fs::read_to_string(root().join(&path)).ok()?, path }))
        .collect()
}

/// Every `.rs` file that a person wrote.
pub(crate) fn rust() -> Vec<Source> {
    let mut sources = texts();
    sources.retain(|source| source.path.ends_with(".rs") && !source.path.starts_with("proto/src/generated/"));
    sources
}

/// Every `.rs` file below one of these folders.
pub(crate) fn rust_below(folders: &[&str]) -> Vec<Source> {
    let mut sources = rust();
    sources.retain(|source| folders.iter().any(|folder| source.path.starts_with(folder)));
    assert!(!sources.is_empty(), "no file below {folders:?}");
    sources
}
