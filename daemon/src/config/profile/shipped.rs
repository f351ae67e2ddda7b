//! The providers that are shipped: files of the same form as a person writes, each parsed when it is first asked for.
//!
//! Must never: know more of a provider than its file says.

use std::sync::OnceLock;

use toml_edit::Document;

use super::super::raw::{Findings, Section};
use super::{Described, one};

/// A shipped provider.
#[derive(Debug)]
pub struct ShippedProfile {
    /// What an account calls it: `provider = "NAME"`.
    pub name: &'static str,
    /// The file, fit to be pasted into `config.toml` and changed there.
    pub text: &'static str,
    parsed: OnceLock<Option<Described>>,
}

impl ShippedProfile {
    const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text, parsed: OnceLock::new() }
    }
}

static SHIPPED: [ShippedProfile; 7] = [
    ShippedProfile::new("auth0", include_str!("../../../profiles/auth0.toml")),
    ShippedProfile::new("entra", include_str!("../../../profiles/entra.toml")),
    ShippedProfile::new("github", include_str!("../../../profiles/github.toml")),
    ShippedProfile::new("gitlab", include_str!("../../../profiles/gitlab.toml")),
    ShippedProfile::new("google", include_str!("../../../profiles/google.toml")),
    ShippedProfile::new("keycloak", include_str!("../../../profiles/keycloak.toml")),
    ShippedProfile::new("okta", include_str!("../../../profiles/okta.toml")),
];

/// Every shipped provider, by its name.
pub fn shipped() -> impl Iterator<Item = &'static ShippedProfile> {
    SHIPPED.iter()
}

/// The shipped provider of this name.
pub(super) fn described(name: &str) -> Option<&'static Described> {
    let profile = SHIPPED.iter().find(|profile| profile.name == name)?;
    // A test reads every file: none of them is `None`.
    profile.parsed.get_or_init(|| parse(profile).ok()).as_ref()
}

/// One file, or what is wrong with it.
pub(super) fn parse(profile: &ShippedProfile) -> Result<Described, String> {
    let mut findings = Findings::new(profile.text);
    let document = Document::parse(profile.text).map_err(|error| error.to_string())?;
    let top = Section::new("the top of the file".to_owned(), None, document.as_table());
    let providers =
        top.entry("providers", &findings).and_then(|entry| entry.item.as_table_like().map(|table| (entry.line, table)));
    let (line, table) = providers.ok_or("there is no [providers.NAME]")?;
    let section = Section::new("[providers]".to_owned(), line, table);
    let entry = section.entry(profile.name, &findings).ok_or("the table has another name than the file")?;
    let described = one(&entry, &mut findings);
    let path = std::path::Path::new(profile.name);
    match described {
        Ok(described) => findings.settle(described, path).map_err(|errors| errors.to_string()),
        Err(_) => {
            findings.settle((), path).map_or_else(|errors| Err(errors.to_string()), |()| Err("nothing is wrong".to_owned()))
        }
    }
}
