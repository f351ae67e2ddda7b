//! The sockets, from outside.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, clippy::print_stdout, reason = "tests")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::{Mode, umask};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;
use crate::host::memory::Ebb;

struct House {
    _root: TempDir,
    path: PathBuf,
    owner: Owned,
}

fn house() -> House {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("run").join("tokens.sock");
    let Acquired::Owned(owner) = lock::acquire(&Folder::at(root.path().join("state")), "owner.lock").unwrap() else { panic!() };
    House { path, owner, _root: root }
}

impl House {
    fn bind(&self, places: usize, leftover: Leftover) -> Result<Listener, BindError> {
        Listener::bind(&self.path, Places::new(places, &Ebb::default()), leftover, &self.owner)
    }
}

#[tokio::test]
async fn a_caller_of_our_uid_is_served_and_known() {
    let house = house();
    let listener = house.bind(8, Leftover::Erase).unwrap();
    assert_eq!(fs::metadata(&house.path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(house.path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
    let mut caller = UnixStream::connect(&house.path).await.unwrap();
    let mut connection = listener.accept().await;
    assert_eq!(connection.peer().pid, Some(i32::try_from(std::process::id()).unwrap()));
    caller.write_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    connection.read_exact(&mut heard).await.unwrap();
    connection.write_all(&heard).await.unwrap();
    drop(connection);
    let mut answer = Vec::new();
    caller.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"hello");
}

#[tokio::test]
async fn a_live_socket_is_never_taken_and_a_dead_one_is() {
    let house = house();
    let live = house.bind(8, Leftover::Erase).unwrap();
    match house.bind(8, Leftover::Erase) {
        Err(BindError::HeldBy { pid, .. }) => assert_eq!(pid, Some(i32::try_from(std::process::id()).unwrap())),
        other => panic!("{other:?}"),
    }
    assert_eq!(live.standing(), Standing::Held);
    drop(live);
    assert!(!house.path.exists());

    // As after kill -9: the file stands, no lock is held.
    drop(std::os::unix::net::UnixListener::bind(&house.path).unwrap());
    assert!(matches!(house.bind(8, Leftover::Respect), Err(BindError::Occupied(_))));
    let next = house.bind(8, Leftover::Erase).unwrap();
    let _caller = UnixStream::connect(&house.path).await.unwrap();
    next.accept().await;
}

#[tokio::test]
async fn who_no_longer_owns_the_state_erases_no_socket() {
    let house = house();
    let folder = house.path.parent().unwrap();
    Folder::at(folder).ensure().unwrap();
    drop(std::os::unix::net::UnixListener::bind(&house.path).unwrap());
    fs::remove_file(house.owner.path()).unwrap();
    assert!(matches!(house.bind(8, Leftover::Erase), Err(BindError::Occupied(_))));
    assert!(house.path.exists());
}

#[tokio::test]
async fn what_is_not_a_socket_is_never_erased() {
    let house = house();
    Folder::at(house.path.parent().unwrap()).write("tokens.sock", b"notes").unwrap();
    let error = house.bind(8, Leftover::Erase).unwrap_err();
    assert!(matches!(error, BindError::File(FileError::Unsafe { why: Unsafe::NotASocket, .. })), "{error}");
    assert_eq!(fs::read(&house.path).unwrap(), b"notes");
}

#[tokio::test(start_paused = true)]
async fn a_lost_path_is_noticed_and_bound_again_while_connections_go_on() {
    let house = house();
    let listener = house.bind(8, Leftover::Erase).unwrap();
    let mut caller = BlockingStream::connect(&house.path).unwrap();
    let mut connection = listener.accept().await;
    let begin = tokio::time::Instant::now();
    let remove = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        fs::remove_dir_all(house.path.parent().unwrap()).unwrap();
    };
    let mut looks = tokio::time::interval(LOOK);
    tokio::join!(listener.lost(&mut looks), remove);
    assert!(begin.elapsed() <= Duration::from_secs(30));

    let again = house.bind(8, Leftover::Respect).unwrap();
    drop(listener);
    assert_eq!(again.standing(), Standing::Held, "the old listener erased the path of the new one");
    io::Write::write_all(&mut caller, b"x").unwrap();
    assert_eq!(connection.read_u8().await.unwrap(), b'x');
    let _second = BlockingStream::connect(&house.path).unwrap();
    again.accept().await;
}

#[tokio::test]
async fn connections_above_the_places_are_closed_and_a_free_place_serves_again() {
    let house = house();
    let listener = house.bind(2, Leftover::Erase).unwrap();
    let mut callers = Vec::new();
    let mut served = Vec::new();
    for _ in 0..2 {
        callers.push(UnixStream::connect(&house.path).await.unwrap());
        served.push(listener.accept().await);
    }
    let mut surplus = UnixStream::connect(&house.path).await.unwrap();
    tokio::select! {
        _ = listener.accept() => panic!("a third was served"),
        read = surplus.read_u8() => assert!(read.is_err(), "not closed"),
    }
    served.pop();
    let _caller = UnixStream::connect(&house.path).await.unwrap();
    listener.accept().await;
}

#[test]
fn only_our_own_uid_is_welcome_and_root_is_not() {
    let peer = |uid| Peer { uid, pid: None, executable: None, started: None };
    assert!(is_welcome(&peer(1000), 1000));
    assert!(!is_welcome(&peer(0), 1000));
    assert!(!is_welcome(&peer(1001), 1000));
    assert!(is_welcome(&peer(0), 0));
}

/// Runs only as a child: limits and umask belong to the whole process.
#[test]
fn in_a_process_without_descriptors() {
    if std::env::var_os("MCP_AUTHD_TEST_NO_DESCRIPTORS").is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let house = house();
        umask(Mode::empty());
        let listener = house.bind(8, Leftover::Erase).unwrap();
        assert_eq!(fs::metadata(&house.path).unwrap().permissions().mode() & 0o777, 0o600, "umask 0");
        let _caller = BlockingStream::connect(&house.path).unwrap();
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let held: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).take(16).collect();
        let used = held.iter().map(std::os::fd::AsRawFd::as_raw_fd).max().unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, u64::try_from(used).unwrap() + 1, hard).unwrap();
        assert!(fs::File::open("/dev/null").is_err(), "descriptors are left");
        assert_eq!(listener.standing(), Standing::Held, "the socket is not given up");
        assert_eq!(house.owner.standing(), Standing::Held, "nor is the state");

        tokio::time::pause();
        let begin = tokio::time::Instant::now();
        let mut polls = 0_u32;
        let waited = tokio::time::timeout(Duration::from_secs(60), async {
            let mut accept = std::pin::pin!(listener.accept());
            std::future::poll_fn(|context| {
                polls += 1;
                accept.as_mut().poll(context)
            })
            .await
        });
        assert!(waited.await.is_err());
        assert!(begin.elapsed() >= Duration::from_secs(60));
        assert!(polls < 200, "spins: {polls}");
        drop(held);
        tokio::time::resume();
        listener.accept().await;
    });
}

