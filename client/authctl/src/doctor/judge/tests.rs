//! Each finding from made-up facts, and the page of some.

mod cases;
mod findings;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use mcp_authd_client::admin::{
    ConfigProblem, ConfigState, Examination, Examined, Finding as Told, NotProbed, PassedOver, Probed, ProbedServer, Probing,
};
use mcp_authd_client::connect::{Door, Doors};
use mcp_authd_client::standing::{Kind, Standing, Stands};
use mcp_authd_client::start::{At, Kept, NotStarted, Owner, Ownership, Plan, Process, Situation};
use mcp_authd_client::status::{AccountStatus, DaemonStatus, Health, Key, StartedBy};
use mcp_authd_client::{CallError, ConnectError};

use super::super::facts::{Asked, Asking, Facts, Heard, Naming, Said};
use super::super::finding::{Check, Level, exit, worst};
use super::super::page;
use super::*;
use crate::exit::Exit;
use crate::fixture::account;
use crate::screen::{self, Page, Paint};
use crate::service::{Managed, Runs, UnitsNow, Unreachable, installed};
use cases::cases;

const PAGE: Page = Page { width: 80, paint: Paint::Plain };
const RUN: &str = "/run/user/1000/mcp-authd";

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn stands(kind: Kind, mode: u32) -> Standing {
    Standing::Stands(Stands { kind, owner: 1000, mode })
}

fn door(name: &str) -> Door {
    let path = PathBuf::from(RUN).join(name);
    Door { path, folder: stands(Kind::Folder, 0o700), socket: stands(Kind::Socket, 0o600), knock: Ok(()) }
}

fn no_daemon() -> Result<(), ConnectError> {
    Err(ConnectError::NoDaemon { path: RUN.into() })
}

fn asked(answer: Said) -> Asked {
    Asked { issuer: "https://auth.example.com".into(), accounts: vec!["work".into()], answer }
}

fn good_server() -> Probed {
    Probed { server: Some(ProbedServer::default()), login_possible: true, ..Probed::default() }
}

fn found(probed: Probed) -> Said {
    Said::Probing(Probing::Found(Box::new(probed)))
}

fn at(path: &str, standing: Standing) -> At {
    At { path: path.into(), standing }
}

fn examined() -> Examined {
    let status = DaemonStatus {
        version: "0.1.0".into(),
        pid: 4242,
        started_at: now().checked_sub(Duration::from_secs(7500)),
        told_at: now(),
        key_source: "key file in /home/ada/.local/share/mcp-authd".into(),
        key: Key::Open,
        config_path: "/home/ada/.config/mcp-authd/config.toml".into(),
        started_by: StartedBy::Person,
        accounts: vec![account("work", Health::Good)],
    };
    let more = Examination {
        now: Some(now()),
        open_files: 65_536,
        config: ConfigState::Served,
        issuers: vec!["https://auth.example.com".into()],
    };
    Examined { status, more: Some(more) }
}

fn owner(socket: &str) -> Owner {
    Owner { pid: 4242, socket: Some(socket.into()) }
}

/// All is well.
fn healthy() -> Facts {
    let situation = Situation {
        looked_at: now(),
        tokens_sockets: vec![PathBuf::from(RUN).join("tokens.sock")],
        state_folder: Some("/home/ada/.local/state/mcp-authd".into()),
        log: Some("/home/ada/.local/state/mcp-authd/mcp-authd.log".into()),
        stop_mark: None,
        owner: Ownership::Runs(owner("/run/user/1000/mcp-authd/tokens.sock")),
        plan: Plan::Spawn("/usr/bin/mcp-authd".into()),
    };
    let kept = Kept {
        state: at("/home/ada/.local/state/mcp-authd", stands(Kind::Folder, 0o700)),
        data: at("/home/ada/.local/share/mcp-authd", stands(Kind::Folder, 0o700)),
        key: at("/home/ada/.local/share/mcp-authd/store.key", stands(Kind::File, 0o600)),
        config: at("/home/ada/.config/mcp-authd/config.toml", stands(Kind::File, 0o644)),
    };
    Facts {
        own_uid: 1000,
        version: "0.1.0".into(),
        named: Naming::Usual,
        doors: vec![Doors { tokens: door("tokens.sock"), admin: door("admin.sock") }],
        situation,
        owner: Some(Process { name: Some("mcp-authd".into()), is_stopped: false }),
        kept: Some(kept),
        service: Managed::No,
        daemon: Heard::Answers(Box::new(examined())),
        servers: vec![asked(found(good_server()))],
        asking: Asking::Each,
    }
}

