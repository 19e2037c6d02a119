//! `GET /openapi.json`, our addition: the API described by itself (OpenAPI 3.1.0).
//!
//! [`operations!`] is the one table of what there is. It is written against [`Route`], so a route without a row does not
//! compile; the tests send each row through the router and back. What is ours carries `x-sekisho-addition`.

use alloc::{format, string::ToString, vec::Vec};

use http::Method;
use serde_json::{Map, Value, json};

use super::{CONNECT_VERSION, JSON, Reply, Route};
use crate::item::json::to_bytes;

mod schemas;

/// One row.
struct Operation {
    id: &'static str,
    method: Method,
    path: &'static str,
    summary: &'static str,
    origin: Origin,
    /// Query parameters and request headers, by their names in `components`.
    takes: &'static [&'static str],
    body: Option<Content>,
    answers: Answers,
    refusals: &'static [u16],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The vendor's.
    Connect,
    /// Our addition.
    Sekisho,
}

/// What a body is.
#[derive(Clone, Copy)]
enum Content {
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
type Answers = &'static [(u16, Option<Content>, &'static [&'static str])];

const JSON_OBJECT: Content = Content::Object;
const TEXT: Content = Content::Text("text/plain");
const CONNECT: Origin = Origin::Connect;
const OURS: Origin = Origin::Sekisho;

/// Refusals that every route with a token has: 5XX stands for records that are not there or too old.
const GUARDED: u16 = 401;
const LISTED: &[u16] = &[400, GUARDED, 503];
const IN_VAULT: &[u16] = &[400, GUARDED, 403, 404, 503];
const INLINED: &[u16] = &[400, GUARDED, 403, 404, 413, 503];
const RANGED: &[u16] = &[400, GUARDED, 403, 404, 416, 503];
const CREATED: &[u16] = &[400, GUARDED, 403, 404, 409, 413, 415, 501, 503];
const CHANGED: &[u16] = &[400, GUARDED, 403, 404, 409, 412, 413, 415, 501, 503];
const REMOVED: &[u16] = &[400, GUARDED, 403, 404, 409, 412, 501, 503];
const BATCHED: &[u16] = &[400, GUARDED, 413, 415, 503];

/// The table, and which row a route has: one `match`, so that none is forgotten.
macro_rules! operations {
    ($($route:pat => $id:literal $method:ident $path:literal $origin:ident $summary:literal
        [$($takes:literal)*] $body:expr, [$($answer:expr),*], $refusals:expr;)*) => {
        const CORE: &[Operation] = &[$(Operation {
            id: $id,
            method: Method::$method,
            path: $path,
            summary: $summary,
            origin: $origin,
            takes: &[$($takes),*],
            body: $body,
            answers: &[$($answer),*],
            refusals: $refusals,
        }),*];

        impl Route {
            /// The operation's name in `/openapi.json`: the vendor's where it has one.
            pub const fn operation_id(&self) -> &'static str {
                match self { $($route => $id,)* }
            }
        }
    };
}

const ITEM: Content = Content::Json("FullItem");
const NEW_ITEM: Option<Content> = Some(Content::Json("ItemRequest"));
const FILE: Content = Content::Json("File");

operations! {
    Route::Heartbeat => "GetHeartbeat" GET "/heartbeat" CONNECT "Ping the server for liveness"
        [] None, [(200, Some(TEXT), &[])], &[];
    Route::Health => "GetServerHealth" GET "/health" CONNECT "The state of the server and its dependencies"
        [] None, [(200, Some(Content::Json("ServerHealth")), &[])], &[];
    Route::OpenApi => "GetOpenApi" GET "/openapi.json" OURS "This document"
        [] None, [(200, Some(JSON_OBJECT), &[])], &[];
    Route::Vaults => "GetVaults" GET "/v1/vaults" CONNECT "All vaults of the token"
        ["VaultFilter"] None, [(200, Some(Content::List("Vault")), &[])], LISTED;
    Route::Vault(..) => "GetVaultById" GET "/v1/vaults/{vaultUuid}" CONNECT "One vault"
        ["IfNoneMatch"] None, [(200, Some(Content::Json("Vault")), &["ETag"]), (304, None, &["ETag"])], IN_VAULT;
    Route::Items(..) => "GetVaultItems" GET "/v1/vaults/{vaultUuid}/items" CONNECT "Summaries of a vault's items"
        ["ItemFilter" "Limit" "Cursor" "Expand" "IfNoneMatch"] None,
        [(200, Some(Content::List("Item")), &["NextCursor"]), (304, None, &["ETag"])], IN_VAULT;
    Route::CreateItem(..) => "CreateVaultItem" POST "/v1/vaults/{vaultUuid}/items" CONNECT "Create an item"
        ["IdempotencyKey"] NEW_ITEM, [(200, Some(ITEM), &[])], CREATED;
    Route::Item(..) => "GetVaultItemById" GET "/v1/vaults/{vaultUuid}/items/{itemUuid}" CONNECT "One item, whole"
        ["IfNoneMatch"] None, [(200, Some(ITEM), &["ETag"]), (304, None, &["ETag"])], IN_VAULT;
    Route::ReplaceItem(..) => "UpdateVaultItem" PUT "/v1/vaults/{vaultUuid}/items/{itemUuid}" CONNECT
        "Replace an item; the answer shows the version before, ETag the new one"
        ["IfMatch"] NEW_ITEM, [(200, Some(ITEM), &["ETag"])], CHANGED;
    Route::PatchItem(..) => "PatchVaultItem" PATCH "/v1/vaults/{vaultUuid}/items/{itemUuid}" CONNECT
        "Change parts of an item"
        ["IfMatch"] Some(Content::List("PatchRequest")), [(200, Some(ITEM), &["ETag"])], CHANGED;
    Route::DeleteItem(..) => "DeleteVaultItem" DELETE "/v1/vaults/{vaultUuid}/items/{itemUuid}" CONNECT
        "Delete an item for good"
        ["IfMatch"] None, [(204, None, &[])], REMOVED;
    Route::Files(..) => "GetItemFiles" GET "/v1/vaults/{vaultUuid}/items/{itemUuid}/files" CONNECT "All files of an item"
        ["InlineFiles"] None, [(200, Some(Content::List("File")), &[])], INLINED;
    Route::CreateFile(..) => "CreateItemFile" POST "/v1/vaults/{vaultUuid}/items/{itemUuid}/files" OURS
        "Add a file; the body is its content"
        ["FileName" "FileSection" "IfMatch"] Some(Content::Bytes), [(200, Some(FILE), &[])], CHANGED;
    Route::File(..) => "GetDetailsOfFileById" GET "/v1/vaults/{vaultUuid}/items/{itemUuid}/files/{fileUuid}" CONNECT
        "Details of a file"
        ["InlineFiles"] None, [(200, Some(FILE), &[])], INLINED;
    Route::ReplaceFile(..) => "UpdateItemFile" PUT "/v1/vaults/{vaultUuid}/items/{itemUuid}/files/{fileUuid}" OURS
        "Replace a file's content, which is the body"
        ["NewFileName" "FileSection" "IfMatch"] Some(Content::Bytes), [(200, Some(FILE), &[])], CHANGED;
    Route::DeleteFile(..) => "DeleteItemFile" DELETE "/v1/vaults/{vaultUuid}/items/{itemUuid}/files/{fileUuid}" OURS
        "Delete a file"
        ["IfMatch"] None, [(204, None, &[])], REMOVED;
    Route::Content(..) => "DownloadFileByID" GET "/v1/vaults/{vaultUuid}/items/{itemUuid}/files/{fileUuid}/content" CONNECT
        "The content of a file"
        ["Range" "IfNoneMatch"] None,
        [(200, Some(Content::Bytes), &["ETag", "ContentDisposition", "AcceptRanges"]),
         (206, Some(Content::Bytes), &["ETag", "ContentDisposition", "ContentRange"]), (304, None, &["ETag"])], RANGED;
    Route::Batch => "Batch" POST "/v1/batch" OURS "Many references or items in one round trip"
        [] Some(Content::Json("BatchRequest")), [(200, Some(Content::Json("Batch")), &[])], BATCHED;
}

/// The host's own, which it answers without asking core: no [`Route`] stands for them.
const HOST: &[Operation] = &[
    Operation {
        id: "GetPrometheusMetrics",
        method: Method::GET,
        path: "/metrics",
        summary: "Figures of the server for Prometheus; it may ask for a bearer, or stand on a listener of its own",
        origin: CONNECT,
        takes: &[],
        body: None,
        answers: &[(200, Some(TEXT), &[])],
        refusals: &[401, 404],
    },
    Operation {
        id: "GetEvents",
        method: Method::GET,
        path: "/v1/events",
        summary: "Changes of items and vaults as server-sent events",
        origin: OURS,
        takes: &["LastEventId"],
        body: None,
        answers: &[(200, Some(Content::Text("text/event-stream")), &[])],
        refusals: LISTED,
    },
];

pub(super) fn answer() -> Reply {
    Reply::json(to_bytes(&document()))
}

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

fn schema(name: &str) -> Value {
    reference("schemas", name)
}

fn reference(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

#[cfg(test)]
mod tests {
    use alloc::{collections::BTreeSet, string::String};

    use super::*;

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
