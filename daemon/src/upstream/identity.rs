//! Whom a login belongs to, asked in the login's own time where its answer did not tell (P19, D41).
//!
//! Must never: hold a login for longer than a person waits, fail one, or show its token to an endpoint of another document than the one
//! that named its token endpoint (P14).

use std::future::Future;
use std::time::Duration;

use mcp_authd_oauth::client_authentication::ClientAuthentication;
use mcp_authd_oauth::identity::{IdentityEndpoints, IdentityFlow, NoIdentity, may_be_asked};
use mcp_authd_oauth::terms::Subject;
use mcp_authd_oauth::token::{Granted, IssuedToken, TokenSuccess};

use super::Wire;
use super::drive::{Transport, drive};
use crate::config::AccountConfig;

/// How long a login waits for its subject, all requests included.
const LONGEST: Duration = Duration::from_secs(5);

impl<T: Transport> Wire<T> {
    /// The login with its subject, where it can be known.
    pub(super) async fn identified(
        &self,
        granted: Granted,
        account: &AccountConfig,
        (endpoints, client): (&IdentityEndpoints, &ClientAuthentication),
    ) -> Granted {
        if subject(&granted).is_some() {
            return granted;
        }
        let told = self.in_time(self.ask(granted.clone(), endpoints, client)).await;
        with(granted, told, account)
    }

    /// The same, where nobody holds the document any more: it is read again, and counts where it says what it said.
    pub(super) async fn identified_after_restart(
        &self,
        granted: Granted,
        account: &AccountConfig,
        client: &ClientAuthentication,
    ) -> Granted {
        if subject(&granted).is_some() || !may_be_asked(&granted, client) {
            return granted;
        }
        let read_and_asked = async {
            let server = self.servers.of(account, &self.transport, &self.clock).await.map_err(|_| NoIdentity::NotOffered)?;
            if server.binding(granted.binding.client_id.clone(), account) != granted.binding {
                return Err(NoIdentity::NotOffered);
            }
            self.ask(granted.clone(), &server.identity, client).await
        };
        let told = self.in_time(read_and_asked).await;
        with(granted, told, account)
    }

    async fn ask(
        &self,
        granted: Granted,
        endpoints: &IdentityEndpoints,
        client: &ClientAuthentication,
    ) -> Result<Subject, NoIdentity> {
        let flow = IdentityFlow::new(granted, endpoints.clone(), client.clone());
        drive(flow, &self.transport, &self.clock, |never| match never {}).await
    }

    async fn in_time(&self, told: impl Future<Output = Result<Subject, NoIdentity>>) -> Result<Subject, NoIdentity> {
        let over = self.clock.now().instant + LONGEST;
        tokio::select! {
            biased;
            told = told => told,
            () = self.clock.sleep_until(over) => Err(NoIdentity::TooSlow),
        }
    }
}

fn subject(granted: &Granted) -> Option<&Subject> {
    granted.success.token.as_ref().ok().and_then(|token| token.subject.as_ref())
}

fn with(granted: Granted, told: Result<Subject, NoIdentity>, account: &AccountConfig) -> Granted {
    let subject = match told {
        Ok(subject) => subject,
        Err(why @ (NoIdentity::NotOffered | NoIdentity::NoToken)) => {
            tracing::debug!(account = %account.name, %why, "nobody tells whom the login belongs to");
            return granted;
        }
        Err(why) => {
            tracing::info!(account = %account.name, %why, "whom the login belongs to is not known");
            return granted;
        }
    };
    let TokenSuccess { refresh_token, token } = granted.success;
    let token = token.map(|token| IssuedToken { subject: Some(subject), ..token });
    Granted { success: TokenSuccess { refresh_token, token }, ..granted }
}
