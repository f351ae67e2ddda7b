//! The TCP ports that a program has open for others, as the kernel lists them.
//!
//! Must never: connect anywhere to find out: a look changes nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// Where this process listens. The kernel's lists may miss a line while others open and close sockets: what is seen is there, what
/// is not seen is looked for again. Only Linux tells; elsewhere nothing is seen.
///
/// # Panics
/// If the lists are not as they are known to be.
#[must_use]
pub fn of(pid: u32) -> BTreeSet<SocketAddr> {
    let own = sockets_of(pid);
    let tables = ["tcp", "tcp6"].map(|table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    lines.filter_map(|line| listener(line, &own)).collect()
}

/// The lines of the kernel's lists with sockets of this process that wait for anybody on a network, TCP or UDP. `None`: its descriptors
/// cannot be read here.
///
/// # Panics
/// If a daemon is asked about that has no sockets at all: then its descriptors were not seen.
#[must_use]
pub fn on_the_network(pid: u32) -> Option<Vec<String>> {
    std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    let own = sockets_of(pid);
    assert!(own.len() >= 2, "its two sockets at least are seen");
    let tables = ["tcp", "tcp6", "udp", "udp6"].map(|table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")));
    let is_ours = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let waits = words.get(3).is_some_and(|state| ["0A", "07"].contains(state));
        waits && words.get(9).is_some_and(|inode| own.contains(*inode))
    };
    Some(tables.iter().flatten().flat_map(|table| table.lines()).filter(is_ours).map(str::to_owned).collect())
}

fn sockets_of(pid: u32) -> BTreeSet<String> {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .filter_map(|descriptor| std::fs::read_link(descriptor.ok()?.path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect()
}

/// Whether nobody at all listens at this port of loopback: only then can another program.
#[must_use]
pub fn nobody_at(port: u16) -> bool {
    let addresses = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let is_taken = |address| match TcpListener::bind(SocketAddr::new(address, port)) {
        Ok(_) => false,
        Err(error) => error.kind() == std::io::ErrorKind::AddrInUse,
    };
    !addresses.into_iter().any(is_taken)
}

/// One line of the kernel's list: `sl local_address rem_address st .. inode ..`.
fn listener(line: &str, own: &BTreeSet<String>) -> Option<SocketAddr> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (words.get(1)?, words.get(3)?, words.get(9)?);
    (*state == "0A" && own.contains(*inode)).then(|| {
        let (address, port) = local.split_once(':').expect("an address and a port");
        SocketAddr::new(address_of(address), u16::from_str_radix(port, 16).expect("a port in hex"))
    })
}

/// Words of four bytes, each as this machine keeps it.
fn address_of(hex: &str) -> IpAddr {
    let words = (0..hex.len() / 8).map(|at| u32::from_str_radix(&hex[8 * at..8 * at + 8], 16).expect("an address in hex"));
    let bytes: Vec<u8> = words.flat_map(u32::to_ne_bytes).collect();
    match (<[u8; 4]>::try_from(bytes.as_slice()), <[u8; 16]>::try_from(bytes.as_slice())) {
        (Ok(v4), _) => IpAddr::V4(Ipv4Addr::from(v4)),
        (_, Ok(v6)) => IpAddr::V6(Ipv6Addr::from(v6)),
        _ => panic!("{hex} is no address"),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_listens_at_is_seen_and_what_it_does_not_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        while !of(std::process::id()).contains(&address) {}
        assert!(!nobody_at(address.port()));
        drop(listener);
        assert!(!of(std::process::id()).contains(&address));
    }
}
