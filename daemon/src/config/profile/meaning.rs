//! What a provider's table means, in sentences: each way in which it differs from the RFCs, and nothing where it does not.
//!
//! Must never: tell a value that is sent besides, only its name; or leave a new key of a profile unsaid: every field is taken apart here.

use std::collections::BTreeMap;

use mcp_authd_oauth::profile::{
    AnswerShape, BodyKind, DeviceGrant, DiscoveryMode, ErrorWords, Exchange, Expiry, ExpirySource, HostRewrite, Pkce, Profile,
    Redirect, RefreshEnds, RefreshRedirect, ReplayTime, ResourceMode,
};

use super::Described;

/// Its sentences, in the order of the keys in `daemon/profiles/README.md`.
pub(super) fn meaning(described: &Described) -> Vec<String> {
    // What an account gives, and the client, are told on their own.
    let Described { profile, server, parameters: _ } = described;
    let Profile {
        name: _,
        discovery,
        endpoints: _,
        host_rewrites,
        client: _,
        token_endpoint_auth_method,
        device_grant,
        pkce,
        redirect,
        resource,
        scopes,
        authorization_parameters,
        device_authorization,
        poll,
        token_request,
        refresh,
        refresh_redirect,
        revocation,
        errors,
        expiry,
        refresh_ends,
        replay,
    } = profile;
    let mut told = vec![place(server.issuer(), *discovery, server.names_any())];
    told.extend(host_rewrites.iter().map(rewritten));
    told.extend(
        token_endpoint_auth_method.map(|method| format!("A client with a secret says who it is by {}.", method.as_str())),
    );
    if !scopes.is_empty() {
        told.push(format!("An account without scopes of its own asks for: {}.", scopes.to_parameter()));
    }
    told.extend(
        (*resource == ResourceMode::Omit).then(|| "The resource of an account is kept, and never sent (RFC 8707).".to_owned()),
    );
    told.extend(
        (*device_grant == DeviceGrant::Unavailable)
            .then(|| "No login by a code is tried, whatever its metadata says (RFC 8628).".to_owned()),
    );
    told.extend(s256(*pkce, *discovery, server.names_beginnings().1));
    told.extend(answered_at(redirect));
    told.extend(besides("The address that a browser opens", authorization_parameters));
    let exchanges: [(&str, &Exchange); 5] = [
        ("The request of a code", device_authorization),
        ("A poll for the token", poll),
        ("The request of a token with a code from the browser", token_request),
        ("A refresh", refresh),
        ("A revocation", revocation),
    ];
    let every = had_by_all(&exchanges.map(|(_, how)| &how.answer));
    told.extend(answered("Every request", &every));
    told.extend(exchanges.into_iter().filter_map(|(what, how)| exchange(what, how, &every)));
    told.extend(
        (*refresh_redirect == RefreshRedirect::Sent).then(|| "A refresh tells the redirect URI of the login, too.".to_owned()),
    );
    told.extend(words(errors));
    told.extend(life(expiry));
    told.extend(
        (*refresh_ends == RefreshEnds::AccessTokensToo)
            .then(|| "A refresh ends the access token before it: callers wait while one is under way.".to_owned()),
    );
    told.extend(replayed(*replay));
    told
}

fn place(issuer: Option<&str>, discovery: DiscoveryMode, names_any: bool) -> String {
    match (issuer, discovery) {
        (Some(issuer), DiscoveryMode::Metadata) => {
            format!("Its server is {issuer}; an endpoint that is not named comes from that server's metadata (RFC 8414).")
        }
        (Some(issuer), DiscoveryMode::None) => format!("Its server is {issuer}; only the endpoints that are named are called."),
        (None, _) if names_any => "It has no issuer; only the endpoints that are named are called.".to_owned(),
        (None, _) => "It names no server: an account names its own, and takes the manners from here.".to_owned(),
    }
}

fn rewritten(HostRewrite { from, to }: &HostRewrite) -> String {
    format!("Where its metadata names the host {from}, {to} is meant.")
}

fn answered_at(redirect: &Redirect) -> Option<String> {
    let at = match redirect {
        Redirect::AnyPort => return None,
        Redirect::Exact(uri) => uri.as_str(),
    };
    Some(format!("A browser brings the answer to {at}, and to no other place."))
}

fn besides(what: &str, constants: &BTreeMap<String, String>) -> Option<String> {
    (!constants.is_empty()).then(|| format!("{what} holds besides: {}.", names(constants)))
}

