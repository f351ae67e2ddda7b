//! One change of healthy facts after the other, and what each is found as.

use super::*;

/// What one change of the facts is found as.
pub(super) type Case = (&'static str, Facts, (Check, Level, &'static str), Exit);

fn sockets() -> Vec<Case> {
    let wrong = |fix| (Check::Sockets, Level::Wrong, fix);
    let path: PathBuf = PathBuf::from(RUN).join("tokens.sock");
    let knocked = |error: ConnectError| with_doors(|doors| doors.tokens.knock = Err(error));
    vec![
        (
            "loose folder",
            with_doors(|doors| doors.tokens.folder = stands(Kind::Folder, 0o777)),
            wrong("chmod 700 /run/user/1000/mcp-authd"),
            Exit::Failed,
        ),
        ("another's folder", with(|facts| facts.own_uid = 7), wrong("sudo chown 7 /run/user/1000/mcp-authd"), Exit::Failed),
        (
            "loose socket",
            with_doors(|doors| doors.tokens.socket = stands(Kind::Socket, 0o666)),
            wrong("chmod 600 /run/user/1000/mcp-authd/tokens.sock"),
            Exit::Failed,
        ),
        (
            "no socket",
            with_doors(|doors| doors.admin.socket = stands(Kind::File, 0o600)),
            wrong("ls -ld /run/user/1000/mcp-authd/admin.sock"),
            Exit::Failed,
        ),
        (
            "half",
            with_doors(|doors| doors.tokens.knock = no_daemon()),
            wrong("authctl daemon stop && authctl daemon start"),
            Exit::Failed,
        ),
        (
            "impostor",
            knocked(ConnectError::WrongOwner { path: path.clone(), uid: 7, own: 1000 }),
            wrong("ls -ln /run/user/1000/mcp-authd/tokens.sock"),
            Exit::Failed,
        ),
        (
            "closed",
            knocked(ConnectError::NotAllowed { path: path.clone() }),
            wrong("chmod 600 /run/user/1000/mcp-authd/tokens.sock"),
            Exit::Failed,
        ),
        (
            "hangs",
            knocked(ConnectError::TimedOut { path: path.clone(), after: Duration::from_secs(2) }),
            wrong("ps -C mcp-authd -o pid,stat,args"),
            Exit::Failed,
        ),
        (
            "long",
            knocked(ConnectError::PathTooLong { path, limit: 107 }),
            wrong("export MCP_AUTHD_SOCKET=/run/user/$(id -u)/mcp-authd/tokens.sock"),
            Exit::Failed,
        ),
        (
            "stale",
            absent().tap_doors(|doors| doors.tokens.socket = stands(Kind::Socket, 0o600)),
            (Check::Sockets, Level::WorthKnowing, "authctl daemon start"),
            Exit::NotRunning,
        ),
    ]
}

fn files() -> Vec<Case> {
    let wrong = |check, fix| (check, Level::Wrong, fix);
    let worth = |fix| (Check::Config, Level::WorthKnowing, fix);
    let problem = |line, message: &str| ConfigState::Broken(vec![ConfigProblem { line, message: message.into() }]);
    vec![
        ("no home", with(|facts| facts.kept = None), wrong(Check::Folders, "export HOME=/your/home"), Exit::Failed),
        (
            "loose records",
            healthy().tap_kept(|kept| kept.state.standing = stands(Kind::Folder, 0o755)),
            wrong(Check::Folders, "chmod 700 /home/ada/.local/state/mcp-authd"),
            Exit::Failed,
        ),
        (
            "a link",
            healthy().tap_kept(|kept| kept.data.standing = stands(Kind::Link, 0o777)),
            wrong(Check::Folders, "ls -ld /home/ada/.local/share/mcp-authd"),
            Exit::Failed,
        ),
        (
            "hidden",
            healthy().tap_kept(|kept| kept.state.standing = Standing::Hidden("no".into())),
            wrong(Check::Folders, "ls -ld /home/ada/.local/state/mcp-authd"),
            Exit::Failed,
        ),
        (
            "loose key",
            healthy().tap_kept(|kept| kept.key.standing = stands(Kind::File, 0o604)),
            wrong(Check::Folders, "chmod 600 /home/ada/.local/share/mcp-authd/store.key"),
            Exit::Failed,
        ),
        (
            "closed key",
            healthy().tap_kept(|kept| kept.key.standing = stands(Kind::File, 0)),
            wrong(Check::Folders, "chmod 600 /home/ada/.local/share/mcp-authd/store.key"),
            Exit::Failed,
        ),
        (
            "loose config",
            healthy().tap_kept(|kept| kept.config.standing = stands(Kind::File, 0o664)),
            wrong(Check::Config, "chmod go-w /home/ada/.config/mcp-authd/config.toml"),
            Exit::Failed,
        ),
        (
            "broken line",
            with_more(|more| more.config = problem(Some(8), "no.")),
            wrong(Check::Config, "${EDITOR:-vi} /home/ada/.config/mcp-authd/config.toml && authctl reload"),
            Exit::Failed,
        ),
        (
            "broken whole",
            with_more(|more| more.config = problem(None, "others may write."))
                .tap_kept(|kept| kept.config.standing = stands(Kind::File, 0o664)),
            wrong(Check::Config, "chmod go-w /home/ada/.config/mcp-authd/config.toml"),
            Exit::Failed,
        ),
        (
            "gone",
            with_more(|more| more.config = ConfigState::Missing),
            wrong(Check::Config, "ls -l /home/ada/.config/mcp-authd/config.toml"),
            Exit::Failed,
        ),
        ("changed", with_more(|more| more.config = ConfigState::Changed), worth("authctl reload"), Exit::Done),
        (
            "none",
            absent().tap_kept(|kept| kept.config.standing = Standing::Missing),
            worth("authctl account add URL"),
            Exit::NotRunning,
        ),
    ]
}

