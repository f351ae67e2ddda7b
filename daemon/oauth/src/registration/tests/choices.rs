//! Which client is used: every combination, and what an `invalid_client` leads to.

use super::*;
use crate::sign_in::NextStep;

const OWN: &str = "registered";

fn candidates(issuer: &Issuer) -> Candidates<'_> {
    Candidates {
        issuer,
        pre_registered: None,
        document: None,
        documents: Documents::NotSupported,
        kept: None,
        registration_endpoint: None,
        not_before: None,
    }
}

/// What is kept, as the table knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kept {
    Nothing,
    Good,
    Lacking(Unusable),
    OfAnother,
}

impl Kept {
    const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Good,
        Self::Lacking(Unusable::Refused),
        Self::Lacking(Unusable::SecretExpired),
        Self::Lacking(Unusable::LacksGrant),
        Self::Lacking(Unusable::LacksRedirect),
        Self::OfAnother,
    ];

    /// Made so long ago.
    fn made(self, ago: Duration) -> Option<Registration> {
        let mut made = kept(OWN, NOW.wall - ago);
        match self {
            Self::Nothing => return None,
            Self::Good => {}
            Self::Lacking(Unusable::Refused) => made = made.refused(NOW.wall),
            Self::Lacking(Unusable::SecretExpired) => made.client.secret_expires = SecretExpires::At(NOW.wall),
            Self::Lacking(Unusable::LacksGrant) => made.grant_types = [GrantType::DeviceCode, GrantType::RefreshToken].into(),
            Self::Lacking(Unusable::LacksRedirect) => made.redirect_uris = vec![RedirectUri::ipv6()],
            Self::OfAnother => made.issuer = Issuer::new("https://as.example/"),
        }
        Some(made)
    }

    fn why(self) -> WhyRegister {
        match self {
            Self::Lacking(why) => WhyRegister::Renewal(why),
            Self::Nothing | Self::Good | Self::OfAnother => WhyRegister::NoneKept,
        }
    }
}

/// What must come out, written as the requirement says it and not as the code does.
fn wanted(
    (configured, document, documents): (Option<&ClientId>, Option<&ClientIdUrl>, Documents),
    (kept, ago): (Kept, Duration),
    (endpoint, paused): (Option<&Endpoint>, Option<Duration>),
) -> ClientChoice {
    if let Some(id) = configured {
        return ClientChoice::PreRegistered(id.clone());
    }
    if let (Some(url), Documents::Supported) = (document, documents) {
        return ClientChoice::MetadataDocument(ClientId::new(url.as_str()));
    }
    if kept == Kept::Good {
        return ClientChoice::Registered(kept.made(ago).unwrap().client);
    }
    let Some(endpoint) = endpoint else {
        let why = match (kept.why(), document) {
            (WhyRegister::Renewal(why), _) => WhyAsk::NotRenewable(why),
            (_, Some(_)) => WhyAsk::DocumentNotSupported,
            _ => WhyAsk::NoRegistration,
        };
        return ClientChoice::AskForClient(AskForClient { issuer: issuer(), why });
    };
    let by_kept = if matches!(kept, Kept::Lacking(_)) { HOUR.saturating_sub(ago) } else { Duration::ZERO };
    let left = by_kept.max(paused.unwrap_or_default());
    if left.is_zero() {
        ClientChoice::Register { endpoint: endpoint.clone(), why: kept.why() }
    } else {
        ClientChoice::Wait { left, why: kept.why() }
    }
}

