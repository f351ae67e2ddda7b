//! The clients that the daemon has registered, on the wire: shown without their secrets, and forgotten on the person's word.
//!
//! Must never: know what is secret about a client (I5).

use mcp_authd_oauth::terms::{Issuer, TokenEndpointAuthMethod};
use mcp_authd_proto::v1;
use tonic::Status as Refused;

use super::{Face, convert, words};
use crate::accounts::clients::{ClientView, Forgotten};
use crate::accounts::description::Kind;
use crate::accounts::handle::AccountHandle;
use crate::accounts::status::Status;

/// Each.
pub(super) async fn list(face: &Face) -> Result<v1::ListClientsResponse, Refused> {
    let clients = face.roster.clients().list().await.map_err(|why| refused(&why))?;
    Ok(v1::ListClientsResponse { clients: clients.into_iter().map(client).collect() })
}

/// The one of this issuer, byte for byte, is forgotten.
pub(super) async fn forget(face: &Face, issuer: &str) -> Result<v1::ForgetClientResponse, Refused> {
    if issuer.is_empty() {
        return Err(Refused::invalid_argument("issuer: whose client is it? Next: authctl client list"));
    }
    let renewed_no_more = renewed_with(face, issuer).await?;
    let forgotten = face.roster.clients().forget(Issuer::new(issuer)).await.map_err(|why| refused(&why))?;
    Ok(v1::ForgetClientResponse { forgotten: forgotten == Forgotten::Gone, renewed_no_more })
}

/// The accounts whose logins are renewed with the secret of this issuer's client. One without a secret renews by its name alone.
async fn renewed_with(face: &Face, issuer: &str) -> Result<Vec<String>, Refused> {
    let clients = face.roster.clients().list().await.map_err(|why| refused(&why))?;
    let has_secret =
        |client: &ClientView| client.issuer.as_str() == issuer && client.auth_method != TokenEndpointAuthMethod::None;
    if !clients.iter().any(has_secret) {
        return Ok(Vec::new());
    }
    let is_renewed = |account: &AccountHandle| is_renewed(&account.description().kind, &account.status().borrow(), issuer);
    let accounts = face.registry.present();
    Ok(accounts.iter().filter(|account| is_renewed(account)).map(|account| account.name().to_string()).collect())
}

/// Whether the account's login goes on by a client that was registered at this issuer.
fn is_renewed(kind: &Kind, status: &Status, issuer: &str) -> bool {
    let renewable = status.grant.as_ref().is_some_and(|grant| grant.renewable);
    kind.server() == issuer && kind.client_id().is_empty() && renewable
}

fn refused(why: &impl std::error::Error) -> Refused {
    Refused::failed_precondition(format!("{} Next: authctl status", words::sentence(&why.to_string())))
}

fn client(view: ClientView) -> v1::RegisteredClient {
    v1::RegisteredClient {
        issuer: view.issuer.as_str().to_owned(),
        client_id: view.client_id.as_str().to_owned(),
        auth_method: view.auth_method.as_str().to_owned(),
        registered_at: Some(convert::timestamp(view.registered_at)),
        secret_expires_at: view.secret_expires_at.map(convert::timestamp),
        refused_at: view.refused_at.map(convert::timestamp),
        grant_types: view.grant_types.into_iter().map(str::to_owned).collect(),
        redirect_uris: view.redirect_uris,
        former_client_ids: view.former.iter().map(|client| client.as_str().to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::status::{GrantStatus, Health};
    use mcp_authd_oauth::terms::Scopes;
    use mcp_authd_oauth::time::WallTime;

    #[test]
    fn only_a_renewable_login_with_a_client_of_ours_at_this_very_issuer_costs_something() {
        let status = |renewable: Option<bool>| Status {
            revision: 1,
            health: Health::Good,
            sign_in: None,
            last_end: None,
            grant: renewable.map(|renewable| GrantStatus {
                scopes: Scopes::default(),
                expires: None,
                granted_at: WallTime::from_millis(0),
                refreshed_at: None,
                renewable,
                revocable: false,
                refreshing: false,
                subject: None,
            }),
        };
        let kind = |server: &str, client_id: &str| Kind::Login {
            server: server.to_owned(),
            client_id: client_id.to_owned(),
            issuer: None,
        };
        let issuer = "https://as.example";
        for (kind, renewable, costs) in [
            (kind(issuer, ""), Some(true), true),
            (kind(issuer, ""), Some(false), false),
            (kind(issuer, ""), None, false),
            (kind(issuer, "abc"), Some(true), false),
            (kind("https://as.example/", ""), Some(true), false),
            (Kind::TokenFile("/t".into()), Some(true), false),
        ] {
            assert_eq!(is_renewed(&kind, &status(renewable), issuer), costs, "{kind:?} {renewable:?}");
        }
    }
}
