//! The units as text: what they are asked to say, nothing to complain about, and each setting that hardens does something under a user
//! manager.

use std::collections::BTreeMap;
use std::process::Command;

use mcp_authd_tests::programs::until;
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::service::{KILLED_BY_A_FILTER, UNITS, inside};

use super::{installed, logged_in, service_is};

/// As `systemd-analyze security` counts, in tenths. Most of what is missing is nothing that a user manager enforces.
const EXPOSURE: &str = "66";
/// What a user manager enforces by a filter of system calls. `SystemCallErrorNumber=` goes with them.
const FILTERS: [&str; 8] = [
    "MemoryDenyWriteExecute=",
    "RestrictNamespaces=",
    "RestrictRealtime=",
    "RestrictSUIDSGID=",
    "RestrictAddressFamilies=",
    "LockPersonality=",
    "SystemCallArchitectures=",
    "SystemCallFilter=",
];

/// What the sockets are asked to say, beside a path and a name of their own.
const SOCKETS: [(&str, &str); 5] = [
    ("[Socket] Service", "mcp-authd.service"),
    ("[Socket] SocketMode", "0600"),
    ("[Socket] DirectoryMode", "0700"),
    ("[Socket] TriggerLimitIntervalSec", "0"),
    ("[Install] WantedBy", "sockets.target"),
];
/// What the service is asked to say.
const SERVICE: [(&str, &str); 21] = [
    ("[Unit] Requires", "mcp-authd-tokens.socket mcp-authd-admin.socket"),
    ("[Unit] StartLimitIntervalSec", "0"),
    ("[Service] Type", "notify"),
    ("[Service] NotifyAccess", "main"),
    ("[Service] ExecStart", "/usr/bin/mcp-authd --take-over"),
    ("[Service] ExecReload", "/bin/kill -HUP $MAINPID"),
    ("[Service] Sockets", "mcp-authd-tokens.socket mcp-authd-admin.socket"),
    ("[Service] Restart", "on-failure"),
    ("[Service] RestartPreventExitStatus", "75 78"),
    ("[Service] TimeoutStartSec", "120"),
    ("[Service] TimeoutStopSec", "75"),
    ("[Service] WatchdogSec", "60"),
    ("[Service] KillMode", "mixed"),
    ("[Service] LimitCORE", "0"),
    ("[Service] UMask", "0077"),
    ("[Service] NoNewPrivileges", "yes"),
    ("[Service] MemoryDenyWriteExecute", "yes"),
    ("[Service] RestrictNamespaces", "yes"),
    ("[Service] SystemCallFilter", "@system-service"),
    ("[Service] SystemCallErrorNumber", "EPERM"),
    ("[Install] Also", "mcp-authd-tokens.socket mcp-authd-admin.socket"),
];
const MORE_THAN_A_FEW: u32 = 7;
const MORE_THAN_MANY: usize = 50;
/// What nothing is asked of.
const FREE: [&str; 2] = ["[Unit] Description", "[Service] RestartSec"];

fn service() -> &'static str {
    unit("mcp-authd.service")
}

fn unit(name: &str) -> &'static str {
    UNITS.into_iter().find(|(known, _)| *known == name).unwrap().1
}

/// Each setting with its section. None stands twice: the second would add to the first, or take its place.
fn said(name: &str) -> BTreeMap<String, &'static str> {
    let (mut said, mut section) = (BTreeMap::new(), "");
    for line in unit(name).lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with('[') {
            section = line;
            continue;
        }
        let (setting, value) = line.split_once('=').unwrap();
        assert_eq!(said.insert(format!("{section} {setting}"), value), None, "{name}: {line}");
    }
    said
}

fn setting(name: &str) -> &'static str {
    service().lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} is gone from the unit"))
}

fn out_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let both = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {both}");
    both
}

/// What a process sees that has these settings and no others.
fn seen_with(settings: &[&str], command: &str) -> String {
    let mut arguments = vec!["--user", "--wait", "--pipe", "--quiet"];
    arguments.extend(settings.iter().flat_map(|setting| ["-p", setting]));
    arguments.extend(["bash", "-c", command]);
    out_of("systemd-run", &arguments)
}

#[test]
fn the_units_say_what_they_are_asked_to_and_the_service_has_no_setting_that_nobody_has_tried() {
    for (name, path, descriptor) in [
        ("mcp-authd-tokens.socket", "%t/mcp-authd/tokens.sock", "mcp-authd-tokens"),
        ("mcp-authd-admin.socket", "%t/mcp-authd/admin.sock", "mcp-authd-admin"),
    ] {
        let own = [("[Socket] ListenStream", path), ("[Socket] FileDescriptorName", descriptor)];
        let mut said = said(name);
        for (setting, value) in SOCKETS.into_iter().chain(own) {
            assert_eq!(said.remove(setting), Some(value), "{name}: {setting}");
        }
        assert_eq!(said.keys().collect::<Vec<_>>(), [FREE[0]], "{name}");
    }
    let mut said = said("mcp-authd.service");
    for (setting, value) in SERVICE {
        assert_eq!(said.remove(setting), Some(value), "{setting}");
    }
    for tried in FILTERS {
        said.remove(&format!("[Service] {}", tried.trim_end_matches('=')));
    }
    assert_eq!(said.into_keys().collect::<Vec<_>>(), FREE.map(str::to_owned).into_iter().rev().collect::<Vec<_>>());
}

