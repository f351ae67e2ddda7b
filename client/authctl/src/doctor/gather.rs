//! Finds out what is so: sockets, files, the daemon's own words, and the servers through the daemon.
//!
//! Must never: start or change anything, or ask a server twice.

use std::collections::BTreeMap;
use std::time::Duration;

use mcp_authd_client::admin::{Examined, Question};
use mcp_authd_client::start::{At, Kept, Ownership, Process, Situation};
use mcp_authd_client::status::AccountStatus;
use mcp_authd_client::{AdminClient, Sockets};
use tokio::task::JoinSet;

use super::facts::{Asked, Asking, Facts, Heard, Naming, Said};
use crate::exit::Failure;
use crate::service::Managed;

/// How long a socket may take to take a connection.
const KNOCK_LIMIT: Duration = Duration::from_secs(2);
/// How long a server may take to tell about itself.
const SERVER_LIMIT: Duration = Duration::from_secs(15);

/// Looks at everything.
pub(super) async fn facts(asking: Asking) -> Result<Facts, Failure> {
    let sockets = Sockets::find()?;
    let client = AdminClient::new(&sockets).never_starting();
    let service = if sockets.are_named() { Managed::No } else { Managed::look().await };
    let wakes = wakes(&service, &Situation::look(&sockets));
    let daemon = if wakes { Heard::NotAsked } else { Heard::of(client.examine().await) };
    let asked = match (&daemon, asking) {
        (Heard::Answers(examined), Asking::Each) => ask_each(&client, examined).await,
        _ => vec![],
    };
    let situation = Situation::look(&sockets);
    Ok(Facts {
        own_uid: nix::unistd::geteuid().as_raw(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        named: if sockets.are_named() { Naming::Variable } else { Naming::Usual },
        doors: if wakes { sockets.look() } else { sockets.knock(KNOCK_LIMIT).await },
        owner: if let Ownership::Runs(owner) = &situation.owner { Some(Process::look(owner.pid)) } else { None },
        situation,
        kept: Kept::look().map(|kept| with_config_of(&daemon, kept)),
        service,
        daemon,
        servers: asked,
        asking,
    })
}

/// Whether to connect could have a service manager start the daemon.
fn wakes(service: &Managed, situation: &Situation) -> bool {
    let runs = matches!(situation.owner, Ownership::Runs(_));
    service.waits() || (!runs && matches!(service, Managed::OutOfReach(_)))
}

/// The daemon may have been started with another configuration file than the usual one.
fn with_config_of(daemon: &Heard, kept: Kept) -> Kept {
    match daemon.examined().map(|examined| &examined.status.config_path).filter(|path| !path.is_empty()) {
        Some(path) => Kept { config: At::behind(path), ..kept },
        None => kept,
    }
}

/// Each issuer once, all at the same time.
async fn ask_each(client: &AdminClient, examined: &Examined) -> Vec<Asked> {
    let Some(more) = &examined.more else { return vec![] };
    let mut by_issuer: BTreeMap<&str, Vec<&AccountStatus>> = BTreeMap::new();
    for account in examined.status.accounts.iter().filter(|account| more.issuers.contains(&account.issuer)) {
        by_issuer.entry(&account.issuer).or_default().push(account);
    }
    let mut asking = JoinSet::new();
    for (issuer, accounts) in by_issuer {
        let client_id = accounts.iter().map(|account| account.client_id.clone()).find(|client_id| !client_id.is_empty());
        let question = Question { url: issuer.to_owned(), issuer: Some(issuer.to_owned()), client_id };
        let names = accounts.iter().map(|account| account.name.clone()).collect();
        asking.spawn(ask(client.clone(), question, names));
    }
    let mut asked = asking.join_all().await;
    asked.sort_by(|one, other| one.issuer.cmp(&other.issuer));
    asked
}

async fn ask(client: AdminClient, question: Question, accounts: Vec<String>) -> Asked {
    let issuer = question.url.clone();
    let answer = match tokio::time::timeout(SERVER_LIMIT, client.probe(question)).await {
        Ok(Ok(probing)) => Said::Probing(probing),
        Ok(Err(error)) => Said::Failed(error.to_string()),
        Err(_) => Said::TimeOver(SERVER_LIMIT.as_secs()),
    };
    Asked { issuer, accounts, answer }
}
