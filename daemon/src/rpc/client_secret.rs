//! `SetClientSecret`: the one way in for a client's secret. There is no way out (I5).
//!
//! Must never: log the message, or tell any of it in an answer.

use mcp_authd_proto::v1;
use tokio::sync::oneshot;
use tonic::Status as Refused;
use zeroize::Zeroizing;

use super::Face;
use crate::accounts::client_secret::NotKept;
use crate::accounts::handle::AccountHandle;

/// Keeps the secret of the account's client, or erases it where it is empty; every account of that client tries again then. It
/// is done whole, whoever goes away.
pub(super) async fn set(
    face: &Face,
    account: AccountHandle,
    client_secret: Zeroizing<String>,
) -> Result<v1::SetClientSecretResponse, Refused> {
    let name = account.name().to_string();
    let (tell, told) = oneshot::channel();
    let registry = face.registry.clone();
    face.tasks.errand("keep a client secret", async move {
        let kept = account.keep_client_secret(&client_secret).await;
        if kept.is_ok() {
            let what = if client_secret.is_empty() { "forgotten" } else { "kept" };
            tracing::info!(account = %account.name(), what, "the secret of a client was given on the admin socket");
            let kind = &account.description().kind;
            registry.present().iter().filter(|other| other.description().kind == *kind).for_each(AccountHandle::reloaded);
        }
        // Whoever asked may have gone.
        let _ = tell.send(kept);
    });
    match told.await {
        Ok(Ok(())) => Ok(v1::SetClientSecretResponse { account: name }),
        Ok(Err(why)) => Err(refused(&name, &why)),
        Err(_) => Err(Refused::unavailable("the daemon is about to end")),
    }
}

fn refused(name: &str, why: &NotKept) -> Refused {
    let told = format!("{name}: {why}");
    match why {
        NotKept::NotASecret(_) => Refused::invalid_argument(told),
        NotKept::TokenFile(_) | NotKept::SecretFile(_) | NotKept::NotNeeded | NotKept::OwnClient | NotKept::NotSaved(_) => {
            Refused::failed_precondition(told)
        }
    }
}
