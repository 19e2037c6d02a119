//! What holds for anything: naive models beside the real thing.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that panics is a test that fails"
)]

use std::collections::BTreeMap;

use proptest::prelude::*;
use sekisho_core::{
    cache::Snapshot,
    id::{ItemId, VaultId},
    key::VaultKey,
    records::ItemRecord,
    seal::{self, Kind, Place, Sealed},
    sync::{Plan, Step},
};
use sekisho_tests::{
    cases::{Carrier, Given, RawAnswer, Request, invariants},
    native::NativeCarrier,
    rng::labelled,
    world::{NOW, World},
};
use serde_json::{Map, Value, json};

fn send(carrier: &mut NativeCarrier, method: &str, target: &str, body: &Value) -> RawAnswer {
    let request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: vec![
            (
                "authorization".into(),
                format!("Bearer {}", World::get().tokens["rw"]),
            ),
            ("x-request-id".into(), "property".into()),
        ],
        body: if body.is_null() {
            Vec::new()
        } else {
            serde_json::to_vec(body).unwrap()
        },
    };
    let answer = carrier.exchange(&request);
    let wrong = invariants(&request, &answer);
    assert!(wrong.is_empty(), "{method} {target}: {wrong:?}\n{answer:?}");
    answer
}

fn items() -> String {
    format!("/v1/vaults/{}/items", World::get().vaults["demo"].id)
}

// - Envelopes

proptest! {
    #[test]
    fn open_after_seal_is_the_identity(plain in any::<Vec<u8>>(), key in any::<[u8; 32]>(), generation: u32, version: u64, kind in 0usize..4) {
        let kind = [Kind::Overview, Kind::Details, Kind::Extra, Kind::Files][kind];
        let rng = &mut labelled("property");
        let place = Place::item(kind, VaultId::generate(rng), ItemId::generate(rng), version);
        let key = VaultKey::dangerous_from_bytes(generation, key);
        let sealed = seal::seal(&key, &place, &plain, rng);
        prop_assert_eq!(sealed.as_bytes().len(), plain.len() + seal::OVERHEAD);
        let opened = seal::open(&key, &place, &sealed).unwrap();
        prop_assert_eq!(opened.as_slice(), plain.as_slice());
    }

    #[test]
    fn no_bytes_open_by_chance(bytes in any::<Vec<u8>>()) {
        let rng = &mut labelled("property");
        let place = Place::vault(VaultId::generate(rng), 1);
        let key = VaultKey::generate(1, rng);
        prop_assert!(seal::open(&key, &place, &Sealed::from_bytes(bytes)).is_err());
    }
}

// - Plans and snapshots

type Model = BTreeMap<VaultId, BTreeMap<ItemId, ItemRecord>>;

#[derive(Debug, Clone)]
enum Move {
    PutVault(usize),
    RemoveVault(usize),
    PutItem(usize, usize, usize, bool),
    RemoveItem(usize, usize),
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        2 => (0usize..3).prop_map(Move::PutVault),
        1 => (0usize..3).prop_map(Move::RemoveVault),
        4 => (0usize..3, 0usize..6, 0usize..4, any::<bool>()).prop_map(|(v, i, r, a)| Move::PutItem(v, i, r, a)),
        2 => (0usize..3, 0usize..6).prop_map(|(v, i)| Move::RemoveItem(v, i)),
    ]
}

fn step(chosen: &Move) -> Step {
    let page = World::get().page();
    let vault = |at: usize| page.vaults[at].clone();
    let item_id = |at: usize| page.items[at].item.id;
    match *chosen {
        Move::PutVault(at) => Step::PutVault(vault(at)),
        Move::RemoveVault(at) => Step::RemoveVault(vault(at).id),
        Move::RemoveItem(at, item) => Step::RemoveItem(vault(at).id, item_id(item)),
        Move::PutItem(at, item, like, archived) => {
            let mut record = page.items[like].item.clone();
            record.id = item_id(item);
            record.archived = archived;
            Step::PutItem(vault(at).id, record.into())
        }
    }
}

fn naive(model: &mut Model, step: &Step) {
    match step {
        Step::PutVault(vault) => drop(model.entry(vault.id).or_default()),
        Step::RemoveVault(id) => drop(model.remove(id)),
        Step::PutItem(vault, item) => {
            if let Some(items) = model.get_mut(vault) {
                items.insert(item.id, (**item).clone());
            }
        }
        Step::RemoveItem(vault, id) => {
            if let Some(items) = model.get_mut(vault) {
                items.remove(id);
            }
        }
        _ => {}
    }
}

