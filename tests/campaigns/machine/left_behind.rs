//! What a killed daemon leaves does not hinder the next one, and what a living one has is not taken (B16).

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{look, program, token, until};
use mcp_authd_tests::server::Settings;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::logged_in::Machine;
use crate::effort::{figures, rounds};
use crate::latencies::Latencies;

/// Ten times what a start may take.
const WATCHDOG: Duration = Duration::from_secs(2);
/// Far longer than giving way takes.
const GIVES_WAY_WATCHDOG: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_micros(500);

/// From the start of the process until its sockets take connections.
async fn bound_after(daemon: &mut Daemon) -> Duration {
    let began = Instant::now();
    daemon.launch();
    while UnixStream::connect(daemon.tokens_socket()).is_err() {
        // law: sleep: nobody tells when a socket is bound
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let took = began.elapsed();
    daemon.serves().await;
    took
}

#[tokio::test]
async fn b16_what_a_killed_daemon_left_is_bound_again_at_once() {
    let (mut machine, tokens) = Machine::with(1, Settings::default()).await;
    let rounds = rounds(200, 20);
    let (mut clean, mut killed) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        // the floor: a start after an orderly end
        machine.daemon.stop().await;
        assert!(!machine.daemon.tokens_socket().exists());
        clean.push(bound_after(&mut machine.daemon).await);

        // when it is killed, then its sockets and locks stand
        machine.daemon.kill();
        for socket in [machine.daemon.tokens_socket(), machine.daemon.admin_socket()] {
            assert!(fs::symlink_metadata(socket).unwrap().file_type().is_socket(), "nothing was tidied up");
        }

        // and the next one serves all the same
        let took = bound_after(&mut machine.daemon).await;
        assert!(took < WATCHDOG, "bound after {took:?}");
        killed.push(took);
        assert_eq!(token(look(&program(&machine.daemon), "account-0").await).sha256(), tokens[0].sha256());
    }
    assert_eq!(machine.server.counts().refreshes, 0);
    figures("b16", format!("{rounds} kills: bound {}; after an orderly end {}", Latencies::of(killed), Latencies::of(clean)));
}

/// Another daemon that is told to serve the same sockets; its store is where `state` says.
async fn another(daemon: &Daemon, more: &[(&str, &str)]) -> Output {
    let mut command = daemon.program("mcp-authd");
    command.envs(more.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(GIVES_WAY_WATCHDOG, command.output()).await;
    ended.expect("it serves beside the other one").unwrap()
}

fn identity(socket: &std::path::Path) -> (u64, u64) {
    let found = fs::symlink_metadata(socket).unwrap();
    (found.ino(), found.dev())
}

#[tokio::test]
async fn b16_a_living_daemons_socket_is_not_taken_even_where_it_does_not_answer() {
    let (machine, tokens) = Machine::with(1, Settings::default()).await;
    let daemon = &machine.daemon;
    let pid = Pid::from_raw(i32::try_from(daemon.pid()).unwrap());
    let sockets = [daemon.tokens_socket(), daemon.admin_socket()];
    let before = sockets.each_ref().map(|socket| identity(socket));
    let elsewhere = daemon.dirs().home().to_string_lossy().into_owned();
    let rounds = rounds(50, 5);
    for _ in 0..rounds {
        // given one that is stopped, so that no probe of its socket would find it
        kill(pid, Signal::SIGSTOP).unwrap();
        let stat = format!("/proc/{pid}/stat");
        until("it has stopped", || fs::read_to_string(&stat).unwrap().contains(") T ")).await;

        // when another one starts on its store, or on its sockets with a store of its own
        for more in [&[][..], &[("XDG_STATE_HOME", &*elsewhere), ("XDG_DATA_HOME", &*elsewhere)]] {
            let ended = another(daemon, more).await;
            let told = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.code(), Some(75), "{told}");
            assert!(told.lines().last().unwrap_or_default().contains(&format!("(pid {pid})")), "{told}");
        }

        // then its sockets are the ones that they were, and serve when it goes on
        assert_eq!(sockets.each_ref().map(|socket| identity(socket)), before);
        kill(pid, Signal::SIGCONT).unwrap();
        assert_eq!(token(look(&program(daemon), "account-0").await).sha256(), tokens[0].sha256());
    }
    figures("b16", format!("{} daemons started beside a stopped one: 0 sockets taken", 2 * rounds));
}
