//! A provider as a person sees it: what an account has to give, which logins there are, and what it means.
//!
//! Must never: hold the values that are sent besides: a person may have put anything there.

use std::collections::BTreeSet;

use mcp_authd_oauth::profile::{ClientNeed, DeviceGrant, DiscoveryMode, Pkce, Profile};

use super::Described;
use super::meaning::meaning;
use super::shipped::{described, shipped};

/// A provider as a person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderView {
    /// What an account calls it: `provider = "NAME"`.
    pub name: String,
    /// Where it comes from.
    pub origin: ProviderOrigin,
    /// What stands for `{NAME}` in its URLs, with what counts where an account gives none. Empty: it has to.
    pub parameters: Vec<(String, String)>,
    /// What a client has to be.
    pub client: ClientNeed,
    /// Logins by a code on another device (RFC 8628).
    pub device: Offered,
    /// Logins in a browser (RFC 6749, 4.1).
    pub browser: Offered,
    /// What it means, in sentences.
    pub meaning: Vec<String>,
}

/// Where a provider comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderOrigin {
    /// From the binary, with the text of its file.
    Shipped(&'static str),
    /// From `config.toml`.
    Configured,
}

/// Whether there is such a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// There is.
    Yes,
    /// There is none.
    No,
    /// Where the server's metadata says so.
    AsAdvertised,
}

impl ProviderView {
    pub(super) fn of(name: &str, described: &Described, origin: ProviderOrigin) -> Self {
        let (profile, server) = (&described.profile, &described.server);
        let (names_device, names_browser) = server.names_beginnings();
        let offered = |named: bool| match (named, profile.discovery) {
            (true, _) => Offered::Yes,
            (false, DiscoveryMode::Metadata) => Offered::AsAdvertised,
            (false, DiscoveryMode::None) => Offered::No,
        };
        Self {
            name: name.to_owned(),
            origin,
            parameters: described.parameters.clone().into_iter().collect(),
            client: profile.client,
            device: if profile.device_grant == DeviceGrant::Unavailable { Offered::No } else { offered(names_device) },
            browser: in_browser(offered(names_browser), profile),
            meaning: meaning(described),
        }
    }
}

/// No login in a browser without PKCE (D24): where no provider's word assumes it, only metadata can promise it.
fn in_browser(offered: Offered, profile: &Profile) -> Offered {
    match (offered, profile.pkce, profile.discovery) {
        (Offered::Yes, Pkce::AsAdvertised, DiscoveryMode::None) => Offered::No,
        (Offered::Yes, Pkce::AsAdvertised, DiscoveryMode::Metadata) => Offered::AsAdvertised,
        (offered, ..) => offered,
    }
}

/// With the shipped ones, in the order of their names; one of `own` stands in the place of a shipped one of the same name.
pub(in super::super) fn with_shipped(own: Vec<ProviderView>) -> Vec<ProviderView> {
    let taken: BTreeSet<String> = own.iter().map(|view| view.name.clone()).collect();
    let shipped = shipped().filter(|profile| !taken.contains(profile.name)).filter_map(|profile| {
        Some(ProviderView::of(profile.name, described(profile.name)?, ProviderOrigin::Shipped(profile.text)))
    });
    let mut all: Vec<_> = shipped.chain(own).collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}
