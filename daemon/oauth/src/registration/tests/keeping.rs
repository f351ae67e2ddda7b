//! What is kept, whom it serves, and until when.

use std::num::NonZeroU16;

use super::*;

#[test]
fn d58_a_registration_serves_until_its_secret_is_over_and_zero_is_never() {
    let of = |secret_expires| {
        let mut kept = kept("a", NOW.wall);
        kept.client.secret_expires = secret_expires;
        kept.usable_for(GrantNeeded::Device, NOW.wall)
    };
    assert_eq!(of(SecretExpires::Never), Ok(()));
    assert_eq!(of(SecretExpires::At(NOW.wall + Duration::from_millis(1))), Ok(()));
    assert_eq!(of(SecretExpires::At(NOW.wall)), Err(Unusable::SecretExpired));
    assert_eq!(of(SecretExpires::At(NOW.wall - HOUR)), Err(Unusable::SecretExpired));
}

#[test]
fn a_registration_serves_the_grants_and_redirects_that_it_has() {
    let with = |grants: &[GrantType], uris: Vec<RedirectUri>| Registration {
        grant_types: grants.iter().copied().collect(),
        redirect_uris: uris,
        ..kept("a", NOW.wall)
    };
    let fixed = RedirectUri::ipv4().with_port(7777);
    let device = with(&[GrantType::DeviceCode], vec![]);
    assert_eq!(device.usable_for(GrantNeeded::Device, NOW.wall), Ok(()));
    assert_eq!(device.usable_for(GrantNeeded::Code(&fixed), NOW.wall), Err(Unusable::LacksGrant));
    let code = with(&[GrantType::AuthorizationCode], vec![fixed.clone()]);
    assert_eq!(code.usable_for(GrantNeeded::Device, NOW.wall), Err(Unusable::LacksGrant));
    assert_eq!(code.usable_for(GrantNeeded::Code(&fixed), NOW.wall), Ok(()));
    // Whoever takes any port can take that one.
    assert_eq!(code.usable_for(GrantNeeded::Code(&RedirectUri::ipv4()), NOW.wall), Ok(()));
    assert_eq!(code.usable_for(GrantNeeded::Code(&fixed.with_port(7778)), NOW.wall), Err(Unusable::LacksRedirect));
    let open = with(&[GrantType::AuthorizationCode], vec![RedirectUri::ipv6(), RedirectUri::ipv4()]);
    assert_eq!(open.usable_for(GrantNeeded::Code(&fixed), NOW.wall), Ok(()));
}

#[test]
fn a_login_comes_back_to_the_port_that_was_registered_and_to_any_where_the_server_says_so() {
    let of = |uris: &[RedirectUri]| Registration { redirect_uris: uris.to_vec(), ..kept("a", NOW.wall) }.callback_port();
    let (open, port) = (RedirectUri::ipv4(), NonZeroU16::new(7777).unwrap());
    let exact = open.with_port(7777);
    assert_eq!(of(&[]), CallbackPort::Any);
    assert_eq!(of(&[open.clone(), RedirectUri::ipv6()]), CallbackPort::Any);
    assert_eq!(of(&[exact.clone(), open.clone()]), CallbackPort::Rather(port));
    assert_eq!(of(&[open, exact.clone()]), CallbackPort::Rather(port));
    assert_eq!(of(&[exact, RedirectUri::ipv6()]), CallbackPort::Only(port));
    // Those are not where we listen.
    let elsewhere = ["http://127.0.0.1:7777/cb", "http://localhost:7777/callback"].map(|uri| RedirectUri::parse(uri).unwrap());
    assert_eq!(of(&elsewhere), CallbackPort::Any);
}

#[test]
fn d46_a_refused_registration_serves_nobody_and_keeps_its_date_but_no_secret() {
    let refused = kept("a", NOW.wall).refused(NOW.wall + SECOND);
    assert_eq!(refused.usable_for(GrantNeeded::Device, NOW.wall), Err(Unusable::Refused));
    assert_eq!(refused.registered_at, NOW.wall);
    assert_eq!((&refused.client.client_secret, &refused.registration_access_token), (&None, &None));
    assert_eq!(refused.registration_client_uri, None);
}

#[test]
fn a_login_that_was_issued_to_a_former_client_still_finds_it() {
    let renewed = kept("b", NOW.wall).replacing(Some(kept("a", NOW.wall)));
    let again = kept("c", NOW.wall).replacing(Some(renewed));
    assert_eq!(again.client.client_id.as_str(), "c");
    for id in ["a", "b", "c"] {
        assert_eq!(again.client(&ClientId::new(id)), Some(&kept(id, NOW.wall).client), "{id}");
    }
    assert_eq!(again.client(&ClientId::new("d")), None);
}

#[test]
fn a_refused_client_another_issuers_or_the_same_one_is_not_carried_along() {
    let ids = |registration: Registration| registration.former.into_iter().map(|client| client.client_id).collect::<Vec<_>>();
    let old = || kept("b", NOW.wall).replacing(Some(kept("a", NOW.wall)));
    assert_eq!(ids(kept("c", NOW.wall).replacing(Some(old().refused(NOW.wall)))), [ClientId::new("a")]);
    assert_eq!(ids(kept("a", NOW.wall).replacing(Some(old()))), [ClientId::new("b")]);
    let elsewhere = Registration { issuer: Issuer::new("https://as.example/"), ..old() };
    assert_eq!(ids(kept("c", NOW.wall).replacing(Some(elsewhere))), [] as [ClientId; 0]);
    assert_eq!(ids(kept("c", NOW.wall).replacing(None)), [] as [ClientId; 0]);
}

#[test]
fn former_clients_are_bounded_and_the_oldest_go() {
    let last = (0..30).fold(kept("0", NOW.wall), |old, n| kept(&format!("{}", n + 1), NOW.wall).replacing(Some(old)));
    assert_eq!(last.former.len(), 8);
    assert_eq!(last.former[0].client_id.as_str(), "29");
}

#[test]
fn d60_no_secret_of_a_registration_is_in_its_debug() {
    assert!(!format!("{:?}", kept("b", NOW.wall).replacing(Some(kept("a", NOW.wall)))).contains("SNTL"));
}

#[test]
fn d59_attempts_are_remembered_by_issuer_and_forgotten_when_they_are_over_or_by_the_person() {
    let other = Issuer::new("https://as.example/");
    let mut attempts = Attempts::default();
    attempts.note(&issuer(), &Ok(kept("a", NOW.wall)), NOW);
    attempts.note(&other, &Err(RegistrationError::Later { retry_after: None, status: 429 }), NOW);
    assert_eq!(attempts.not_before(&issuer()), Some(NOW.instant + HOUR));
    assert_eq!(attempts.not_before(&other), Some(NOW.instant + SECOND * 60));
    attempts.forget(&issuer());
    assert_eq!(attempts.not_before(&issuer()), None);
    attempts.note(&issuer(), &Err(RegistrationError::AnswerLost), later(HOUR));
    assert_eq!(attempts.not_before(&other), None, "what is over takes no room");
}
