//! Two who write at once, and a hand between a look and the write: nobody's bytes are lost.

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use super::drafts::draft;
use super::{AccountDraft, AccountName};
use crate::config::replace::Moment;
use crate::config::{Added, ConfigFile, EditError};

const WORK: &str = "[accounts.work]\ntoken_file = '/w'\n";
const BY_HAND: &str = "# by hand\n[accounts.hand]\ntoken_file = '/h'\n";

fn prepared(folder: &Path) -> ConfigFile {
    let file = ConfigFile::at(folder.join("config.toml"));
    fs::write(file.path(), WORK).unwrap();
    file
}

fn alone(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().count() == 1
}

/// As most editors save: a new file under the old name.
fn save_anew(path: &Path, text: &str) {
    let beside = path.with_extension("swp");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}

/// As the others do: the same file, cut and written.
fn save_in_place(path: &Path, text: &str) {
    fs::OpenOptions::new().write(true).truncate(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_hand_that_saves_at_any_moment_is_not_overwritten() {
    let saves: [fn(&Path, &str); 2] = [save_anew, save_in_place];
    // Where files cannot be exchanged, the last moment is open, and says so.
    let moments = if cfg!(all(target_os = "linux", target_env = "gnu")) {
        vec![Moment::Prepared, Moment::Compared]
    } else {
        vec![Moment::Prepared]
    };
    for moment in moments {
        for save in saves {
            let folder = tempfile::tempdir().unwrap();
            let file = prepared(folder.path());
            let saved = Cell::new(false);
            let added = file.add_while(&draft("new"), &|now| {
                if now == moment && !saved.replace(true) {
                    save(file.path(), BY_HAND);
                }
            });
            assert!(matches!(added, Ok(Added::Written { .. })), "{added:?}");
            let text = fs::read_to_string(file.path()).unwrap();
            assert_eq!(text, format!("{BY_HAND}\n[accounts.new]\nissuer = \"https://as.example\"\nclient_id = \"abc\"\n"));
            assert!(alone(folder.path()));
        }
    }
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn a_hand_that_saves_again_while_its_first_version_goes_back_is_followed_and_that_one_is_kept_beside() {
    const LATER: &str = "# by hand, later\n[accounts.hand]\ntoken_file = '/h'\n";
    let folder = tempfile::tempdir().unwrap();
    let file = prepared(folder.path());
    let saves = Cell::new(0);
    let added = file.add_while(&draft("new"), &|now| match (now, saves.get()) {
        (Moment::Compared, 0) => {
            saves.set(1);
            save_anew(file.path(), BY_HAND);
        }
        (Moment::Exchanged, 1) => {
            saves.set(2);
            save_anew(file.path(), LATER);
        }
        _ => {}
    });
    assert!(matches!(added, Ok(Added::Written { .. })), "{added:?}");
    let text = fs::read_to_string(file.path()).unwrap();
    assert_eq!(text, format!("{LATER}\n[accounts.new]\nissuer = \"https://as.example\"\nclient_id = \"abc\"\n"));
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let beside: Vec<_> = names.filter(|path| path != file.path()).collect();
    assert_eq!(beside.iter().map(|path| fs::read_to_string(path).unwrap()).collect::<Vec<_>>(), [BY_HAND]);
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn a_hand_that_saves_on_and_on_is_told_of_the_version_that_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = prepared(folder.path());
    let saves = Cell::new(0);
    let added = file.add_while(&draft("new"), &|now| {
        if now != Moment::Prepared {
            saves.set(saves.get() + 1);
            save_anew(file.path(), &format!("{WORK}# {}\n", saves.get()));
        }
    });
    let Err(error @ EditError::Failed { .. }) = added else { panic!("{added:?}") };
    assert!(error.message().contains("others wrote it at the same moment"), "{}", error.message());
    // what was saved last stands, or is the one that is kept
    let texts: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    assert!(texts.len() == 2 && texts.contains(&format!("{WORK}# {}\n", saves.get())), "{texts:?}");
}

#[test]
fn a_hand_that_breaks_or_deletes_the_file_meanwhile_is_heard() {
    for moment in [Moment::Prepared, Moment::Compared] {
        let folder = tempfile::tempdir().unwrap();
        let file = prepared(folder.path());
        if moment == Moment::Prepared || cfg!(all(target_os = "linux", target_env = "gnu")) {
            let broken = file.add_while(&draft("new"), &|now| {
                if now == moment {
                    save_anew(file.path(), "[accounts\n");
                }
            });
            assert!(matches!(broken, Err(EditError::Broken { .. })), "{broken:?}");
            assert_eq!(fs::read_to_string(file.path()).unwrap(), "[accounts\n");
        }
        fs::write(file.path(), WORK).unwrap();
        let removed = Cell::new(false);
        let name = AccountName::parse("work").unwrap();
        let gone = file.remove_while(&name, &|now| {
            if now == moment && !removed.replace(true) {
                fs::remove_file(file.path()).unwrap();
            }
        });
        if moment == Moment::Prepared || cfg!(all(target_os = "linux", target_env = "gnu")) {
            assert!(matches!(gone, Err(EditError::NoSuchAccount { .. })), "{gone:?}");
            assert!(!file.path().exists());
        }
    }
}

#[test]
fn a_file_that_appears_meanwhile_is_not_overwritten() {
    for moment in [Moment::Prepared, Moment::Compared] {
        let folder = tempfile::tempdir().unwrap();
        let file = ConfigFile::at(folder.path().join("config.toml"));
        let added = file.add_while(&draft("new"), &|now| {
            if now == moment && !file.path().exists() {
                fs::write(file.path(), BY_HAND).unwrap();
            }
        });
        assert!(matches!(added, Ok(Added::Written { .. })));
        assert!(fs::read_to_string(file.path()).unwrap().starts_with(BY_HAND));
        assert!(alone(folder.path()));
    }
}

#[test]
fn a_file_that_never_rests_is_given_up_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = prepared(folder.path());
    let times = Cell::new(0);
    let added = file.add_while(&draft("new"), &|now| {
        if now == Moment::Prepared {
            times.set(times.get() + 1);
            save_anew(file.path(), &format!("{WORK}# {}\n", times.get()));
        }
    });
    let Err(error @ EditError::Busy { .. }) = added else { panic!("{added:?}") };
    assert!(error.next_step().starts_with("close the editor"));
    assert_eq!(fs::read_to_string(file.path()).unwrap(), format!("{WORK}# {}\n", times.get()));
    assert!(alone(folder.path()));
}

#[test]
fn many_writers_at_once_lose_nothing_of_each_other() {
    const WRITERS: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    let file = prepared(folder.path());
    let together = Barrier::new(WRITERS);
    thread::scope(|scope| {
        for number in 0..WRITERS {
            let (file, together) = (&file, &together);
            scope.spawn(move || {
                let draft = AccountDraft { client_id: format!("c{number}"), ..draft(&format!("n{number}")) };
                together.wait();
                assert!(matches!(file.add(&draft).unwrap(), Added::Written { .. }));
                if number % 2 == 0 {
                    file.remove(&AccountName::parse(&draft.name).unwrap()).unwrap();
                }
            });
        }
    });
    let config = file.load().unwrap();
    let named: Vec<_> = config.accounts.keys().map(AccountName::as_str).collect();
    assert_eq!(named, ["n1", "n3", "n5", "n7"]);
    assert!(fs::read_to_string(file.path()).unwrap().starts_with(WORK));
    assert!(alone(folder.path()));
}

#[test]
fn two_who_add_the_same_at_once_write_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = ConfigFile::at(folder.path().join("new/config.toml"));
    let together = Barrier::new(2);
    let written = thread::scope(|scope| {
        let one = || {
            together.wait();
            usize::from(matches!(file.add(&draft("")).unwrap(), Added::Written { .. }))
        };
        let both = [scope.spawn(one), scope.spawn(one)];
        both.map(|one| one.join().unwrap()).iter().sum::<usize>()
    });
    assert_eq!(written, 1);
    assert_eq!(file.load().unwrap().accounts.len(), 1);
}
