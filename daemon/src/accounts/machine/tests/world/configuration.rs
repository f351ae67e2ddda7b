//! What a person does to the configuration: takes the account out, puts it back, moves it to another client, asks for other scopes.

use std::sync::Arc;

use mcp_authd_oauth::terms::{ClientId, Scopes};

use super::World;
use crate::accounts::AccountConfig;
use crate::accounts::machine::fixture::config;
use crate::accounts::machine::{Event, Policy};
use crate::config::ClientConfig;

impl World {
    /// The account is taken out of the configuration.
    pub(crate) fn remove(&mut self) {
        self.forbid();
        self.gone = true;
        self.stays_out = false;
        self.tell(Event::Removed);
    }

    /// It stands there again: with the keeper that still erases, or with a new one.
    pub(crate) fn add(&mut self, client_id: &str) {
        self.policy = Policy { config: Arc::new(config(client_id)), ..self.policy.clone() };
        self.gone = false;
        if std::mem::take(&mut self.ended) {
            self.begin();
        } else {
            self.tell(Event::Returned(self.policy.clone(), self.last_revision));
        }
    }

    /// The configuration names another client, and so its login belongs to what it was before.
    pub(crate) fn move_to(&mut self, client_id: &str) {
        if *self.policy.config.client.shown() != *client_id {
            self.forbid();
            self.reconfigure(client_id);
            self.tell(Event::Moved(self.policy.clone()));
        }
    }

    /// The same while no daemon runs.
    pub(crate) fn reconfigure(&mut self, client_id: &str) {
        let config =
            AccountConfig { client: ClientConfig::PreRegistered(ClientId::new(client_id)), ..(*self.policy.config).clone() };
        self.policy = Policy { config: Arc::new(config), ..self.policy.clone() };
    }

    /// The configuration asks for other scopes: the login goes on.
    pub(crate) fn change_scopes(&mut self, scopes: &str) {
        let config = AccountConfig { scopes: Scopes::parse(scopes), ..(*self.policy.config).clone() };
        self.policy = Policy { config: Arc::new(config), ..self.policy.clone() };
        self.tell(Event::Changed(self.policy.clone()));
    }
}
