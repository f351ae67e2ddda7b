//! Command lines and environments: of the daemon, of `authctl`, of the browser that it opens (P11).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::until;
use mcp_authd_tests::sentinel::Wanted;
use mcp_authd_tests::server::{AuthorizationServer, ClientMethod, ConfidentialClient, EarlyPolls, Settings};
use tokio::io::AsyncWriteExt as _;

use crate::effort::{figures, rounds};

const CLIENT: &str = "confidential:1";
const SECRET: &str = "SNTL_CS_000000_3fb1c29d7e60a854";

/// A browser that writes down what everybody can read of it.
const BROWSER: &str =
    "#!/bin/sh\ntr '\\0' '\\n' < /proc/$$/cmdline > \"$0.seen\"\ntr '\\0' '\\n' < /proc/$$/environ >> \"$0.seen\"\n";

fn wanted() -> Wanted {
    Wanted::kinds(&["RT", "CS", "DC", "AT"]).and(&SECRET.as_bytes()[15..23], "a piece of CS")
}

/// What was seen of the processes of one daemon and its guests.
#[derive(Debug, Default)]
struct Seen {
    samples: usize,
    processes: BTreeSet<u32>,
    names: BTreeSet<String>,
    leaks: Vec<String>,
    children: Vec<String>,
}

/// Looks at every process again and again, until it is told to stop.
struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Sampler {
    /// Of the daemon, and of whoever has this folder in its environment.
    fn begin(daemon: u32, folder: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, folder) = (stop.clone(), folder.to_str().expect("a path of ours is text").to_owned());
        let thread = std::thread::spawn(move || {
            let (mut seen, wanted) = (Seen::default(), wanted());
            while !stopped.load(Ordering::Relaxed) {
                look(daemon, &folder, &wanted, &mut seen);
            }
            seen
        });
        Self { stop, thread }
    }

    fn end(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the sampler looks to the end")
    }
}

fn look(daemon: u32, folder: &str, wanted: &Wanted, seen: &mut Seen) {
    seen.samples += 1;
    let processes = fs::read_dir("/proc").expect("there is /proc").flatten();
    for process in processes {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // A process that has just ended has nothing to show.
        let read = |what: &str| fs::read(process.path().join(what)).unwrap_or_default();
        let environment = read("environ");
        let is_ours = pid == daemon || environment.windows(folder.len()).any(|window| window == folder.as_bytes());
        if !is_ours {
            continue;
        }
        let status = String::from_utf8_lossy(&read("status")).into_owned();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned();
        if field("PPid:") == daemon.to_string() {
            seen.children.push(field("Name:"));
        }
        for (what, bytes) in [("environ", environment), ("cmdline", read("cmdline"))] {
            if let Some((secret, _)) = wanted.found_in(&bytes) {
                seen.leaks.push(format!("{secret} in the {what} of {}", field("Name:")));
            }
        }
        seen.processes.insert(pid);
        seen.names.insert(field("Name:"));
    }
}

/// `authctl`, with something on its standard input. What it printed.
async fn authctl(daemon: &Daemon, arguments: &[&str], input: &str) -> String {
    let mut command = daemon.program("authctl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("authctl can be started");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).await.expect("authctl reads");
    let output = child.wait_with_output().await.expect("authctl ends");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}

#[tokio::test]
async fn p11_no_secret_stands_in_a_command_line_or_an_environment_and_the_daemon_starts_no_program() {
    // given a confidential client, and a person whose browser writes down what it was given
    let client =
        ConfidentialClient { client_id: CLIENT.to_owned(), client_secret: SECRET.to_owned(), method: ClientMethod::Post };
    let settings = Settings { clients: vec![client], early_polls: EarlyPolls::Tolerated, ..Settings::default() };
    let server = AuthorizationServer::start(settings);
    let desk = tempfile::tempdir().expect("a folder can be made");
    let browser = desk.path().join("browser");
    fs::write(&browser, BROWSER).expect("it can be written");
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).expect("it can be made a program");
    let account = Account::at("work", server.issuer()).client_id(CLIENT).token_endpoint_auth_method("client_secret_post");
    let config = Config::new().account(account).environment("BROWSER", browser.as_os_str());
    let daemon = Daemon::start(config).await;
    let sampler = Sampler::begin(daemon.pid(), daemon.dirs().root());

    // when the person gives the secret, logs in, prints the token and logs out, again and again
    let rounds = rounds(50, 2);
    let shown = desk.path().join("browser.seen");
    for _ in 0..rounds {
        authctl(&daemon, &["account", "set-secret", "work"], &format!("{SECRET}\n")).await;
        let login = authctl(&daemon, &["login", "work"], "");
        let person = async {
            until("the browser is open", || fs::read_to_string(&shown).is_ok_and(|seen| seen.contains("PATH="))).await;
            let waiting = server.pending();
            server.approve(&waiting[0].user_code).expect("the code waits");
        };
        tokio::join!(login, person);
        let browser_saw = fs::read(&shown).expect("it was written");
        assert_eq!(wanted().found_in(&browser_saw), None, "the browser was given a secret");
        let begins = String::from_utf8_lossy(&browser_saw).into_owned();
        assert!(!begins.contains("MCP_AUTHD") && begins.contains(server.issuer()), "{begins}");
        fs::remove_file(&shown).expect("it was written");
        let printed = authctl(&daemon, &["token", "work"], "").await;
        assert!(printed.starts_with("SNTL_AT_"), "the token is printed");
        authctl(&daemon, &["logout", "work"], "").await;
    }

    // then none of them showed a secret to whoever looked, and the daemon has no children
    let seen = sampler.end();
    assert_eq!(seen.leaks, Vec::<String>::new());
    assert_eq!(seen.children, Vec::<String>::new(), "the daemon has started programs");
    assert!(seen.names.contains("authctl") && seen.names.contains("mcp-authd"), "hardly anything was seen: {seen:?}");
    figures(
        "p11",
        format!("{rounds} rounds, {} samples of {} processes, 0 secrets, 0 children", seen.samples, seen.processes.len()),
    );
}
