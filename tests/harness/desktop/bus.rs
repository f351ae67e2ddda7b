//! A session bus of the story's own: Debian's `dbus-daemon`, with a configuration that starts nothing.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::skip::Skip;

/// As the session bus of a distribution, but that it knows no service to start and asks no files of the machine.
const CONFIGURATION: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
"#;

/// A bus. It ends when it is dropped.
#[derive(Debug)]
pub struct PrivateBus {
    child: Child,
    folder: TempDir,
}

impl PrivateBus {
    /// Starts one, and waits until it listens.
    ///
    /// # Errors
    /// Where there is no `dbus-daemon`.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn start() -> Result<Self, Skip> {
        Self::start_by(Command::new("dbus-daemon"))
    }

    /// The same, as another user. For root.
    ///
    /// # Errors
    /// Where there is no `dbus-daemon`.
    ///
    /// # Panics
    /// If it does not come up.
    pub fn start_as(uid: u32) -> Result<Self, Skip> {
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={uid}"), "--clear-groups", "dbus-daemon"]);
        Self::start_by(command)
    }

    fn start_by(mut command: Command) -> Result<Self, Skip> {
        let there = Command::new("dbus-daemon").arg("--version").stdout(Stdio::null()).status();
        if !there.is_ok_and(|status| status.success()) {
            return Err(Skip("dbus-daemon is not installed. Install it (Debian: apt-get install dbus)".to_owned()));
        }
        let folder = tempfile::Builder::new().prefix("bus-").tempdir().expect("a temporary directory can be made");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("its mode can be changed");
        let (socket, file) = (folder.path().join("bus"), folder.path().join("session.conf"));
        fs::write(&file, CONFIGURATION.replace("SOCKET", &socket.display().to_string())).expect("a file can be written");
        command.arg(format!("--config-file={}", file.display())).args(["--nofork", "--nopidfile", "--print-address=1"]);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon can be started");
        let mut line = String::new();
        // It tells its address once it listens.
        BufReader::new(child.stdout.take().expect("it was asked for")).read_line(&mut line).expect("dbus-daemon tells");
        assert!(line.starts_with("unix:"), "dbus-daemon did not come up: {line}");
        Ok(Self { child, folder })
    }

    /// The path of its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("bus")
    }

    /// Its address, as it stands in `DBUS_SESSION_BUS_ADDRESS`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix:path={}", self.socket().display())
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}
