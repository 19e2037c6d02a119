//! The document, made of the table.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    schemas,
    table::{CORE, HOST},
};
use crate::rest::{CONNECT_VERSION, JSON};

/// One row.
pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) origin: Origin,
    /// Query parameters and request headers, by their names in `components`.
    pub(super) takes: &'static [&'static str],
    pub(super) body: Option<Content>,
    pub(super) answers: Answers,
    pub(super) refusals: &'static [u16],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The vendor's.
    Connect,
    /// Our addition.
    Sekisho,
}

/// What a body is.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// JSON of this schema.
    Json(&'static str),
    /// JSON: an array of it.
    List(&'static str),
    /// Any JSON object.
    Object,
    /// Bytes.
    Bytes,
    /// Text of this type.
    Text(&'static str),
}

/// What success is: status, body, further headers by their names in `components`.
pub(super) type Answers = &'static [(u16, Option<Content>, &'static [&'static str])];

pub(super) const JSON_OBJECT: Content = Content::Object;
pub(super) const TEXT: Content = Content::Text("text/plain");
pub(super) const CONNECT: Origin = Origin::Connect;
pub(super) const OURS: Origin = Origin::Sekisho;

/// The refusal that every route with a token has, and none without.
pub(super) const GUARDED: u16 = 401;
pub(super) const LISTED: &[u16] = &[400, GUARDED, 503];
pub(super) const IN_VAULT: &[u16] = &[400, GUARDED, 403, 404, 503];
pub(super) const INLINED: &[u16] = &[400, GUARDED, 403, 404, 413, 503];
pub(super) const RANGED: &[u16] = &[400, GUARDED, 403, 404, 416, 503];
pub(super) const CREATED: &[u16] = &[400, GUARDED, 403, 404, 409, 413, 415, 501, 503];
pub(super) const CHANGED: &[u16] = &[400, GUARDED, 403, 404, 409, 412, 413, 415, 501, 503];
pub(super) const REMOVED: &[u16] = &[400, GUARDED, 403, 404, 409, 412, 501, 503];
pub(super) const BATCHED: &[u16] = &[400, GUARDED, 413, 415, 503];

fn document() -> Value {
    let mut paths = Map::new();
    for operation in CORE.iter().chain(HOST) {
        let path = paths
            .entry(operation.path)
            .or_insert_with(|| json!({ "parameters": ids(operation.path) }));
        if let Value::Object(methods) = path {
            let method = operation.method.as_str().to_ascii_lowercase();
            methods.insert(method, describe(operation));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "1Password Connect API, served by Sekisho",
            "version": CONNECT_VERSION,
            "description": "What carries x-sekisho-addition is Sekisho's; everything else is as in 1Password Connect.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "ConnectToken": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "ConnectToken": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
            "parameters": schemas::parameters(),
            "headers": schemas::headers(),
            "responses": { "Refusal": {
                "description": "Refused",
                "headers": headers(&[]),
                "content": { JSON: { "schema": schema("ErrorResponse") } },
            } },
            "schemas": schemas::schemas(),
        },
    })
}

/// The parameters that stand in a path.
fn ids(path: &str) -> Vec<Value> {
    let names = path.split(['{', '}']).skip(1).step_by(2);
    names.map(|name| reference("parameters", name)).collect()
}

fn describe(operation: &Operation) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| members.insert(name.to_string(), value);
    put("operationId", json!(operation.id));
    put("summary", json!(operation.summary));
    if operation.origin != CONNECT {
        put("x-sekisho-addition", json!(true));
    }
    if !operation.refusals.contains(&GUARDED) {
        put("security", json!([]));
    }
    let takes = operation
        .takes
        .iter()
        .map(|name| reference("parameters", name));
    put("parameters", takes.collect());
    if let Some(content) = operation.body {
        // An empty file is a file; JSON cannot be empty.
        let required = !matches!(content, Content::Bytes);
        put(
            "requestBody",
            json!({ "required": required, "content": describe_content(content) }),
        );
    }
    put("responses", responses(operation));
    Value::Object(members)
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    for (status, content, names) in operation.answers {
        let mut response = json!({ "description": "Done", "headers": headers(names) });
        if let (Some(content), Value::Object(members)) = (*content, &mut response) {
            members.insert("content".to_string(), describe_content(content));
        }
        responses.insert(status.to_string(), response);
    }
    for status in operation.refusals {
        responses.insert(status.to_string(), reference("responses", "Refusal"));
    }
    Value::Object(responses)
}

/// What every answer carries, and these.
fn headers(more: &[&str]) -> Value {
    let names = ["ConnectVersion", "RequestId"];
    let named = names
        .iter()
        .chain(more)
        .map(|name| (schemas::header_name(name), reference("headers", name)));
    Value::Object(named.collect())
}

fn describe_content(content: Content) -> Value {
    match content {
        Content::Json(name) => json!({ JSON: { "schema": schema(name) } }),
        Content::List(name) => {
            json!({ JSON: { "schema": { "type": "array", "items": schema(name) } } })
        }
        Content::Object => json!({ JSON: { "schema": { "type": "object" } } }),
        Content::Bytes => json!({ "application/octet-stream": {} }),
        Content::Text(kind) => json!({ kind: { "schema": { "type": "string" } } }),
    }
}

pub(super) fn schema(name: &str) -> Value {
    reference("schemas", name)
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use std::{env, fs};

    use lz4_flex::block::{compress_prepend_size, decompress_size_prepended};

    use super::*;
    use crate::rest::Route;

    const PACKED: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/src/rest/openapi/openapi.json.lz4"
    );
    const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rest/openapi/openapi.json");

    /// `SEKISHO_WRITE_OPENAPI=1 cargo test -p sekisho-core openapi` writes it anew.
    #[test]
    fn the_document_kept_is_the_one_made() {
        let mut made = document().to_string();
        made.push('\n');
        if env::var_os("SEKISHO_WRITE_OPENAPI").is_some() {
            fs::write(KEPT, &made).unwrap();
            fs::write(PACKED, compress_prepend_size(made.as_bytes())).unwrap();
        }
        let kept: String = fs::read_to_string(KEPT).unwrap();
        assert!(
            made == kept,
            "openapi.json is not what the table says: write it anew"
        );
        assert!(
            decompress_size_prepended(super::super::DOCUMENT).unwrap() == kept.as_bytes(),
            "openapi.json.lz4 is not openapi.json: write it anew"
        );
    }

    /// A path as a client would ask for it.
    fn filled(path: &str) -> String {
        path.split('{')
            .map(|part| match part.split_once('}') {
                Some((_, rest)) => format!("aaaaaaaaaaaaaaaaaaaaaaaaa2{rest}"),
                None => part.to_string(),
            })
            .collect()
    }

    #[test]
    fn every_row_is_where_the_router_says() {
        let mut seen = BTreeSet::new();
        for operation in CORE {
            let route = Route::parse(&operation.method, &filled(operation.path));
            let route = route.unwrap_or_else(|_| panic!("{} routes nowhere", operation.id));
            assert_eq!(route.operation_id(), operation.id);
            assert!(seen.insert(operation.id), "{} stands twice", operation.id);
        }
        for operation in HOST {
            let route = Route::parse(&operation.method, operation.path);
            assert!(route.is_err(), "{} is core's", operation.id);
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(document: &Value, value: &Value, used: &mut BTreeSet<String>) {
            match value {
                Value::Object(members) => {
                    if let Some(Value::String(to)) = members.get("$ref") {
                        let pointer = to.trim_start_matches('#');
                        assert!(document.pointer(pointer).is_some(), "{to}");
                        used.insert(to.clone());
                    }
                    members
                        .values()
                        .for_each(|member| check(document, member, used));
                }
                Value::Array(values) => {
                    values.iter().for_each(|value| check(document, value, used))
                }
                _ => {}
            }
        }
        let document = document();
        let mut used = BTreeSet::new();
        check(&document, &document, &mut used);
        for kind in ["parameters", "headers", "schemas"] {
            for name in document["components"][kind]
                .as_object()
                .into_iter()
                .flatten()
            {
                let reference = format!("#/components/{kind}/{}", name.0);
                assert!(used.contains(&reference), "{reference} is not used");
            }
        }
    }

    #[test]
    fn what_is_ours_is_marked() {
        let document = document();
        let of = |path: &str, method: &str| &document["paths"][path][method]["x-sekisho-addition"];
        assert_eq!(of("/v1/batch", "post"), &json!(true));
        assert!(of("/v1/vaults", "get").is_null());
        assert_eq!(
            document["paths"]["/heartbeat"]["get"]["security"],
            json!([])
        );
    }
}