#[test]
fn the_units_are_well_formed_and_no_more_exposed_than_they_were() {
    let Some(machine) = inside("units::the_units_are_well_formed_and_no_more_exposed_than_they_were") else { return };
    let folder = machine.home().join("units");
    std::fs::create_dir(&folder).unwrap();
    let files = UNITS.map(|(name, text)| {
        let file = folder.join(name);
        // The program must stand where the unit says: here another one does.
        std::fs::write(&file, text.replace("/usr/bin/mcp-authd", "/bin/true")).unwrap();
        file.to_str().unwrap().to_owned()
    });
    let verified = out_of("systemd-analyze", &["--user", "verify", &files[0], &files[1], &files[2]]);
    assert_eq!(verified, "");
    // Fails above the threshold.
    let threshold = format!("--threshold={EXPOSURE}");
    out_of("systemd-analyze", &["--user", "security", "--offline=true", "--no-pager", &threshold, &files[2]]);
}

#[test]
fn each_setting_of_the_unit_does_something_under_a_user_manager() {
    let Some(_machine) = inside("units::each_setting_of_the_unit_does_something_under_a_user_manager") else { return };
    let filters = |settings: &[&str]| -> u32 {
        let seen = seen_with(settings, "grep '^Seccomp_filters:' /proc/self/status");
        seen.split_whitespace().last().unwrap().parse().unwrap()
    };
    let without = filters(&["NoNewPrivileges=yes"]);
    for name in FILTERS {
        assert!(filters(&["NoNewPrivileges=yes", setting(name)]) > without, "{name} does nothing");
    }
    // In the place of a signal: what is forbidden fails, and the process goes on.
    let forbidden = [setting("SystemCallFilter="), setting("SystemCallErrorNumber="), "NoNewPrivileges=yes"];
    assert_eq!(seen_with(&forbidden, "mount -t tmpfs none /mnt 2> /dev/null; echo $?").trim(), "32");
    // As the other stories have it: what is forbidden kills (SIGSYS).
    let deadly = [&forbidden[..], &["SystemCallErrorNumber=kill"]].concat();
    assert!(seen_with(&deadly, "mount -t tmpfs none /mnt 2> /dev/null; echo $?").starts_with("159\n"));
    assert!(seen_with(&[setting("NoNewPrivileges=")], "cat /proc/self/status").contains("NoNewPrivs:\t1\n"));
    assert_eq!(seen_with(&[setting("UMask=")], "umask").trim(), "0077");
    assert_eq!(seen_with(&[setting("LimitCORE=")], "ulimit -Hc").trim(), "0");
}

/// What every story rests on where it ends with nothing killed.
#[tokio::test]
async fn a_service_that_its_filter_kills_is_seen_however_well_it_goes_on() {
    let Some(machine) = inside("units::a_service_that_its_filter_kills_is_seen_however_well_it_goes_on") else { return };
    let server = AuthorizationServer::start(Settings::default());
    installed(&machine, &server);
    machine.edit("mcp-authd.service", "[Service]\nSystemCallFilter=~flock\n");
    machine.listen();
    machine.systemctl(&["start", "--no-block", "mcp-authd.service"]);
    until("it is killed", || machine.ends().contains(KILLED_BY_A_FILTER)).await;
    machine.edit("mcp-authd.service", "");
    logged_in(&machine).await;
    machine.systemctl(&["stop", "mcp-authd.service"]);
    assert!(machine.ends().ends_with("exited 0\n"), "{}", machine.ends());
    // Else it would be this story that fails.
    std::fs::remove_file(machine.ends_file()).unwrap();
}

/// Nobody asks: what is started again is started by the manager alone.
#[tokio::test]
async fn an_end_that_would_be_the_same_again_is_not_tried_again_and_any_other_is_without_end() {
    let story = "units::an_end_that_would_be_the_same_again_is_not_tried_again_and_any_other_is_without_end";
    let Some(machine) = inside(story) else { return };
    installed(&machine, &AuthorizationServer::start(Settings::default()));
    let ends_with = |code: &str| {
        machine.edit("mcp-authd.service", &format!("[Service]\nExecStart=\nExecStart=/bin/sh -c 'exit {code}'\n"));
        machine.systemctl(&["start", "--no-block", "mcp-authd.service"]);
    };
    for code in ["75", "78"] {
        ends_with(code);
        until("it has ended", || machine.property("ExecMainStatus") == code).await;
        service_is(&machine, "failed").await;
        assert_eq!((machine.property("NRestarts"), machine.ends().lines().count()), ("0".to_owned(), 1), "{}", machine.ends());
        std::fs::remove_file(machine.ends_file()).unwrap();
    }
    // By its own count a manager gives up at the sixth start in ten seconds.
    ends_with("1");
    until("it is started again and again", || machine.property("NRestarts").parse::<u32>().unwrap() > MORE_THAN_A_FEW).await;
    machine.systemctl(&["stop", "mcp-authd.service"]);
}

#[tokio::test]
async fn a_program_that_waits_wakes_a_service_that_fails_without_end() {
    let Some(machine) = inside("units::a_program_that_waits_wakes_a_service_that_fails_without_end") else { return };
    installed(&machine, &AuthorizationServer::start(Settings::default()));
    machine.edit("mcp-authd.service", "[Service]\nExecStart=\nExecStart=/bin/sh -c 'exit 75'\n");
    machine.listen();
    let _waits = std::os::unix::net::UnixStream::connect(machine.tokens_socket()).unwrap();
    // By its own count a manager gives the socket up after twenty in two seconds.
    until("it is woken again and again", || machine.ends().lines().count() > MORE_THAN_MANY).await;
    assert_eq!(machine.systemctl(&["show", "mcp-authd-tokens.socket", "--value", "-p", "ActiveState"]), "active\n");
    assert_eq!(machine.property("NRestarts"), "0");
    machine.systemctl(&["stop", "mcp-authd-tokens.socket", "mcp-authd-admin.socket", "mcp-authd.service"]);
}
