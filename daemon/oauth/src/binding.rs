//! Where a grant comes from, as it is kept.
//!
//! Must never: forget with a restart whether the names in it may lead to this machine (P21).

use serde::{Deserialize, Serialize};

use crate::endpoint::Endpoint;
use crate::reach::Reach;
use crate::terms::{ClientId, Issuer, Resource};

/// Where a grant comes from: it goes back there and nowhere else (P14).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct Binding {
    /// The issuer, where one is configured.
    pub issuer: Option<Issuer>,
    /// The endpoint that issued the tokens.
    pub token_endpoint: Endpoint,
    /// The endpoint that takes them back (RFC 7009), where there is one.
    pub revocation_endpoint: Option<Endpoint>,
    /// The client that they were issued to.
    pub client_id: ClientId,
    /// The resource that they were asked for.
    pub resource: Option<Resource>,
}

impl Binding {
    /// The same, once it has issued a grant ([`Endpoint::trusted`]).
    #[must_use]
    pub fn trusted(self) -> Self {
        Self {
            token_endpoint: self.token_endpoint.trusted(),
            revocation_endpoint: self.revocation_endpoint.map(Endpoint::trusted),
            ..self
        }
    }
}

/// As it stands in a record.
#[derive(Serialize, Deserialize)]
struct Kept {
    issuer: Option<Issuer>,
    token_endpoint: Endpoint,
    revocation_endpoint: Option<Endpoint>,
    client_id: ClientId,
    resource: Option<Resource>,
    /// How near the token endpoint may be, where a server named it. Nothing where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nearest: Option<Reach>,
    /// The same of the revocation endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revocation_nearest: Option<Reach>,
}

impl From<Kept> for Binding {
    fn from(kept: Kept) -> Self {
        let nearest = |kept: Option<Reach>| kept.unwrap_or(Reach::ThisMachine);
        Self {
            issuer: kept.issuer,
            token_endpoint: kept.token_endpoint.within(nearest(kept.nearest)),
            revocation_endpoint: kept.revocation_endpoint.map(|endpoint| endpoint.within(nearest(kept.revocation_nearest))),
            client_id: kept.client_id,
            resource: kept.resource,
        }
    }
}

impl From<Binding> for Kept {
    fn from(binding: Binding) -> Self {
        let bound = |endpoint: &Endpoint| Some(endpoint.nearest()).filter(|nearest| *nearest != Reach::ThisMachine);
        let nearest = bound(&binding.token_endpoint);
        let revocation_nearest = binding.revocation_endpoint.as_ref().and_then(bound);
        Self {
            issuer: binding.issuer,
            token_endpoint: binding.token_endpoint,
            revocation_endpoint: binding.revocation_endpoint,
            client_id: binding.client_id,
            resource: binding.resource,
            nearest,
            revocation_nearest,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn binding(nearest: Reach) -> Binding {
        Binding {
            issuer: Some(Issuer::new("https://as.example")),
            token_endpoint: Endpoint::named("https://as.example/token", nearest).unwrap(),
            revocation_endpoint: Some(Endpoint::named("https://as.example/revoke", nearest).unwrap()),
            client_id: ClientId::new("client"),
            resource: None,
        }
    }

    #[test]
    fn p21_what_a_server_has_named_may_lead_no_nearer_after_a_restart() {
        for nearest in [Reach::Public, Reach::Private, Reach::ThisMachine] {
            let kept = serde_json::to_string(&binding(nearest)).unwrap();
            let again: Binding = serde_json::from_str(&kept).unwrap();
            assert_eq!(again.token_endpoint.nearest(), nearest, "{kept}");
            assert_eq!(again.revocation_endpoint.unwrap().nearest(), nearest, "{kept}");
        }
    }

    #[test]
    fn p21_the_bound_of_one_endpoint_is_not_the_others() {
        let named = Endpoint::named("https://as.example/token", Reach::ThisMachine).unwrap();
        let mixed = Binding { token_endpoint: named, ..binding(Reach::Public) };
        let again: Binding = serde_json::from_str(&serde_json::to_string(&mixed).unwrap()).unwrap();
        assert_eq!(again.token_endpoint.nearest(), Reach::ThisMachine);
        assert_eq!(again.revocation_endpoint.unwrap().nearest(), Reach::Public);
    }

    #[test]
    fn p21_what_has_issued_a_grant_may_stand_in_a_private_network_and_on_this_machine_only_if_it_did() {
        for (nearest, then) in
            [(Reach::Public, Reach::Private), (Reach::Private, Reach::Private), (Reach::ThisMachine, Reach::ThisMachine)]
        {
            let trusted = binding(nearest).trusted();
            assert_eq!(trusted.token_endpoint.nearest(), then);
            assert_eq!(trusted.revocation_endpoint.unwrap().nearest(), then);
        }
    }

    #[test]
    fn what_a_person_has_named_is_kept_as_it_always_was() {
        let kept = serde_json::to_string(&binding(Reach::ThisMachine)).unwrap();
        assert!(!kept.contains("nearest"), "{kept}");
    }
}
