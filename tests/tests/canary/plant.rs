//! Where secrets are put, and how everything is asked for: requests as data.

use serde_json::{Value, json};

/// A request with the main token, unless its headers say otherwise.
pub(crate) struct Attack {
    pub(crate) what: &'static str,
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// An item that is canaries all over.
pub(crate) fn item(canary: &dyn Fn(&str) -> String) -> Value {
    let text = |name: &str| canary(&format!("api.{name}"));
    let kinds = [
        "STRING",
        "CONCEALED",
        "EMAIL",
        "URL",
        "PHONE",
        "ADDRESS",
        "MENU",
        "GENDER",
        "CREDIT_CARD_NUMBER",
        "CREDIT_CARD_TYPE",
        "REFERENCE",
        "SSHKEY",
    ];
    let mut fields: Vec<Value> = kinds.iter().map(|kind| {
        json!({"id": text(&format!("{kind}.id")), "label": text(&format!("{kind}.label")), "type": kind,
            "value": text(&format!("{kind}.value")), "section": {"id": text("section.id")},
            "unheardOf": {"deep": [text(&format!("{kind}.unknown"))]}})
    }).collect();
    fields.extend([
        json!({"purpose": "USERNAME", "value": text("username"), "label": text("username.label")}),
        json!({"purpose": "PASSWORD", "value": text("password")}),
        json!({"purpose": "NOTES", "value": text("notes")}),
    ]);
    json!({
        "title": text("title"), "category": "LOGIN", "tags": [text("tag"), text("other_tag")],
        "urls": [{"href": format!("https://{}.example", text("url")), "label": text("url.label"), "primary": true}],
        "sections": [{"id": text("section.id"), "label": text("section.label")}],
        "fields": fields, "unheardOf": text("unknown"),
    })
}

/// Everything that can be read, for reading: what is served here may be secret.
pub(crate) fn reads(vault: &str, item: &str, title: &str, file: Option<&str>) -> Vec<Attack> {
    let mut targets = vec![
        "/heartbeat".to_owned(),
        "/health".into(),
        "/metrics".into(),
        "/ready".into(),
        "/openapi.json".into(),
        "/v1/activity".into(),
        "/v1/vaults".into(),
        "/v1/vaults/".into(),
        format!("/v1/vaults/{vault}"),
        format!("/v1/vaults/{vault}/items"),
        format!("/v1/vaults/{vault}/items?expand=fields"),
        format!("/v1/vaults/{vault}/items?limit=2"),
        format!("/v1/vaults/{vault}/items?filter=title+eq+%22{title}%22"),
        format!("/v1/vaults/{vault}/items?filter=title%20co%20%22{title}%22"),
        format!("/v1/vaults/{vault}/items?filter=tag%20eq%20%22{title}%22"),
        format!("/v1/vaults?filter=name%20eq%20%22{title}%22"),
        format!("/v1/vaults/{vault}/items/{item}"),
        format!("/v1/vaults/{vault}/items/{item}/files"),
        format!("/v1/vaults/{vault}/items/{item}/files?inline_files=true"),
    ];
    if let Some(file) = file {
        let file = format!("/v1/vaults/{vault}/items/{item}/files/{file}");
        targets.extend([
            file.clone(),
            format!("{file}?inline_content=true"),
            format!("{file}/content"),
        ]);
    }
    let read = |method| {
        move |target: &String| Attack {
            what: "read",
            method,
            target: target.clone(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    };
    let mut reads: Vec<Attack> = targets.iter().map(read("GET")).collect();
    reads.extend(targets.iter().map(read("HEAD")));
    let batch = json!({"requests": [{"vault": vault, "item": item}, format!("op://{vault}/{title}/password"), format!("op://{title}/x/y")]});
    reads.push(Attack {
        what: "batch",
        method: "POST",
        target: "/v1/batch".into(),
        headers: Vec::new(),
        body: batch.to_string().into_bytes(),
    });
    reads
}

/// Everything that is refused, with a canary wherever a client could have put one.
pub(crate) fn refusals(vault: &str, item: &str, canary: &dyn Fn(&str) -> String) -> Vec<Attack> {
    let (items, one) = (
        format!("/v1/vaults/{vault}/items"),
        format!("/v1/vaults/{vault}/items/{item}"),
    );
    let mut attacks = tokens(&items, canary);
    attacks.extend(targets(&items, canary));
    attacks.extend(bodies(canary).into_iter().flat_map(|(what, body)| {
        [("POST", &items), ("PUT", &one)].map(|(method, target)| Attack {
            what,
            method,
            target: target.clone(),
            headers: vec![("Content-Type", "application/json".into())],
            body: body.clone(),
        })
    }));
    attacks.extend(patches(canary).into_iter().map(|(what, body)| Attack {
        what,
        method: "PATCH",
        target: one.clone(),
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    }));
    let batches = [
        json!({"requests": canary("batch")}),
        json!({canary("batch.member"): []}),
        json!([canary("batch.list")]),
        json!({"requests": vec![canary("batch.many"); 1001]}),
    ];
    attacks.extend(batches.map(|body| Attack {
        what: "batch",
        method: "POST",
        target: "/v1/batch".into(),
        headers: Vec::new(),
        body: body.to_string().into_bytes(),
    }));
    attacks.extend(heads(&items, &one, canary));
    attacks
}

fn tokens(items: &str, canary: &dyn Fn(&str) -> String) -> Vec<Attack> {
    let secret = canary("token");
    let texts = [
        format!("Bearer {secret}"),
        format!("Bearer {secret}.{secret}.{secret}"),
        format!("Basic {secret}"),
        secret.clone(),
        format!("Bearer eyJhbGciOiJub25lIn0.{secret}."),
        format!("Bearer  {}", secret.repeat(500)),
        format!("bearer\t{secret}"),
    ];
    let attack = |text: String| Attack {
        what: "bad token",
        method: "GET",
        target: items.to_owned(),
        headers: vec![("Authorization", text)],
        body: Vec::new(),
    };
    texts.into_iter().map(attack).collect()
}

fn targets(items: &str, canary: &dyn Fn(&str) -> String) -> Vec<Attack> {
    let secret = canary("target");
    let targets = [
        format!("/{secret}"),
        format!("/v1/{secret}"),
        format!("/v1/vaults/{secret}"),
        format!("/v1/vaults/{secret}/items"),
        format!("{items}/{secret}"),
        format!("{items}/{secret}/files"),
        format!("{items}?filter={secret}"),
        format!("{items}?filter=title+eq+%22{secret}"),
        format!("{items}?filter=title+eq+{secret}"),
        format!("{items}?filter={secret}+eq+%22x%22+and"),
        format!("{items}?filter=title+{secret}+%22x%22"),
        format!("{items}?filter=title+eq+%22{secret}%22&filter={secret}"),
        format!("{items}?filter=title+eq+%22{}%22", secret.repeat(500)),
        format!("/v1/vaults?filter=name+eq+%22{secret}"),
        format!("{items}?limit={secret}"),
        format!("{items}?cursor={secret}"),
        format!("{items}?expand={secret}"),
        format!("/v1/vaults/{secret}%00%ff"),
        format!("{items}?{secret}={secret}&filter={secret}"),
    ];
    let attack = |target: String| {
        ["GET", "POST", "DELETE"].map(|method| Attack {
            what: "target",
            method,
            target: target.clone(),
            headers: Vec::new(),
            body: Vec::new(),
        })
    };
    targets.into_iter().flat_map(attack).collect()
}

fn bodies(canary: &dyn Fn(&str) -> String) -> Vec<(&'static str, Vec<u8>)> {
    let secret = canary("body");
    let text = |value: Value| value.to_string().into_bytes();
    let field = |field: Value| json!({"title": "x", "category": "LOGIN", "fields": [field]});
    let password = json!({"purpose": "PASSWORD", "value": secret});
    vec![
        ("cut off", format!("{{\"title\":\"{secret}").into_bytes()),
        ("no JSON", secret.clone().into_bytes()),
        (
            "a bare word",
            format!("{{\"title\":{secret}}}").into_bytes(),
        ),
        (
            "no UTF-8",
            [b"{\"title\":\"", secret.as_bytes(), b"\xff\xfe\"}"].concat(),
        ),
        (
            "a member twice",
            format!("{{\"{secret}\":1,\"{secret}\":\"{secret}\"}}").into_bytes(),
        ),
        (
            "too deep",
            [vec![b'['; 5_000], secret.clone().into_bytes()].concat(),
        ),
        ("a text", text(json!(secret))),
        ("a list", text(json!([secret]))),
        (
            "title of another type",
            text(json!({"title": {"x": secret}, "category": "LOGIN"})),
        ),
        (
            "title too long",
            text(json!({"title": secret.repeat(500), "category": "LOGIN"})),
        ),
        (
            "category unknown",
            text(json!({"title": "x", "category": secret})),
        ),
        (
            "category of another type",
            text(json!({"title": "x", "category": [secret]})),
        ),
        (
            "fields of another type",
            text(json!({"title": "x", "category": "LOGIN", "fields": secret})),
        ),
        ("a field of another type", text(field(json!(secret)))),
        (
            "a value of another type",
            text(field(json!({"label": "x", "value": {"x": secret}}))),
        ),
        // The vendor's text names the type, as far as it is a plain word (connect-contract.md §3).
        (
            "type unknown",
            text(field(
                json!({"label": secret, "type": "FROBNICATED", "value": secret}),
            )),
        ),
        (
            "type of another type",
            text(field(json!({"type": [secret]}))),
        ),
        ("purpose unknown", text(field(json!({"purpose": secret})))),
        (
            "section of another type",
            text(field(json!({"section": secret, "value": "x"}))),
        ),
        (
            "recipe unknown",
            text(field(
                json!({"generate": true, "recipe": {"characterSets": [secret]}}),
            )),
        ),
        (
            "recipe of another type",
            text(field(
                json!({"generate": true, "recipe": {"length": secret}}),
            )),
        ),
        (
            "recipe without characters",
            text(field(
                json!({"generate": true, "recipe": {"length": 5, "characterSets": ["DIGITS"], "excludeCharacters": format!("0123456789{secret}")}}),
            )),
        ),
        (
            "a flag of another type",
            text(field(json!({"generate": secret}))),
        ),
        (
            "no date",
            text(field(json!({"type": "DATE", "value": secret}))),
        ),
        (
            "no month",
            text(field(json!({"type": "MONTH_YEAR", "value": secret}))),
        ),
        (
            "no seed",
            text(field(
                json!({"type": "OTP", "value": format!("otpauth://totp/x?secret={secret}!")}),
            )),
        ),
        (
            "two passwords",
            text(json!({"title": secret, "category": "LOGIN", "fields": [password, password]})),
        ),
        (
            "an id twice",
            text(
                json!({"title": secret, "category": "SERVER", "fields": [{"id": secret}, {"id": secret}]}),
            ),
        ),
        (
            "no password",
            text(json!({"title": secret, "category": "PASSWORD"})),
        ),
        (
            "tags of another type",
            text(json!({"title": "x", "category": "LOGIN", "tags": [{"x": secret}]})),
        ),
        (
            "URLs of another type",
            text(json!({"title": "x", "category": "LOGIN", "urls": [secret]})),
        ),
        (
            "an id of another type",
            text(json!({"id": [secret], "title": "x", "category": "LOGIN"})),
        ),
        (
            "another vault",
            text(
                json!({"vault": {"id": "zzzzzzzzzzzzzzzzzzzzzzzzza"}, "title": secret, "category": "LOGIN"}),
            ),
        ),
        (
            "not to be made",
            text(json!({"title": secret, "category": "CUSTOM", "vault": {"id": [secret]}})),
        ),
        (
            "too large",
            text(json!({"title": "x", "category": "LOGIN", "notes": secret.repeat(120_000)})),
        ),
    ]
}

fn patches(canary: &dyn Fn(&str) -> String) -> Vec<(&'static str, Value)> {
    let secret = canary("patch");
    let one =
        |op: &str, path: &str, value: Value| json!([{"op": op, "path": path, "value": value}]);
    vec![
        (
            "patch: no such field",
            one("replace", &format!("/fields/{secret}/value"), json!("x")),
        ),
        (
            "patch: no such member",
            one("replace", &format!("/fields/password/{secret}"), json!("x")),
        ),
        (
            "patch: nothing there",
            one("remove", &format!("/{secret}"), Value::Null),
        ),
        (
            "patch: no such tag",
            one("remove", &format!("/tags/{secret}"), Value::Null),
        ),
        ("patch: no slash", one("replace", &secret, json!("x"))),
        (
            "patch: long pointer",
            one(
                "replace",
                &format!("/fields/{}", secret.repeat(300)),
                json!("x"),
            ),
        ),
        (
            "patch: operation unknown",
            one(&secret, "/title", json!("x")),
        ),
        (
            "patch: title of another type",
            one("replace", "/title", json!({"x": secret})),
        ),
        (
            "patch: fields of another type",
            one("replace", "/fields", json!(secret)),
        ),
        (
            "patch: value of another type",
            one("replace", "/fields/password/value", json!([secret])),
        ),
        (
            "patch: field of another type",
            one("add", "/fields", json!(secret)),
        ),
        (
            "patch: whole of another type",
            one("replace", "/", json!(secret)),
        ),
        (
            "patch: category unknown",
            one("replace", "/category", json!(secret)),
        ),
        ("patch: no operations", json!([secret])),
        ("patch: a text", json!(secret)),
        (
            "patch: members of another type",
            json!([{"op": [secret], "path": {"x": secret}}]),
        ),
    ]
}

fn heads(items: &str, one: &str, canary: &dyn Fn(&str) -> String) -> Vec<Attack> {
    let secret = canary("header");
    let body = || {
        json!({"title": secret, "category": "SERVER"})
            .to_string()
            .into_bytes()
    };
    let attack = |what, method, target: &str, name, value: &str, body| Attack {
        what,
        method,
        target: target.to_owned(),
        headers: vec![(name, value.to_owned())],
        body,
    };
    vec![
        attack(
            "content type",
            "POST",
            items,
            "Content-Type",
            &format!("application/{secret}"),
            body(),
        ),
        attack(
            "precondition",
            "PUT",
            one,
            "If-Match",
            &format!("\"{secret}\""),
            body(),
        ),
        attack(
            "precondition",
            "DELETE",
            one,
            "If-Match",
            &secret,
            Vec::new(),
        ),
        attack(
            "header of no meaning",
            "POST",
            "/v1/vaults",
            "X-Whatever",
            &secret,
            body(),
        ),
        attack(
            "header too large",
            "GET",
            items,
            "X-Whatever",
            &secret.repeat(10_000),
            Vec::new(),
        ),
        attack(
            "method unknown",
            "FROBNICATE",
            one,
            "X-Whatever",
            &secret,
            body(),
        ),
        attack(
            "method of the secret",
            "GET",
            &format!("{one}/files/{secret}/content"),
            "Range",
            &secret,
            Vec::new(),
        ),
    ]
}