fn names<T>(table: &BTreeMap<String, T>) -> String {
    table.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn s256(pkce: Pkce, discovery: DiscoveryMode, names_browser: bool) -> Option<String> {
    let told = match (pkce, discovery) {
        (Pkce::Assumed, _) => "PKCE with S256 is done although no metadata promises it (RFC 7636).",
        (Pkce::AsAdvertised, DiscoveryMode::None) if names_browser => {
            "No login goes by a browser: nothing says that it does PKCE. If it does, add: pkce = \"assumed\" (RFC 7636)."
        }
        (Pkce::AsAdvertised, _) => return None,
    };
    Some(told.to_owned())
}

/// What all of them have, be it in one place or in several, which are not told: it is said once.
fn had_by_all(answers: &[&AnswerShape; 5]) -> AnswerShape {
    let [first, rest @ ..] = answers;
    let members = first.members.iter().filter(|(name, _)| rest.iter().all(|other| other.members.contains_key(*name)));
    let no_error = first.no_error.iter().filter(|error| rest.iter().all(|other| other.no_error.contains(error)));
    AnswerShape {
        members: members.map(|(name, places)| (name.clone(), places.clone())).collect(),
        no_error: no_error.cloned().collect(),
    }
}

fn answered(what: &str, answer: &AnswerShape) -> Option<String> {
    let told = clauses(answer);
    (!told.is_empty()).then(|| format!("{what} {}.", told.join("; it ")))
}

fn clauses(answer: &AnswerShape) -> Vec<String> {
    let mut told = Vec::new();
    if !answer.members.is_empty() {
        told.push(format!("is answered in places of its own for {}", names(&answer.members)));
    }
    if !answer.no_error.is_empty() {
        told.push(format!("is no failure where the error is {}", answer.no_error.join(", ")));
    }
    told
}

fn exchange(what: &str, Exchange { request, answer }: &Exchange, every: &AnswerShape) -> Option<String> {
    let mut told = Vec::new();
    match request.body {
        BodyKind::Form => {}
        BodyKind::Json => told.push("is sent as JSON".to_owned()),
        BodyKind::Empty => told.push("has no body".to_owned()),
    }
    if !request.names.is_empty() {
        told.push(format!("has names of its own, or none, for {}", names(&request.names)));
    }
    if !request.constants.is_empty() {
        told.push(format!("holds besides {}", names(&request.constants)));
    }
    let mut own = answer.clone();
    own.members.retain(|name, _| !every.members.contains_key(name));
    own.no_error.retain(|error| !every.no_error.contains(error));
    told.extend(clauses(&own));
    (!told.is_empty()).then(|| format!("{what} {}.", told.join("; it ")))
}

fn words(errors: &ErrorWords) -> Option<String> {
    let ErrorWords { pending, slow_down, denied, expired, dead_grant, pending_statuses, slow_down_statuses, dead_grant_statuses } =
        errors;
    let said = [
        (!pending.is_empty() || !pending_statuses.is_empty(), "wait"),
        (!slow_down.is_empty() || !slow_down_statuses.is_empty(), "slow down"),
        (!denied.is_empty(), "refused"),
        (!expired.is_empty(), "expired"),
        (!dead_grant.is_empty() || !dead_grant_statuses.is_empty(), "the login has ended"),
    ];
    let said: Vec<_> = said.iter().filter(|(own, _)| *own).map(|(_, what)| format!("\"{what}\"")).collect();
    (!said.is_empty()).then(|| format!("It has words or statuses of its own for: {}.", said.join(", ")))
}

fn life(Expiry { source, fallback, skew }: &Expiry) -> Option<String> {
    let mut told = Vec::new();
    match source {
        ExpirySource::ExpiresIn => {}
        ExpirySource::Jwt => told.push("ends when the token itself says so (exp)".to_owned()),
        ExpirySource::Fixed(life) => told.push(format!("always lives {} seconds", life.as_secs())),
    }
    told.extend(fallback.map(|life| format!("lives {} seconds where nobody tells", life.as_secs())));
    if !skew.is_zero() {
        told.push(format!("is taken to end {} seconds earlier", skew.as_secs()));
    }
    (!told.is_empty()).then(|| format!("An access token {}.", told.join("; it ")))
}

fn replayed(replay: ReplayTime) -> Option<String> {
    let when = match replay {
        ReplayTime::AtOnce => return None,
        ReplayTime::AtTokenEnd => "when the present token ends".to_owned(),
        ReplayTime::After(after) => format!("{} seconds later", after.as_secs()),
    };
    Some(format!("A refresh whose answer was lost is sent once more {when}, and never again."))
}