fn owners() -> Vec<Case> {
    let wrong = |fix| (Check::Lock, Level::Wrong, fix);
    let worth = |check, fix| (check, Level::WorthKnowing, fix);
    let silent = |process: Option<Process>, socket: &str| {
        without(|facts| (facts.situation.owner, facts.owner) = (Ownership::Runs(owner(socket)), process))
    };
    let here = "/run/user/1000/mcp-authd/tokens.sock";
    let stopped = Process { name: Some("mcp-authd".into()), is_stopped: true };
    let plan = |why| without(|facts| facts.situation.plan = Plan::Never(why));
    vec![
        ("silent", silent(healthy().owner, here), wrong("kill 4242"), Exit::NotRunning),
        ("stopped", silent(Some(stopped), here), wrong("kill -CONT 4242"), Exit::NotRunning),
        (
            "elsewhere",
            silent(healthy().owner, "/tmp/a b/t.sock"),
            wrong("export MCP_AUTHD_SOCKET='/tmp/a b/t.sock'"),
            Exit::NotRunning,
        ),
        (
            "another program",
            silent(Some(Process { name: Some("editor".into()), is_stopped: false }), here),
            (Check::Lock, Level::Well, ""),
            Exit::NotRunning,
        ),
        (
            "killed",
            without(|facts| facts.situation.owner = Ownership::Ended(owner(here))),
            (Check::Lock, Level::Well, ""),
            Exit::NotRunning,
        ),
        (
            "two",
            with_daemon(|examined| examined.status.pid = 7),
            wrong("export MCP_AUTHD_SOCKET=/run/user/1000/mcp-authd/tokens.sock"),
            Exit::Failed,
        ),
        (
            "other records",
            with(|facts| facts.situation.owner = Ownership::Nobody),
            worth(Check::Lock, "authctl daemon stop && authctl daemon start"),
            Exit::Done,
        ),
        (
            "marked",
            without(|facts| facts.situation.stop_mark = Some(("/x".into(), None))),
            worth(Check::Start, "authctl daemon start"),
            Exit::NotRunning,
        ),
        ("forbidden", plan(NotStarted::Forbidden), worth(Check::Start, "unset MCP_AUTHD_START"), Exit::NotRunning),
        (
            "no program",
            plan(NotStarted::NoProgram),
            (Check::Start, Level::Wrong, "export MCP_AUTHD_BIN=/path/to/mcp-authd"),
            Exit::NotRunning,
        ),
    ]
}

fn daemons() -> Vec<Case> {
    let wrong = |check, fix| (check, Level::Wrong, fix);
    let worth = |check, fix| (check, Level::WorthKnowing, fix);
    let log = "tail -n 20 /home/ada/.local/state/mcp-authd/mcp-authd.log";
    let restart = "authctl daemon stop && authctl daemon start";
    let limits = "ulimit -n 4096 && authctl daemon stop && authctl daemon start";
    let fails = |error| with(|facts| facts.daemon = Heard::Fails(error));
    vec![
        ("nothing", absent(), worth(Check::Daemon, "authctl daemon start && authctl doctor"), Exit::NotRunning),
        ("silent", fails(CallError::Silent { after: Duration::from_secs(10) }), wrong(Check::Daemon, "kill 4242"), Exit::Failed),
        ("version", with(|facts| facts.version = "0.2.0".into()), worth(Check::Daemon, restart), Exit::Done),
        ("old", with_daemon(|examined| examined.more = None), worth(Check::Daemon, restart), Exit::Done),
        ("locked", with_daemon(|examined| examined.status.key = Key::Locked), wrong(Check::Key, log), Exit::Locked),
        ("wrong key", with_daemon(|examined| examined.status.key = Key::Wrong), wrong(Check::Key, log), Exit::Locked),
        ("loading", with_daemon(|examined| examined.status.key = Key::Loading), worth(Check::Key, "authctl doctor"), Exit::Done),
        (
            "apart",
            with_more(|more| more.now = now().checked_sub(Duration::from_secs(3600))),
            wrong(Check::Clock, restart),
            Exit::Failed,
        ),
        (
            "1970",
            with(|facts| facts.situation.looked_at = SystemTime::UNIX_EPOCH),
            wrong(Check::Clock, "sudo timedatectl set-ntp true"),
            Exit::Failed,
        ),
        ("few", with_more(|more| more.open_files = 256), worth(Check::Limits, limits), Exit::Done),
        ("too few", with_more(|more| more.open_files = 64), wrong(Check::Limits, limits), Exit::Failed),
    ]
}

