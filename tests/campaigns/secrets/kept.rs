//! What stands on the disk through a long run of logins, refreshes, rejections, logouts and kills (P5).

use std::fs;
use std::path::Path;

use mcp_authd_client::Need;
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::admin_client::AdminClient;
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{a_token, logged_in, program, records, tool, watched};
use mcp_authd_tests::sentinel::{self, Wanted};
use mcp_authd_tests::server::{
    At, AuthorizationServer, ClientMethod, Commit, ConfidentialClient, EarlyPolls, Misbehaviour, Rotation, Settings,
};

use crate::effort::{figures, rounds};
use mcp_authd_tests::bare::channel;

const CLIENT: &str = "confidential:1";
const SECRET: &str = "SNTL_CS_000000_5e0d8b7a1c93f642";
/// No secret of ours is longer, in whatever form.
const OVERLAP: usize = 4096;

/// Every file of a folder, with its content.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(&folder).expect("it can be listed").flatten() {
            let kind = entry.file_type().expect("an entry has a type");
            if kind.is_dir() {
                left.push(entry.path());
            } else if kind.is_file() {
                // A record on its way has another name by now.
                match fs::read(entry.path()) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    read => found.push((entry.path().display().to_string(), read.expect("it can be read"))),
                }
            }
        }
    }
    found
}

/// How far the daemon's log has been read: it only grows, and what is issued later does not stand in what was written before.
#[derive(Default)]
struct Looked {
    log: usize,
}

impl Looked {
    /// No secret so far stands in any file of ours, neither its mark nor its first characters. How many files were read.
    fn assert_none_in_clear(&mut self, folders: &[&Path], server: &AuthorizationServer) -> usize {
        let issued = server.issued();
        let issued = issued.iter().map(String::as_str).filter(|secret| !secret.starts_with("SNTL-"));
        let wanted = Wanted::pieces(issued.chain([SECRET]));
        let files: Vec<_> = folders.iter().flat_map(|folder| files(folder)).collect();
        for (name, bytes) in &files {
            let new = if name.ends_with("/daemon.log") { self.new_of_log(bytes) } else { bytes };
            assert_eq!(sentinel::in_bytes(new), None, "{name}");
            assert_eq!(wanted.found_in(new), None, "{name}");
        }
        files.len()
    }

    /// What the log says since the last look, and a little of before: a secret may have been half written.
    fn new_of_log<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        assert!(bytes.len() >= self.log, "the log only grows");
        let begin = self.log.saturating_sub(OVERLAP);
        self.log = bytes.len();
        &bytes[begin..]
    }
}

#[tokio::test]
async fn p5_nothing_secret_stands_in_clear_on_the_disk_whatever_happens() {
    // given a confidential client, and temporary files in a folder that is looked at too
    let client =
        ConfidentialClient { client_id: CLIENT.to_owned(), client_secret: SECRET.to_owned(), method: ClientMethod::Basic };
    let rotation = Rotation::Grace(std::time::Duration::from_secs(600));
    let settings = Settings { clients: vec![client], early_polls: EarlyPolls::Tolerated, rotation, ..Settings::default() };
    let server = AuthorizationServer::start(settings);
    let account = Account::at("work", server.issuer()).client_id(CLIENT).scopes(["mcp:read", "openid"]);
    let temporary = tempfile::tempdir().expect("a folder can be made");
    let config = Config::new().account(account).environment("TMPDIR", temporary.path());
    let mut daemon = Daemon::start(config).await;
    let mut admin = AdminClient::new(channel(daemon.admin_socket()).await);
    let given = v1::SetClientSecretRequest { account: "work".to_owned(), client_secret: SECRET.to_owned() };
    admin.set_client_secret(given).await.expect("the secret is taken");

    let rounds = rounds(200, 2);
    let (mut looks, mut read, mut looked) = (0, 0, Looked::default());
    let mut look = |daemon: &Daemon| {
        looks += 1;
        read += looked.assert_none_in_clear(&[daemon.dirs().root(), temporary.path()], &server);
    };
    for round in 0..rounds {
        // when the person logs in, and a program is refused its token
        logged_in(&daemon, "work").await;
        look(&daemon);
        let client = program(&daemon);
        let mut watch = client.watch(Need::account("work"));
        let present = watched(&mut watch, a_token).await;
        // and the daemon is killed in the midst of the refresh, with the server's part done or not
        let at = if round % 2 == 0 { Commit::Before } else { Commit::After };
        server.script(At::Refresh, Misbehaviour::KillPeer { pid: daemon.pid(), at });
        let _no_answer = client.report_rejected(&present).await;
        daemon.exited().await;
        look(&daemon);
        daemon.start_again().await;
        let mut watch = program(&daemon).watch(Need::account("work"));
        watched(&mut watch, |answer| a_token(answer).filter(|token| token.sha256() != present.sha256())).await;
        look(&daemon);
        // and logs out
        tool(&daemon).sign_out(Some("work".to_owned())).await.expect("the tool is answered");
        look(&daemon);
    }

    // then nothing was found in any file, at any of these moments, and there were records to find something in
    logged_in(&daemon, "work").await;
    look(&daemon);
    assert!(records(&daemon).len() >= 3, "a grant, a sign-in and a registration: {:?}", records(&daemon));
    assert!(server.counts().refreshes_ok() >= u64::try_from(rounds).expect("it fits"), "refreshes were done");
    figures(
        "p5",
        format!("{rounds} rounds with a kill each, {looks} looks, {read} files read, {} secrets, 0 found", server.issued().len()),
    );
}
