//! An account as every test of a screen begins with it: served by nobody, held by nobody.

use mcp_authd_client::status::{AccountStatus, Health};

/// It has a name, a server, a client and a health, and nothing else.
pub(crate) fn account(name: &str, health: Health) -> AccountStatus {
    AccountStatus {
        name: name.into(),
        issuer: "https://auth.example.com".into(),
        client_id: "abc".into(),
        resources: vec![],
        scopes: vec![],
        revision: 7,
        health,
        message: None,
        next_step: None,
        grant: None,
        sign_in: None,
        last_sign_in_end: None,
        token_file: None,
        last_use: None,
    }
}
