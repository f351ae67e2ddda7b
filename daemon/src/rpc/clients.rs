//! The clients that the daemon has registered, on the wire: shown without their secrets, and forgotten on the person's word.
//!
//! Must never: know what is secret about a client (I5).

use mcp_authd_oauth::terms::Issuer;
use mcp_authd_proto::v1;
use tonic::Status as Refused;

use super::{Face, convert, words};
use crate::accounts::clients::{ClientView, Forgotten};

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
    let forgotten = face.roster.clients().forget(Issuer::new(issuer)).await.map_err(|why| refused(&why))?;
    Ok(v1::ForgetClientResponse { forgotten: forgotten == Forgotten::Gone })
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
