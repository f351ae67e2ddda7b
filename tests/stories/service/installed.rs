//! `authctl service install|uninstall|status`: once, twice, over an edited unit, over a daemon that runs, from a path that is odd.

use std::fs;

use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::service::{Machine, UNITS, inside};

use super::hand_over::Busy;
use super::{configured, logged_in, look, service_is, token};

const SERVICE: &str = "mcp-authd.service";

/// The units as they stand in the person's folder.
fn standing(machine: &Machine) -> Vec<String> {
    UNITS.iter().filter_map(|(name, _)| fs::read_to_string(machine.units().join(name)).ok()).collect()
}

#[tokio::test]
async fn install_twice_with_an_edited_unit_by_force_and_uninstall_each_end_well() {
    let Some(machine) = inside("installed::install_twice_with_an_edited_unit_by_force_and_uninstall_each_end_well") else {
        return;
    };
    let server = AuthorizationServer::start(Settings::default());
    configured(&machine, &server);
    machine.watch_service();
    // A look before changes nothing.
    let (code, out, err) = machine.authctl(&["service", "install", "--dry-run"]).await;
    assert!(
        code == 0 && out.contains("ListenStream=%t/mcp-authd/tokens.sock") && out.contains("Nothing was changed."),
        "{out}{err}"
    );
    assert!(standing(&machine).is_empty());
    let (code, out, err) = machine.authctl(&["service", "status"]).await;
    assert!(code == 6 && out.ends_with("next      authctl service install\n"), "{out}{err}");

    // Once: it is there when the command ends, by its sockets and for the next login.
    let (code, out, err) = machine.authctl(&["service", "install"]).await;
    assert!(
        code == 0 && out.starts_with("mcp-authd is a service of yours now.\n") && out.contains("answers (pid "),
        "{out}{err}"
    );
    let (written, first) = (standing(&machine), machine.main_pid());
    assert_eq!((written.len(), machine.property("ActiveState").as_str()), (3, "active"));
    assert!(written[2].contains(&format!("ExecStart={} --take-over", machine.program("mcp-authd").display())), "{}", written[2]);
    for socket in ["mcp-authd-tokens.socket", "mcp-authd-admin.socket"] {
        assert_eq!(machine.systemctl(&["is-enabled", socket]), "enabled\n");
    }
    logged_in(&machine).await;
    let held = token(&machine).await;

    let (code, out, err) = machine.authctl(&["status"]).await;
    assert!(code == 0 && out.contains("  service   installed, systemd (mcp-authd.service)\n"), "{out}{err}");

    // Twice: nothing is written, and nothing started anew.
    let (code, out, err) = machine.authctl(&["service", "install"]).await;
    assert!(code == 0 && out.starts_with("mcp-authd is installed as a service already, and answers."), "{out}{err}");
    assert_eq!((standing(&machine), machine.main_pid()), (written.clone(), first));
    let (code, out, err) = machine.authctl(&["service", "status"]).await;
    assert!(code == 0 && out.contains("and runs\n") && out.contains("machine.conf"), "{out}{err}");

    // An edited one stays as it is, and is shown.
    let edited = written[2].replace("WatchdogSec=60", "WatchdogSec=50");
    fs::write(machine.units().join(SERVICE), &edited).unwrap();
    let (code, out, err) = machine.authctl(&["service", "install"]).await;
    assert!(code == 1 && out.contains("- WatchdogSec=50\n") && out.contains("+ WatchdogSec=60\n"), "{out}{err}");
    assert!(
        err.contains("systemctl --user edit mcp-authd.service") && err.ends_with("authctl service install --force\n"),
        "{err}"
    );
    assert_eq!((fs::read_to_string(machine.units().join(SERVICE)).unwrap(), machine.main_pid()), (edited, first));
    let (code, out, err) = machine.authctl(&["service", "install", "--force"]).await;
    assert!(code == 0 && standing(&machine) == written, "{out}{err}");
    assert_eq!(token(&machine).await.sha256(), held.sha256());

    // A look before it is taken away changes nothing, either.
    let (code, out, err) = machine.authctl(&["service", "uninstall", "--dry-run"]).await;
    assert!(code == 0 && out.contains("mcp-authd-tokens.socket") && out.ends_with("Nothing was changed.\n"), "{out}{err}");
    assert_eq!((standing(&machine), machine.property("ActiveState").as_str()), (written.clone(), "active"));

    // Taken away: nothing of it is left, and the logins are.
    let (code, out, err) = machine.authctl(&["service", "uninstall"]).await;
    assert!(code == 0 && out.contains("Your logins and your configuration\nstay."), "{out}{err}");
    assert!(standing(&machine).is_empty() && !machine.units().join("sockets.target.wants/mcp-authd-tokens.socket").is_symlink());
    assert_eq!((machine.property("LoadState"), machine.property("ActiveState")), ("not-found".into(), "inactive".into()));
    let client = machine.program_with_library();
    let again = mcp_authd_tests::programs::token(client.token(look()).await.unwrap());
    assert_eq!(again.sha256(), held.sha256(), "a program has started one by itself, and it holds the login");
    let (code, out, err) = machine.authctl(&["service", "uninstall"]).await;
    assert!(code == 0 && out == "mcp-authd is not installed as a service. Nothing was changed.\n", "{out}{err}");
    assert_eq!(machine.authctl(&["daemon", "stop"]).await.0, 0);
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (1, 0));
}