/// No daemon, and nothing of one.
fn absent() -> Facts {
    let none = |name| Door { socket: Standing::Missing, knock: no_daemon(), ..door(name) };
    Facts {
        doors: vec![Doors { tokens: none("tokens.sock"), admin: none("admin.sock") }],
        situation: Situation { owner: Ownership::Nobody, ..healthy().situation },
        owner: None,
        daemon: Heard::Nothing,
        servers: vec![],
        ..healthy()
    }
}

/// A service that waits for the first who asks.
fn waits() -> Facts {
    let doors = vec![Doors { tokens: door("tokens.sock"), admin: door("admin.sock") }];
    let units = UnitsNow { service: Default::default(), ..installed() };
    managed(without(|facts| (facts.doors, facts.daemon) = (doors, Heard::NotAsked)), units)
}

/// A service with something wrong.
fn wrong(change: impl FnOnce(&mut UnitsNow)) -> Facts {
    let mut units = installed();
    change(&mut units);
    managed(waits(), units)
}

fn managed(facts: Facts, mut units: UnitsNow) -> Facts {
    units.service.load = installed().service.load;
    Facts { service: Managed::Units(Box::new(units)), ..facts }
}

fn with(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = healthy();
    change(&mut facts);
    facts
}

fn without(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = absent();
    change(&mut facts);
    facts
}

fn with_daemon(change: impl FnOnce(&mut Examined)) -> Facts {
    let mut examined = examined();
    change(&mut examined);
    with(|facts| facts.daemon = Heard::Answers(Box::new(examined)))
}

fn with_account(account: AccountStatus) -> Facts {
    with_daemon(|examined| examined.status.accounts = vec![account])
}

fn with_more(change: impl FnOnce(&mut Examination)) -> Facts {
    with_daemon(|examined| examined.more.as_mut().map(change).unwrap_or_default())
}

fn with_doors(change: impl FnOnce(&mut Doors)) -> Facts {
    healthy().tap_doors(change)
}

impl Facts {
    fn tap_doors(mut self, change: impl FnOnce(&mut Doors)) -> Self {
        if let Some(doors) = self.doors.first_mut() {
            change(doors);
        }
        self
    }

    fn tap_kept(mut self, change: impl FnOnce(&mut Kept)) -> Self {
        if let Some(kept) = self.kept.as_mut() {
            change(kept);
        }
        self
    }
}

#[test]
fn where_all_is_well_nothing_is_found() {
    let findings = judge(&healthy());
    assert!(findings.iter().all(|finding| finding.level == Level::Well && finding.fix.is_none()), "{findings:#?}");
    assert_eq!((exit(&findings), worst(&findings)), (Exit::Done, Level::Well));
    let checks = [
        Check::Sockets,
        Check::Folders,
        Check::Lock,
        Check::Daemon,
        Check::Start,
        Check::Config,
        Check::Key,
        Check::Clock,
        Check::Limits,
        Check::Account,
        Check::Server,
    ];
    for check in checks {
        assert!(findings.iter().any(|finding| finding.check == check), "{check:?}");
    }
}

#[test]
fn each_thing_that_is_wrong_is_found_with_its_level_its_fix_and_its_exit_code() {
    for (case, facts, (check, level, fix), ends) in cases() {
        let findings = judge(&facts);
        let is_it = |finding: &&Finding| {
            finding.check == check && finding.level == level && finding.fix.as_deref().unwrap_or_default() == fix
        };
        assert!(findings.iter().any(|finding| is_it(&finding)), "{case}: {findings:#?}");
        assert_eq!(exit(&findings), ends, "{case}: {findings:#?}");
    }
}

