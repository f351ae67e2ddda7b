//! Providers as a person writes them: from `[providers.NAME]`, or a shipped file of the same form, to a checked [`Profile`].
//!
//! Every key is described in `daemon/profiles/README.md`. Must never: know a provider by its name, guess an endpoint, or hold a
//! secret.

mod account;
mod error;
mod exchange;
mod meaning;
pub(super) mod read;
mod server;
mod shipped;
mod table;
mod view;

use std::collections::BTreeMap;

use mcp_authd_oauth::profile::Profile;

pub use error::ProviderProblem;
pub use shipped::{ShippedProfile, shipped};
pub use view::{Offered, ProviderOrigin, ProviderView};

pub(super) use account::{KEYS, OfAccount, no_client, no_client_id, of_account, wants_a_client};
pub(super) use view::with_shipped;

use super::account::ServerConfig;
use super::error::{Problem, printable};
use super::raw::{Entry, Findings, Reported, Section};
use server::ServerTemplate;

/// A provider, checked but for what each account fills in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Described {
    /// Without its endpoints.
    profile: Profile,
    server: ServerTemplate,
    /// What stands for `{NAME}` in its URLs. Empty: each account has to say.
    parameters: BTreeMap<String, String>,
}

/// A provider as one account uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Provider {
    pub(super) profile: Profile,
    /// `None`: it names none, and the account has to.
    pub(super) server: Option<ServerConfig>,
}

/// Every provider that an account may name.
#[derive(Default)]
pub(super) struct Providers {
    own: BTreeMap<String, Result<Described, Reported>>,
}

impl Providers {
    /// Those of the file. Each is checked here, whether an account names it or not.
    pub(super) fn of_file(entry: &Entry<'_>, findings: &mut Findings) -> Self {
        let Some(table) = entry.item.as_table_like() else {
            entry.wrong_type("a table for each provider", "[providers.NAME]".to_owned(), findings);
            return Self::default();
        };
        let section = Section::new("[providers]".to_owned(), entry.line, table);
        let own = section.entries(findings).iter().map(|entry| (entry.key.to_owned(), one(entry, findings))).collect();
        Self { own }
    }

    /// The provider of this name: the person's own one, else a shipped one.
    fn find(&self, name: &str) -> Option<Result<&Described, Reported>> {
        match self.own.get(name) {
            Some(own) => Some(own.as_ref().map_err(|reported| *reported)),
            None => shipped::described(name).map(Ok),
        }
    }

    /// Those of the file, for a person; but for one that does not hold, which stands in the findings.
    pub(super) fn views(&self) -> Vec<ProviderView> {
        let own = self.own.iter().filter_map(|(name, own)| Some((name, own.as_ref().ok()?)));
        own.map(|(name, own)| ProviderView::of(name, own, ProviderOrigin::Configured)).collect()
    }

    /// Every name, for a person.
    fn names(&self) -> String {
        let own = self.own.keys().map(|name| printable(name));
        let mut names: Vec<_> = own.chain(shipped().map(|profile| profile.name.to_owned())).collect();
        names.sort();
        names.dedup();
        names.join(", ")
    }
}

/// One table.
fn one(entry: &Entry<'_>, findings: &mut Findings) -> Result<Described, Reported> {
    let title = format!("[providers.{}]", printable(entry.key));
    let Some(table) = entry.item.as_table_like() else {
        return Err(entry.wrong_type("a table", title, findings));
    };
    let named = super::AccountName::parse(entry.key).map(|_| ()).map_err(|_| {
        let problem = ProviderProblem::BadName { name: printable(entry.key) };
        findings.report(entry.line, Problem::Provider(problem))
    });
    let described = table::check(entry.key, &Section::new(title, entry.line, table), findings);
    named.and(described)
}
