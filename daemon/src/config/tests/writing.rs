//! The file on the disk: where it is written, with which mode, and what is told where it cannot be.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use nix::errno::Errno;

use super::drafts::draft;
use super::{AccountDraft, AccountName};
use crate::config::replace::{self, NotReplaced};
use crate::config::{Added, ConfigFile, EditError};

const WORK: &str = "# mine\n[accounts.work] # and this\ntoken_file = '/w'\n";

fn name(text: &str) -> AccountName {
    AccountName::parse(text).unwrap()
}

/// What a person is told.
fn told(error: &EditError, folder: &Path) -> String {
    let problems: Vec<_> = error.problems().iter().map(|(line, problem)| format!("{line}: {problem}\n")).collect();
    let told = format!("{}\nnext: {}\n{}---\n{}", error.message(), error.next_step(), problems.concat(), error.text());
    if folder == Path::new("/") {
        return told;
    }
    told.replace(&folder.canonicalize().unwrap().display().to_string(), "FOLDER").replace(&folder.display().to_string(), "FOLDER")
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_missing_file_and_its_folder_are_made_for_nobody_else() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("a/b");
    let file = ConfigFile::at(folder.join("config.toml"));
    let Added::Written { name, config } = file.add(&draft("")).unwrap() else { panic!("written") };
    assert_eq!(name.as_str(), "as.example");
    assert_eq!(config, file.load().unwrap());
    assert_eq!((mode(&folder), mode(&root.path().join("a")), mode(file.path())), (0o700, 0o700, 0o600));
    assert_eq!(names(&folder), ["config.toml"]);
    assert_eq!(
        fs::read_to_string(file.path()).unwrap(),
        "[accounts.\"as.example\"]\nissuer = \"https://as.example\"\nclient_id = \"abc\"\n"
    );
}

#[test]
fn adding_twice_writes_once_and_removing_gives_back_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let file = ConfigFile::at(folder.path().join("config.toml"));
    fs::write(file.path(), WORK).unwrap();
    fs::set_permissions(file.path(), Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(file.add(&draft("new")).unwrap(), Added::Written { .. }));
    let written = fs::read_to_string(file.path()).unwrap();
    assert_eq!(written, format!("{WORK}\n[accounts.new]\nissuer = \"https://as.example\"\nclient_id = \"abc\"\n"));
    let inode = fs::metadata(file.path()).unwrap().ino();
    for again in ["new", "", "other"] {
        let Added::Present { name, config } = file.add(&draft(again)).unwrap() else { panic!("present") };
        assert_eq!((name.as_str(), config), ("new", file.load().unwrap()));
    }
    assert_eq!(fs::metadata(file.path()).unwrap().ino(), inode, "nothing was written");
    let config = file.remove(&name("new")).unwrap();
    assert_eq!(config, file.load().unwrap());
    assert_eq!(fs::read_to_string(file.path()).unwrap(), WORK);
    assert_eq!(mode(file.path()), 0o640);
    assert_eq!(names(folder.path()), ["config.toml"]);
}

#[test]
fn the_owner_and_the_group_of_the_file_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = ConfigFile::at(folder.path().join("config.toml"));
    fs::write(file.path(), WORK).unwrap();
    // Only root may give a file away; anybody else tells at least that nothing moves.
    if nix::unistd::Uid::effective().is_root() {
        std::os::unix::fs::chown(file.path(), Some(12), Some(34)).unwrap();
    }
    let owner = |path: &Path| fs::metadata(path).map(|file| (file.uid(), file.gid())).unwrap();
    let before = owner(file.path());
    file.add(&draft("new")).unwrap();
    assert_eq!(owner(file.path()), before);
}

#[test]
fn a_chain_of_links_is_followed_and_stays() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    for folder in ["home", "dotfiles", "store"] {
        fs::create_dir(at(folder)).unwrap();
    }
    fs::write(at("store/real.toml"), WORK).unwrap();
    symlink("../store/real.toml", at("dotfiles/config.toml")).unwrap();
    symlink(at("dotfiles"), at("home/linked")).unwrap();
    symlink("linked/config.toml", at("home/config.toml")).unwrap();
    let file = ConfigFile::at(at("home/config.toml"));
    file.add(&draft("new")).unwrap();
    assert!(fs::read_to_string(at("store/real.toml")).unwrap().contains("[accounts.new]"));
    for (folder, expected) in
        [("home", vec!["config.toml", "linked"]), ("dotfiles", vec!["config.toml"]), ("store", vec!["real.toml"])]
    {
        assert_eq!(names(&at(folder)), expected);
    }
    assert_eq!(fs::read_link(at("home/config.toml")).unwrap(), Path::new("linked/config.toml"));
    assert_eq!(fs::read_link(at("dotfiles/config.toml")).unwrap(), Path::new("../store/real.toml"));
    file.remove(&name("new")).unwrap();
    assert_eq!(fs::read_to_string(at("store/real.toml")).unwrap(), WORK);
}