/// Everything that can be seen of a snapshot.
fn seen(snapshot: &Snapshot) -> (Model, Vec<Vec<ItemId>>) {
    let vaults: Vec<VaultId> = snapshot.vaults().map(|vault| vault.id).collect();
    let all = |vault: &VaultId| {
        snapshot
            .items(vault)
            .map(|item| (item.id, item.clone()))
            .collect()
    };
    let model: Model = vaults.iter().map(|vault| (*vault, all(vault))).collect();
    let ids =
        |found: Vec<sekisho_core::records::PartRecord>| found.iter().map(|part| part.id).collect();
    let mut lists = Vec::new();
    for vault in &vaults {
        lists.push(ids(snapshot.list(vault, None, u32::MAX).unwrap()));
        for item in World::get().page().items.iter().take(6) {
            lists.extend(
                item.item
                    .marks
                    .map(|mark| ids(snapshot.find(vault, &mark).unwrap())),
            );
        }
    }
    (model, lists)
}

/// The same, worked out the slow way.
fn expected(model: &Model) -> (Model, Vec<Vec<ItemId>>) {
    let mut lists = Vec::new();
    for items in model.values() {
        let active = || items.values().filter(|item| !item.archived);
        lists.push(active().map(|item| item.id).collect());
        for like in World::get().page().items.iter().take(6) {
            lists.extend(like.item.marks.map(|mark| {
                active()
                    .filter(|item| item.marks.contains(&mark))
                    .map(|item| item.id)
                    .collect()
            }));
        }
    }
    (model.clone(), lists)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_snapshot_is_its_naive_model_and_a_plan_applied_twice_is_once(moves in prop::collection::vec(any_move(), 0..40), cut in 0usize..40) {
        let head = World::get().page().head;
        let steps: Vec<Step> = moves.iter().map(step).collect();
        let (first, second) = steps.split_at(cut.min(steps.len()));
        let mut model = Model::new();
        let mut snapshot = Snapshot::default();
        for half in [first, second] {
            let plan = Plan::restore(half.to_vec(), head.clone(), "c".into());
            half.iter().for_each(|step| naive(&mut model, step));
            snapshot.apply_in_place(&plan);
            prop_assert_eq!(seen(&snapshot), expected(&model));
        }
        let whole = Plan::restore(steps, head, "c".into());
        let once = snapshot.apply(&whole);
        prop_assert_eq!(seen(&once), seen(&once.apply(&whole)));
    }
}

// - Items

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,12}", any::<String>()]
}

fn word() -> impl Strategy<Value = String> {
    "x[a-z0-9]{1,6}"
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from)
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(word(), inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn unknown() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(word(), json_value(), 0..3)
        .prop_map(|map| map.into_iter().collect())
}

fn field() -> impl Strategy<Value = Value> {
    let typed = prop_oneof![
        4 => (prop::sample::select(vec!["STRING", "CONCEALED", "URL", "EMAIL", "MENU", "PHONE", "ADDRESS", "SSHKEY", "GENDER", "REFERENCE", "CREDIT_CARD_NUMBER"]), text()),
        1 => (0i64..4_000_000_000).prop_map(|seconds| ("DATE", seconds.to_string())),
        1 => (1900u32..2100, 1u32..13).prop_map(|(year, month)| ("MONTH_YEAR", format!("{year}{month:02}"))),
        1 => Just(("OTP", "JBSWY3DPEHPK3PXP".to_owned())),
    ];
    let section = prop::option::of(prop::sample::select(vec!["one", "two"]));
    (
        typed,
        prop::option::of(text()),
        prop::option::of(Just(())),
        section,
        unknown(),
    )
        .prop_map(|((kind, value), label, valued, section, mut field)| {
            field.insert("type".into(), kind.into());
            if valued.is_some() {
                field.insert("value".into(), value.into());
            }
            if let Some(label) = label {
                field.insert("label".into(), label.into());
            }
            if let Some(section) = section {
                field.insert("section".into(), json!({ "id": section }));
            }
            Value::Object(field)
        })
}

