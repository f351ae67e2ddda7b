//! `authctl daemon status`: whether it runs, where, who owns the store, and how it would be started.
//!
//! Must never: start the daemon, or break a path that is for copying.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use mcp_authd_client::start::{NotStarted, Ownership, Plan, Situation};
use mcp_authd_client::status::DaemonStatus;
use mcp_authd_client::{AdminClient, CallError, ConnectError, Sockets};
use serde_json::{Value, json};

use crate::cli;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::screen::{self, Page, Tone, words};
use crate::service::{Managed, Runs};

/// `authctl daemon status`.
pub(super) async fn run(options: cli::DaemonStatus) -> Result<Exit, Failure> {
    let sockets = Sockets::find()?;
    let client = AdminClient::new(&sockets).never_starting();
    let managed = if sockets.are_named() { Managed::No } else { Managed::look().await };
    let situation = Situation::look(&sockets);
    let running = match asked(&client, &managed, &situation).await {
        Some(Ok(status)) => Some(Running { status, admin: client.socket().map(Path::to_owned) }),
        None | Some(Err(CallError::Connect(ConnectError::NoDaemon { .. }))) => None,
        Some(Err(error)) => return Err(error.into()),
    };
    let text = match (&running, options.json) {
        (running, true) => json::line(&object(running.as_ref(), &situation, &managed)),
        (Some(running), false) => render_running(running, &situation, Page::of_stdout()),
        (None, false) => render_absent(&situation, &managed, Page::of_stdout()),
    };
    screen::print(&text)?;
    Ok(if running.is_some() { Exit::Done } else { Exit::NotRunning })
}

/// What the daemon says. `None`: to ask could start it, as a service manager listens for it, or may.
async fn asked(client: &AdminClient, managed: &Managed, situation: &Situation) -> Option<Result<DaemonStatus, CallError>> {
    let runs = matches!(situation.owner, Ownership::Runs(_));
    let asks = !managed.waits() && (runs || !matches!(managed, Managed::OutOfReach(_)));
    if asks { Some(client.status().await) } else { None }
}

/// A daemon that answers, and the socket that it answers at.
struct Running {
    status: DaemonStatus,
    admin: Option<PathBuf>,
}

impl Running {
    /// The socket for programs, in the same folder.
    fn tokens<'a>(&self, situation: &'a Situation) -> Option<&'a PathBuf> {
        let folder = self.admin.as_deref().and_then(Path::parent);
        situation.tokens_sockets.iter().find(|tokens| tokens.parent() == folder)
    }
}

fn render_running(running: &Running, situation: &Situation, page: Page) -> String {
    let status = &running.status;
    let mut text = page.paragraph(&format!("mcp-authd {} is running", status.version));
    text.push_str(&page.field("pid", &status.pid.to_string()));
    if let Some(age) = ago(status.started_at, status.told_at) {
        text.push_str(&page.field("runs", &format!("for {age}")));
    }
    text.push_str(&path("programs", running.tokens(situation), page));
    text.push_str(&path("person", running.admin.as_ref(), page));
    text.push_str(&store(situation, page));
    if situation.stop_mark.is_some() {
        let until = "when this one ends, no program starts another until: authctl daemon start";
        text.push_str(&page.field("stopped", &format!("{}; {until}", by_hand(situation))));
    } else {
        text.push_str(&page.field("start", &how(&situation.plan)));
    }
    text
}

fn render_absent(situation: &Situation, managed: &Managed, page: Page) -> String {
    let mut text = page.paragraph("mcp-authd is not running");
    text.push_str(&service(managed, page));
    for (index, tokens) in situation.tokens_sockets.iter().enumerate() {
        text.push_str(&path(if index == 0 { "looked at" } else { "" }, Some(tokens), page));
    }
    text.push_str(&store(situation, page));
    text.push_str(&path("log", situation.log.as_ref(), page));
    if situation.stop_mark.is_some() {
        text.push_str(&page.field("stopped", &format!("{}; no program starts it", by_hand(situation))));
    }
    let next = match (&situation.owner, &situation.plan) {
        (Ownership::Runs(owner), _) if owner.socket.is_some() && !is_here(owner.socket.as_deref(), situation) => {
            owner.socket.as_ref().map(|socket| format!("export MCP_AUTHD_SOCKET={}", socket.display()))
        }
        (_, Plan::Never(NotStarted::StoppedByHand { .. }) | Plan::AskManager(_) | Plan::Spawn(_)) => {
            Some("authctl daemon start".to_owned())
        }
        _ => None,
    };
    // The mark has said it already.
    if !matches!(situation.plan, Plan::Never(NotStarted::StoppedByHand { .. })) {
        text.push_str(&page.field("start", &how(&situation.plan)));
    }
    if let Some(next) = next {
        text.push_str(&page.whole("next", &next, Some(Tone::Strong)));
    }
    text
}

