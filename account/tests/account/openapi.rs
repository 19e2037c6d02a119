//! The account's OpenAPI document against the code: every name, every shape, every way in.

use std::collections::BTreeSet;

use sekisho_account::{
    AccountError, Response, SignedRequest, UsageReport,
    http::{OPENAPI, ROUTES, Refused},
};
use sekisho_core::{
    id::{FileId, ItemId},
    records::{DeleteRequest, Expect, PutChunkRequest, PutRequest},
    rest::{Action, UsageEvent},
    seal::Sealed,
    time::Timestamp,
    token::Rights,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    matrix,
    setup::{World, now},
};

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// What of JSON Schema the document uses, and nothing else: a word it does not know is a failure.
fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let no = |why: &str| Err(format!("{why}: {value}"));
    for (word, rule) in schema.as_object().unwrap() {
        match word.as_str() {
            "title" | "description" | "format" => {}
            "$ref" => {
                let path = rule.as_str().unwrap().strip_prefix('#').unwrap();
                fits(document, document.pointer(path).unwrap(), value)?;
            }
            "type" => {
                let is = match rule.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_u64() || value.is_i64(),
                    "null" => value.is_null(),
                    other => panic!("type {other}"),
                };
                if !is {
                    return no(&format!("not of type {rule}"));
                }
            }
            "enum" if rule.as_array().unwrap().contains(value) => {}
            "enum" => return no(&format!("none of {rule}")),
            "minimum" if value.as_i64() >= rule.as_i64() => {}
            "minimum" => return no("too small"),
            "minItems" if value.as_array().map(Vec::len) >= Some(number(rule)) => {}
            "maxItems" if value.as_array().map(Vec::len) <= Some(number(rule)) => {}
            "minItems" | "maxItems" => return no("so many"),
            "items" => {
                for one in value.as_array().into_iter().flatten() {
                    fits(document, rule, one)?;
                }
            }
            "pattern" if is_like(rule.as_str().unwrap(), value.as_str().unwrap_or("")) => {}
            "pattern" => return no(&format!("not like {rule}")),
            "required" => {
                let mut names = rule.as_array().unwrap().iter();
                if let Some(name) = names.find(|name| value.get(name.as_str().unwrap()).is_none()) {
                    return no(&format!("without {name}"));
                }
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object().unwrap();
                let mut names = value
                    .as_object()
                    .into_iter()
                    .flat_map(|members| members.keys());
                if let Some(name) = names.find(|name| !known.contains_key(*name)) {
                    return no(&format!("with {name}"));
                }
            }
            "properties" => {
                for (name, rule) in rule.as_object().unwrap() {
                    value
                        .get(name)
                        .map_or(Ok(()), |value| fits(document, rule, value))?;
                }
            }
            "oneOf" | "anyOf" => {
                let found = rule.as_array().unwrap().iter();
                let found: Vec<_> = found.map(|rule| fits(document, rule, value)).collect();
                let good = found.iter().filter(|found| found.is_ok()).count();
                if good == 0 || (word == "oneOf" && good > 1) {
                    return Err(format!("{good} of {word}: {value}: {found:?}"));
                }
            }
            other => panic!("the document uses {other}"),
        }
    }
    Ok(())
}

fn number(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap()).unwrap()
}

/// `^[set]{n}$`, which is all the document uses.
fn is_like(pattern: &str, text: &str) -> bool {
    let (set, length) = pattern
        .strip_prefix("^[")
        .and_then(|rest| rest.strip_suffix("}$")?.split_once("]{"))
        .unwrap();
    let is_in = |c: char| match c {
        '0'..='9' => set.contains("0-9"),
        'a'..='z' => set.contains("a-z"),
        'A'..='Z' => set.contains("A-Z"),
        '_' | '-' => set.ends_with("_-"),
        _ => false,
    };
    text.len() == length.parse::<usize>().unwrap() && text.chars().all(is_in)
}

#[track_caller]
fn check(name: &str, value: &impl Serialize) {
    let document = document();
    let schema = &document["components"]["schemas"][name];
    assert!(schema.is_object(), "{name}");
    let value = serde_json::to_value(value).unwrap();
    if let Err(why) = fits(&document, schema, &value) {
        panic!("{name}: {why}");
    }
}