#[test]
fn a_link_to_nothing_is_refused_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = ConfigFile::at(folder.path().join("config.toml"));
    symlink("gone/config.toml", file.path()).unwrap();
    let error = file.add(&draft("new")).unwrap_err();
    assert_eq!(
        told(&error, folder.path()),
        "There is a mistake in \"FOLDER/config.toml\", so nothing was changed.\n\
         next: mend it, then do the same again, or paste the text into it as well\n\
         0: this is a symbolic link to nothing. Repair the link, or delete it to run without accounts\n---\n\
         [accounts.new]\nissuer = \"https://as.example\"\nclient_id = \"abc\""
    );
    assert_eq!(names(folder.path()), ["config.toml"]);
}

#[test]
fn a_read_only_file_is_refused_with_the_text_for_the_hand() {
    let folder = tempfile::tempdir().unwrap();
    let file = ConfigFile::at(folder.path().join("config.toml"));
    fs::write(folder.path().join("real.toml"), WORK).unwrap();
    symlink("real.toml", file.path()).unwrap();
    // The mode decides, so that this holds for root too, whom the system would let write.
    fs::set_permissions(file.path(), Permissions::from_mode(0o444)).unwrap();
    assert_eq!(
        told(&file.add(&draft("new")).unwrap_err(), folder.path()),
        "\"FOLDER/real.toml\" cannot be written: it is read-only.\n\
         next: paste the text into it (or into what it is made from) yourself, then: authctl reload\n---\n\
         [accounts.new]\nissuer = \"https://as.example\"\nclient_id = \"abc\""
    );
    assert_eq!(
        told(&file.remove(&name("work")).unwrap_err(), folder.path()),
        "\"FOLDER/real.toml\" cannot be written: it is read-only.\n\
         next: take the text out of it (or of what it is made from) yourself, then: authctl reload\n---\n\
         # mine\n[accounts.work] # and this\ntoken_file = '/w'"
    );
    assert!(matches!(file.remove(&name("gone")), Err(EditError::NoSuchAccount { .. })));
    let present =
        AccountDraft { token_file: "/w".to_owned(), ..AccountDraft { name: "work".to_owned(), ..AccountDraft::default() } };
    assert!(matches!(file.add(&present), Ok(Added::Present { .. })), "what needs no change needs no right to write");
    assert_eq!(fs::read_to_string(file.path()).unwrap(), WORK);
}

#[test]
fn a_read_only_folder_is_refused_with_the_text_for_the_hand() {
    let folder = tempfile::tempdir().unwrap();
    let file = ConfigFile::at(folder.path().join("config.toml"));
    fs::write(file.path(), WORK).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    let error = file.add(&draft("new")).unwrap_err();
    let told = told(&error, folder.path());
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    assert!(told.starts_with("\"FOLDER/config.toml\" cannot be written: its folder is read-only.\n"), "{told}");
    assert!(error.text().starts_with("[accounts.new]\n"));
    assert_eq!(
        (fs::read_to_string(file.path()).unwrap(), names(folder.path())),
        (WORK.to_owned(), vec!["config.toml".to_owned()])
    );
}

/// In devpts nobody makes a file, not even root, whatever the modes say: it stands in for what is mounted read-only.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_in_which_not_even_root_makes_a_file_is_refused_with_the_system_s_words() {
    let folder = Path::new("/dev/pts");
    assert!(folder.is_dir(), "a Linux without {}: this test needs another folder that takes no file", folder.display());
    let error = ConfigFile::at(folder.join("config.toml")).add(&draft("new")).unwrap_err();
    assert_eq!(
        told(&error, Path::new("/")),
        "\"/dev/pts/config.toml\" cannot be written: no file can be made beside it: permission denied.\n\
         next: paste the text into it (or into what it is made from) yourself, then: authctl reload\n---\n\
         [accounts.new]\nissuer = \"https://as.example\"\nclient_id = \"abc\""
    );
}

#[test]
fn a_refusal_of_the_system_is_told_from_a_mishap() {
    let refused = |code: Errno| matches!(replace::classified(&code.into(), "it cannot be replaced"), NotReplaced::Refused(_));
    assert!([Errno::EROFS, Errno::EACCES, Errno::EPERM, Errno::EBUSY].into_iter().all(refused));
    assert!(![Errno::ENOSPC, Errno::EDQUOT, Errno::EIO, Errno::EMFILE].into_iter().any(refused));
}

