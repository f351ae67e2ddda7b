//! The providers that an account can name: the shipped ones and those of `config.toml`.

use mcp_authd_proto::v1;

use super::AdminClient;
use crate::call::{self, SILENCE_LIMIT};
use crate::convert::filled;
use crate::error::CallError;

/// A provider that an account can name: `provider = "NAME"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderProfile {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub origin: ProfileOrigin,
    /// The file as it is shipped, fit to be pasted into `config.toml`. `None` for one that stands there already.
    pub text: Option<String>,
    /// What stands for `{NAME}` in its URLs.
    pub parameters: Vec<ProviderParameter>,
    /// What a client has to be.
    pub client: ClientNeeded,
    /// Logins by a code on another device (RFC 8628).
    pub device: WayOffered,
    /// Logins in a browser (RFC 6749, 4.1).
    pub browser: WayOffered,
    /// What it means, in sentences.
    pub meaning: Vec<String>,
}

/// What an account may give to its provider, or has to: `provider_parameters = { NAME = "..." }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderParameter {
    /// Its name.
    pub name: String,
    /// What counts where an account gives none. `None`: it has to.
    pub usual: Option<String>,
}

/// Where a provider comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileOrigin {
    /// From the daemon's binary.
    Shipped,
    /// From a table of `config.toml`.
    Configured,
    /// Something that a newer daemon knows.
    Other,
}

/// What a client has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientNeeded {
    /// There has to be one, with or without a secret.
    Any,
    /// With a secret.
    WithSecret,
    /// The provider knows no clients.
    None,
    /// Something that a newer daemon knows.
    Other,
}

/// Whether there is such a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WayOffered {
    /// There is.
    Yes,
    /// There is none.
    No,
    /// Where the server's metadata says so.
    AsAdvertised,
    /// Something that a newer daemon knows.
    Other,
}

impl AdminClient {
    /// The providers that an account can name, in the order of their names.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn providers(&self) -> Result<Vec<ProviderProfile>, CallError> {
        let answer = self.call(SILENCE_LIMIT, || async {
            call::message("ListProfiles", self.stub().list_profiles(v1::ListProfilesRequest {}).await)
        });
        Ok(answer.await?.providers.into_iter().map(provider).collect())
    }
}

fn provider(wire: v1::ProviderProfile) -> ProviderProfile {
    let origin = match wire.origin() {
        v1::ProfileOrigin::Shipped => ProfileOrigin::Shipped,
        v1::ProfileOrigin::Configured => ProfileOrigin::Configured,
        v1::ProfileOrigin::Unspecified => ProfileOrigin::Other,
    };
    let client = match wire.client() {
        v1::ClientNeeded::Any => ClientNeeded::Any,
        v1::ClientNeeded::WithSecret => ClientNeeded::WithSecret,
        v1::ClientNeeded::None => ClientNeeded::None,
        v1::ClientNeeded::Unspecified => ClientNeeded::Other,
    };
    let (device, browser) = (offered(wire.device()), offered(wire.browser()));
    let parameter = |wire: v1::ProviderParameter| ProviderParameter { name: wire.name, usual: filled(wire.usual) };
    ProviderProfile {
        origin,
        client,
        device,
        browser,
        text: filled(wire.text),
        parameters: wire.parameters.into_iter().map(parameter).collect(),
        name: wire.name,
        meaning: wire.meaning,
    }
}

fn offered(wire: v1::WayOffered) -> WayOffered {
    match wire {
        v1::WayOffered::Yes => WayOffered::Yes,
        v1::WayOffered::No => WayOffered::No,
        v1::WayOffered::AsAdvertised => WayOffered::AsAdvertised,
        v1::WayOffered::Unspecified => WayOffered::Other,
    }
}
