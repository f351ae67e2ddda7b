//! What stands in a daemon's `config.toml`, and around it.
//!
//! Must never: check anything: a story may write what does not hold.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What stands in `config.toml`.
#[derive(Debug, Clone, Default)]
pub struct Config {
    accounts: Vec<Account>,
    extra: String,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) programs: Option<PathBuf>,
}

/// One `[accounts.NAME]`.
#[derive(Debug, Clone)]
pub struct Account {
    name: String,
    lines: Vec<(&'static str, String)>,
}

impl Config {
    /// A configuration without accounts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more account.
    #[must_use]
    pub fn account(mut self, account: Account) -> Self {
        self.accounts.push(account);
        self
    }

    /// Further text, as it is, after the accounts.
    #[must_use]
    pub fn text(mut self, toml: &str) -> Self {
        let _never_fails = writeln!(self.extra, "{toml}");
        self
    }

    /// A further variable of the daemon's environment, which is empty otherwise but for `PATH`, `HOME`, the `XDG_*`, the log level,
    /// and that no program starts a daemon by itself.
    #[must_use]
    pub fn environment(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Takes `mcp-authd` and `authctl` from this folder, and from nowhere else: an older version, a stand-in.
    #[must_use]
    pub fn programs_in(mut self, folder: impl Into<PathBuf>) -> Self {
        self.programs = Some(folder.into());
        self
    }

    /// As it stands in the file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut toml = String::new();
        for account in &self.accounts {
            let lines: String = account.lines.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
            let _never_fails = writeln!(toml, "[accounts.{}]\n{lines}", quoted(&account.name));
        }
        toml + &self.extra
    }
}

impl Account {
    /// An account at an issuer, whose endpoints are discovered (RFC 8414). The client is called `mcp-authd-tests`.
    #[must_use]
    pub fn at(name: &str, issuer: &str) -> Self {
        Self::named(name).line("issuer", quoted(issuer))
    }

    /// An account at a server without metadata.
    #[must_use]
    pub fn at_endpoints(name: &str, device_authorization_endpoint: &str, token_endpoint: &str) -> Self {
        Self::named(name)
            .line("device_authorization_endpoint", quoted(device_authorization_endpoint))
            .line("token_endpoint", quoted(token_endpoint))
    }

    /// An account whose access token stands in a file.
    #[must_use]
    pub fn from_file(name: &str, token_file: &Path) -> Self {
        let path = token_file.to_str().expect("a path of ours is text");
        Self { name: name.to_owned(), lines: Vec::new() }.line("token_file", quoted(path))
    }

    /// The file that holds the client's secret.
    #[must_use]
    pub fn client_secret_file(self, file: &Path) -> Self {
        self.line("client_secret_file", quoted(file.to_str().expect("a path of ours is text")))
    }

    /// How the client authenticates (RFC 7591, section 2).
    #[must_use]
    pub fn token_endpoint_auth_method(self, method: &str) -> Self {
        self.line("token_endpoint_auth_method", quoted(method))
    }

    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), lines: Vec::new() }.client_id("mcp-authd-tests")
    }

    /// The client identifier.
    #[must_use]
    pub fn client_id(self, client_id: &str) -> Self {
        self.line("client_id", quoted(client_id))
    }

    /// No client identifier: the daemon finds a client by itself (RFC 7591).
    #[must_use]
    pub fn without_client(mut self) -> Self {
        self.lines.retain(|(key, _)| *key != "client_id");
        self
    }

    /// What a login asks for.
    #[must_use]
    pub fn scopes<'a>(self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        let list: Vec<String> = scopes.into_iter().map(quoted).collect();
        self.line("scopes", format!("[{}]", list.join(", ")))
    }

    /// The resource indicator (RFC 8707).
    #[must_use]
    pub fn resource(self, resource: &str) -> Self {
        self.line("resource", quoted(resource))
    }

    /// The revocation endpoint (RFC 7009), beside endpoints that are configured.
    #[must_use]
    pub fn revocation_endpoint(self, endpoint: &str) -> Self {
        self.line("revocation_endpoint", quoted(endpoint))
    }

    /// Any key, with its value as TOML. A key that is there already is replaced.
    #[must_use]
    pub fn line(mut self, key: &'static str, toml: String) -> Self {
        self.lines.retain(|(found, _)| *found != key);
        self.lines.push((key, toml));
        self
    }
}

/// A basic string: what JSON escapes, TOML reads the same.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_holds_each_account_with_its_quotes() {
        let account =
            Account::at("a.b", "http://127.0.0.1:1/t\"1").client_id("c").scopes(["x", "y z"]).resource("http://127.0.0.1:1/mcp");
        let toml = Config::new().account(account).text("[daemon]").to_toml();
        assert_eq!(
            toml,
            "[accounts.\"a.b\"]\nissuer = \"http://127.0.0.1:1/t\\\"1\"\nclient_id = \"c\"\nscopes = [\"x\", \"y z\"]\n\
             resource = \"http://127.0.0.1:1/mcp\"\n\n[daemon]\n"
        );
    }
}
