//! A server behind a proxy that nobody has told it about: its metadata names hosts that nobody can reach; its errors stand in `error` under any
//! status, `slow_down` under 401, and its refresh token is an empty string.
//!
//! Must never: answer at the hosts that it names.

use super::heard::{Door, Heard};
use super::said::Said;
use super::{Persona, habits};
use crate::server::{Pkce, Settings};

/// Such a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongHosts;

impl WrongHosts {
    /// The host that its metadata names. Nobody listens at this port.
    pub const INNER_HOST: &str = "localhost:9";
}

impl Persona for WrongHosts {
    fn doors(&self) -> Vec<(String, Door)> {
        let doors = [
            ("/.well-known/oauth-authorization-server", Door::Metadata),
            ("/inner/device", Door::DeviceAuthorization),
            ("/inner/token", Door::Token),
            ("/inner/revoke", Door::Revocation),
            ("/go", Door::DevicePage),
        ];
        doors.map(|(path, door)| (path.to_owned(), door)).to_vec()
    }

    fn habits(&self, _: &str) -> Settings {
        Settings { pkce: Pkce::Unstated, ..habits() }
    }

    fn refuses(&self, _: &Heard) -> Option<Said> {
        None
    }

    fn says(&self, heard: &Heard, said: Said) -> Said {
        let inner = |path: &str| format!("http://{}/inner/{path}", Self::INNER_HOST);
        match said {
            said if heard.door == Door::Metadata => said
                .with("issuer", heard.origin.as_str())
                .with("device_authorization_endpoint", inner("device"))
                .with("token_endpoint", inner("token"))
                .with("revocation_endpoint", inner("revoke"))
                .without("authorization_endpoint"),
            said if said.has_a_code() => said.typed_at(heard, "/go").with("error", "ok"),
            said if said.has_tokens() => said.with("refresh_token", "").with("error", "ok"),
            said if said.text("error") == "slow_down" => said.with_status(401),
            said if said.members().is_some() => said.with_status(200),
            said => said,
        }
    }
}
