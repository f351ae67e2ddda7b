//! The providers that an account can name, on the wire.
//!
//! Must never: hand a table of `config.toml` out: only what it means.

use mcp_authd_oauth::profile::ClientNeed;
use mcp_authd_proto::v1;

use super::Face;
use crate::config::{Offered, ProviderOrigin, ProviderView};

/// Each, in the order of their names.
pub(super) async fn list(face: &Face) -> v1::ListProfilesResponse {
    v1::ListProfilesResponse { providers: face.roster.providers().await.into_iter().map(provider).collect() }
}

fn provider(view: ProviderView) -> v1::ProviderProfile {
    let (origin, text) = match view.origin {
        ProviderOrigin::Shipped(text) => (v1::ProfileOrigin::Shipped, text),
        ProviderOrigin::Configured => (v1::ProfileOrigin::Configured, ""),
    };
    let client = match view.client {
        ClientNeed::Any => v1::ClientNeeded::Any,
        ClientNeed::Secret => v1::ClientNeeded::WithSecret,
        ClientNeed::None => v1::ClientNeeded::None,
    };
    v1::ProviderProfile {
        name: view.name,
        origin: origin.into(),
        text: text.to_owned(),
        parameters: view.parameters.into_iter().map(|(name, usual)| v1::ProviderParameter { name, usual }).collect(),
        client: client.into(),
        device: offered(view.device).into(),
        browser: offered(view.browser).into(),
        meaning: view.meaning,
    }
}

fn offered(way: Offered) -> v1::WayOffered {
    match way {
        Offered::Yes => v1::WayOffered::Yes,
        Offered::No => v1::WayOffered::No,
        Offered::AsAdvertised => v1::WayOffered::AsAdvertised,
    }
}
