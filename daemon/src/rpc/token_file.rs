//! What the person cannot do with an account whose token stands in a file: log in to it, or out of it.
//!
//! Must never: look into the file.

use tonic::Status as Refused;

use super::admin::AdminFace;
use super::words;
use crate::accounts::description::Kind;
use crate::accounts::handle::AccountHandle;

impl AdminFace {
    /// An account that has a login of ours, by its name.
    pub(super) fn account_with_login(&self, name: String) -> Result<AccountHandle, Refused> {
        let account = self.account(name)?;
        match &account.description().kind {
            Kind::Login { .. } => Ok(account.clone()),
            Kind::TokenFile(file) => {
                let told = format!("{}: {}", account.name(), words::kept_elsewhere(&file.display().to_string()));
                Err(Refused::failed_precondition(told))
            }
        }
    }
}
