//! The files in the tree: compared with what is made, and written where that is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The names of the files in this folder that are not what was made: changed, missing, or of ours and made no more.
pub(crate) fn stale(folder: &Path, made: &BTreeMap<String, String>, ours: impl Fn(&str) -> bool) -> Vec<String> {
    if std::env::var_os("MCP_AUTHD_REGENERATE").is_some() {
        write(folder, made, &ours);
    }
    let kept = files(folder).into_iter().filter(|file| ours(file));
    let all: BTreeSet<String> = kept.chain(made.keys().cloned()).collect();
    all.into_iter().filter(|file| fs::read_to_string(folder.join(file)).ok().as_ref() != made.get(file)).collect()
}

fn write(folder: &Path, made: &BTreeMap<String, String>, ours: impl Fn(&str) -> bool) {
    fs::create_dir_all(folder).expect("the folder can be made");
    for file in files(folder).into_iter().filter(|file| ours(file) && !made.contains_key(file)) {
        fs::remove_file(folder.join(file)).expect("what is made no more can be removed");
    }
    for (file, text) in made {
        fs::write(folder.join(file), text).expect("what is made can be written");
    }
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_a_missing_and_a_left_over_file_are_stale_and_another_programs_is_not_ours() {
        // Where the committed files are made anew, nothing is stale afterwards.
        if std::env::var_os("MCP_AUTHD_REGENERATE").is_some() {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder");
        for (file, text) in [("a.1", "a"), ("a-changed.1", "old"), ("a-gone.1", "x"), ("b.1", "b")] {
            fs::write(folder.path().join(file), text).expect("written");
        }
        let made = [("a.1", "a"), ("a-changed.1", "new"), ("a-missing.1", "m")];
        let made: BTreeMap<_, _> = made.map(|(file, text)| (file.to_owned(), text.to_owned())).into();
        assert_eq!(stale(folder.path(), &made, |file| file.starts_with('a')), ["a-changed.1", "a-gone.1", "a-missing.1"]);

        write(folder.path(), &made, |file| file.starts_with('a'));
        assert!(stale(folder.path(), &made, |file| file.starts_with('a')).is_empty());
        assert!(folder.path().join("b.1").exists() && !folder.path().join("a-gone.1").exists());
    }
}