/// The names serde knows, by what it says to one it does not.
fn known<T: DeserializeOwned>(unknown: &str) -> BTreeSet<String> {
    let Err(error) = serde_json::from_str::<T>(unknown) else {
        panic!("{unknown} is known");
    };
    let said = error.to_string();
    let (_, names) = said.split_once("expected one of ").unwrap();
    names
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn documented(union: &str, name: impl Fn(&Value) -> &Value) -> BTreeSet<String> {
    let document = document();
    let list = document["components"]["schemas"][union]["oneOf"]
        .as_array()
        .unwrap()
        .clone();
    list.iter()
        .map(|one| name(one).as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_name_is_documented_and_no_other() {
    let titles = |union| documented(union, |one| &one["title"]);
    assert_eq!(
        titles("Request"),
        known::<sekisho_account::Request>("\"?\"")
    );
    assert_eq!(titles("Response"), known::<Response>("\"?\""));
    assert_eq!(titles("Refused"), known::<AccountError>(r#"{"code":"?"}"#));
    let routes: BTreeSet<String> = ROUTES
        .iter()
        .map(|(m, path)| format!("{m} /{path}"))
        .collect();
    let document = document();
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    assert_eq!(operations.collect::<BTreeSet<_>>(), routes);
}

#[test]
fn every_request_and_answer_is_as_documented() {
    let mut answered = BTreeSet::new();
    for (schema, value) in matrix::exchanges() {
        check(schema, &value);
        if schema == "Response" {
            let name = value.as_str().map(str::to_owned);
            let first = || value.as_object().and_then(|o| o.keys().next().cloned());
            answered.insert(name.or_else(first).unwrap());
        }
    }
    // Those that the matrix, which looks at permissions, does not reach.
    let world = World::new();
    let vault = world.vault("V");
    let item = world.item(vault, "x");
    let id = item.id;
    let mut more = vec![
        world
            .execute(sekisho_account::Request::Item { vault, item: id })
            .unwrap(),
        world
            .execute(sekisho_account::Request::RemoveUser {
                user: world.user("Una").user(),
            })
            .unwrap(),
    ];
    let mut list = |limit| {
        let after = None;
        more.push(
            world
                .execute(sekisho_account::Request::Items {
                    vault,
                    after,
                    limit,
                })
                .unwrap(),
        );
    };
    list(9);
    let (file, content) = (
        FileId::generate(&mut sekisho_account::random::SystemRng),
        Sealed::from_bytes(vec![1; 40]),
    );
    let put = sekisho_account::Request::PutChunk {
        vault,
        item: id,
        file,
        index: 0,
        content,
    };
    more.push(world.execute(put).unwrap());
    more.push(
        world
            .execute(sekisho_account::Request::Chunk {
                vault,
                item: id,
                file,
                index: 0,
            })
            .unwrap(),
    );
    for response in more {
        check("Response", &response);
        let value = serde_json::to_value(&response).unwrap();
        answered.extend(value.as_object().and_then(|o| o.keys().next().cloned()));
    }
    let unseen: Vec<_> = known::<Response>("\"?\"")
        .difference(&answered)
        .cloned()
        .collect();
    assert!(unseen.is_empty(), "never seen: {unseen:?}");
}

#[test]
fn what_hosts_say_and_hear_is_as_documented() {
    let world = World::new();
    let (vault, other) = (world.vault("V"), world.vault("W"));
    let host = world.environment(&[vault, other]);
    let token = world.token(&host, vault, Rights::READ_WRITE);
    let gone = world.token(&host, other, Rights::READ);
    let (item, deleted) = (world.item(vault, "x"), world.item(vault, "y"));
    let page = host.page("", 100);
    check("FeedPage", &page);
    world.owner.revoke_token(gone.record.id).unwrap();
    world.owner.rotate_environment_key(host.id()).unwrap();
    world.owner.revoke_vault(host.id(), other).unwrap();
    world
        .execute(sekisho_account::Request::DeleteItem {
            vault,
            item: deleted.id,
            version: None,
        })
        .unwrap();
    let page = host.page(&page.cursor, 100);
    assert!(
        !page.gone_items.is_empty()
            && !page.gone_vaults.is_empty()
            && !page.signing_keys.is_empty()
    );
    check("FeedPage", &page);
    let rng = &mut sekisho_account::random::SystemRng;
    let (token, file) = (token.record.id, FileId::generate(rng));
    let (added, dropped) = (vec![file], vec![file]);
    let write = |expect| PutRequest {
        token,
        vault,
        expect,
        item: item.clone(),
        added: added.clone(),
        dropped: dropped.clone(),
    };
    check("PutRequest", &write(Expect::Absent));
    check("PutRequest", &write(Expect::Version(1)));
    check(
        "DeleteRequest",
        &DeleteRequest {
            token,
            vault,
            item: item.id,
            version: 1,
        },
    );
    let content = Sealed::default();
    check(
        "PutChunkRequest",
        &PutChunkRequest {
            token,
            vault,
            item: item.id,
            file,
            index: 0,
            content,
        },
    );
    let event = |item| UsageEvent {
        token,
        action: Action::Read,
        allowed: true,
        vault,
        item,
        item_version: item.map(|_| 1),
        at: Timestamp::from_seconds(1),
        caller: Default::default(),
    };
    check(
        "UsageReport",
        &UsageReport::new("1".into(), event(Some(ItemId::generate(rng)))),
    );
    check("UsageReport", &UsageReport::new("2".into(), event(None)));
    check("Refused", &Refused::new(AccountError::LastOwner));
    check("Refused", &Refused::new(AccountError::NoVaultAccess(vault)));
    let (what, id, held) = ("item".into(), "x".into(), Some(1));
    check(
        "Refused",
        &Refused::new(AccountError::Conflict { what, id, held }),
    );
    let (issued_at, key) = (now(), sekisho_core::key::OperatorKey::generate(rng));
    let request = sekisho_account::Request::Vaults;
    let (account, user) = (world.account.id(), world.owner.user());
    let signed = SignedRequest::sign(&request, &account, user, &key, issued_at, rng).unwrap();
    check("SignedRequest", &signed);
}