#[tokio::test]
async fn a_service_installed_over_a_daemon_that_runs_fails_no_call_and_refreshes_once() {
    let story = "installed::a_service_installed_over_a_daemon_that_runs_fails_no_call_and_refreshes_once";
    let Some(machine) = inside(story) else { return };
    machine.watch_service();
    let busy = Busy::on(&machine).await;

    // when the person installs the service meanwhile
    let ((code, out, err), ()) = tokio::join!(machine.authctl(&["service", "install"]), async {
        busy.leaves(&machine).await;
        busy.server.release();
    });

    // then it ends when the service answers, and no call was lost
    assert!(code == 0 && out.contains("is a service of yours now"), "{out}{err}");
    busy.was_handed_over(&machine).await;
}

#[tokio::test]
async fn a_program_at_an_odd_path_is_installed_from_there_in_the_place_of_an_older_one() {
    let story = "installed::a_program_at_an_odd_path_is_installed_from_there_in_the_place_of_an_older_one";
    let Some(machine) = inside(story) else { return };
    let server = AuthorizationServer::start(Settings::default());
    configured(&machine, &server);
    machine.watch_service();
    assert_eq!(machine.authctl(&["service", "install"]).await.0, 0);
    logged_in(&machine).await;
    let (held, first) = (token(&machine).await, machine.main_pid());
    // What systemd would read as specifiers, variables, separators and comments.
    let folder = machine.home().join("my $HOME %h;#tools é");
    fs::create_dir(&folder).unwrap();
    let odd = folder.join("mcp-authd");
    fs::copy(machine.program("mcp-authd"), &odd).unwrap();
    let (code, out, err) = machine.authctl_with(&["service", "install"], &[("MCP_AUTHD_BIN", odd.to_str().unwrap())]).await;
    assert!(code == 0 && out.contains(&format!("program   {}\n", odd.display())), "{out}{err}");
    assert_ne!(machine.main_pid(), first);
    assert!(machine.property("ExecStart").contains(&format!("{{ path={} ;", odd.display())), "{}", machine.property("ExecStart"));
    assert_eq!(token(&machine).await.sha256(), held.sha256());

    // One that systemd takes in no spelling is refused, and nothing is changed.
    let (before, folder) = (standing(&machine), machine.home().join("a\"b"));
    fs::create_dir(&folder).unwrap();
    let refused = folder.join("mcp-authd");
    fs::copy(machine.program("mcp-authd"), &refused).unwrap();
    let (code, _, err) = machine.authctl_with(&["service", "install"], &[("MCP_AUTHD_BIN", refused.to_str().unwrap())]).await;
    assert!(code == 1 && err.ends_with("next: export MCP_AUTHD_BIN=/another/folder/mcp-authd\n"), "{err}");
    assert_eq!(standing(&machine), before);
    // What the rule rests on: systemd says so itself, however it is written.
    for word in [format!("\"{}\"", refused.display().to_string().replace('"', "\\\"")), refused.display().to_string()] {
        let unit = machine.home().join("refused.service");
        fs::write(&unit, format!("[Service]\nExecStart={word}\n")).unwrap();
        let output = std::process::Command::new("systemd-analyze").args(["--user", "verify"]).arg(&unit).output().unwrap();
        assert!(!output.status.success() || !output.stderr.is_empty(), "{word}: {output:?}");
    }
}

#[tokio::test]
async fn masked_units_units_of_a_package_and_an_edited_one_at_the_end_are_each_told() {
    let story = "installed::masked_units_units_of_a_package_and_an_edited_one_at_the_end_are_each_told";
    let Some(machine) = inside(story) else { return };
    configured(&machine, &AuthorizationServer::start(Settings::default()));
    machine.watch_service();
    // Masked: nothing is done by force either.
    machine.systemctl(&["mask", "mcp-authd-tokens.socket"]);
    let (code, _, err) = machine.authctl(&["service", "install", "--force"]).await;
    assert!(
        code == 1 && err.contains("masked") && err.contains("next: systemctl --user unmask mcp-authd-tokens.socket"),
        "{err}"
    );
    machine.systemctl(&["unmask", "mcp-authd-tokens.socket"]);
    assert!(standing(&machine).is_empty());

    // As a package leaves them, in a folder that goes after the person's own.
    let package = machine.home().join(".local/share/systemd/user");
    fs::create_dir_all(&package).unwrap();
    let program = machine.program("mcp-authd").display().to_string();
    for (name, text) in UNITS {
        fs::write(package.join(name), text.replace("/usr/bin/mcp-authd", &program)).unwrap();
    }
    machine.systemctl(&["daemon-reload"]);
    let (code, out, err) = machine.authctl(&["service", "install"]).await;
    assert!(code == 0 && out.contains("with the units of its package"), "{out}{err}");
    assert!(standing(&machine).is_empty());
    service_is(&machine, "active").await;
    let (code, out, err) = machine.authctl(&["service", "uninstall"]).await;
    assert!(code == 0 && out.contains("stays     ") && package.join(SERVICE).exists(), "{out}{err}");
    service_is(&machine, "inactive").await;
    assert_eq!(machine.systemctl(&["show", "mcp-authd-tokens.socket", "--value", "-p", "UnitFileState"]), "disabled\n");
    fs::remove_dir_all(&package).unwrap();
    machine.systemctl(&["daemon-reload"]);

    // What somebody has edited is not ours to remove.
    assert_eq!(machine.authctl(&["service", "install"]).await.0, 0);
    let service = machine.units().join(SERVICE);
    fs::write(&service, fs::read_to_string(&service).unwrap() + "# mine\n").unwrap();
    let (code, out, err) = machine.authctl(&["service", "uninstall"]).await;
    assert!(code == 1 && err.contains(&format!("next: rm {}", service.display())), "{out}{err}");
    assert!(service.exists() && standing(&machine).len() == 3, "a part of them would serve nobody");
    service_is(&machine, "inactive").await;
}
