//! The two loopback addresses of one port, bound together or not at all (D29, D32; RFC 8252, 7.3).
//!
//! Must never: bind any other address, take another port than the one that was asked for, or share a port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::redirect::PortWanted;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
/// Connections that the kernel keeps while we accept others.
const BACKLOG: u32 = 64;
/// How many free ports of 127.0.0.1 are tried until one is free at [::1] too.
const ATTEMPTS: usize = 32;
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Why there is nothing to answer a login at.
#[derive(Debug, thiserror::Error)]
pub enum NoListener {
    /// Somebody else has it, at one of the two addresses at least. Never answered with another port (D32).
    #[error("port {port} of {address} is taken by another program, and the answer of this login can come to no other port")]
    PortTaken {
        /// Which.
        port: NonZeroU16,
        /// Where.
        address: IpAddr,
    },
    /// A port below 1024, where the system keeps them to itself.
    #[error("port {port} may not be opened by this user")]
    PortNotAllowed {
        /// Which.
        port: NonZeroU16,
    },
    /// The redirect URI names `[::1]`.
    #[error("this machine has no [::1], which the redirect URI of this login names")]
    NoIpv6,
    /// Neither address, or no port that is free at both.
    #[error("no port of this machine can be opened for the answer of the login")]
    NoPort(#[source] io::Error),
}

impl NoListener {
    /// What a person does next.
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            Self::PortTaken { port, .. } => format!("see which program it is ({}), end it, and log in again", who_has(*port)),
            Self::PortNotAllowed { .. } => "register a redirect URI with a port above 1023, and configure that".to_owned(),
            Self::NoIpv6 => "configure 127.0.0.1 as the host of its redirect URI".to_owned(),
            Self::NoPort(_) => "log in again later, or use a device login".to_owned(),
        }
    }
}

fn who_has(port: NonZeroU16) -> String {
    if cfg!(target_os = "linux") { format!("ss -ltnp 'sport = :{port}'") } else { format!("lsof -nP -iTCP:{port} -sTCP:LISTEN") }
}

/// Bound and listening.
#[derive(Debug)]
pub(super) struct Sockets {
    v4: TcpListener,
    v6: Option<TcpListener>,
    pause: Duration,
}

/// Opens one address; what tests put in the place of [`listen`] lacks one.
pub(super) type Listen = fn(SocketAddr) -> io::Result<TcpListener>;

impl Sockets {
    /// Binds what is wanted. Does not block.
    pub(super) fn bind(wanted: PortWanted, listen: Listen) -> Result<(NonZeroU16, Self), NoListener> {
        match wanted {
            PortWanted::Fixed(port) | PortWanted::Rather(port) => match Self::both(port.get(), listen) {
                Ok((_, sockets)) => Ok((port, sockets)),
                Err((address, error)) => Err(match error.kind() {
                    io::ErrorKind::AddrInUse => NoListener::PortTaken { port, address },
                    io::ErrorKind::PermissionDenied => NoListener::PortNotAllowed { port },
                    _ => NoListener::NoPort(error),
                }),
            },
            PortWanted::Free => Self::free(listen),
        }
    }

    fn free(listen: Listen) -> Result<(NonZeroU16, Self), NoListener> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..ATTEMPTS {
            match Self::both(0, listen) {
                Ok((port, sockets)) => match NonZeroU16::new(port) {
                    Some(port) => return Ok((port, sockets)),
                    None => break,
                },
                Err((_, error)) if error.kind() == io::ErrorKind::AddrInUse => last = error,
                Err((_, error)) => return Err(NoListener::NoPort(error)),
            }
        }
        Err(NoListener::NoPort(last))
    }

    /// A squatter at either address takes the port: a browser may try that one first.
    fn both(port: u16, listen: Listen) -> Result<(u16, Self), (IpAddr, io::Error)> {
        let v4 = listen(SocketAddr::new(V4, port)).map_err(|error| (V4, error))?;
        let port = v4.local_addr().map_err(|error| (V4, error))?.port();
        let v6 = match listen(SocketAddr::new(V6, port)) {
            Ok(v6) => Some(v6),
            Err(error) if is_missing(&error) => {
                tracing::debug!(port, "this machine has no [::1]; logins are answered at 127.0.0.1 only");
                None
            }
            Err(error) => return Err((V6, error)),
        };
        Ok((port, Self { v4, v6, pause: SHORTEST_PAUSE }))
    }

    pub(super) fn has_v6(&self) -> bool {
        self.v6.is_some()
    }

    /// The next connection. May be dropped and called again without losing any. Never fails: where the operating system has no
    /// descriptors left, it waits (B23).
    pub(super) async fn accept(&mut self) -> TcpStream {
        loop {
            let accepted = match &self.v6 {
                None => self.v4.accept().await,
                Some(v6) => tokio::select! {
                    accepted = self.v4.accept() => accepted,
                    accepted = v6.accept() => accepted,
                },
            };
            match accepted {
                Ok((stream, _)) => {
                    self.pause = SHORTEST_PAUSE;
                    return stream;
                }
                Err(error) => {
                    if self.pause == SHORTEST_PAUSE {
                        tracing::warn!(%error, "cannot accept the answers of logins for now");
                    }
                    let pause = self.pause;
                    self.pause = (pause * 2).min(LONGEST_PAUSE);
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

/// No IPv6 at all, or none on the loopback interface.
fn is_missing(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EADDRNOTAVAIL | Errno::EAFNOSUPPORT | Errno::EPROTONOSUPPORT))
}

/// Listens at one address, alone.
///
/// Neither SO_REUSEADDR (which `TcpListener::bind` would set) nor SO_REUSEPORT: with them a second program may get the same port, at
/// the same address or a wider one, and with it codes; and its socket would not be seen as taking the port. What SO_REUSEADDR is
/// set for, binding again at once after connections were closed, is had by never being the first to close one (`serve.rs`).
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6()? } else { TcpSocket::new_v4()? };
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