#[test]
fn whatever_is_not_well_has_a_fix_and_each_message_is_a_sentence() {
    for (case, facts, ..) in cases() {
        for finding in judge(&facts) {
            assert_eq!(finding.level == Level::Well, finding.fix.is_none(), "{case}: {finding:?}");
            assert!(finding.fix.as_ref().is_none_or(|fix| !fix.is_empty()), "{case}: {finding:?}");
            assert!(finding.level != Level::Wrong || finding.exit != Exit::Done, "{case}: {finding:?}");
            let ends = finding.message.ends_with(['.', '?']) || finding.check == Check::Start;
            assert!(ends && !finding.message.ends_with(".."), "{case}: {}", finding.message);
        }
    }
}

#[test]
fn a_folder_is_private_in_one_mode_alone() {
    for mode in 0..=0o777 {
        let found = Stands { kind: Kind::Folder, owner: 1000, mode };
        let judged = sockets::private_folder(found, "/x".as_ref(), 1000);
        assert_eq!(judged.is_ok(), mode == 0o700, "{mode:o}");
    }
}

#[test]
fn the_worst_exit_code_goes_first() {
    let mut facts = with_account(account("work", Health::LoginRequired));
    facts.servers = vec![asked(Said::TimeOver(15))];
    assert_eq!(exit(&judge(&facts)), Exit::LoginRequired);
    facts.own_uid = 7;
    assert_eq!(exit(&judge(&facts)), Exit::Failed);
}

#[test]
fn the_page_of_a_healthy_house() {
    insta::assert_snapshot!(page::render(&judge(&healthy()), PAGE));
}

#[test]
fn the_page_where_no_daemon_runs() {
    insta::assert_snapshot!(page::render(&judge(&absent()), PAGE));
}

#[test]
fn the_page_of_a_service_that_waits_and_of_one_that_fails() {
    let failing = wrong(|now| {
        now.service.active = Runs::Failed;
        (now.service.exit_code, now.service.told) =
            (Some(78), "cannot serve: /h/config.toml:3: there is no setting \"flwo\".".into());
    });
    let pages = [page::render(&judge(&waits()), PAGE), page::render(&judge(&failing), PAGE)];
    insta::assert_snapshot!(pages.join("----\n"));
}

/// Much at once, with names of 200 characters.
fn bad() -> Facts {
    let name = "n".repeat(200);
    let waits =
        AccountStatus { message: Some("The server has ended the grant.".into()), ..account(&name, Health::LoginRequired) };
    let passed_over =
        vec![PassedOver { issuer: "x".into(), message: "its metadata names another issuer (RFC 8414, section 3.3)".into() }];
    let mut facts = with_account(waits);
    facts.servers = vec![Asked { accounts: vec![name], ..asked(found(Probed { passed_over, ..Probed::default() })) }];
    facts.tap_kept(|kept| kept.state = at(&format!("/home/{}", "x".repeat(200)), stands(Kind::Folder, 0o755)))
}

#[test]
fn the_page_of_a_bad_day_is_80_columns_wide_but_for_its_commands() {
    let shown = page::render(&judge(&bad()), PAGE);
    insta::assert_snapshot!(shown);
    assert!(shown.lines().all(|line| line.chars().count() <= 80 || line.starts_with("  fix ")), "{shown}");
}

#[test]
fn without_colour_nothing_is_lost_and_nothing_steers_the_terminal() {
    let colour = page::render(&judge(&bad()), Page { paint: Paint::Colour, ..PAGE });
    let plain: Vec<String> = colour.lines().map(screen::clean).collect();
    assert_eq!(plain.join("\n"), page::render(&judge(&bad()), PAGE).trim_end());
    let hostile = AccountStatus { message: Some("a\u{1b}[2J\u{202e}b".into()), ..account("x", Health::Degraded) };
    assert!(page::render(&judge(&with_account(hostile)), PAGE).contains(" Ab.\n"));
}

#[test]
fn the_json_is_as_documented() {
    let findings = judge(&with_account(account("work", Health::LoginRequired)));
    insta::assert_snapshot!(serde_json::to_string_pretty(&page::object(&findings)).unwrap_or_default());
}
