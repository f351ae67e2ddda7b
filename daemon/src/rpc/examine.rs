//! What nobody but the daemon can tell about where it runs, for `authctl doctor`.
//!
//! Must never: change anything, or use what it reads of config.toml.

use std::collections::BTreeSet;

use mcp_authd_proto::v1;
use tonic::Status as Refused;

use super::{Face, convert};
use crate::accounts::roster::Compared;
use crate::host::hardening;

/// At this moment.
pub(super) async fn examination(face: &Face) -> Result<v1::Examination, Refused> {
    let compared = face.roster.compare().await.map_err(|why| Refused::unavailable(why.to_string()))?;
    let (config_state, config_problems) = config(compared);
    let described = face.registry.present().into_iter().map(|account| account.description());
    let issuers: BTreeSet<String> = described.filter_map(|account| Some(account.kind.issuer()?.to_string())).collect();
    Ok(v1::Examination {
        now: Some(convert::timestamp(face.clock.now().wall)),
        open_files: u64::try_from(hardening::descriptors()).unwrap_or(u64::MAX),
        config_state: config_state.into(),
        config_problems,
        issuers: issuers.into_iter().collect(),
    })
}

fn config(compared: Compared) -> (v1::ConfigState, Vec<v1::ConfigProblem>) {
    match compared {
        Compared::Served => (v1::ConfigState::Served, vec![]),
        Compared::Changed => (v1::ConfigState::Changed, vec![]),
        Compared::Missing => (v1::ConfigState::Missing, vec![]),
        Compared::Broken(errors) => (v1::ConfigState::Broken, convert::broken(&errors).problems),
    }
}