fn store(situation: &Situation, page: Page) -> String {
    let owner = match &situation.owner {
        Ownership::Nobody => "nobody".to_owned(),
        Ownership::Ended(owner) => format!("nobody (pid {} has ended without a word)", owner.pid),
        Ownership::Runs(owner) => format!("pid {}", owner.pid),
    };
    let mut text = path("store", situation.state_folder.as_ref(), page) + &page.field("owner", &owner);
    if let Ownership::Runs(owner) = &situation.owner
        && !is_here(owner.socket.as_deref(), situation)
    {
        text.push_str(&path("serves at", owner.socket.as_ref(), page));
    }
    text
}

/// How a service that does not run stands.
fn service(managed: &Managed, page: Page) -> String {
    let words = match managed {
        Managed::OutOfReach(_) => "its service manager cannot be asked from here; look with: authctl service status".to_owned(),
        Managed::Units(now) if managed.waits() => match now.service.failure() {
            Some(why) => format!("it has failed: {why}; the next call has it tried again"),
            None => "its service manager listens, and starts it at the first call".to_owned(),
        },
        Managed::No | Managed::Units(_) => return String::new(),
    };
    page.field("service", &words)
}

/// Whether a socket is one of those that are looked at here.
fn is_here(socket: Option<&Path>, situation: &Situation) -> bool {
    let folder = socket.and_then(Path::parent);
    situation.tokens_sockets.iter().any(|tokens| tokens.parent() == folder)
}

fn by_hand(situation: &Situation) -> String {
    let since = situation.stop_mark.as_ref().and_then(|(_, since)| ago(*since, situation.looked_at));
    since.map_or_else(|| "by hand".to_owned(), |since| format!("by hand, {since} ago"))
}

fn ago(since: Option<SystemTime>, now: SystemTime) -> Option<String> {
    since.and_then(|since| now.duration_since(since).ok()).map(words)
}

fn path(name: &str, path: Option<&PathBuf>, page: Page) -> String {
    path.map(|path| page.whole(name, &path.display().to_string(), None)).unwrap_or_default()
}

fn how(plan: &Plan) -> String {
    match plan {
        Plan::Never(why) => format!("never by a program: {why}"),
        Plan::AskManager(service) => {
            let (program, arguments) = service.command();
            format!("by the service manager: {program} {}", arguments.join(" "))
        }
        Plan::Spawn(program) => format!("by the first program that needs it: {}", program.display()),
        _ => "in a way that is unknown to this authctl".to_owned(),
    }
}