prop_compose! {
    fn item()(title in text(), tags in prop::collection::vec(text(), 0..3), favorite: bool, fields in prop::collection::vec(field(), 0..5),
        href in prop::option::of(text()), category in prop::sample::select(vec!["SERVER", "DATABASE", "SSH_KEY", "IDENTITY", "LOGIN"]),
        password in text(), mut whole in unknown()) -> Value {
        let mut fields: Vec<Value> = fields.into_iter().enumerate().map(|(at, mut field)| { field["id"] = json!(format!("f{at}")); field }).collect();
        if category == "LOGIN" {
            fields.push(json!({ "purpose": "PASSWORD", "value": format!("p{password}") }));
        }
        whole.extend(json!({ "title": title, "tags": tags, "favorite": favorite, "category": category, "fields": fields,
            "sections": [{ "id": "one", "label": "One" }, { "id": "two" }] }).as_object().unwrap().clone());
        if let Some(href) = href {
            whole.insert("urls".into(), json!([{ "href": href, "primary": true }]));
        }
        Value::Object(whole)
    }
}

/// An item without what every write moves.
fn lasting(mut item: Value) -> Value {
    for name in ["version", "updatedAt", "lastEditedBy"] {
        item.as_object_mut().unwrap().remove(name).unwrap();
    }
    item
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_get_shows_put_keeps(item in item()) {
        let carrier = &mut NativeCarrier::new(&Given::default());
        let made = send(carrier, "POST", &items(), &item);
        prop_assert_eq!(made.status, 200, "{}", String::from_utf8_lossy(&made.body));
        let made = made.json().unwrap();
        let path = format!("{}/{}", items(), made["id"].as_str().unwrap());
        let got = send(carrier, "GET", &path, &Value::Null).json().unwrap();
        prop_assert_eq!(&got, &made);
        for (name, value) in item.as_object().unwrap() {
            if !matches!(name.as_str(), "fields" | "favorite") {
                prop_assert_eq!(&got[name], value);
            }
        }
        let put = send(carrier, "PUT", &path, &got);
        prop_assert_eq!(put.status, 200, "{}", String::from_utf8_lossy(&put.body));
        let again = send(carrier, "GET", &path, &Value::Null).json().unwrap();
        prop_assert_eq!(&again["version"], &json!(2));
        prop_assert_eq!(lasting(again), lasting(got));
    }
}

#[derive(Debug, Clone)]
enum Write {
    Create(String),
    Replace(usize, String, Vec<String>),
    Retitle(usize, String),
    AddTag(usize, String),
    Delete(usize),
}

fn any_write() -> impl Strategy<Value = Write> {
    prop_oneof![
        3 => text().prop_map(Write::Create),
        2 => (0usize..6, text(), prop::collection::vec(text(), 0..3)).prop_map(|(at, title, tags)| Write::Replace(at, title, tags)),
        2 => (0usize..6, text()).prop_map(|(at, title)| Write::Retitle(at, title)),
        1 => (0usize..6, text()).prop_map(|(at, tag)| Write::AddTag(at, tag)),
        1 => (0usize..6).prop_map(Write::Delete),
    ]
}

/// What a naive server would hold: title, tags, version.
type Naive = BTreeMap<String, (String, Vec<String>, u64)>;

