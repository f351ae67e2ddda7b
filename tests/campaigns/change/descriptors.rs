//! The law of the wire: what a field number, an enum value or a method has meant once, it means for ever (B33).
//!
//! Must never: take a new name for a new thing. A field that is renamed is refused like one that is used for something else.

use std::collections::BTreeMap;
use std::ops::Range;

use prost::Message as _;
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet, MethodDescriptorProto};

/// Every wire that was ever spoken, the oldest first.
const WIRES: [(&str, &[u8]); 2] =
    [("first", include_bytes!("wire/first/authd.v1.bin")), ("second", include_bytes!("wire/second/authd.v1.bin"))];

/// What is spoken now.
pub(super) fn present() -> FileDescriptorSet {
    decoded(mcp_authd_proto::FILE_DESCRIPTOR_SET)
}

/// Every message of a wire, by its full name.
pub(super) fn messages(wire: &FileDescriptorSet) -> BTreeMap<String, &DescriptorProto> {
    let mut found = BTreeMap::new();
    for file in &wire.file {
        gather_messages(&format!(".{}", file.package()), &file.message_type, &mut found);
    }
    found
}

/// The answer of a method, and whether it streams. `None`: there is no such method.
pub(super) fn answer_of(path: &str) -> Option<(String, bool)> {
    methods(&present()).get(path).map(|method| (method.output_type().to_owned(), method.server_streaming()))
}

fn gather_messages<'a>(inside: &str, messages: &'a [DescriptorProto], found: &mut BTreeMap<String, &'a DescriptorProto>) {
    for message in messages {
        let name = format!("{inside}.{}", message.name());
        gather_messages(&name, &message.nested_type, found);
        found.insert(name, message);
    }
}

fn decoded(wire: &[u8]) -> FileDescriptorSet {
    FileDescriptorSet::decode(wire).expect("a set of descriptors")
}

/// What of the former wire means something else now, one a line.
fn broken(former: &FileDescriptorSet, now: &FileDescriptorSet) -> Vec<String> {
    let mut broken = Vec::new();
    let messages_now = messages(now);
    for (name, message) in messages(former) {
        match messages_now.get(&name) {
            Some(present) => compare_messages(&name, message, present, &mut broken),
            None => broken.push(format!("{name} is gone")),
        }
    }
    let enums_now = enums(now);
    for (name, values) in enums(former) {
        match enums_now.get(&name) {
            Some(present) => compare_enums(&name, values, present, &mut broken),
            None => broken.push(format!("{name} is gone")),
        }
    }
    let methods_now = methods(now);
    for (name, method) in methods(former) {
        let says = |method: &MethodDescriptorProto| {
            let sides = (method.input_type().to_owned(), method.output_type().to_owned());
            (sides, method.client_streaming(), method.server_streaming())
        };
        match methods_now.get(&name) {
            Some(present) if says(present) == says(method) => {}
            Some(present) => broken.push(format!("{name} was {:?} and is {:?}", says(method), says(present))),
            None => broken.push(format!("{name} is gone: older programs call it")),
        }
    }
    broken
}

fn compare_messages(name: &str, former: &DescriptorProto, now: &DescriptorProto, broken: &mut Vec<String>) {
    let reserved_now: Vec<Range<i32>> = now.reserved_range.iter().map(|range| range.start()..range.end()).collect();
    for field in &former.field {
        let number = field.number();
        match now.field.iter().find(|field| field.number() == number) {
            Some(present) if meaning(field, former) == meaning(present, now) => {}
            Some(present) => {
                broken.push(format!("{name}: {number} was {:?} and is {:?}", meaning(field, former), meaning(present, now)));
            }
            None if reserved_now.iter().any(|range| range.contains(&number)) && is_reserved(now, field.name()) => {}
            None => broken.push(format!("{name}: {number} (`{}`) is gone: add `reserved {number}` and its name", field.name())),
        }
    }
    for range in &former.reserved_range {
        for number in range.start()..range.end() {
            if !reserved_now.iter().any(|range| range.contains(&number)) {
                broken.push(format!("{name}: {number} was reserved and is not any more"));
            }
        }
    }
}

fn is_reserved(message: &DescriptorProto, field: &str) -> bool {
    message.reserved_name.iter().any(|name| name == field)
}