#[test]
fn a_folder_that_cannot_be_made_is_told_with_the_text_for_the_hand_or_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o707)).unwrap();
    let file = ConfigFile::at(folder.path().join("new/config.toml"));
    let error = file.add(&draft("new")).unwrap_err();
    assert!(matches!(&error, EditError::ReadOnly { why, .. } if why.contains("chmod o-w")), "{error:?}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_file_that_is_broken_in_any_way_is_left_alone_and_every_error_has_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = ConfigFile::at(folder.path().join("config.toml"));
    let broken: [(&[u8], &[u32]); 6] = [
        (b"[accounts.work\ntoken_file = '/w'\n", &[1]),
        (b"# good\n[accounts.work]\ntoken_file = 'w'\nscope = 'x'\n", &[3, 4]),
        (b"[accounts.work]\ntoken_file = '/w'\n[accounts.work]\n", &[3]),
        (b"# \xff\n", &[1]),
        (b"\n\0", &[2]),
        (b"acounts = 1\n[accounts.a]\nclient_secret = 'x'\n", &[1, 2, 2, 3]),
    ];
    for (bytes, lines) in broken {
        fs::write(file.path(), bytes).unwrap();
        for error in [file.add(&draft("new")).unwrap_err(), file.remove(&name("work")).unwrap_err()] {
            assert!(matches!(error, EditError::Broken { .. }));
            assert_eq!(error.problems().iter().map(|(line, _)| *line).collect::<Vec<_>>(), lines, "{error}");
        }
        assert_eq!(fs::read(file.path()).unwrap(), bytes);
        assert_eq!(names(folder.path()), ["config.toml"]);
    }
    let errors = file.load().unwrap_err();
    assert_eq!(errors.message(), format!("There are 4 mistakes in \"{}\", so nothing was changed.", file.path().display()));
    assert_eq!((errors.next_step(), errors.problems().len()), ("mend it, then: authctl reload", 4));
}

#[test]
fn a_file_that_others_may_write_is_not_written_either() {
    let folder = tempfile::tempdir().unwrap();
    let file = ConfigFile::at(folder.path().join("config.toml"));
    fs::write(file.path(), WORK).unwrap();
    fs::set_permissions(file.path(), Permissions::from_mode(0o666)).unwrap();
    let error = file.add(&draft("new")).unwrap_err();
    assert!(matches!(&error, EditError::Broken { .. }) && error.problems()[0].1.contains("chmod go-w"), "{error:?}");
}

#[test]
fn a_text_that_would_be_too_large_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = ConfigFile::at(folder.path().join("config.toml"));
    let text = "#".repeat(1024 * 1024 - 10);
    fs::write(file.path(), &text).unwrap();
    assert_eq!(
        told(&file.add(&draft("new")).unwrap_err(), folder.path()),
        "\"FOLDER/config.toml\" was not written: it would be larger than 1 MiB after that.\nnext: mend that, then do the same again\n---\n"
    );
    assert_eq!(fs::read_to_string(file.path()).unwrap(), text);
}

#[test]
fn another_account_of_the_same_name_and_one_that_is_not_there_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = ConfigFile::at(folder.path().join("config.toml"));
    assert_eq!(
        told(&file.remove(&name("work")).unwrap_err(), folder.path()),
        "There is no account \"work\".\nnext: there are no accounts; nothing is to be removed\n---\n"
    );
    assert!(names(folder.path()).is_empty(), "who takes out makes no file");
    fs::write(file.path(), WORK).unwrap();
    assert_eq!(
        told(&file.remove(&name("wrok")).unwrap_err(), folder.path()),
        "There is no account \"wrok\".\nnext: take one of these: work\n---\n"
    );
    assert_eq!(
        told(&file.add(&draft("work")).unwrap_err(), folder.path()),
        "There is another account \"work\" already.\nnext: see it with: authctl account show work; or take another name\n---\n"
    );
    assert_eq!(
        told(&file.add(&AccountDraft { issuer: String::new(), ..draft("new") }).unwrap_err(), folder.path()),
        "The account as it was described does not hold, so nothing was written.\nnext: do it again, mended\n\
         0: no authorization server is named. Add: --issuer URL (or --provider NAME; or, where the server publishes no metadata, \
         --device-authorization-endpoint URL --token-endpoint URL)\n---\n"
    );
}

#[test]
fn an_account_of_a_provider_that_the_file_describes_is_written_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let before = "# mine\n[providers.own]\nissuer = 'https://own.example'\n";
    fs::write(&path, before).unwrap();
    let draft = AccountDraft { provider: "own".to_owned(), client_id: "abc".to_owned(), ..AccountDraft::default() };
    for _ in 0..2 {
        ConfigFile::at(&path).add(&draft).unwrap();
        let expected = format!("{before}\n[accounts.own]\nprovider = \"own\"\nclient_id = \"abc\"\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), expected, "twice is as once");
    }
}
