//! The configuration: from a file to checked values in one step, every error at once with its line and its next step.
//!
//! Must never: know accounts' state, flows, the store or the wire; hold a secret; repeat a value that may hold one.

mod account;
mod change;
mod check;
mod client;
mod desktop;
mod draft;
mod draft_errors;
mod edit;
mod edit_error;
mod error;
mod exchange;
mod file;
mod inline;
mod lines;
mod network;
mod parameters;
mod present;
mod profile;
mod raw;
mod replace;
mod request;
mod server;
mod token_file;
mod writer;

pub use account::{AccountConfig, AccountName, ClientConfig, InvalidName, ServerConfig, TokenFileConfig};
pub use change::Change;
pub use desktop::Desktop;
pub use draft::AccountDraft;
pub use draft_errors::DraftErrors;
pub use edit_error::{ByHand, EditError};
pub use error::{ConfigError, ConfigErrors, Hint, Instead, Problem};
pub use file::{Config, Origin};
pub use network::{Network, ProxyUrl};
pub use profile::{Offered, ProviderOrigin, ProviderProblem, ProviderView, ShippedProfile, shipped};
pub use writer::{Added, ConfigFile};

#[cfg(test)]
mod tests;
