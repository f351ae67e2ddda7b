//! Any record comes back as it was written.

use std::time::Duration;

use mcp_authd_oauth::secret::{AccessToken, DeviceCode, RefreshToken};
use mcp_authd_oauth::sign_in::{DevicePrompt, PendingDevice, PendingSignIn};
use mcp_authd_oauth::terms::{ClientId, Issuer, Resource, Scopes, Subject, UserCode};
use mcp_authd_oauth::time::WallTime;
use mcp_authd_oauth::token::{Binding, Life};
use proptest::prelude::*;

use super::{NOW, binding};
use crate::accounts::grant::{
    Ended, Grant, GrantRecord, HeldToken, Intent, KeptRest, NotRenewable, PendingRecord, Purpose, Renewal, RestCause, Rotation,
    SignInEnd, SignInRecord,
};
use crate::store::record::{ClientRecord, Record};

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,40}", proptest::collection::vec(any::<char>(), 0..20).prop_map(String::from_iter)]
}

prop_compose! {
    fn any_binding()(issuer in proptest::option::of(text()), client in text(), resource in proptest::option::of(text()), revoke in any::<bool>()) -> Binding {
        let base = binding();
        Binding {
            issuer: issuer.map(Issuer::new),
            client_id: ClientId::new(client),
            resource: resource.map(Resource::new),
            revocation_endpoint: base.revocation_endpoint.filter(|_| revoke),
            ..base
        }
    }
}

prop_compose! {
    fn any_token()(token in text(), age in 0_u64..3_600_000, left in proptest::option::of(1_u64..31_536_000_000)) -> HeldToken {
        let age = Duration::from_millis(age);
        HeldToken {
            access_token: AccessToken::new(token),
            requested: NOW.instant - age,
            requested_wall: NOW.wall - age,
            life: left.map_or(Life::Unknown, |left| Life::Known(age + Duration::from_millis(left))),
        }
    }
}

prop_compose! {
    fn any_rest()(
        (until, failures) in any::<(u64, u32)>(),
        cause in prop_oneof![Just(RestCause::Answered), Just(RestCause::Configuration)],
        why in text(),
    ) -> KeptRest {
        KeptRest { until: WallTime::from_millis(until), cause, why, failures }
    }
}

prop_compose! {
    fn any_grant()(
        (generation, revision, granted_at) in any::<(u64, u64, u64)>(),
        access in proptest::option::of(any_token()),
        refresh_token in proptest::option::of(text()),
        not_renewable in prop_oneof![Just(NotRenewable::NotIssued), Just(NotRenewable::Dead), Just(NotRenewable::InDoubt)],
        rotation in prop_oneof![Just(Rotation::Unknown), Just(Rotation::Rotates), Just(Rotation::Keeps)],
        scopes in proptest::collection::vec(text(), 0..4),
        subject in proptest::option::of(text()),
        binding in any_binding(),
        (refreshed_at, used_at) in any::<(Option<u64>, Option<u64>)>(),
        intent in prop_oneof![Just(None), Just(Some(Intent::First)), Just(Some(Intent::Replay))],
        rest in proptest::option::of(any_rest()),
    ) -> GrantRecord {
        GrantRecord {
            generation,
            revision,
            grant: Grant {
                access,
                renewal: refresh_token.map_or(Renewal::Not(not_renewable), |token| Renewal::With(RefreshToken::new(token))),
                rotation,
                scopes: Scopes::from_words(scopes),
                subject: subject.map(Subject::new),
                binding,
                granted_at: WallTime::from_millis(granted_at),
                refreshed_at: refreshed_at.map(WallTime::from_millis),
            },
            intent,
            rest,
            used_at: used_at.map(WallTime::from_millis),
            saved_at: NOW.wall,
        }
    }
}

prop_compose! {
    fn any_pending()(
        id in any::<u64>(),
        (code, user_code, uri, asked_by) in (text(), text(), text(), text()),
        (complete, message) in (proptest::option::of(text()), proptest::option::of(text())),
        left in 0_u64..86_400_000,
        interval in 0_u64..100_000,
        binding in any_binding(),
        scopes in proptest::collection::vec(text(), 0..4),
        purpose in prop_oneof![Just(Purpose::First), Just(Purpose::Again), Just(Purpose::MoreAccess)],
        replace in any::<bool>(),
    ) -> PendingRecord {
        PendingRecord {
            id,
            login: PendingSignIn::Device(PendingDevice {
                device_code: DeviceCode::new(code),
                prompt: DevicePrompt {
                    user_code: UserCode::new(user_code),
                    verification_uri: uri,
                    verification_uri_complete: complete,
                    message,
                },
                expires: NOW.instant + Duration::from_millis(left),
                expires_wall: NOW.wall + Duration::from_millis(left),
                interval: Duration::from_millis(interval),
                binding,
                requested_scopes: Scopes::from_words(scopes),
            }),
            purpose,
            asked_by,
            replace,
        }
    }
}

prop_compose! {
    fn any_sign_in()(
        pending in proptest::option::of(any_pending()),
        starts in proptest::collection::vec(any::<u64>(), 0..7),
        end in proptest::option::of((prop_oneof![
            Just(SignInEnd::Granted), Just(SignInEnd::Denied), Just(SignInEnd::Cancelled),
            Just(SignInEnd::Expired), Just(SignInEnd::Failed), Just(SignInEnd::OtherSubject),
            Just(SignInEnd::NoSubject),
        ], any::<u64>())),
        (generation, revision) in any::<(u64, u64)>(),
        ended in prop_oneof![Just(None), Just(Some(Ended::ByPerson)), Just(Some(Ended::ByConfiguration))],
        refused in proptest::option::of(proptest::collection::vec(text(), 0..4)),
    ) -> SignInRecord {
        SignInRecord {
            pending,
            unanswered_starts: starts.into_iter().map(WallTime::from_millis).collect(),
            last_end: end.map(|(how, at)| (how, WallTime::from_millis(at))),
            generation,
            revision,
            ended,
            refused_scopes: refused.map(Scopes::from_words),
        }
    }
}

proptest! {
    #[test]
    fn any_grant_comes_back_as_it_was(record in any_grant()) {
        let written = record.write(NOW).unwrap();
        prop_assert_eq!(written.capacity(), written.len(), "the buffer grew");
        prop_assert_eq!(GrantRecord::read(&written, NOW), Some(record));
    }

    #[test]
    fn any_sign_in_comes_back_as_it_was(record in any_sign_in()) {
        prop_assert_eq!(SignInRecord::read(&record.write(NOW).unwrap(), NOW), Some(record));
    }

    #[test]
    fn no_plaintext_makes_the_reader_panic(plain in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(GrantRecord::read(&plain, NOW), None);
        prop_assert_eq!(SignInRecord::read(&plain, NOW), None);
        prop_assert_eq!(ClientRecord::read(&plain, NOW), None);
    }
}
