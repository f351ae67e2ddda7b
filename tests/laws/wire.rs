//! What the daemon may say: no field of any message that it sends can carry a refresh token, a client secret or a key (P7).
//!
//! Every message that an answer of any service can hold is looked at, however deep. A field whose name sounds like a secret has to
//! stand in one of the two lists below, and what stands there without need is told too. Bytes say nothing about themselves: none.

use std::collections::{BTreeMap, BTreeSet};

use mcp_authd_proto::FILE_DESCRIPTOR_SET;
use prost::Message as _;
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

use crate::obeyed;

/// The secrets that are handed out: what the daemon is for, and what a person types into a page.
const HANDED_OUT: [&str; 2] = [".authd.v1.AccessToken.access_token", ".authd.v1.Device.user_code"];
/// What only sounds so.
const SOUNDS_SO: [(&str, &str); 4] = [
    (".authd.v1.AccessToken.token_type", "always \"Bearer\""),
    (".authd.v1.AccountStatus.token_file", "a path"),
    (".authd.v1.StatusResponse.key_source", "where the key comes from, in words"),
    (".authd.v1.Device.verification_uri_complete", "holds the user code"),
];
const SECRETIVE: [&str; 14] = [
    "token",
    "secret",
    "key",
    "code",
    "password",
    "passphrase",
    "credential",
    "verifier",
    "assertion",
    "private",
    "seed",
    "hash",
    "cookie",
    "complete",
];

/// Every field that can hold text or bytes, of every message that the daemon sends, by its whole name.
fn sent(descriptors: &FileDescriptorSet) -> BTreeMap<String, Type> {
    let mut messages = BTreeMap::new();
    for file in &descriptors.file {
        let package = format!(".{}", file.package());
        file.message_type.iter().for_each(|message| note(&package, message, &mut messages));
    }
    let methods = descriptors.file.iter().flat_map(|file| &file.service).flat_map(|service| &service.method);
    let mut left: Vec<String> = methods.map(|method| method.output_type().to_owned()).collect();
    assert!(left.len() >= 10, "the services are gone from the descriptors");
    let (mut seen, mut fields) = (BTreeSet::new(), BTreeMap::new());
    while let Some(name) = left.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let Some(message) = messages.get(&name) else {
            assert!(name.starts_with(".google.protobuf."), "{name} is described nowhere");
            continue;
        };
        for field in &message.field {
            match field.r#type() {
                Type::Message | Type::Group => left.push(field.type_name().to_owned()),
                kind @ (Type::String | Type::Bytes) => {
                    fields.insert(format!("{name}.{}", field.name()), kind);
                }
                _ => {}
            }
        }
    }
    fields
}

fn note<'d>(inside: &str, message: &'d DescriptorProto, into: &mut BTreeMap<String, &'d DescriptorProto>) {
    let name = format!("{inside}.{}", message.name());
    message.nested_type.iter().for_each(|nested| note(&name, nested, into));
    into.insert(name, message);
}

fn is_secretive(field: &str) -> bool {
    let name = field.rsplit('.').next().unwrap_or(field);
    SECRETIVE.iter().any(|word| name.split('_').any(|part| part.trim_end_matches('s') == *word))
}

fn broken(descriptors: &FileDescriptorSet) -> Vec<String> {
    let fields = sent(descriptors);
    let allowed: Vec<&str> = HANDED_OUT.into_iter().chain(SOUNDS_SO.map(|(field, _)| field)).collect();
    let mut broken = Vec::new();
    for (field, kind) in &fields {
        if *kind == Type::Bytes {
            broken.push(format!("{field}: bytes can be anything; send text that says what it is"));
        } else if is_secretive(field) && !allowed.contains(&field.as_str()) {
            broken.push(format!("{field}: sounds like a secret; the daemon keeps it, or this law says why it may go"));
        }
    }
    let needless = allowed.iter().filter(|field| !fields.contains_key(**field) || !is_secretive(field));
    broken.extend(needless.map(|field| format!("{field}: is allowed, and nothing of that name is sent")));
    broken
}

/// What a try does to a field.
type Change = fn(&mut FieldDescriptorProto);

fn descriptors() -> FileDescriptorSet {
    FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("the committed descriptors decode")
}

#[test]
fn p7_no_message_that_the_daemon_sends_has_a_field_for_a_refresh_token_a_client_secret_or_a_key() {
    obeyed("daemon/README.md, I5; P7", &broken(&descriptors()));
    assert!(sent(&descriptors()).len() > 30, "hardly any field is sent; this law looks at the wrong messages");
}

#[test]
fn a_secret_in_an_answer_is_found_however_deep_it_stands_and_one_in_a_request_is_not_meant() {
    // given the real wire, with one field renamed
    let with = |message: &str, field: &str, change: Change| {
        let mut all = descriptors();
        let messages = all.file.iter_mut().flat_map(|file| &mut file.message_type).filter(|found| found.name() == message);
        messages.flat_map(|found| &mut found.field).filter(|found| found.name() == field).for_each(change);
        broken(&all).into_iter().filter(|told| !told.contains("nothing of that name")).collect::<Vec<_>>()
    };
    let secret: [(&str, &str, Change); 5] = [
        ("GrantStatus", "subject", |field| field.name = Some("refresh_token".to_owned())),
        ("SetClientSecretResponse", "account", |field| field.name = Some("client_secret".to_owned())),
        ("StatusResponse", "version", |field| field.name = Some("data_keys".to_owned())),
        ("ConfigProblem", "message", |field| field.name = Some("device_code".to_owned())),
        ("Refusal", "message", |field| field.set_type(Type::Bytes)),
    ];
    for (message, field, change) in secret {
        assert_eq!(with(message, field, change).len(), 1, "{message}.{field}");
    }
    assert!(with("SetClientSecretRequest", "account", |field| field.name = Some("refresh_token".to_owned())).is_empty());
}
