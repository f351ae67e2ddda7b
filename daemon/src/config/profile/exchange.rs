//! How a provider's requests are written and its answers read.
//!
//! Must never: let a secret stand in a constant.

use std::collections::BTreeMap;

use mcp_authd_oauth::profile::{AnswerShape, BodyKind, Exchange, RequestShape, SentAs};

use super::super::error::{Problem, printable};
use super::super::parameters::secret_instead;
use super::super::raw::{Findings, Reported, Section};
use super::error::ProviderProblem;
use super::read::{self, report};

const KEYS: &[&str] = &["body", "names", "omit", "constants", "answer"];

/// The members of an answer that may stand elsewhere (RFC 6749, 5.1 and 5.2; RFC 8628, 3.2; OpenID Connect Core, 3.1.3.3).
const MEMBERS: &[&str] = &[
    "access_token",
    "token_type",
    "expires_in",
    "refresh_token",
    "scope",
    "id_token",
    "device_code",
    "user_code",
    "verification_uri",
    "verification_uri_complete",
    "interval",
    "message",
    "error",
    "error_description",
];

/// No honest answer is nested deeper.
const DEEPEST: usize = 8;

/// What holds for every answer of a provider.
#[derive(Debug, Clone, Default)]
pub(super) struct EveryAnswer {
    pub(super) members: BTreeMap<String, Vec<String>>,
    pub(super) no_error: Vec<String>,
}

/// Whether a request says anything without its body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    MayBeNone,
    Needed,
}

/// The request and the answer of this key; as the RFCs have them, but for what holds for every answer, where there is none.
pub(super) fn check(
    section: &Section<'_>,
    (key, needed): (&'static str, Body),
    every: &EveryAnswer,
    findings: &mut Findings,
) -> Result<Exchange, Reported> {
    let own = match read::table(section, key, findings)? {
        None => Exchange::default(),
        Some(table) => {
            read::refuse_unknown(&table, KEYS, findings);
            let (request, members) = (request(&table, needed, findings), members(&table, findings));
            Exchange { request: request?, answer: AnswerShape { members: members?, no_error: Vec::new() } }
        }
    };
    let mut members = every.members.clone();
    members.extend(own.answer.members);
    Ok(Exchange { answer: AnswerShape { members, no_error: every.no_error.clone() }, ..own })
}

fn request(table: &Section<'_>, needed: Body, findings: &mut Findings) -> Result<RequestShape, Reported> {
    let kinds = [("form", BodyKind::Form), ("json", BodyKind::Json), ("none", BodyKind::Empty)];
    let body = read::choice(table, "body", &kinds, findings).and_then(|body| {
        let line = table.entry("body", findings).and_then(|entry| entry.line);
        let is_silent = body == BodyKind::Empty && needed == Body::Needed;
        if is_silent { Err(report(findings, line, ProviderProblem::NothingSent)) } else { Ok(body) }
    });
    let names = read::strings(table, "names", findings);
    let omit = read::list(table, "omit", findings);
    let constants = constants(table, findings);
    let (names, omit) = (names?, omit?);
    if let Some(name) = omit.iter().find(|name| names.contains_key(*name)) {
        let line = table.entry("omit", findings).and_then(|entry| entry.line);
        return Err(report(findings, line, ProviderProblem::RenamedAndOmitted { name: printable(name) }));
    }
    let named = names.into_iter().map(|(name, sent)| (name, SentAs::Named(sent)));
    let names = named.chain(omit.into_iter().map(|name| (name, SentAs::Nothing))).collect();
    Ok(RequestShape { body: body?, names, constants: constants? })
}

fn constants(table: &Section<'_>, findings: &mut Findings) -> Result<BTreeMap<String, String>, Reported> {
    let constants = read::strings(table, "constants", findings)?;
    match constants.keys().find_map(|name| secret_instead(name).map(|instead| (name, instead))) {
        None => Ok(constants),
        Some((name, instead)) => {
            let line = table.entry("constants", findings).and_then(|entry| entry.line);
            Err(findings.report(line, Problem::ReservedParameter { name: printable(name), instead }))
        }
    }
}

/// The places of `answer`, empty where there is no such table.
pub(super) fn members(table: &Section<'_>, findings: &mut Findings) -> Result<BTreeMap<String, Vec<String>>, Reported> {
    let Some(answer) = read::table(table, "answer", findings)? else { return Ok(BTreeMap::new()) };
    read::refuse_unknown(&answer, MEMBERS, findings);
    let read: Vec<_> = answer
        .entries(findings)
        .iter()
        .filter(|entry| MEMBERS.contains(&entry.key))
        .map(|entry| {
            let places = read::words(entry, findings)?;
            if places.iter().all(|place| is_place(place)) {
                return Ok((entry.key.to_owned(), places));
            }
            Err(report(findings, entry.line, ProviderProblem::BadPlace { key: printable(entry.key) }))
        })
        .collect();
    read.into_iter().collect()
}

fn is_place(place: &str) -> bool {
    place.split('.').all(|name| !name.is_empty()) && place.split('.').count() <= DEEPEST
}
