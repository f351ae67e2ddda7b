//! Other users on either side of a socket (P1, P2), and a web page's bytes (P16).
//!
//! A stranger is this very test program, called again under another uid.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use mcp_authd_client::{CallError, Client, ConnectError, Need, Sockets};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::listening;
use mcp_authd_tests::programs::program;
use mcp_authd_tests::sentinel;
use mcp_authd_tests::server::Settings;
use mcp_authd_tests::skip::{Skip, skipped};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::runtime;
use crate::logged_in::{logged_in_at, look, used};

/// `nobody`, on most systems; on the others nobody's, too.
const STRANGER: u32 = 65_534;
/// What the stranger does, and where.
const ROLE: &str = "MCP_AUTHD_TESTS_STRANGER";
const PLACE: &str = "MCP_AUTHD_TESTS_STRANGER_AT";
/// The beginning of HTTP/2 (RFC 9113, 3.4), with empty SETTINGS.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Passes at once where it is not called as the stranger.
#[test]
#[expect(clippy::print_stdout, reason = "the story reads what the stranger tells on its standard output")]
fn the_stranger_knocks_or_serves_as_told() {
    let (Ok(role), Some(place)) = (std::env::var(ROLE), std::env::var_os(PLACE).map(PathBuf::from)) else { return };
    match role.as_str() {
        "knock" => match UnixStream::connect(&place) {
            Err(error) => println!("told: not connected ({:?})", error.kind()),
            Ok(mut stream) => {
                let _gone_already = stream.write_all(HTTP2);
                let mut got = Vec::new();
                let _reset = stream.read_to_end(&mut got);
                println!("told: {} bytes", got.len());
            }
        },
        _ => {
            let listener = UnixListener::bind(&place).unwrap();
            fs::set_permissions(&place, fs::Permissions::from_mode(0o777)).unwrap();
            println!("told: serving");
            loop {
                let (mut stream, _) = listener.accept().unwrap();
                let mut got = Vec::new();
                let _reset = stream.read_to_end(&mut got);
                println!("told: {} bytes", got.len());
            }
        }
    }
}

/// A stranger at work, and what it tells.
struct Stranger {
    _child: Child,
    told: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Stranger {
    fn starts(role: &str, place: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "sockets::strangers::the_stranger_knocks_or_serves_as_told", "--nocapture"])
            .env(ROLE, role)
            .env(PLACE, place)
            .current_dir("/")
            .uid(STRANGER)
            .gid(STRANGER)
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let told = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { _child: child, told }
    }

    async fn tells(&mut self) -> String {
        loop {
            let line = self.told.next_line().await.unwrap().expect("the stranger has ended without a word");
            // The test runner's own words may stand before it on the line.
            if let Some((_, told)) = line.split_once("told: ") {
                return told.to_owned();
            }
        }
    }
}

fn cannot_be_another_user(story: &str) -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        skipped(story, &Skip("only root can run a program as another user: run the tests as root".to_owned()));
    }
    !is_root
}

fn open_up(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
}

#[tokio::test]
async fn another_user_is_refused_with_modes_as_they_are_and_with_modes_loosened() {
    if cannot_be_another_user("another user is refused") {
        return;
    }
    let (_server, daemon, token) = logged_in_at(Settings::default()).await;

    // given modes as the daemon makes them, though all above is open: the kernel refuses
    open_up(daemon.dirs().root());
    open_up(&daemon.dirs().runtime());
    for socket in [daemon.tokens_socket(), daemon.admin_socket()] {
        assert_eq!(Stranger::starts("knock", &socket).tells().await, "not connected (PermissionDenied)");
    }

    // given modes that somebody has loosened: the daemon refuses, without a byte
    open_up(&runtime(&daemon));
    for socket in [daemon.tokens_socket(), daemon.admin_socket()] {
        open_up(&socket);
        assert_eq!(Stranger::starts("knock", &socket).tells().await, "0 bytes");
    }
    let refusals = daemon.logs().matches(&format!("refused a connection of another user uid={STRANGER}")).count();
    assert_eq!(refusals, 2, "the log names the uid");

    // and the owner is served all the while
    assert_eq!(used(look(&program(&daemon), "work").await).sha256(), token.sha256());
    fs::set_permissions(runtime(&daemon), fs::Permissions::from_mode(0o700)).unwrap();
}

