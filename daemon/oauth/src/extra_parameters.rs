//! Parameters that a person adds to an authorization request or a device authorization request, for servers that want some.
//!
//! Must never: let one stand in for a parameter of the protocol.

use std::collections::BTreeMap;

/// The parameters that the flows themselves decide about, or leave out on purpose. In any case: some servers do not tell cases apart.
///
/// `response_mode` would send the answer where nobody reads it; `request` and `request_uri` would replace every other parameter
/// (RFC 9101, section 5).
pub const RESERVED: &[&str] = &[
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "grant_type",
    "response_type",
    "response_mode",
    "scope",
    "resource",
    "redirect_uri",
    "state",
    "nonce",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "device_code",
    "refresh_token",
    "token",
    "request",
    "request_uri",
];

/// Adds those that are free: neither reserved nor there already.
pub(crate) fn append<'a>(parameters: &mut Vec<(&'a str, &'a str)>, extra: &'a BTreeMap<String, String>) {
    for (name, value) in extra {
        let reserved = RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name));
        if !reserved && !parameters.iter().any(|(sent, _)| sent == name) {
            parameters.push((name, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extra_parameter_replaces_none_of_the_protocol_and_none_that_is_set() {
        let names = RESERVED.iter().copied().chain(["STATE", "Code_Challenge", "audience", "prompt"]);
        let extra = names.map(|name| (name.to_owned(), "extra".to_owned())).collect();
        let mut parameters = vec![("audience", "own")];
        append(&mut parameters, &extra);
        assert_eq!(parameters, [("audience", "own"), ("prompt", "extra")]);
    }
}
