//! The clients that the daemon has registered at authorization servers (RFC 7591): seen without their secrets, and forgotten.

use std::time::SystemTime;

use mcp_authd_proto::v1;

use super::AdminClient;
use crate::call::{self, SILENCE_LIMIT};
use crate::clock::Clock;
use crate::error::CallError;
use crate::status::wall;

/// The clients that the daemon has registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredClients {
    /// When this was told, by this machine's calendar.
    pub told_at: SystemTime,
    /// In the order of their issuers.
    pub clients: Vec<RegisteredClient>,
}

/// A client that the daemon has registered: one for each issuer, shared by every account there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredClient {
    /// The authorization server's issuer identifier, byte for byte.
    pub issuer: String,
    /// Its name there (RFC 6749, 2.2).
    pub client_id: String,
    /// How it says who it is (RFC 7591, section 2): `none`, `client_secret_basic`, `client_secret_post`.
    pub auth_method: String,
    /// When it was registered.
    pub registered_at: Option<SystemTime>,
    /// When its secret ends. `None`: never, or it has none.
    pub secret_expires_at: Option<SystemTime>,
    /// When the server said that it does not know it. `None`: it knows it, as far as the daemon can tell.
    pub refused_at: Option<SystemTime>,
    /// What it may use (RFC 7591, section 2).
    pub grant_types: Vec<String>,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// Those before it, which older logins still go on with.
    pub former_client_ids: Vec<String>,
}

/// What it costs that a client is forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForgottenClient {
    /// The accounts whose logins are renewed no more, as that takes its secret: somebody has to log in again once their tokens have
    /// ended.
    pub renewed_no_more: Vec<String>,
}

impl AdminClient {
    /// The clients that the daemon has registered.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn clients(&self) -> Result<RegisteredClients, CallError> {
        let answer = self.call(SILENCE_LIMIT, || async {
            call::message("ListClients", self.stub().list_clients(v1::ListClientsRequest {}).await)
        });
        let clients = answer.await?.clients.into_iter().map(client).collect();
        Ok(RegisteredClients { told_at: SystemTime::UNIX_EPOCH + Clock::Kernel.wall(), clients })
    }

    /// Has the client of this issuer forgotten, byte for byte. `None`: there was none. The server keeps its part, and the next login
    /// registers another one.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn forget_client(&self, issuer: String) -> Result<Option<ForgottenClient>, CallError> {
        let request = v1::ForgetClientRequest { issuer };
        let answer = self
            .call(SILENCE_LIMIT, || async { call::message("ForgetClient", self.stub().forget_client(request.clone()).await) });
        let v1::ForgetClientResponse { forgotten, renewed_no_more } = answer.await?;
        Ok(forgotten.then_some(ForgottenClient { renewed_no_more }))
    }
}

fn client(wire: v1::RegisteredClient) -> RegisteredClient {
    RegisteredClient {
        issuer: wire.issuer,
        client_id: wire.client_id,
        auth_method: wire.auth_method,
        registered_at: wire.registered_at.and_then(wall),
        secret_expires_at: wire.secret_expires_at.and_then(wall),
        refused_at: wire.refused_at.and_then(wall),
        grant_types: wire.grant_types,
        redirect_uris: wire.redirect_uris,
        former_client_ids: wire.former_client_ids,
    }
}