#[test]
fn every_combination_leads_to_the_client_of_the_highest_rank() {
    let (issuer, endpoint, id) = (issuer(), endpoint(), ClientId::new("configured"));
    let url = ClientIdUrl::parse("https://me.example/client.json").unwrap();
    let redirect = RedirectUri::ipv4();
    let mut seen = 0;
    for configured in [None, Some(&id)] {
        for document in [None, Some(&url)] {
            for documents in [Documents::Supported, Documents::NotSupported] {
                for (kept, ago) in
                    Kept::ALL.into_iter().flat_map(|kept| [Duration::ZERO, SECOND * 3599, HOUR].map(|ago| (kept, ago)))
                {
                    for endpoint in [None, Some(&endpoint)] {
                        for paused in [None, Some(SECOND), Some(HOUR)] {
                            let made = kept.made(ago);
                            let candidates = Candidates {
                                issuer: &issuer,
                                pre_registered: configured,
                                document,
                                documents,
                                kept: made.as_ref(),
                                registration_endpoint: endpoint,
                                not_before: paused.map(|left| NOW.instant + left),
                            };
                            let chosen = ClientChoice::of(&candidates, GrantNeeded::Code(&redirect), NOW);
                            let wanted = wanted((configured, document, documents), (kept, ago), (endpoint, paused));
                            assert_eq!(chosen, wanted, "{candidates:?}");
                            seen += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(seen, 2 * 2 * 2 * 21 * 2 * 3);
}

#[test]
fn p14_a_registration_is_used_for_its_issuer_byte_for_byte_and_for_no_other() {
    let own = kept(OWN, NOW.wall - HOUR * 2);
    for other in ["https://as.example/", "https://AS.example", "https://evil.example", "https://as.example:443", ""] {
        let other = Issuer::new(other);
        let candidates = Candidates { kept: Some(&own), ..candidates(&other) };
        let ClientChoice::AskForClient(ask) = ClientChoice::of(&candidates, GrantNeeded::Device, NOW) else { panic!("{other}") };
        assert_eq!(ask, AskForClient { issuer: other.clone(), why: WhyAsk::NoRegistration });
        let used = ClientId::new(OWN);
        assert_eq!(after_invalid_client(UsedClient::Registered(&used), &candidates, NOW).keep, None);
    }
}

#[test]
fn d59_a_calendar_that_jumped_does_not_silence_a_server_for_longer_than_an_hour() {
    let (issuer, endpoint) = (issuer(), endpoint());
    let choice = |made: WallTime| {
        let kept = kept(OWN, made).refused(made);
        let candidates = Candidates { kept: Some(&kept), registration_endpoint: Some(&endpoint), ..candidates(&issuer) };
        ClientChoice::of(&candidates, GrantNeeded::Device, NOW)
    };
    let why = WhyRegister::Renewal(Unusable::Refused);
    assert_eq!(choice(NOW.wall + SECOND), ClientChoice::Wait { left: HOUR, why });
    assert!(matches!(choice(NOW.wall + HOUR * 24 * 365), ClientChoice::Register { .. }));
    assert!(matches!(choice(WallTime::from_millis(0)), ClientChoice::Register { .. }));
}

#[test]
fn a_person_who_is_asked_is_told_what_to_type() {
    let issuer = Issuer::new("https://as.example/\u{1b}[31m");
    let ClientChoice::AskForClient(ask) = ClientChoice::of(&candidates(&issuer), GrantNeeded::Device, NOW) else {
        panic!("asked")
    };
    assert_eq!(
        ask.to_string(),
        "the authorization server https://as.example/ registers no clients on its own, and no client_id is configured"
    );
    let next = "register mcp-authd there as a native (public) client with the redirect URI http://127.0.0.1/callback, write the id that \
                it gets into the account in config.toml as client_id = \"...\", then: authctl reload";
    assert_eq!(AskForClient::next_step(), NextStep::Words(next.to_owned()));
}

#[test]
fn d46_a_pruned_client_is_marked_and_one_login_registers_anew() {
    let (issuer, endpoint, used) = (issuer(), endpoint(), ClientId::new(OWN));
    let old = kept(OWN, NOW.wall - HOUR);
    let candidates = Candidates { kept: Some(&old), registration_endpoint: Some(&endpoint), ..candidates(&issuer) };
    let after = after_invalid_client(UsedClient::Registered(&used), &candidates, NOW);
    assert_eq!(after, AfterInvalidClient { keep: Some(old.clone().refused(NOW.wall)), login: NextLogin::Begin });
    let choice = ClientChoice::of(&Candidates { kept: after.keep.as_ref(), ..candidates }, GrantNeeded::Device, NOW);
    assert_eq!(choice, ClientChoice::Register { endpoint, why: WhyRegister::Renewal(Unusable::Refused) });
}

#[test]
fn d46_within_the_hour_or_without_an_endpoint_there_is_no_login_at_once() {
    let (issuer, endpoint, used) = (issuer(), endpoint(), ClientId::new(OWN));
    let young = kept(OWN, NOW.wall - SECOND * 600);
    let with = Candidates { kept: Some(&young), registration_endpoint: Some(&endpoint), ..candidates(&issuer) };
    let after = after_invalid_client(UsedClient::Registered(&used), &with, NOW);
    assert_eq!(after.login, NextLogin::Wait { left: SECOND * 3000 });
    assert_eq!(after.keep, Some(young.clone().refused(NOW.wall)), "nobody tries it again");
    let without = Candidates { registration_endpoint: None, ..with };
    let NextLogin::AskForClient(ask) = after_invalid_client(UsedClient::Registered(&used), &without, NOW).login else {
        panic!("not asked")
    };
    assert_eq!(ask.why, WhyAsk::NotRenewable(Unusable::Refused));
}

#[test]
fn d46_a_client_that_another_login_has_replaced_blames_nobody() {
    let (issuer, used) = (issuer(), ClientId::new("old"));
    let new = kept("new", NOW.wall).replacing(Some(kept("old", NOW.wall - HOUR)));
    let candidates = Candidates { kept: Some(&new), ..candidates(&issuer) };
    let after = after_invalid_client(UsedClient::Registered(&used), &candidates, NOW);
    // The old one is not carried along any more; the new one stands, and is chosen.
    assert_eq!(after, AfterInvalidClient { keep: Some(kept("new", NOW.wall)), login: NextLogin::Begin });
    let choice = ClientChoice::of(&Candidates { kept: after.keep.as_ref(), ..candidates }, GrantNeeded::Device, NOW);
    assert_eq!(choice, ClientChoice::Registered(new.client.clone()));
    assert_eq!(after_invalid_client(UsedClient::Registered(&ClientId::new("stranger")), &candidates, NOW).keep, None);
}

#[test]
fn d46_a_new_client_that_is_refused_too_ends_in_a_sentence() {
    let (issuer, endpoint, used) = (issuer(), endpoint(), ClientId::new(OWN));
    let new = kept(OWN, NOW.wall - HOUR * 2);
    let candidates = Candidates { kept: Some(&new), registration_endpoint: Some(&endpoint), ..candidates(&issuer) };
    let after = after_invalid_client(UsedClient::RegisteredAnew(&used), &candidates, NOW);
    assert!(matches!(&after.login, NextLogin::AskForClient(ask) if ask.why == WhyAsk::NewClientRefused), "{after:?}");
    assert_eq!(after.keep.unwrap().standing, Standing::Refused(NOW.wall));
}

#[test]
fn d46_a_configured_client_is_never_replaced_by_a_registration() {
    let (issuer, endpoint, old) = (issuer(), endpoint(), kept(OWN, NOW.wall - HOUR));
    let candidates = Candidates { kept: Some(&old), registration_endpoint: Some(&endpoint), ..candidates(&issuer) };
    for (used, why) in
        [(UsedClient::PreRegistered, WhyAsk::PreRegisteredRefused), (UsedClient::MetadataDocument, WhyAsk::DocumentRefused)]
    {
        let login = NextLogin::AskForClient(AskForClient { issuer: issuer.clone(), why });
        assert_eq!(after_invalid_client(used, &candidates, NOW), AfterInvalidClient { keep: None, login });
    }
}
