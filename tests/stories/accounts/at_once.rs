//! A person and twenty commands write the file at once.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::programs::{tool, until};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::task::JoinSet;

use super::edited::{BY_HAND, hand_written, started};
use super::{assert_done, file};
use crate::authctl::{Told, authctl};

const COMMANDS: usize = 20;

#[tokio::test]
async fn twenty_commands_at_once_and_a_person_who_saves_meanwhile_lose_nothing_of_each_other() {
    // given a file that a person wrote
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::prepare(Config::new());
    fs::write(daemon.dirs().config_file(), BY_HAND).unwrap();
    let daemon = started(daemon).await;

    // when the person goes on writing comments while twenty commands add accounts
    let mut person = Person { daemon: &daemon, comments: 0 };
    person.saves().await;
    let mut commands = all_at_once(&daemon, &server);
    let mut told = Vec::new();
    while let Some(ended) = commands.join_next().await {
        told.push(ended.unwrap());
        person.saves().await;
    }

    // then every command has done its work, and every line of both stands, once: in the file, or, if two saves came within one exchange,
    // in the version that is kept beside it
    assert_eq!(told.len(), COMMANDS);
    for told in told {
        assert_done(&told, "is added.");
    }
    let written = file(&daemon);
    assert!(hand_written(&written), "{written}");
    for number in 0..COMMANDS {
        assert_eq!(written.matches(&format!("[accounts.a{number}]\n")).count(), 1, "{number}: {written}");
    }
    let kept = kept_beside(&daemon);
    for number in 0..person.comments {
        let comment = Person::comment(number);
        let stands = written.matches(&comment).count();
        assert!(stands == 1 || (stands == 0 && kept.contains(&comment)), "{number}: {written}");
    }
    // What is served is what stands in the file.
    assert_done(&authctl(&daemon, &["reload"]).await, "Nothing has changed.");
    assert_eq!(tool(&daemon).status().await.unwrap().accounts.len(), COMMANDS + 1);
}

/// A person whose editor reads the file and replaces it in no time: the daemon stands still meanwhile, wherever it just is. An editor
/// that took any would lose what the daemon writes in it, whatever the daemon does.
struct Person<'d> {
    daemon: &'d Daemon,
    comments: usize,
}

impl Person<'_> {
    fn comment(number: usize) -> String {
        format!("# thought {number}.\n")
    }

    /// Adds a comment at the top.
    async fn saves(&mut self) {
        let daemon = Pid::from_raw(i32::try_from(self.daemon.pid()).unwrap());
        kill(daemon, Signal::SIGSTOP).unwrap();
        until("the daemon stands still", || stands_still(daemon)).await;
        let path = self.daemon.dirs().config_file();
        let beside = path.with_extension("edited");
        let before = fs::read(&path).unwrap();
        fs::write(&beside, [Self::comment(self.comments).as_bytes(), &before].concat()).unwrap();
        fs::set_permissions(&beside, PermissionsExt::from_mode(0o600)).unwrap();
        fs::rename(&beside, &path).unwrap();
        kill(daemon, Signal::SIGCONT).unwrap();
        self.comments += 1;
    }
}

/// What the daemon has kept of the person's versions.
fn kept_beside(daemon: &Daemon) -> String {
    let path = daemon.dirs().config_file();
    let entries = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let kept = entries.filter(|path| path.to_string_lossy().contains(".unfinished-"));
    kept.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Every thread of it has stopped.
fn stands_still(daemon: Pid) -> bool {
    let mut threads = fs::read_dir(format!("/proc/{daemon}/task")).unwrap().flatten();
    threads.all(|thread| fs::read_to_string(thread.path().join("stat")).is_ok_and(|stat| stat.contains(") T ")))
}

/// `authctl account add a0`, `a1` .. as so many processes.
fn all_at_once(daemon: &Daemon, server: &AuthorizationServer) -> JoinSet<Told> {
    let mut running = JoinSet::new();
    for number in 0..COMMANDS {
        let mut command = daemon.program("authctl");
        command.args(["account", "add", &format!("a{number}"), "--issuer", server.issuer()]);
        command.args(["--client-id", &format!("client-{number}")]);
        running.spawn(async move { Told::of(command.output().await.unwrap()) });
    }
    running
}
