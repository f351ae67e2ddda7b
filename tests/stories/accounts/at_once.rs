//! A person and twenty commands write the file at once.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::programs::tool;
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
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
    std::fs::write(daemon.dirs().config_file(), BY_HAND).unwrap();
    let daemon = started(daemon).await;

    // when the person goes on writing comments while twenty commands add accounts
    let mut editor = Editor { path: daemon.dirs().config_file(), comments: 0 };
    editor.save();
    let mut commands = all_at_once(&daemon, &server);
    let mut told = Vec::new();
    while told.len() < COMMANDS {
        tokio::select! {
            Some(ended) = commands.join_next() => told.push(ended.unwrap()),
            // law: sleep: a person does not save all the time
            () = tokio::time::sleep(Duration::from_millis(20)) => editor.save(),
        }
    }
    editor.save();

    // then every command has done its work, and every line of both stands, once
    for told in told {
        assert_done(&told, "is added.");
    }
    let written = file(&daemon);
    assert!(hand_written(&written), "{written}");
    for number in 0..COMMANDS {
        assert_eq!(written.matches(&format!("[accounts.a{number}]\n")).count(), 1, "{number}: {written}");
    }
    for number in 0..editor.comments {
        assert_eq!(written.matches(&Editor::comment(number)).count(), 1, "{number}: {written}");
    }
    // What is served is what stands in the file.
    assert_done(&authctl(&daemon, &["reload"]).await, "Nothing has changed.");
    assert_eq!(tool(&daemon).status().await.unwrap().accounts.len(), COMMANDS + 1);
}

/// A person with an editor that notices when the file is not what it had read any more, as good ones do.
struct Editor {
    path: PathBuf,
    comments: usize,
}

impl Editor {
    fn comment(number: usize) -> String {
        format!("# thought {number}.\n")
    }

    /// Adds a comment at the top. What somebody else wrote in between is read, and the comment added to that.
    fn save(&mut self) {
        let beside = self.path.with_extension("edited");
        let comment = Self::comment(self.comments);
        self.comments += 1;
        let swap = || renameat2(AT_FDCWD, &beside, AT_FDCWD, &self.path, RenameFlags::RENAME_EXCHANGE).unwrap();
        loop {
            let before = std::fs::read(&self.path).unwrap();
            std::fs::write(&beside, [comment.as_bytes(), &before].concat()).unwrap();
            std::fs::set_permissions(&beside, PermissionsExt::from_mode(0o600)).unwrap();
            swap();
            if std::fs::read(&beside).unwrap() == before {
                std::fs::remove_file(&beside).unwrap();
                return;
            }
            swap();
        }
    }
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