/// All that two programs must agree about.
fn meaning(field: &FieldDescriptorProto, of: &DescriptorProto) -> impl PartialEq + std::fmt::Debug {
    let choice =
        field.oneof_index.and_then(|index| of.oneof_decl.get(usize::try_from(index).ok()?)).map(|oneof| oneof.name().to_owned());
    (field.name().to_owned(), field.r#type(), field.type_name().to_owned(), field.label(), choice)
}

fn compare_enums(name: &str, former: &EnumDescriptorProto, now: &EnumDescriptorProto, broken: &mut Vec<String>) {
    for value in &former.value {
        let number = value.number();
        let present = now.value.iter().find(|value| value.number() == number);
        let reserved = now.reserved_range.iter().any(|range| (range.start()..=range.end()).contains(&number));
        match present {
            Some(present) if present.name() == value.name() => {}
            Some(present) => broken.push(format!("{name}: {number} was {} and is {}", value.name(), present.name())),
            None if reserved => {}
            None => broken.push(format!("{name}: {number} ({}) is gone: add `reserved {number}`", value.name())),
        }
    }
}

fn enums(wire: &FileDescriptorSet) -> BTreeMap<String, &EnumDescriptorProto> {
    let top = wire.file.iter().flat_map(|file| file.enum_type.iter().map(move |found| (format!(".{}", file.package()), found)));
    let all_messages = messages(wire);
    let nested = all_messages.iter().flat_map(|(name, message)| message.enum_type.iter().map(move |found| (name.clone(), found)));
    top.chain(nested).map(|(inside, found)| (format!("{inside}.{}", found.name()), found)).collect()
}

fn methods(wire: &FileDescriptorSet) -> BTreeMap<String, &MethodDescriptorProto> {
    let services = wire.file.iter().flat_map(|file| file.service.iter().map(move |service| (file.package(), service)));
    let named = services.flat_map(|(package, service)| {
        service.method.iter().map(move |method| (format!("/{package}.{}/{}", service.name(), method.name()), method))
    });
    named.collect()
}

#[test]
fn b33_nothing_that_an_earlier_wire_said_means_something_else_now() {
    for (name, wire) in WIRES {
        let wire = decoded(wire);
        assert!(messages(&wire).len() > 20 && methods(&wire).len() >= 9, "{name} is a whole wire");
        let broken = broken(&wire, &present());
        assert!(broken.is_empty(), "against the {name} wire:\n  {}", broken.join("\n  "));
    }
}

#[test]
fn b33_every_way_to_break_the_wire_is_found() {
    type Change = fn(&mut FileDescriptorSet);
    let ways: [(&str, Change, usize); 12] = [
        ("another number", |wire| field(wire, "Refusal", "message").number = Some(9), 1),
        ("another type", |wire| field(wire, "Refusal", "message").set_type(prost_types::field_descriptor_proto::Type::Bytes), 1),
        ("another message", |wire| field(wire, "TokenState", "token").type_name = Some(".authd.v1.Refusal".into()), 1),
        (
            "one where there were many",
            |wire| field(wire, "Need", "scopes").set_label(prost_types::field_descriptor_proto::Label::Optional),
            1,
        ),
        ("a number that is used again", |wire| field(wire, "Refusal", "message").name = Some("comment".into()), 1),
        ("out of its oneof", |wire| field(wire, "TokenState", "refusal").oneof_index = None, 1),
        ("a field that is gone", |wire| message(wire, "Refusal").field.retain(|field| field.name() != "message"), 1),
        (
            "a message that is gone",
            |wire| wire.file.iter_mut().for_each(|file| file.message_type.retain(|message| message.name() != "Browser")),
            1,
        ),
        ("an enum value that is used again", |wire| value(wire, "Reason", 2).name = Some("REASON_BORED".into()), 1),
        ("an enum value of another number", |wire| value(wire, "Reason", 2).number = Some(99), 1),
        (
            "a method that is gone",
            |wire| {
                wire.file.iter_mut().for_each(|file| {
                    file.service.iter_mut().for_each(|service| service.method.retain(|method| method.name() != "Stop"))
                })
            },
            1,
        ),
        (
            "a stream in the place of an answer",
            |wire| {
                wire.file.iter_mut().for_each(|file| {
                    file.service.iter_mut().for_each(|service| {
                        service
                            .method
                            .iter_mut()
                            .filter(|method| method.name() == "Status")
                            .for_each(|method| method.server_streaming = Some(true))
                    })
                })
            },
            1,
        ),
    ];
    let first = decoded(WIRES[0].1);
    for (way, change, found) in ways {
        let mut changed = first.clone();
        change(&mut changed);
        let told = broken(&first, &changed);
        assert_eq!(told.len(), found, "{way}: {told:?}");
    }
}

#[test]
fn b33_a_field_may_go_where_its_number_and_name_stay_reserved_for_ever() {
    use prost_types::descriptor_proto::ReservedRange;
    let first = decoded(WIRES[0].1);
    let mut without = first.clone();
    let refusal = message(&mut without, "Refusal");
    refusal.field.retain(|field| field.name() != "message");
    refusal.reserved_range.push(ReservedRange { start: Some(2), end: Some(3) });
    assert_eq!(broken(&first, &without).len(), 1, "its name is free");
    message(&mut without, "Refusal").reserved_name.push("message".into());
    assert_eq!(broken(&first, &without), Vec::<String>::new());
    let mut used_again = without.clone();
    message(&mut used_again, "Refusal").reserved_range.clear();
    assert_eq!(broken(&without, &used_again).len(), 1);
}

fn message<'a>(wire: &'a mut FileDescriptorSet, name: &str) -> &'a mut DescriptorProto {
    let all = wire.file.iter_mut().flat_map(|file| &mut file.message_type);
    all.into_iter().find(|message| message.name() == name).expect("it stands there")
}

fn field<'a>(wire: &'a mut FileDescriptorSet, of: &str, name: &str) -> &'a mut FieldDescriptorProto {
    message(wire, of).field.iter_mut().find(|field| field.name() == name).expect("it stands there")
}

fn value<'a>(wire: &'a mut FileDescriptorSet, of: &str, number: i32) -> &'a mut prost_types::EnumValueDescriptorProto {
    let all = wire.file.iter_mut().flat_map(|file| &mut file.enum_type);
    let found = all.into_iter().find(|found| found.name() == of).expect("it stands there");
    found.value.iter_mut().find(|value| value.number() == number).expect("it stands there")
}
