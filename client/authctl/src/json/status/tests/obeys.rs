//! As much of JSON Schema as ours uses: types, properties, items, and the words of today as examples. Stricter in one thing: a key or
//! a word that is not told is wrong here.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema["properties"].as_object()
}

/// In the order of `required`, which is the order in which a person is told.
fn in_order(schema: &Value) -> Vec<(&str, &Value)> {
    let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    names.map(|name| (name, &schema["properties"][name])).collect()
}

fn words(schema: &Value) -> Vec<&str> {
    schema["examples"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

/// What is wrong with it, and where.
pub(super) fn obeys(value: &Value, schema: &Value, at: &str) -> Result<(), String> {
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_u64() || number.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types(schema).contains(&is) {
        return Err(format!("{at} is {is}"));
    }
    if let (Value::String(word), [_, ..]) = (value, words(schema).as_slice())
        && !words(schema).contains(&word.as_str())
    {
        return Err(format!("{at} says {word}"));
    }
    for item in value.as_array().into_iter().flatten() {
        obeys(item, &schema["items"], &format!("{at}[]"))?;
    }
    let Some(object) = value.as_object() else { return Ok(()) };
    let known = properties(schema).ok_or_else(|| format!("{at} has no properties"))?;
    let required: BTreeSet<&str> = in_order(schema).into_iter().map(|(name, _)| name).collect();
    if required != known.keys().map(String::as_str).collect() {
        return Err(format!("not every property of {at} is required"));
    }
    if let Some(missing) = required.iter().find(|name| !object.contains_key(**name)) {
        return Err(format!("{at} has no {missing}"));
    }
    object.iter().try_for_each(|(name, value)| {
        let schema = known.get(name).ok_or_else(|| format!("{at} has {name}, which is not told"))?;
        if schema["description"].as_str().is_none_or(str::is_empty) {
            return Err(format!("{at}.{name} has no description"));
        }
        obeys(value, schema, &format!("{at}.{name}"))
    })
}

/// Every key that the schema tells, with its words.
pub(super) fn keys(schema: &Value, at: &str) -> Vec<(String, Vec<String>)> {
    let below = |name: &str, schema: &Value| {
        let path = format!("{at}.{name}");
        let own = (path.clone(), words(schema).into_iter().map(ToOwned::to_owned).collect());
        let items = keys(&schema["items"], &format!("{path}[]"));
        [own].into_iter().chain(items).chain(keys(schema, &path)).collect::<Vec<_>>()
    };
    properties(schema).into_iter().flatten().flat_map(|(name, schema)| below(name, schema)).collect()
}

/// Every key that may be null.
pub(super) fn nullable(schema: &Value, at: &str) -> Vec<String> {
    let below = |name: &str, schema: &Value| {
        let path = format!("{at}.{name}");
        let own = types(schema).contains(&"null").then(|| path.clone());
        let items = nullable(&schema["items"], &format!("{path}[]"));
        own.into_iter().chain(items).chain(nullable(schema, &path)).collect::<Vec<_>>()
    };
    properties(schema).into_iter().flatten().flat_map(|(name, schema)| below(name, schema)).collect()
}

/// Every key that an object has, and what it says there.
pub(super) fn said(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    into.insert(at.to_owned());
    match value {
        Value::Null => drop(into.insert(format!("{at}=null"))),
        Value::String(word) => drop(into.insert(format!("{at}={word}"))),
        Value::Array(items) => items.iter().for_each(|item| said(item, &format!("{at}[]"), into)),
        Value::Object(object) => object.iter().for_each(|(name, value)| said(value, &format!("{at}.{name}"), into)),
        _ => {}
    }
}

/// As the help lists it.
pub(super) fn listing(schema: &Value) -> String {
    let one = |(name, schema): (&str, &Value)| {
        let (words, items) = (words(schema), &schema["items"]);
        let detail = match (words.as_slice(), properties(items), properties(schema)) {
            ([_, ..], ..) => format!(" ({})", words.join(", ")),
            (_, Some(_), _) => format!(" [{{{}}}]", listing(items)),
            (_, _, Some(_)) => format!(" {{{}}}", listing(schema)),
            _ => String::new(),
        };
        format!("{name}{detail}")
    };
    in_order(schema).into_iter().map(one).collect::<Vec<_>>().join(", ")
}
