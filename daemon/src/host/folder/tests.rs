//! Private folders, from outside.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, clippy::useless_conversion, reason = "tests")]

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use nix::sys::stat::{Mode, umask};
use nix::unistd::geteuid;
use tempfile::{TempDir, tempdir};

use super::{Created, FileError, Folder, Unsafe};

const LIMIT: usize = 1 << 20;

fn private() -> (TempDir, Folder) {
    let root = tempdir().unwrap();
    let folder = Folder::at(root.path().join("ours"));
    (root, folder)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn why<T: std::fmt::Debug>(result: Result<T, FileError>) -> Unsafe {
    match result {
        Err(FileError::Unsafe { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T, FileError>) -> ErrorKind {
    match result {
        Err(FileError::Io { source, .. }) => source.kind(),
        other => panic!("{other:?}"),
    }
}

/// Changes the owner, where the test may. Loud where it may not.
fn gave_away(path: &Path) -> bool {
    let is_root = geteuid().is_root();
    if is_root {
        chown(path, Some(4102), None).unwrap();
    } else {
        eprintln!("SKIPPED: only root can give a file to another user");
    }
    is_root
}

#[test]
fn what_was_written_is_read_and_replaced_and_erased() {
    let (_root, folder) = private();
    assert_eq!(folder.read("a", LIMIT).unwrap(), None);
    folder.write("a", b"one").unwrap();
    folder.write("a", b"two").unwrap();
    assert_eq!(folder.read("a", LIMIT).unwrap().unwrap(), b"two");
    assert_eq!(folder.names().unwrap(), ["a"]);
    folder.remove("a").unwrap();
    folder.remove("a").unwrap();
    assert_eq!(folder.read("a", LIMIT).unwrap(), None);
}

#[test]
fn a_created_file_never_replaces_another() {
    let (_root, folder) = private();
    assert_eq!(folder.create("key", b"first").unwrap(), Created::New);
    assert_eq!(folder.create("key", b"second").unwrap(), Created::AlreadyThere);
    assert_eq!(folder.read("key", LIMIT).unwrap().unwrap(), b"first");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Runs only as the child of the test below: the umask belongs to the whole process.
#[test]
fn under_this_umask() {
    let (Some(path), Ok(mask)) = (std::env::var_os("MCP_AUTHD_TEST_FOLDER"), std::env::var("MCP_AUTHD_TEST_UMASK")) else {
        return;
    };
    umask(Mode::from_bits_truncate(u32::from_str_radix(&mask, 8).unwrap().try_into().unwrap()));
    let folder = Folder::at(path);
    folder.write("written", b"1").unwrap();
    folder.create("created", b"1").unwrap();
    assert!(matches!(crate::host::lock::acquire(&folder, "lock").unwrap(), crate::host::lock::Acquired::Owned(_)));
}

#[test]
fn no_umask_opens_anything_to_others_or_closes_it_to_us() {
    for mask in ["000", "022", "077", "277"] {
        let root = tempdir().unwrap();
        let folder = root.path().join("missing").join("ours");
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "host::folder::tests::under_this_umask"])
            .env("MCP_AUTHD_TEST_FOLDER", &folder)
            .env("MCP_AUTHD_TEST_UMASK", mask)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(mode(&folder), 0o700, "umask {mask}");
        assert_eq!(mode(folder.parent().unwrap()), 0o700, "umask {mask}");
        for name in ["written", "created"] {
            assert_eq!(mode(&folder.join(name)), 0o600, "umask {mask}, {name}");
        }
        assert_eq!(mode(&folder.join("lock")) & 0o077, 0, "umask {mask}");
    }
}

#[test]
fn a_folder_open_to_others_is_refused_with_the_command_that_repairs_it() {
    let (_root, folder) = private();
    folder.ensure().unwrap();
    for loose in [0o701, 0o710, 0o750, 0o755, 0o777] {
        fs::set_permissions(folder.path(), Permissions::from_mode(loose)).unwrap();
        let error = folder.ensure().unwrap_err().to_string();
        assert!(error.contains(&format!("chmod 700 \"{}\"", folder.path().display())), "{error}");
        assert!(folder.write("a", b"").is_err() && folder.read("a", LIMIT).is_err() && folder.names().is_err());
    }
}

#[test]
fn a_file_open_to_others_is_refused_with_the_command_that_repairs_it() {
    let (_root, folder) = private();
    folder.write("a", b"1").unwrap();
    fs::set_permissions(folder.join("a"), Permissions::from_mode(0o640)).unwrap();
    let error = folder.read("a", LIMIT).unwrap_err().to_string();
    assert!(error.contains(&format!("chmod 600 \"{}\"", folder.join("a").display())), "{error}");
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    let (_root, folder) = private();
    folder.write("a", b"1").unwrap();
    if gave_away(&folder.join("a")) {
        assert_eq!(why(folder.read("a", LIMIT)), Unsafe::OwnedBy(4102));
        assert!(gave_away(folder.path()));
        assert_eq!(why(folder.ensure()), Unsafe::OwnedBy(4102));
    }
}

#[test]
fn nothing_is_made_below_a_folder_of_another_user() {
    let root = tempdir().unwrap();
    let squatted = root.path().join("mcp-authd-4101");
    fs::create_dir(&squatted).unwrap();
    fs::set_permissions(&squatted, Permissions::from_mode(0o777)).unwrap();
    assert_eq!(why(Folder::at(squatted.join("ours")).ensure()), Unsafe::Replaceable);
    fs::set_permissions(&squatted, Permissions::from_mode(0o755)).unwrap();
    if gave_away(&squatted) {
        assert_eq!(why(Folder::at(squatted.join("ours")).ensure()), Unsafe::OwnedBy(4102));
    }
    assert!(!squatted.join("ours").exists());
}

#[test]
fn links_are_never_followed() {
    let (root, folder) = private();
    folder.ensure().unwrap();
    let target = root.path().join("target");
    fs::write(&target, "precious").unwrap();
    fs::set_permissions(&target, Permissions::from_mode(0o600)).unwrap();
    symlink(&target, folder.join("a")).unwrap();
    assert_eq!(why(folder.read("a", LIMIT)), Unsafe::Link);
    assert_eq!(folder.create("a", b"new").unwrap(), Created::AlreadyThere);
    folder.write("a", b"new").unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    assert_eq!(folder.read("a", LIMIT).unwrap().unwrap(), b"new");

    let link = root.path().join("link");
    symlink(folder.path(), &link).unwrap();
    assert_eq!(why(Folder::at(&link).ensure()), Unsafe::Link);
    let dangling = root.path().join("dangling");
    symlink(root.path().join("nowhere"), &dangling).unwrap();
    assert!(Folder::at(&dangling).ensure().is_err());
}

#[test]
fn what_is_not_a_file_is_refused_at_once() {
    let (_root, folder) = private();
    folder.ensure().unwrap();
    fs::create_dir(folder.join("folder")).unwrap();
    nix::unistd::mkfifo(&folder.join("fifo"), super::private()).unwrap();
    assert_eq!(why(folder.read("folder", LIMIT)), Unsafe::NotAFile);
    assert_eq!(why(folder.read("fifo", LIMIT)), Unsafe::NotAFile);
}

#[test]
fn a_file_above_the_limit_is_refused() {
    let (_root, folder) = private();
    folder.write("a", &[7; 11]).unwrap();
    assert_eq!(why(folder.read("a", 10)), Unsafe::TooLarge(10));
    assert_eq!(folder.read("a", 11).unwrap().unwrap().len(), 11);
}

#[test]
fn a_write_that_failed_leaves_the_old_file_and_succeeds_when_repeated() {
    let (root, folder) = private();
    folder.write("a", b"old").unwrap();
    // A folder stands in the way of the rename: the last step fails, after the write and its fsync.
    fs::create_dir(folder.join("b")).unwrap();
    assert!(folder.write("b", b"new").is_err());
    assert_eq!(BTreeSet::from_iter(folder.names().unwrap()), BTreeSet::from(["a".into(), "b".into()]));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "an unfinished file was left");
    fs::remove_dir(folder.join("b")).unwrap();
    folder.write("b", b"new").unwrap();

    // The folder itself is replaced by a file.
    let aside = root.path().join("aside");
    fs::rename(folder.path(), &aside).unwrap();
    fs::write(folder.path(), "in the way").unwrap();
    assert_eq!(why(folder.write("a", b"new")), Unsafe::NotAFolder);
    fs::remove_file(folder.path()).unwrap();
    fs::rename(&aside, folder.path()).unwrap();
    assert_eq!(folder.read("a", LIMIT).unwrap().unwrap(), b"old");
    folder.write("a", b"new").unwrap();
    assert_eq!(folder.read("a", LIMIT).unwrap().unwrap(), b"new");
}

#[test]
fn a_folder_that_was_deleted_comes_back_with_the_next_write() {
    let (_root, folder) = private();
    folder.write("a", b"1").unwrap();
    fs::remove_dir_all(folder.path()).unwrap();
    assert_eq!(folder.read("a", LIMIT).unwrap(), None);
    folder.remove("a").unwrap();
    folder.write("a", b"2").unwrap();
    assert_eq!((mode(folder.path()), mode(&folder.join("a"))), (0o700, 0o600));
}

#[test]
fn what_a_killed_writer_left_is_swept_and_nothing_else() {
    let (_root, folder) = private();
    folder.write("a", b"1").unwrap();
    fs::write(folder.join(".unfinished-0123456789abcdef"), "half").unwrap();
    assert_eq!(folder.names().unwrap(), ["a"]);
    folder.sweep().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    folder.try_writing().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_rename_never_replaces_another_file() {
    let (_root, folder) = private();
    folder.write("a", b"a").unwrap();
    folder.write("b", b"b").unwrap();
    assert_eq!(kind(folder.rename("a", "b")), ErrorKind::AlreadyExists);
    folder.rename("a", "c").unwrap();
    assert_eq!(folder.read("b", LIMIT).unwrap().unwrap(), b"b");
    assert_eq!(folder.read("c", LIMIT).unwrap().unwrap(), b"a");
}
