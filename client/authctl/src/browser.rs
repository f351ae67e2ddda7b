//! Opening an address in the person's browser (D33, D34).
//!
//! Must never: use a shell, open anything but http and https, hand our environment on (P11), or wait for the browser without a limit.

use std::ffi::{OsStr, OsString};
use std::process::{Command, Stdio};
use std::time::Duration;

use url::Url;

/// Why no browser was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// The address is not one for a browser.
    NotAWebAddress,
    /// There is no display and no $BROWSER.
    Headless,
    /// The person sits at another machine, and there is no $BROWSER that leads there.
    OverSsh,
    /// No program that opens browsers can be started, or each says that it failed.
    NotStarted,
}

/// How long a program may take to say that it failed. One that stays longer is the browser itself, or on its way to it.
const VERDICT_LIMIT: Duration = Duration::from_secs(2);

/// What a browser needs to find the person's session, and nothing else: no secret, no `MCP_AUTHD_*`.
const PASSED_ON: [&str; 34] = [
    "BROWSER",
    "COLORTERM",
    "DBUS_SESSION_BUS_ADDRESS",
    "DESKTOP_SESSION",
    "DISPLAY",
    "GNOME_DESKTOP_SESSION_ID",
    "HOME",
    "KDE_FULL_SESSION",
    "KDE_SESSION_VERSION",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "VSCODE_IPC_HOOK_CLI",
    "WAYLAND_DISPLAY",
    "WSL_DISTRO_NAME",
    "WSL_INTEROP",
    "XAUTHORITY",
    "XDG_CONFIG_DIRS",
    "XDG_CONFIG_HOME",
    "XDG_CURRENT_DESKTOP",
    "XDG_DATA_DIRS",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_TYPE",
    "__CF_USER_TEXT_ENCODING",
];

/// Opens an address. Returns when the program says how it went, or after two seconds.
pub(crate) async fn open(address: &str) -> Result<(), NotOpened> {
    let address = web_address(address).ok_or(NotOpened::NotAWebAddress)?;
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    for command_line in command_lines(&address, &variable)? {
        if start(&command_line, &variable, VERDICT_LIMIT).await.is_ok() {
            return Ok(());
        }
    }
    Err(NotOpened::NotStarted)
}

/// D33: an http or https address with a host, and without a user name, which would only dress up the host. What begins with '-' does
/// not parse.
pub(crate) fn web_address(text: &str) -> Option<Url> {
    let address = Url::parse(text).ok()?;
    let plain = address.username().is_empty() && address.password().is_none();
    (matches!(address.scheme(), "http" | "https") && address.has_host() && plain).then_some(address)
}