fn write(carrier: &mut NativeCarrier, model: &mut Naive, write: &Write) {
    let chosen = |at: &usize| model.keys().nth(at % model.len().max(1)).cloned();
    let path = |id: &str| format!("{}/{id}", items());
    match write {
        Write::Create(title) => {
            let made = send(
                carrier,
                "POST",
                &items(),
                &json!({ "category": "SERVER", "title": title }),
            )
            .json()
            .unwrap();
            model.insert(
                made["id"].as_str().unwrap().to_owned(),
                (title.clone(), Vec::new(), 1),
            );
        }
        Write::Replace(at, title, tags) => {
            let Some(id) = chosen(at) else { return };
            let answer = send(
                carrier,
                "PUT",
                &path(&id),
                &json!({ "category": "SERVER", "title": title, "tags": tags }),
            );
            assert_eq!(answer.json().unwrap()["version"], model[&id].2);
            let version = model[&id].2 + 1;
            model.insert(id, (title.clone(), tags.clone(), version));
        }
        Write::Retitle(at, title) => {
            let Some(id) = chosen(at) else { return };
            let patch = json!([{ "op": "replace", "path": "/title", "value": title }]);
            assert_eq!(send(carrier, "PATCH", &path(&id), &patch).status, 200);
            let held = model.get_mut(&id).unwrap();
            (held.0, held.2) = (title.clone(), held.2 + 1);
        }
        Write::AddTag(at, tag) => {
            let Some(id) = chosen(at) else { return };
            let patch = json!([{ "op": "add", "path": "/tags/-", "value": tag }]);
            assert_eq!(send(carrier, "PATCH", &path(&id), &patch).status, 200);
            let held = model.get_mut(&id).unwrap();
            held.1.push(tag.clone());
            held.2 += 1;
        }
        Write::Delete(at) => {
            let Some(id) = chosen(at) else { return };
            assert_eq!(
                send(carrier, "DELETE", &path(&id), &Value::Null).status,
                204
            );
            model.remove(&id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn writes_leave_what_a_naive_server_would_hold(writes in prop::collection::vec(any_write(), 0..12)) {
        let carrier = &mut NativeCarrier::new(&Given::default());
        let before: Vec<Value> = send(carrier, "GET", &items(), &Value::Null).json().unwrap().as_array().unwrap().clone();
        let mut model = Naive::new();
        for chosen in &writes {
            write(carrier, &mut model, chosen);
        }
        let after: Vec<Value> = send(carrier, "GET", &items(), &Value::Null).json().unwrap().as_array().unwrap().clone();
        let (old, new): (Vec<Value>, Vec<Value>) = after.into_iter().partition(|item| before.contains(item));
        prop_assert_eq!(old, before);
        let held: Naive = new.iter().map(|item| {
            let tags = item["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect();
            (item["id"].as_str().unwrap().to_owned(), (item["title"].as_str().unwrap().to_owned(), tags, item["version"].as_u64().unwrap()))
        }).collect();
        prop_assert_eq!(held, model);
    }
}

// - Anything at all

fn target() -> impl Strategy<Value = String> {
    let demo = World::get().vaults["demo"].id.to_string();
    let step = prop_oneof![
        prop::sample::select(vec![
            "v1".to_owned(),
            "vaults".into(),
            "items".into(),
            "files".into(),
            "content".into(),
            "batch".into(),
            demo
        ]),
        "[!-~]{0,30}",
    ];
    let query = prop_oneof![
        Just(String::new()),
        "[?](filter|limit|cursor)=[!-~]{0,40}",
        "[?][!-~]{0,40}"
    ];
    (prop::collection::vec(step, 0..8), query)
        .prop_map(|(steps, query)| format!("/{}{query}", steps.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_request_is_answered(method in prop_oneof!["GET|PUT|POST|PATCH|DELETE|HEAD|OPTIONS", "[A-Za-z]{1,8}"], target in target(),
        name in "[a-z-]{1,12}|authorization|content-type|if-match|if-none-match|range", value in any::<Vec<u8>>(), known: bool,
        body in prop_oneof![any::<Vec<u8>>(), json_value().prop_map(|value| serde_json::to_vec(&value).unwrap())]) {
        let mut builder = http::Request::builder().method(method.as_str()).uri(&target);
        if known {
            builder = builder.header("authorization", format!("Bearer {}", World::get().tokens["rw"]));
        }
        if let Ok(value) = http::HeaderValue::from_bytes(&value) {
            builder = builder.header(name.as_str(), value);
        }
        let Ok(request) = builder.body(body) else { return Ok(()) };
        let answer = NativeCarrier::new(&Given::default()).answer(&request);
        let asked = Request { method, target, headers: Vec::new(), body: Vec::new() };
        let wrong = invariants(&asked, &answer);
        prop_assert!(wrong.is_empty(), "{wrong:?}\n{answer:?}");
        prop_assert!(answer.status < 500, "{answer:?}");
    }

    #[test]
    fn any_token_is_judged(text in prop_oneof![any::<String>(), "[A-Za-z0-9_-]{0,40}[.][A-Za-z0-9_-]{0,40}[.][A-Za-z0-9_-]{0,90}"]) {
        if let Ok(token) = sekisho_core::token::RawToken::parse(&text) {
            let records = sekisho_tests::memory::MemoryRecords::new(World::get(), NOW);
            let head = sekisho_core::records::Records::head(&records).unwrap();
            prop_assert!(token.check(&head, &records, NOW).is_err());
        }
    }

    #[test]
    fn any_item_is_judged(item in json_value(), wild in unknown()) {
        let carrier = &mut NativeCarrier::new(&Given::default());
        let mut body = json!({ "category": "SERVER" });
        for name in ["fields", "sections", "tags", "urls", "vault", "title"] {
            if let Some(value) = wild.values().next() {
                body[name] = value.clone();
            }
        }
        for body in [body, item] {
            let answer = send(carrier, "POST", &items(), &body);
            prop_assert!(matches!(answer.status, 200 | 400), "{answer:?}");
        }
    }
}