fn servers() -> Vec<Case> {
    let wrong = |check, fix| (check, Level::Wrong, fix);
    let check = "authctl provider check https://auth.example.com";
    let serves = |answer| with(|facts| facts.servers = vec![asked(answer)]);
    let passed_over = vec![PassedOver { issuer: "x".into(), message: "it names another issuer (RFC 8414, section 3.3)".into() }];
    let breach = Told { is_breach: true, message: "It breaks a rule.".into() };
    let breaks = Probed { server: Some(ProbedServer { findings: vec![breach], ..ProbedServer::default() }), ..good_server() };
    let down = NotProbed { message: "The resource could not be reached: refused.".into(), next_step: None };
    let degraded = AccountStatus { next_step: Some("authctl x".into()), ..account("work", Health::Degraded) };
    vec![
        (
            "login",
            with_account(account("work", Health::LoginRequired)),
            wrong(Check::Account, "authctl login work"),
            Exit::LoginRequired,
        ),
        (
            "waits",
            with_account(account("a b", Health::SigningIn)),
            wrong(Check::Account, "authctl login 'a b'"),
            Exit::LoginRequired,
        ),
        ("degraded", with_account(degraded), wrong(Check::Account, "authctl x"), Exit::Degraded),
        ("locked", with_account(account("work", Health::Locked)), wrong(Check::Account, "authctl status"), Exit::Locked),
        ("down", serves(Said::Probing(Probing::Nothing(down))), wrong(Check::Server, check), Exit::Degraded),
        ("slow", serves(Said::TimeOver(15)), wrong(Check::Server, check), Exit::Degraded),
        ("failed", serves(Said::Failed("no".into())), wrong(Check::Server, check), Exit::Degraded),
        ("liar", serves(found(Probed { passed_over, ..Probed::default() })), wrong(Check::Server, check), Exit::Degraded),
        (
            "no login",
            serves(found(Probed { login_possible: false, ..good_server() })),
            wrong(Check::Server, check),
            Exit::Degraded,
        ),
        ("breach", serves(found(breaks)), (Check::Server, Level::WorthKnowing, check), Exit::Done),
        (
            "offline",
            with(|facts| facts.asking = Asking::None),
            (Check::Server, Level::WorthKnowing, "authctl doctor"),
            Exit::Done,
        ),
    ]
}

fn services() -> Vec<Case> {
    let wrong_with = |fix| (Check::Service, Level::Wrong, fix);
    let failed = |now: &mut UnitsNow| (now.service.active, now.service.exit_code) = (Runs::Failed, Some(78));
    let out_of_reach = without(|facts| {
        (facts.service, facts.daemon) = (Managed::OutOfReach(Unreachable::NoRuntime), Heard::NotAsked);
    });
    vec![
        ("waits", waits(), (Check::Service, Level::Well, ""), Exit::Done),
        ("serves", managed(healthy(), installed()), (Check::Service, Level::Well, ""), Exit::Done),
        ("fails", wrong(failed), wrong_with("authctl service logs -n 20 && authctl daemon start"), Exit::NotRunning),
        (
            "disabled",
            managed(healthy(), {
                let mut units = installed();
                units.admin.enabled = "disabled".into();
                units
            }),
            wrong_with("authctl service install"),
            Exit::Failed,
        ),
        (
            "not enabled",
            managed(healthy(), {
                let mut units = installed();
                for unit in [&mut units.tokens, &mut units.admin, &mut units.service] {
                    (unit.enabled, unit.active) = ("disabled".into(), Runs::Not);
                }
                units
            }),
            (Check::Service, Level::WorthKnowing, "authctl service install"),
            Exit::Done,
        ),
        (
            "out of reach",
            out_of_reach,
            (Check::Service, Level::WorthKnowing, "export XDG_RUNTIME_DIR=/run/user/$(id -u)"),
            Exit::NotRunning,
        ),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [sockets(), files(), owners(), daemons(), services(), servers()].concat()
}
