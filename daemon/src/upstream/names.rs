//! Where the name of a host leads: its addresses, less those that are nearer than whoever named it may name (P21).
//!
//! Asked anew for each connection, and what is judged is what is connected to: a name that leads elsewhere the next time is judged
//! the next time. Must never: keep an address, or judge the proxy, which a person named.

use std::net::SocketAddr;

use mcp_authd_oauth::reach::Reach;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The platform's resolver, with a bound.
#[derive(Debug)]
pub(super) struct Names {
    /// No address may be nearer.
    pub(super) nearest: Reach,
    /// The host of the configured proxy.
    pub(super) proxy: Option<String>,
}

/// All addresses of a name are nearer than they may be.
#[derive(Debug, thiserror::Error)]
#[error("its name leads to a private network or to this machine")]
pub(super) struct LeadsNearer;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let is_proxy = self.proxy.as_deref().is_some_and(|proxy| proxy.eq_ignore_ascii_case(name.as_str()));
        let nearest = if is_proxy { Reach::ThisMachine } else { self.nearest };
        Box::pin(async move {
            let addresses = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<_> = within(nearest, addresses).collect();
            if allowed.is_empty() {
                return Err(LeadsNearer.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn within(nearest: Reach, addresses: impl Iterator<Item = SocketAddr>) -> impl Iterator<Item = SocketAddr> {
    addresses.filter(move |address| nearest.may_name(Reach::of_address(address.ip())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn p21_of_mixed_addresses_those_that_may_be_named_are_left() {
        let addresses = ["8.8.8.8:0", "10.0.0.1:0", "127.0.0.1:0", "[::ffff:169.254.169.254]:0", "[2606:4700::1]:0", "[::1]:0"];
        let left = |nearest| {
            let all = addresses.iter().map(|address| address.parse().unwrap());
            within(nearest, all).map(|address| address.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(left(Reach::Public), ["8.8.8.8:0", "[2606:4700::1]:0"]);
        assert_eq!(left(Reach::Private).len(), 4);
        assert_eq!(left(Reach::ThisMachine).len(), addresses.len());
    }
}