#[test]
fn without_descriptors_it_waits_without_spinning_and_then_serves() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "host::sockets::tests::in_a_process_without_descriptors", "--nocapture"])
        .env("MCP_AUTHD_TEST_NO_DESCRIPTORS", "1")
        .output()
        .unwrap();
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    assert!(told.contains("1 passed"), "{told}");
}

/// Runs only as a child under another uid: connects, and says what came.
#[test]
fn as_another_user() {
    let Some(path) = std::env::var_os("MCP_AUTHD_TEST_CONNECT") else { return };
    let mut stream = BlockingStream::connect(path).unwrap();
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut stream, &mut bytes).unwrap();
    println!("received {} bytes", bytes.len());
}

#[tokio::test]
async fn another_user_is_refused_even_where_the_modes_were_loosened() {
    use std::os::unix::process::CommandExt;
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: only root can start a program as another user");
        return;
    }
    let house = house();
    let listener = house.bind(8, Leftover::Erase).unwrap();
    for path in house.path.ancestors().take_while(|path| *path != std::env::temp_dir()) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    // The test's own program may stand where the other user cannot read it.
    let program = house.path.with_file_name("program");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(program);
    command.args(["--exact", "host::sockets::tests::as_another_user", "--nocapture"]).env("MCP_AUTHD_TEST_CONNECT", &house.path);
    command.current_dir("/").uid(4102).gid(4102);
    let ended = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = tokio::select! {
        _ = listener.accept() => panic!("another user was served"),
        output = ended => output.unwrap(),
    };
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("received 0 bytes"), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_folder_that_somebody_opens_up_does_not_lose_its_socket() {
    let house = house();
    let listener = house.bind(8, Leftover::Erase).unwrap();
    fs::set_permissions(house.path.parent().unwrap(), fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(listener.standing(), Standing::Held);
}

#[tokio::test(start_paused = true)]
async fn behind_a_shut_door_nobody_is_taken_in_and_nobody_is_turned_away() {
    let house = house();
    let company = Company::default();
    let places = || Places::among(&company, 8, &Ebb::default());
    let listener = Listener::bind(&house.path, places(), Leftover::Erase, &house.owner).unwrap();
    // An accept that is under way already when the door is shut.
    let accepting = listener.accept();
    tokio::pin!(accepting);
    assert!(tokio::time::timeout(LOOK, &mut accepting).await.is_err(), "nobody is there yet");
    let shut = company.shut().unwrap();
    let mut caller = UnixStream::connect(&house.path).await.unwrap();
    caller.write_all(b"hello").await.unwrap();
    assert!(tokio::time::timeout(LOOK * 10, &mut accepting).await.is_err(), "the door is shut");
    assert_eq!(company.guests(), 0);
    drop(shut);
    let mut connection = accepting.await;
    let mut heard = [0; 5];
    connection.read_exact(&mut heard).await.unwrap();
    assert_eq!((&heard, company.guests()), (b"hello", 1));
    drop(connection);
    assert_eq!(company.guests(), 0);
}