fn object(running: Option<&Running>, situation: &Situation, managed: &Managed) -> Value {
    let status = running.map(|running| &running.status);
    let (start, detail) = match &situation.plan {
        Plan::Never(why) => ("never", json!(why.to_string())),
        Plan::AskManager(service) => ("manager", json!(service.file)),
        Plan::Spawn(program) => ("program", json!(program)),
        _ => ("unknown", Value::Null),
    };
    let owner = match &situation.owner {
        Ownership::Nobody => Value::Null,
        Ownership::Ended(owner) => json!({ "pid": owner.pid, "socket": owner.socket, "runs": false }),
        Ownership::Runs(owner) => json!({ "pid": owner.pid, "socket": owner.socket, "runs": true }),
    };
    json!({
        "running": running.is_some(),
        "version": status.map(|status| &status.version),
        "pid": status.map(|status| status.pid),
        "started_at": json::moment(status.and_then(|status| status.started_at)),
        "tokens_socket": running.and_then(|running| running.tokens(situation)),
        "admin_socket": running.and_then(|running| running.admin.as_ref()),
        "looked_at": situation.tokens_sockets,
        "state_folder": situation.state_folder,
        "log": situation.log,
        "owner": owner,
        "stopped_by_hand": situation.stop_mark.is_some(),
        "stopped_at": json::moment(situation.stop_mark.as_ref().and_then(|(_, since)| *since)),
        "start": { "how": start, "detail": detail },
        "service": managed.units().map(|now| json!({
            "listens": now.tokens.active == Runs::Does && now.admin.active == Runs::Does,
            "runs": now.service.is_up(),
            "failure": now.service.failure(),
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::Paint;
    use crate::service::{UnitsNow, Unreachable};
    use mcp_authd_client::start::{Confinement, Manager, Owner, Service};
    use mcp_authd_client::status::{Key, StartedBy};
    use std::time::Duration;

    const PAGE: Page = Page { width: 80, paint: Paint::Plain };

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn before(seconds: u64) -> Option<SystemTime> {
        now().checked_sub(Duration::from_secs(seconds))
    }

    fn situation() -> Situation {
        Situation {
            looked_at: now(),
            tokens_sockets: vec![
                "/run/user/1000/mcp-authd/tokens.sock".into(),
                "/home/ada/.local/state/mcp-authd/run/tokens.sock".into(),
            ],
            state_folder: Some("/home/ada/.local/state/mcp-authd".into()),
            log: Some("/home/ada/.local/state/mcp-authd/mcp-authd.log".into()),
            stop_mark: None,
            owner: Ownership::Nobody,
            plan: Plan::Spawn("/usr/bin/mcp-authd".into()),
        }
    }

    fn owner(socket: &str) -> Ownership {
        Ownership::Runs(Owner { pid: 17_673, socket: Some(socket.into()) })
    }

    fn running() -> Running {
        let status = DaemonStatus {
            version: "0.1.0".into(),
            pid: 17_673,
            started_at: before(3700),
            told_at: now(),
            key_source: "key file".into(),
            key: Key::Open,
            config_path: "/home/ada/.config/mcp-authd/config.toml".into(),
            started_by: StartedBy::Person,
            accounts: vec![],
        };
        Running { status, admin: Some("/run/user/1000/mcp-authd/admin.sock".into()) }
    }

    fn serving() -> Situation {
        Situation { owner: owner("/run/user/1000/mcp-authd/tokens.sock"), ..situation() }
    }

    fn stopped() -> Situation {
        let mark = PathBuf::from("/home/ada/.local/state/mcp-authd/stopped");
        let plan = Plan::Never(NotStarted::StoppedByHand { mark: mark.clone() });
        Situation { stop_mark: Some((mark, before(300))), plan, ..situation() }
    }

    fn long() -> Situation {
        let folder = PathBuf::from(format!("/home/{}/.local/state/mcp-authd", "x".repeat(200)));
        let plan = Plan::Never(NotStarted::Confined(Confinement::File("/.dockerenv".into())));
        Situation { tokens_sockets: vec![folder.join("run/tokens.sock")], state_folder: Some(folder), plan, ..situation() }
    }

    #[test]
    fn one_that_runs_is_shown_with_its_sockets_and_its_store() {
        insta::assert_snapshot!(render_running(&running(), &serving(), PAGE));
    }

    #[test]
    fn one_that_runs_although_it_was_stopped_by_hand_says_what_comes_after_it() {
        insta::assert_snapshot!(render_running(&running(), &Situation { owner: serving().owner, ..stopped() }, PAGE));
    }

    #[test]
    fn one_that_would_be_started_by_a_program_or_by_a_manager_says_how() {
        let service = Service {
            manager: Manager::Systemd,
            name: "mcp-authd.service".into(),
            file: "/home/ada/.config/systemd/user/mcp-authd.service".into(),
        };
        let managed = Situation { plan: Plan::AskManager(service), log: None, ..situation() };
        let shown =
            format!("{}\n{}", render_absent(&situation(), &Managed::No, PAGE), render_absent(&managed, &Managed::No, PAGE));
        insta::assert_snapshot!(shown);
    }

    /// A manager listens, and runs nothing.
    fn behind_sockets() -> Managed {
        let mut now = UnitsNow::default();
        (now.tokens.active, now.admin.active) = (Runs::Does, Runs::Does);
        Managed::Units(Box::new(now))
    }

    #[test]
    fn one_that_waits_behind_its_sockets_and_one_that_fails_there_are_told() {
        let mut now = behind_sockets().units().cloned().unwrap_or_default();
        now.service.active = Runs::Failed;
        (now.service.exit_code, now.service.told) = (Some(78), "cannot serve: config.toml:3: there is no \"flwo\".".into());
        let failing = Managed::Units(Box::new(now));
        let out_of_reach = Managed::OutOfReach(Unreachable::NoRuntime);
        let shown = [&behind_sockets(), &failing, &out_of_reach].map(|managed| render_absent(&situation(), managed, PAGE));
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn one_that_was_stopped_by_hand_says_how_to_have_it_back() {
        insta::assert_snapshot!(render_absent(&stopped(), &Managed::No, PAGE));
    }

    #[test]
    fn one_that_was_killed_and_one_that_serves_elsewhere_are_told() {
        let killed = Situation { owner: Ownership::Ended(Owner { pid: 12, socket: None }), ..situation() };
        let elsewhere = Situation { owner: owner("/tmp/other/mcp-authd/tokens.sock"), ..situation() };
        let shown = format!("{}\n{}", render_absent(&killed, &Managed::No, PAGE), render_absent(&elsewhere, &Managed::No, PAGE));
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn paths_of_200_characters_stay_whole_and_a_refusal_says_what_to_type() {
        insta::assert_snapshot!(render_absent(&long(), &Managed::No, PAGE));
    }

    #[test]
    fn without_colour_nothing_is_lost() {
        let colour = Page { width: 80, paint: Paint::Colour };
        assert_eq!(
            screen::clean(&render_absent(&stopped(), &Managed::No, colour)),
            screen::clean(&render_absent(&stopped(), &Managed::No, PAGE))
        );
    }

    #[test]
    fn the_json_is_as_documented() {
        let shown = format!(
            "{}{}",
            json::line(&object(Some(&running()), &serving(), &Managed::No)),
            json::line(&object(None, &stopped(), &behind_sockets()))
        );
        insta::assert_snapshot!(shown);
    }
}