#[tokio::test]
async fn a_folder_whose_modes_were_loosened_for_a_while_does_not_cost_the_daemon_its_sockets() {
    let (_server, daemon, token) = logged_in_at(Settings::default()).await;
    open_up(&runtime(&daemon));
    // law: sleep: the daemon looks at its folder every ten seconds, and says nothing where all is well
    tokio::time::sleep(Duration::from_secs(12)).await;
    fs::set_permissions(runtime(&daemon), fs::Permissions::from_mode(0o700)).unwrap();
    let looking = async {
        loop {
            let asked = program(&daemon).token(Need::account("work")).await;
            if let Ok(answer) = asked {
                return used(answer);
            }
            // law: sleep: the daemon binds again by its own clock, and a path cannot be waited for
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let served = tokio::time::timeout(Duration::from_secs(60), looking).await;
    assert_eq!(served.expect("the sockets are never served again").sha256(), token.sha256());
}

#[tokio::test]
async fn a_squatter_at_the_path_is_told_nothing_and_named() {
    if cannot_be_another_user("a squatter at the path is told nothing") {
        return;
    }
    // given a folder and a server of another user where the daemon's would be
    let daemon = Daemon::prepare(Config::new().account(Account::at("work", "http://127.0.0.1:1/")));
    for folder in [daemon.dirs().root().to_owned(), daemon.dirs().runtime()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::create_dir(runtime(&daemon)).unwrap();
    chown(runtime(&daemon), Some(STRANGER), Some(STRANGER)).unwrap();
    fs::set_permissions(runtime(&daemon), fs::Permissions::from_mode(0o755)).unwrap();
    let mut squatters = Vec::new();
    for socket in [daemon.tokens_socket(), daemon.admin_socket()] {
        let mut squatter = Stranger::starts("serve", &socket);
        assert_eq!(squatter.tells().await, "serving");
        squatters.push(squatter);
    }

    // when a program and the person's tool come, they go away without a word
    let client = Client::new(&Sockets::at(daemon.tokens_socket()));
    let error = client.token(Need::account("work")).await.unwrap_err();
    assert!(matches!(&error, CallError::Connect(ConnectError::WrongOwner { uid: STRANGER, .. })), "{error:?}");
    let status = daemon.program("authctl").arg("status").output().await.unwrap();
    let told = String::from_utf8(status.stderr).unwrap();
    assert!(status.status.code() == Some(1) && told.contains(&format!("belongs to uid {STRANGER}")), "{told}");
    for squatter in &mut squatters {
        assert_eq!(squatter.tells().await, "0 bytes");
    }

    // and a daemon refuses the folder
    let mut daemon = daemon;
    daemon.launch();
    assert_eq!(daemon.exited().await.code(), Some(1));
    let last = daemon.logs().lines().last().unwrap_or_default().to_owned();
    assert!(last.contains(&format!("it belongs to uid {STRANGER}, not to you")), "{last}");
    assert_eq!(fs::metadata(runtime(&daemon)).unwrap().uid(), STRANGER, "and touches nothing");
}

#[tokio::test]
async fn a_web_pages_bytes_are_answered_with_nothing_and_nothing_listens_on_the_network() {
    let (_server, daemon, token) = logged_in_at(Settings::default()).await;
    let requests: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\nConnection: close\r\n\r\n",
        b"POST /authd.v1.Tokens/GetToken HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/grpc\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0",
        b"POST /authd.v1.Tokens/GetToken HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nAccess-Control-Request-Method: POST\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello",
    ];
    for socket in [daemon.tokens_socket(), daemon.admin_socket()] {
        for request in requests {
            let got = tokio::task::spawn_blocking({
                let (socket, request) = (socket.clone(), request.to_vec());
                move || {
                    let mut stream = UnixStream::connect(socket).unwrap();
                    let _closed_already = stream.write_all(&request);
                    let mut got = Vec::new();
                    let _reset = stream.read_to_end(&mut got);
                    got
                }
            });
            let got = got.await.unwrap();
            // HTTP/2's own SETTINGS and GOAWAY may come; nothing that a page could read as an answer.
            let shown = String::from_utf8_lossy(&got);
            assert!(got.len() < 200 && !shown.contains("HTTP/1") && !shown.contains("200"), "{shown:?}");
            assert!(sentinel::in_bytes(&got).is_none());
        }
    }
    assert_eq!(used(look(&program(&daemon), "work").await).sha256(), token.sha256());

    // and there is no other door
    match listening::on_the_network(daemon.pid()) {
        Some(found) => assert_eq!(found, Vec::<String>::new(), "sockets that listen on the network"),
        None => {
            skipped("nothing listens on the network", &Skip("/proc/PID/fd cannot be read here: run as root on Linux".to_owned()))
        }
    }
}
