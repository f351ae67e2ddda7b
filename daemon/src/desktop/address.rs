//! Where the session bus listens, from the environment (D-Bus specification 0.43, "Server Addresses").
//!
//! Must never: name anything but a socket of this machine. What would start a bus or a program (`autolaunch:`, `unixexec:`), or leave
//! the machine (`tcp:`), is no address here.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

/// The path of a socket. One that begins with a NUL byte is a name in the abstract namespace (unix(7)).
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address(PathBuf);

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({:?})", self.0)
    }
}

impl Address {
    /// As this process was told.
    pub(super) fn of_this_process() -> Option<Self> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self::from_environment(variable("DBUS_SESSION_BUS_ADDRESS"), variable("XDG_RUNTIME_DIR"))
    }

    /// The first that can be used of a list; where there is no list, the bus of the user's runtime directory.
    fn from_environment(list: Option<OsString>, runtime_dir: Option<OsString>) -> Option<Self> {
        match list {
            Some(list) => list.as_bytes().split(|byte| *byte == b';').find_map(Self::of_entry),
            None => runtime_dir.map(PathBuf::from).filter(|path| path.is_absolute()).map(|path| Self(path.join("bus"))),
        }
    }

    /// `unix:path=/run/user/1000/bus,guid=...`
    fn of_entry(entry: &[u8]) -> Option<Self> {
        let mut places = entry.strip_prefix(b"unix:")?.split(|byte| *byte == b',').filter_map(place);
        places.next().filter(|_| places.next().is_none())
    }

    /// For a bus of a test's own.
    #[cfg(test)]
    pub(super) fn at(path: &std::path::Path) -> Self {
        Self(path.to_owned())
    }

    /// The path of the socket.
    pub(super) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

fn place(pair: &[u8]) -> Option<Address> {
    if let Some(path) = pair.strip_prefix(b"path=") {
        let path = PathBuf::from(OsString::from_vec(unescaped(path)?));
        return (path.is_absolute() && !path.as_os_str().as_bytes().contains(&0)).then_some(Address(path));
    }
    let name = unescaped(pair.strip_prefix(b"abstract=")?)?;
    let is_name = !name.is_empty() && cfg!(target_os = "linux");
    is_name.then(|| Address(PathBuf::from(OsString::from_vec([b"\0".as_slice(), &name].concat()))))
}

/// `%20` and its like. `None`: what is escaped is not two hexadecimal digits.
fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            (plain, rest) = (
                {
                    plain.push(*first);
                    plain
                },
                after,
            );
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
        plain.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(list: &str) -> Option<String> {
        let address = Address::from_environment(Some(list.into()), Some("/run/user/7".into()));
        address.map(|address| address.path().to_string_lossy().into_owned())
    }

    #[test]
    fn a_path_and_an_abstract_name_are_found_among_others() {
        assert_eq!(of("unix:path=/run/user/7/bus"), Some("/run/user/7/bus".to_owned()));
        assert_eq!(of("unix:guid=0123,path=/tmp/dbus%2dx%20y"), Some("/tmp/dbus-x y".to_owned()));
        assert_eq!(of("tcp:host=127.0.0.1,port=1;unix:path=/a"), Some("/a".to_owned()));
        if cfg!(target_os = "linux") {
            assert_eq!(of("unix:abstract=/tmp/dbus-Xy,guid=1"), Some("\0/tmp/dbus-Xy".to_owned()));
        }
    }

    #[test]
    fn nothing_is_started_and_nothing_leaves_the_machine() {
        for list in [
            "autolaunch:",
            "autolaunch:scope=*",
            "unixexec:path=/bin/sh",
            "tcp:host=127.0.0.1,port=1",
            "nonce-tcp:host=h,port=1",
            "launchd:env=DBUS_LAUNCHD_SESSION_BUS_SOCKET",
            "ibus:",
            "unix:",
            "unix:path=",
            "unix:path=relative",
            "unix:tmpdir=/tmp",
            "unix:path=/a,abstract=b",
            "unix:path=/a%0",
            "unix:path=/a%zz",
            "unix:path=/a%00b",
            "unix:path=/a%+1",
            "/run/user/7/bus",
        ] {
            assert_eq!(of(list), None, "{list}");
        }
    }

    #[test]
    fn without_a_list_the_bus_stands_in_the_runtime_directory() {
        let bus = |directory: Option<&str>| Address::from_environment(None, directory.map(Into::into));
        assert_eq!(bus(Some("/run/user/7")), Some(Address("/run/user/7/bus".into())));
        assert_eq!(bus(Some("run")), None);
        assert_eq!(bus(None), None);
    }

    proptest! {
        #[test]
        fn whatever_the_list_says_the_socket_is_on_this_machine(list in "([a-z-]{0,9}:?[a-z]{0,8}=?[/%0-9a-f,;]{0,12}){0,4}") {
            if let Some(path) = of(&list) {
                prop_assert!(path.starts_with(['/', '\0']), "{path:?}");
            }
        }

        #[test]
        fn what_is_escaped_is_found_again(bytes in proptest::collection::vec(1_u8.., 1..40)) {
            let escaped: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
            let list = format!("unix:path=/{escaped}");
            let wanted = [b"/".as_slice(), &bytes].concat();
            let found = Address::from_environment(Some(list.into()), None);
            prop_assert_eq!(found.map(|address| address.path().as_os_str().as_bytes().to_vec()), Some(wanted));
        }
    }
}
