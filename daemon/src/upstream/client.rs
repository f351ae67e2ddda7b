//! The reqwest clients, one for each bound of where a name may lead: whom
//! they trust, what they go through, and what they must never do on their own.
//!
//! Must never: read a proxy or certificates from the environment (D10, D64), follow a redirect (D5), retry, or keep a connection.

use std::sync::Arc;
use std::time::Duration;

use mcp_authd_oauth::endpoint::{Endpoint, Loopback};
use mcp_authd_oauth::reach::Reach;
use reqwest::{Certificate, Client, Proxy, Url};

use super::names::Names;
use super::transport::Limits;
use crate::config::Network;

/// Product and version, and nothing about the machine or its user (D65).
const USER_AGENT: &str = concat!("mcp-authd/", env!("CARGO_PKG_VERSION"));

/// Why there is no client. Tried again at the next request.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoClient {
    /// The configured certificates.
    #[error("`ca_file` in config.toml holds no certificate that can be read. Next: mend the file, then: authctl reload")]
    BadCertificates,
    /// The configured proxy.
    #[error("`proxy` in config.toml cannot be used. Next: write it as http://HOST:PORT, then: authctl reload")]
    BadProxy,
    /// Without one trusted certificate there is no client (the platform's list is empty or unreadable).
    #[error("no certificate is trusted: {0}. Next: install CA certificates (Debian: apt-get install ca-certificates)")]
    NoTrust(reqwest::Error),
}

/// Builds one that follows no name nearer than this. Blocks: files are read.
pub(super) fn build(
    nearest: Reach,
    limits: Limits,
    (network, mut roots): (&Network, Vec<Certificate>),
) -> Result<Client, NoClient> {
    roots.extend(configured_certificates(network)?);
    // Refused only where one is installed already, and then it is this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_proxy()
        .dns_resolver(Arc::new(Names { nearest, proxy: proxy_host(network) }))
        .pool_max_idle_per_host(0)
        .connect_timeout(limits.connect)
        // A silent peer is noticed in about two and a half minutes; a short loss of the network does not end a request that may
        // have spent a refresh token.
        .tcp_keepalive(Duration::from_secs(30))
        .tcp_keepalive_interval(Duration::from_secs(30))
        .tcp_keepalive_retries(4)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .http2_keep_alive_timeout(Duration::from_secs(90));
    #[cfg(target_os = "linux")]
    {
        builder = builder.tcp_user_timeout(None);
    }
    if let Some(proxy) = configured_proxy(network)? {
        builder = builder.proxy(proxy);
    }
    let client = if roots.is_empty() { builder.build() } else { builder.tls_certs_merge(roots).build() };
    client.map_err(NoClient::NoTrust)
}

fn configured_certificates(network: &Network) -> Result<Vec<Certificate>, NoClient> {
    let Some(pem) = &network.certificates else { return Ok(Vec::new()) };
    match Certificate::from_pem_bundle(pem.as_bytes()) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(NoClient::BadCertificates),
    }
}

/// For every host but this machine (D64).
fn configured_proxy(network: &Network) -> Result<Option<Proxy>, NoClient> {
    let Some(proxy) = &network.proxy else { return Ok(None) };
    let through = Url::parse(proxy.as_str()).map_err(|_| NoClient::BadProxy)?;
    let choose = move |target: &Url| (!is_loopback(target)).then(|| through.clone());
    Ok(Some(Proxy::custom(choose)))
}

/// Its name is the person's.
fn proxy_host(network: &Network) -> Option<String> {
    let proxy = Url::parse(network.proxy.as_ref()?.as_str()).ok()?;
    proxy.host_str().map(str::to_owned)
}

/// By the same rule as everywhere: what reaches this machine never goes through a proxy.
fn is_loopback(target: &Url) -> bool {
    Endpoint::parse(target.as_str(), Loopback::Allowed).is_ok_and(|endpoint| endpoint.is_loopback())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_name_of_this_machine_stays_off_the_proxy() {
        for near in
            ["http://localhost./", "http://a.localhost/", "http://127.9.9.9/", "http://[::1]/", "http://[::ffff:127.0.0.1]/"]
        {
            assert!(is_loopback(&Url::parse(near).unwrap()), "{near}");
        }
        for far in ["https://as.example/", "https://10.0.0.1/", "https://localhost.example/"] {
            assert!(!is_loopback(&Url::parse(far).unwrap()), "{far}");
        }
    }
}