/// The programs to try and their arguments. The address, written anew by the parser, is one element or a part of one.
fn command_lines(address: &Url, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Vec<Vec<OsString>>, NotOpened> {
    let set = |name: &str| variable(name).is_some();
    if let Some(browser) = variable("BROWSER") {
        // Also over SSH: editors that work on another machine set it to a program that opens the person's own browser.
        return Ok(from_browser_variable(&browser, address));
    }
    if set("SSH_CONNECTION") || set("SSH_TTY") {
        return Err(NotOpened::OverSsh);
    }
    let with = |words: &[&str]| words.iter().map(OsString::from).chain([address.as_str().into()]).collect();
    // `--` where the program knows it; an address that begins with its scheme is no option to the others either.
    let (xdg_open, gio) = (with(&["xdg-open"]), with(&["gio", "open", "--"]));
    if cfg!(target_os = "macos") {
        Ok(vec![with(&["open"])])
    } else if set("WSL_DISTRO_NAME") || set("WSL_INTEROP") {
        Ok(vec![with(&["wslview"]), xdg_open])
    } else if set("DISPLAY") || set("WAYLAND_DISPLAY") {
        Ok(vec![xdg_open, gio])
    } else {
        Err(NotOpened::Headless)
    }
}

/// `$BROWSER`: programs between colons, tried in their order; `%s` stands for the address, else it comes last.
fn from_browser_variable(browser: &OsStr, address: &Url) -> Vec<Vec<OsString>> {
    let entries = browser.to_str().unwrap_or_default().split(':').filter(|entry| !entry.trim().is_empty());
    let words = |entry: &str| {
        let mut words: Vec<OsString> = entry.split_whitespace().map(|word| word.replace("%s", address.as_str()).into()).collect();
        if !entry.contains("%s") {
            words.push(address.as_str().into());
        }
        words
    };
    entries.map(words).collect()
}

async fn start(command_line: &[OsString], variable: &dyn Fn(&str) -> Option<OsString>, limit: Duration) -> Result<(), NotOpened> {
    let (program, arguments) = command_line.split_first().ok_or(NotOpened::NotStarted)?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir("/");
    command.envs(PASSED_ON.iter().filter_map(|name| variable(name).map(|value| (name, value))));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C ends our waiting, not the browser.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = tokio::process::Command::from(command).spawn().map_err(|_| NotOpened::NotStarted)?;
    match tokio::time::timeout(limit, child.wait()).await {
        Ok(Ok(ended)) if !ended.success() => Err(NotOpened::NotStarted),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    fn lines(address: &str, variables: &[(&str, &str)]) -> Result<Vec<Vec<String>>, NotOpened> {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        let lines = command_lines(&web_address(address).ok_or(NotOpened::NotAWebAddress)?, &variable)?;
        Ok(lines.into_iter().map(|line| line.into_iter().map(|word| word.into_string().unwrap()).collect()).collect())
    }

    #[test]
    fn only_web_addresses_are_opened() {
        for address in [
            "-https://a.example",
            "--help",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "mailto:a@b.example",
            "https://",
            "https://good.example@evil.example/",
            "",
        ] {
            assert_eq!(lines(address, &[("DISPLAY", ":0")]), Err(NotOpened::NotAWebAddress), "{address}");
        }
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn a_browser_is_opened_where_the_person_sits() {
        let first = |variables: &[(&str, &str)]| lines("https://a.example/", variables).map(|mut lines| lines.remove(0));
        assert_eq!(first(&[]), Err(NotOpened::Headless));
        assert_eq!(first(&[("WAYLAND_DISPLAY", "w")]).unwrap(), ["xdg-open", "https://a.example/"]);
        assert_eq!(first(&[("WSL_DISTRO_NAME", "Debian")]).unwrap(), ["wslview", "https://a.example/"]);
        // A display that is forwarded shows a browser that runs at the wrong end.
        for far in ["SSH_CONNECTION", "SSH_TTY"] {
            assert_eq!(first(&[(far, "x"), ("DISPLAY", "localhost:10.0")]), Err(NotOpened::OverSsh));
            assert_eq!(first(&[(far, "x"), ("BROWSER", "helper")]).unwrap(), ["helper", "https://a.example/"]);
        }
        let desktop = lines("https://a.example/", &[("DISPLAY", ":0")]).unwrap();
        assert_eq!(desktop[1], ["gio", "open", "--", "https://a.example/"]);
    }

    #[test]
    fn the_address_is_one_argument_and_written_anew() {
        let found = lines("HTTPS://a.example/x y;$(id)`id`?a=b&c=\"d\n", &[("BROWSER", "firefox --new-tab")]).unwrap();
        assert_eq!(found, [["firefox", "--new-tab", "https://a.example/x%20y;$(id)%60id%60?a=b&c=%22d"]]);
    }

    #[test]
    fn the_browser_variable_is_honoured_in_its_order() {
        let found = lines("https://a.example/", &[("BROWSER", "w3m -o u=%s -N: :lynx"), ("DISPLAY", ":0")]).unwrap();
        assert_eq!(found, [vec!["w3m", "-o", "u=https://a.example/", "-N"], vec!["lynx", "https://a.example/"]]);
    }

    fn with_path(name: &str) -> Option<OsString> {
        (name == "PATH").then(|| std::env::var_os("PATH")).flatten()
    }

    /// Beyond what any program here takes, on a busy machine too.
    const WATCHDOG: Duration = Duration::from_secs(300);

    async fn started(words: &[&str], limit: Duration) -> Result<(), NotOpened> {
        start(&words.iter().map(OsString::from).collect::<Vec<_>>(), &with_path, limit).await
    }

    #[tokio::test]
    async fn a_browser_that_is_not_there_or_says_that_it_failed_is_told() {
        assert_eq!(started(&["/nonexistent/browser"], WATCHDOG).await, Err(NotOpened::NotStarted));
        assert_eq!(started(&["false"], WATCHDOG).await, Err(NotOpened::NotStarted));
        assert_eq!(started(&["true"], WATCHDOG).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_browser_that_stays_is_not_waited_for() {
        let begin = tokio::time::Instant::now();
        // It ends by itself soon after us: nothing is left behind, and nobody waits for it.
        assert_eq!(started(&["sleep", "5"], VERDICT_LIMIT).await, Ok(()));
        assert_eq!(begin.elapsed(), VERDICT_LIMIT);
    }

    #[tokio::test]
    async fn the_browser_gets_neither_secrets_nor_our_overrides_and_a_group_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let seen = directory.path().join("environment");
        // The child writes what it sees; the arguments are fixed here, no address is involved.
        let script = format!("env > {0} && ps -o pid=,pgid= -p $$ >> {0}", seen.display());
        let variable = |name: &str| match name {
            "PATH" => std::env::var_os("PATH"),
            "HOME" => Some("/home/a".into()),
            _ => Some("x".into()).filter(|_: &OsString| name.starts_with("MCP_") || name.ends_with("TOKEN")),
        };
        start(&["sh".into(), "-c".into(), script.into()], &variable, WATCHDOG).await.unwrap();
        let written = std::fs::read_to_string(&seen).unwrap();
        assert!(written.contains("HOME=/home/a") && !written.contains("MCP_") && !written.contains("CARGO"), "{written}");
        let group: Vec<&str> = written.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(group[0], group[1], "{written}");
    }
}
