//! Who can reach a host: everybody, a private network, or this machine alone. What a server may name depends on what the person
//! named (D3, D9, P21).
//!
//! Must never: resolve a name. A name counts as public here; where it leads to is for whoever connects, with [`Reach::of_address`]
//! and [`Endpoint::nearest`](crate::endpoint::Endpoint::nearest).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// How near a host is, from far to near. Whoever was named by the person may name what is as far or farther, never nearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Anybody's: a public address, or a name.
    Public,
    /// An address that only a private network, a link or a provider's own network knows, or that no host has.
    Private,
    /// This machine.
    ThisMachine,
}

impl Reach {
    /// Of an address, also where it is wrapped into another (IPv4-mapped, NAT64, 6to4).
    #[must_use]
    pub fn of_address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }

    /// Whether something that the person named so may name something with this reach.
    #[must_use]
    pub fn may_name(self, named: Self) -> bool {
        named <= self
    }

    pub(crate) fn of_url(url: &Url) -> Self {
        match url.host() {
            Some(Host::Domain(name)) => of_name(name),
            Some(Host::Ipv4(address)) => of_v4(address),
            Some(Host::Ipv6(address)) => of_v6(address),
            None => Self::Public,
        }
    }
}

fn of_name(name: &str) -> Reach {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name == "localhost" || name.ends_with(".localhost") { Reach::ThisMachine } else { Reach::Public }
}

/// The special blocks of IANA's registry (RFC 6890). A connection to the unspecified address ends on this machine too.
fn of_v4(address: Ipv4Addr) -> Reach {
    match address.octets() {
        [127, ..] | [0, 0, 0, 0] => Reach::ThisMachine,
        [0 | 10, ..]
        | [100, 64..=127, ..]
        | [169, 254, ..]
        | [172, 16..=31, ..]
        | [192, 0, 0, _]
        | [192, 168, ..]
        | [198, 18..=19, ..]
        | [224..=255, ..] => Reach::Private,
        _ => Reach::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Reach {
    if let Some(inner) = address.to_ipv4_mapped() {
        return of_v4(inner);
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Reach::ThisMachine,
        // NAT64 (RFC 6052), the deprecated IPv4-compatible form, 6to4 (RFC 3056): what counts is the address inside. Another
        // machine is on the way, so none of them is this one.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            of_v4(inner(high, low)).min(Reach::Private)
        }
        // Local NAT64 (RFC 8215), Teredo (RFC 4380), unique local, link-local, the old site-local, multicast.
        [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] | [0xfc00..=0xfdff | 0xfe80..=0xffff, ..] => Reach::Private,
        _ => Reach::Public,
    }
}

fn inner(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn of(host: &str) -> Reach {
        Reach::of_url(&Url::parse(&format!("https://{host}/")).unwrap())
    }

    #[test]
    fn d9_private_and_link_local_addresses_are_known_however_they_are_spelled() {
        for host in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "0xa9fea9fe",
            "2852039166",
            "[::ffff:10.0.0.1]",
            "[::ffff:a9fe:a9fe]",
            "[::10.0.0.1]",
            "[64:ff9b::10.0.0.1]",
            "[64:ff9b:1::1]",
            "[2002:a9fe:a9fe::1]",
            "[64:ff9b::7f00:1]",
            "[::127.0.0.1]",
            "[fd00::1]",
            "[fe80::1]",
            "[fec0::1]",
            "[ff02::1]",
        ] {
            assert_eq!(of(host), Reach::Private, "{host}");
        }
        for host in
            ["as.example", "8.8.8.8", "172.32.0.1", "100.128.0.1", "[2606:4700::1]", "[::ffff:8.8.8.8]", "[2002:808:808::]"]
        {
            assert_eq!(of(host), Reach::Public, "{host}");
        }
        for host in ["127.0.0.1", "localhost.", "a.localhost", "[::1]", "[::]", "0.0.0.0", "[::ffff:127.1.1.1]"] {
            assert_eq!(of(host), Reach::ThisMachine, "{host}");
        }
    }

    #[test]
    fn d9_what_is_named_is_never_nearer_than_what_the_person_named() {
        use Reach::{Private, Public, ThisMachine};
        let table = [Public, Private, ThisMachine].map(|by| [Public, Private, ThisMachine].map(|named| by.may_name(named)));
        assert_eq!(table, [[true, false, false], [true, true, false], [true, true, true]]);
    }

    proptest! {
        #[test]
        fn wrapping_an_address_does_not_make_it_farther(bits in any::<u32>()) {
            let plain = Ipv4Addr::from(bits);
            let [a, b] = [(bits >> 16) as u16, (bits & 0xffff) as u16];
            prop_assert_eq!(Reach::of_address(plain.to_ipv6_mapped().into()), Reach::of_address(plain.into()));
            for wrapped in [Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b), Ipv6Addr::new(0x2002, a, b, 0, 0, 0, 0, 1)] {
                let near = Reach::of_address(plain.into()).min(Reach::Private);
                prop_assert_eq!(Reach::of_address(wrapped.into()), near);
            }
        }
    }
}
