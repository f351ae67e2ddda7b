//! Opening an address in the person's browser (D33, D34).
//!
//! Must never: use a shell, open anything but http and https, hand our environment on (P11), or wait for the browser.

use std::ffi::{OsStr, OsString};
use std::process::{Command, Stdio};

use url::Url;

/// Why no browser was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// The address is not one for a browser.
    NotAWebAddress,
    /// There is no display and no $BROWSER.
    Headless,
    /// The program that opens browsers cannot be started.
    NotStarted,
}

/// What a browser needs to find the person's session, and nothing else: no secret, no `MCP_AUTHD_*`.
const PASSED_ON: [&str; 33] = [
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

/// Opens an address. Returns as soon as the browser is started.
pub(crate) fn open(address: &str) -> Result<(), NotOpened> {
    let address = web_address(address).ok_or(NotOpened::NotAWebAddress)?;
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    start(&command_line(&address, &variable)?, &variable)
}

/// D33: an http or https address with a host, and without a user name, which would only dress up the host. What begins with '-' does
/// not parse.
pub(crate) fn web_address(text: &str) -> Option<Url> {
    let address = Url::parse(text).ok()?;
    let plain = address.username().is_empty() && address.password().is_none();
    (matches!(address.scheme(), "http" | "https") && address.has_host() && plain).then_some(address)
}

/// The program and its arguments. The address, written anew by the parser, is one element or a part of one.
fn command_line(address: &Url, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Vec<OsString>, NotOpened> {
    if let Some(browser) = variable("BROWSER") {
        return from_browser_variable(&browser, address).ok_or(NotOpened::NotStarted);
    }
    let (program, headless) = if cfg!(target_os = "macos") {
        ("open", variable("SSH_CONNECTION").is_some())
    } else {
        ("xdg-open", variable("DISPLAY").is_none() && variable("WAYLAND_DISPLAY").is_none())
    };
    if headless { Err(NotOpened::Headless) } else { Ok(vec![program.into(), address.as_str().into()]) }
}

/// `$BROWSER`: programs between colons, of which the first counts; `%s` stands for the address, else it comes last.
fn from_browser_variable(browser: &OsStr, address: &Url) -> Option<Vec<OsString>> {
    let first = browser.to_str()?.split(':').find(|entry| !entry.trim().is_empty())?;
    let mut words: Vec<OsString> = first.split_whitespace().map(|word| word.replace("%s", address.as_str()).into()).collect();
    if !first.contains("%s") {
        words.push(address.as_str().into());
    }
    Some(words)
}

fn start(command_line: &[OsString], variable: &dyn Fn(&str) -> Option<OsString>) -> Result<(), NotOpened> {
    let (program, arguments) = command_line.split_first().ok_or(NotOpened::NotStarted)?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().current_dir("/");
    command.envs(PASSED_ON.iter().filter_map(|name| variable(name).map(|value| (name, value))));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C ends our waiting, not the browser.
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn().map(drop).map_err(|_| NotOpened::NotStarted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn line(address: &str, variables: &[(&str, &str)]) -> Result<Vec<OsString>, NotOpened> {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        command_line(&web_address(address).ok_or(NotOpened::NotAWebAddress)?, &variable)
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
            assert_eq!(line(address, &[("DISPLAY", ":0")]), Err(NotOpened::NotAWebAddress), "{address}");
        }
    }

    #[cfg(not(target_os = "macos"))]
    #[test]
    fn without_a_display_nothing_is_opened() {
        assert_eq!(line("https://a.example/", &[]), Err(NotOpened::Headless));
        assert_eq!(line("https://a.example/", &[("WAYLAND_DISPLAY", "w")]).unwrap(), ["xdg-open", "https://a.example/"]);
    }

    #[test]
    fn the_address_is_one_argument_and_written_anew() {
        let found = line("HTTPS://a.example/x y;$(id)`id`?a=b&c=\"d\n", &[("BROWSER", "firefox --new-tab")]).unwrap();
        assert_eq!(found, ["firefox", "--new-tab", "https://a.example/x%20y;$(id)%60id%60?a=b&c=%22d"]);
    }

    #[test]
    fn the_browser_variable_is_honoured() {
        let found = line("https://a.example/", &[("BROWSER", "w3m -o u=%s -N:lynx"), ("DISPLAY", ":0")]).unwrap();
        assert_eq!(found, ["w3m", "-o", "u=https://a.example/", "-N"]);
    }

    #[test]
    fn a_browser_that_is_not_there_is_told() {
        assert_eq!(start(&["/nonexistent/browser".into()], &|_| None), Err(NotOpened::NotStarted));
    }

    #[test]
    fn the_browser_gets_neither_secrets_nor_our_overrides() {
        let directory = std::env::temp_dir().join(format!("authctl-browser-{}", std::process::id()));
        let seen = directory.with_extension("environment");
        // `env -i`-like: the child writes what it sees; the arguments are fixed here, no address is involved.
        let script = format!("env > {0}.new && mv {0}.new {0}", seen.display());
        let variable = |name: &str| match name {
            "PATH" => std::env::var_os("PATH"),
            "HOME" => Some("/home/a".into()),
            _ => Some("x".into()).filter(|_: &OsString| name.starts_with("MCP_") || name.ends_with("TOKEN")),
        };
        start(&["sh".into(), "-c".into(), script.into()], &variable).unwrap();
        let environment = loop {
            if let Ok(text) = std::fs::read_to_string(&seen) {
                break text;
            }
            std::thread::yield_now();
        };
        std::fs::remove_file(&seen).unwrap();
        assert!(environment.contains("HOME=/home/a") && !environment.contains("MCP_") && !environment.contains("CARGO"));
    }
}
