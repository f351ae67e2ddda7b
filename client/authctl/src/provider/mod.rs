//! `authctl provider`: the providers that an account can name, shipped and configured, and what stands behind a URL.
//!
//! Must never: read the configuration, ask a server by itself, or know a provider by its name; the daemon does and tells.

mod check;
pub(crate) mod found;
mod list;
mod show;

use mcp_authd_client::admin::{ClientNeeded, ProfileOrigin, ProviderParameter, ProviderProfile, WayOffered};
use serde_json::{Value, json};

use crate::cli::provider::ProviderCommand;
use crate::exit::{Exit, Failure};

/// `authctl provider ..`.
pub(crate) async fn run(command: ProviderCommand) -> Result<Exit, Failure> {
    match command {
        ProviderCommand::Check(check) => check::run(check).await,
        ProviderCommand::List(list) => list::run(list).await,
        ProviderCommand::Show(show) => show::run(show).await,
    }
}

/// What an account has to give.
fn needs(provider: &ProviderProfile) -> Vec<&str> {
    let client: &[&str] = match provider.client {
        ClientNeeded::Any => &["client_id"],
        ClientNeeded::WithSecret => &["client_id", "its secret"],
        ClientNeeded::None => &[],
        _ => &["a client of a kind that needs a newer authctl"],
    };
    let parameters = provider.parameters.iter().filter(|parameter| parameter.usual.is_none());
    client.iter().copied().chain(parameters.map(|parameter| parameter.name.as_str())).collect()
}

fn object(provider: &ProviderProfile) -> Value {
    let origin = match provider.origin {
        ProfileOrigin::Shipped => "shipped",
        ProfileOrigin::Configured => "configured",
        _ => "unknown",
    };
    let client = match provider.client {
        ClientNeeded::Any => "any",
        ClientNeeded::WithSecret => "with_secret",
        ClientNeeded::None => "none",
        _ => "unknown",
    };
    let offered = |way| match way {
        WayOffered::Yes => "yes",
        WayOffered::No => "no",
        WayOffered::AsAdvertised => "as_advertised",
        _ => "unknown",
    };
    let parameter = |ProviderParameter { name, usual }: &ProviderParameter| json!({ "name": name, "usual": usual });
    json!({
        "name": provider.name,
        "origin": origin,
        "text": provider.text,
        "parameters": provider.parameters.iter().map(parameter).collect::<Vec<_>>(),
        "client": client,
        "device": offered(provider.device),
        "browser": offered(provider.browser),
        "meaning": provider.meaning,
    })
}

#[cfg(test)]
mod tests {
    use super::{check, show};
    use crate::exit::rooms;

    #[test]
    fn every_failure_is_as_committed_on_80_columns() {
        insta::assert_snapshot!(rooms::page_of("provider", [show::tests::failures(), check::tests::failures()]));
    }
}

#[cfg(test)]
mod sample {
    use super::*;
    use crate::screen::{Page, Paint};

    pub(super) const PAGE: Page = Page { width: 80, paint: Paint::Plain };

    pub(super) fn entra() -> ProviderProfile {
        let parameter = |name: &str, usual: Option<&str>| ProviderParameter { name: name.into(), usual: usual.map(Into::into) };
        ProviderProfile {
            name: "entra".into(),
            origin: ProfileOrigin::Shipped,
            text: Some("# Microsoft Entra ID.\n\n[providers.entra]\nissuer = \"https://{host}/{tenant}/v2.0\"\n".into()),
            parameters: vec![parameter("host", Some("login.microsoftonline.com")), parameter("tenant", None)],
            client: ClientNeeded::Any,
            device: WayOffered::Yes,
            browser: WayOffered::Yes,
            meaning: vec![
                "Its server is https://{host}/{tenant}/v2.0; only the endpoints that are named are called.".into(),
                "The resource of an account is kept, and never sent (RFC 8707).".into(),
            ],
        }
    }

    pub(super) fn own(name: &str) -> ProviderProfile {
        ProviderProfile {
            name: name.into(),
            origin: ProfileOrigin::Configured,
            text: None,
            parameters: vec![],
            client: ClientNeeded::None,
            device: WayOffered::Yes,
            browser: WayOffered::No,
            meaning: vec!["It has no issuer; only the endpoints that are named are called.".into()],
        }
    }

    pub(super) fn google() -> ProviderProfile {
        let (client, device) = (ClientNeeded::WithSecret, WayOffered::AsAdvertised);
        ProviderProfile { name: "google".into(), client, device, parameters: vec![], ..entra() }
    }
}
