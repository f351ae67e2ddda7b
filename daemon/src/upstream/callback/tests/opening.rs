//! Which addresses and ports are bound, and what is said where one is taken.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use tokio::net::TcpListener as Listening;

use super::browser::{V4, V6, listens, visit};
use super::*;
use crate::upstream::callback::sockets::listen;

fn squat(address: IpAddr) -> (TcpListener, NonZeroU16) {
    let port = unused();
    (TcpListener::bind(SocketAddr::new(address, port.get())).unwrap(), port)
}

#[tokio::test]
async fn d29_both_loopback_addresses_are_bound_at_one_port() {
    let expected = callbacks().open(Redirect::default()).unwrap().expect(&state("s1"));
    let port = expected.port();
    assert!(listens(V4, port).await && listens(V6, port).await);
    assert_eq!(visit(&format!("http://[::1]:{port}/callback?code=c&state=s1")).await.status, 200);
    assert_eq!(code(&expected.response().await), "c");
}

#[tokio::test]
async fn d32_a_port_that_is_taken_at_either_address_is_an_error_that_names_it() {
    for address in [V4, V6, "0.0.0.0".parse().unwrap(), "::".parse().unwrap()] {
        let (squatter, port) = squat(address);
        let callbacks = callbacks();
        let why = callbacks.open(fixed(port)).unwrap_err();
        assert!(
            matches!(&why, NoListener::PortTaken { port: taken, address: at }
            if *taken == port && (address.is_unspecified() || *at == address)),
            "{why:?}"
        );
        let told = why.to_string();
        assert!(told.contains(&port.to_string()) && why.next_step().ends_with("log in again"), "{told}");
        assert_eq!(callbacks.0.lock().len(), 0, "nothing stays open");

        // Nor does anything stay bound: the port can be had as soon as the squatter has gone.
        drop(squatter);
        assert_eq!(callbacks.open(fixed(port)).unwrap().port(), port);
    }
}

#[tokio::test]
async fn d32_nobody_can_join_a_port_that_is_open() {
    let door = callbacks().open(Redirect::default()).unwrap();
    for address in [V4, V6, "0.0.0.0".parse().unwrap(), "::".parse().unwrap()] {
        // std asks for SO_REUSEADDR.
        let address = SocketAddr::new(address, door.port().get());
        assert_eq!(TcpListener::bind(address).map_err(|error| error.kind()).err(), Some(io::ErrorKind::AddrInUse), "{address}");
        let socket = if address.is_ipv6() { tokio::net::TcpSocket::new_v6() } else { tokio::net::TcpSocket::new_v4() }.unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.set_reuseport(true).unwrap();
        assert!(socket.bind(address).is_err(), "{address}");
    }
}

#[tokio::test]
async fn a_fixed_port_is_shared_and_one_that_is_open_serves_whoever_takes_any() {
    let callbacks = callbacks();
    let port = unused();
    let doors = [callbacks.open(fixed(port)), callbacks.open(fixed(port)), callbacks.open(Redirect::default())];
    assert!(doors.iter().all(|door| door.as_ref().unwrap().port() == port));
    assert_eq!(callbacks.0.lock().len(), 1);
}

fn without_v6(address: SocketAddr) -> io::Result<Listening> {
    if address.is_ipv6() { Err(io::Error::from_raw_os_error(nix::libc::EADDRNOTAVAIL)) } else { listen(address) }
}

fn v6_taken(address: SocketAddr) -> io::Result<Listening> {
    if address.is_ipv6() { Err(io::ErrorKind::AddrInUse.into()) } else { listen(address) }
}

/// Every second port is taken at [::1].
fn v6_taken_now_and_then(address: SocketAddr) -> io::Result<Listening> {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static TRIES: AtomicUsize = AtomicUsize::new(0);
    if address.is_ipv6() && TRIES.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
        Err(io::ErrorKind::AddrInUse.into())
    } else {
        listen(address)
    }
}

#[tokio::test]
async fn where_there_is_no_ipv6_only_127_0_0_1_is_bound() {
    let callbacks = Callbacks::over(&Tasks::new(), &Time::default().clock(), without_v6);
    let expected = callbacks.open(Redirect::default()).unwrap().expect(&state("s1"));
    assert!(listens(V4, expected.port()).await && !listens(V6, expected.port()).await);
    assert_eq!(visit(&format!("{}?code=c&state=s1", expected.redirect_uri())).await.status, 200);
    let six = callbacks.open(Redirect { host: RedirectHost::Ipv6, ..Redirect::default() });
    assert!(matches!(six, Err(NoListener::NoIpv6)), "{six:?}");
}

#[tokio::test]
async fn a_free_port_is_free_at_both_addresses_or_there_is_none() {
    let callbacks = Callbacks::over(&Tasks::new(), &Time::default().clock(), v6_taken_now_and_then);
    let door = callbacks.open(Redirect::default()).unwrap();
    assert!(listens(V4, door.port()).await && listens(V6, door.port()).await);
    let why = Callbacks::over(&Tasks::new(), &Time::default().clock(), v6_taken).open(Redirect::default()).unwrap_err();
    assert!(matches!(why, NoListener::NoPort(_)), "{why:?}");
}

#[tokio::test]
async fn a_port_that_is_not_allowed_is_told() {
    fn denied(_: SocketAddr) -> io::Result<Listening> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    let port = NonZeroU16::new(80).unwrap();
    let why = Callbacks::over(&Tasks::new(), &Time::default().clock(), denied).open(fixed(port)).unwrap_err();
    assert!(matches!(why, NoListener::PortNotAllowed { .. }), "{why:?}");
    assert!(why.to_string().contains("port 80 may not"), "{why}");
}

/// The sockets of this process with a port that others can reach, as the kernel lists them.
#[cfg(target_os = "linux")]
fn listed(port: NonZeroU16) -> BTreeSet<(&'static str, String)> {
    let own: Vec<String> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut listed = BTreeSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        for line in std::fs::read_to_string(format!("/proc/self/net/{table}")).unwrap().lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (address, at) = words[1].split_once(':').unwrap();
            let is_open = table.starts_with("udp") || words[3] == "0A";
            if is_open && u16::from_str_radix(at, 16).unwrap() == port.get() && own.contains(&words[9].to_owned()) {
                listed.insert((table, address.to_owned()));
            }
        }
    }
    listed
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn p16_the_kernel_knows_no_socket_of_this_port_but_the_two_on_loopback() {
    let door = callbacks().open(Redirect::default()).unwrap();
    let wanted = [("tcp", "0100007F"), ("tcp6", "00000000000000000000000001000000")];
    let wanted = BTreeSet::from(wanted.map(|(table, address)| (table, address.to_owned())));
    // The kernel's lists miss lines while other tests open and close sockets.
    let mut seen = BTreeSet::new();
    while !seen.is_superset(&wanted) {
        seen.extend(listed(door.port()));
    }
    assert_eq!(seen, wanted);
}
