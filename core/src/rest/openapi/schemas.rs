//! The shapes of connect-contract.md §2, as JSON Schema. Answers may have further members; requests are read more
//! leniently than they are described here (§2.9).

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use serde_json::{Value, json};

use super::document::schema;
use crate::item::{Category, FieldType, Purpose};

const ID: &str = "^[0-9a-z]{26}$";

fn id() -> Value {
    json!({ "type": "string", "pattern": ID })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn flag() -> Value {
    json!({ "type": "boolean" })
}

fn number() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> Value {
    json!({ "type": "string", "enum": words.collect::<Vec<_>>() })
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

fn identified() -> Value {
    object(&["id"], json!({ "id": text() }))
}

fn parameter(name: &str, place: &str, required: bool, schema: Value, description: &str) -> Value {
    json!({ "name": name, "in": place, "required": required, "schema": schema, "description": description })
}

pub(super) fn parameters() -> Value {
    let path = |name: &str| parameter(name, "path", true, id(), "26 lower-case letters and digits");
    let query =
        |name: &str, schema: Value, what: &str| parameter(name, "query", false, schema, what);
    let ours = |mut parameter: Value| {
        parameter["x-sekisho-addition"] = json!(true);
        parameter
    };
    let header = |name: &str, what: &str| ours(parameter(name, "header", false, text(), what));
    json!({
        "vaultUuid": path("vaultUuid"),
        "itemUuid": path("itemUuid"),
        "fileUuid": path("fileUuid"),
        "VaultFilter": query("filter", text(), "SCIM filter over name, e.g. name eq \"Demo Vault\""),
        "ItemFilter": query("filter", text(), "SCIM filter over title or tag, e.g. title eq \"Example Item\""),
        "InlineFiles": query("inline_files", flag(), "Whether content is shown, in Base64"),
        "Limit": ours(query("limit", json!({ "type": "integer", "minimum": 1, "maximum": 1000 }), "Most entries shown")),
        "ActivityLimit": query("limit", json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 50 }), "Most entries shown"),
        "ActivityOffset": query("offset", json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX, "default": 0 }), "How many of the newest to pass over"),
        "Cursor": ours(query("cursor", id(), "What X-Next-Cursor said")),
        "Expand": ours(query("expand", words(["fields"].into_iter()), "Whole items instead of summaries")),
        "FileName": ours(parameter("name", "query", true, json!({ "type": "string", "minLength": 1, "maxLength": 1000 }),
            "The file's name")),
        "NewFileName": ours(query("name", text(), "The file's new name")),
        "FileSection": ours(query("section", text(), "Id of the section it belongs to")),
        "IfMatch": header("If-Match", "Versions at which it may be changed"),
        "IfNoneMatch": header("If-None-Match", "Versions that the client has"),
        "IdempotencyKey": header("Idempotency-Key", "A retry with the same key makes no second item"),
        "LastEventId": header("Last-Event-ID", "The last event that the client has"),
        "Range": header("Range", "One range of bytes"),
    })
}

/// The name on the wire of a header in `components`.
pub(super) fn header_name(name: &str) -> String {
    match name {
        "ConnectVersion" => "1Password-Connect-Version",
        "RequestId" => "X-Request-Id",
        "NextCursor" => "X-Next-Cursor",
        "ContentDisposition" => "Content-Disposition",
        "ContentRange" => "Content-Range",
        "AcceptRanges" => "Accept-Ranges",
        name => name,
    }
    .to_string()
}

pub(super) fn headers() -> Value {
    let always = |what: &str| json!({ "description": what, "required": true, "schema": text() });
    json!({
        "ConnectVersion": always("The Connect release whose API this is"),
        "RequestId": always("The request's name in logs and error bodies"),
        "ETag": always("The version"),
        "NextCursor": { "description": "Where the next page begins", "schema": id() },
        "ContentDisposition": always("The file's name"),
        "ContentRange": always("Which part of the whole this is"),
        "AcceptRanges": always("bytes"),
    })
}

pub(super) fn schemas() -> Value {
    json!({
        "ErrorResponse": object(&["status", "message"], json!({
            "status": { "type": "integer" }, "message": text(), "code": text(), "requestId": text(), "hint": text(),
        })),
        "ServerHealth": object(&["name", "version"], json!({
            "name": text(), "version": text(),
            "dependencies": list(object(&["service", "status"], json!({
                "service": text(), "status": text(), "message": text(),
            }))),
        })),
        "Readiness": object(&["status", "version"], json!({ "status": text(), "version": number() })),
        "APIRequest": object(&["requestId", "timestamp", "action", "result", "actor", "resource"], json!({
            "requestId": text(), "timestamp": time(),
            "action": words(["READ", "CREATE", "UPDATE", "DELETE"].into_iter()),
            "result": words(["SUCCESS", "DENY"].into_iter()),
            "actor": object(&["id", "account", "jti", "userAgent"], json!({
                "id": text(), "account": text(), "jti": text(), "userAgent": text(), "requestIp": text(),
            })),
            "resource": object(&["type", "vault"], json!({
                "type": words(["ITEM", "VAULT"].into_iter()),
                "vault": identified(), "item": identified(), "itemVersion": number(),
            })),
        })),
        "Vault": object(&["id", "name", "attributeVersion", "contentVersion", "items", "type", "createdAt", "updatedAt"], json!({
            "id": id(), "name": text(), "description": text(), "attributeVersion": number(), "contentVersion": number(),
            "items": number(), "type": words(["USER_CREATED", "PERSONAL", "EVERYONE", "TRANSFER"].into_iter()),
            "createdAt": time(), "updatedAt": time(),
        })),
        "Item": item(&[]),
        "FullItem": item(&["fields"]),
        "ItemRequest": request(),
        "Section": object(&["id"], json!({ "id": text(), "label": text() })),
        "Field": field(),
        "FieldRequest": field_request(),
        "GeneratorRecipe": object(&[], json!({
            "length": { "type": "integer", "minimum": 1, "maximum": 64, "default": 32 },
            "characterSets": { "type": "array", "uniqueItems": true, "maxItems": 3,
                "items": words(["LETTERS", "DIGITS", "SYMBOLS"].into_iter()) },
            "excludeCharacters": text(),
        })),
        "File": object(&["id", "name", "size", "content_path"], json!({
            "id": id(), "name": text(), "size": number(), "section": identified(), "content_path": text(),
            "content": { "type": "string", "contentEncoding": "base64" },
        })),
        "PatchRequest": object(&["op", "path"], json!({
            "op": words(["add", "remove", "replace"].into_iter()),
            "path": { "type": "string", "description": "RFC 6901; fields are named by their id: /fields/password/value" },
            "value": {},
        })),
        "BatchRequest": object(&["requests"], json!({
            "requests": { "type": "array", "maxItems": 1000, "items": { "oneOf": [
                { "type": "string", "description": "op://vault/item[/section]/field" },
                object(&["vault", "item"], json!({ "vault": id(), "item": id() })),
            ] } },
        })),
        "Batch": object(&["responses"], json!({
            "responses": list(object(&["status"], json!({
                "status": { "type": "integer" }, "value": {}, "item": schema("FullItem"), "message": text(), "code": text(),
            }))),
        })),
    })
}

fn url() -> Value {
    object(
        &["href"],
        json!({ "href": text(), "label": text(), "primary": flag() }),
    )
}

/// As it is shown: a summary, or whole when it must have `fields`.
fn item(more: &[&str]) -> Value {
    let always = [
        "id",
        "title",
        "vault",
        "category",
        "version",
        "tags",
        "lastEditedBy",
        "createdAt",
        "updatedAt",
    ];
    let required: Vec<&str> = always.iter().chain(more).copied().collect();
    object(
        &required,
        json!({
            "id": id(), "title": text(), "vault": object(&["id"], json!({ "id": id() })), "category": categories(),
            "urls": list(url()), "favorite": flag(), "tags": list(text()), "version": number(),
            "state": words(["ARCHIVED", "DELETED"].into_iter()), "createdAt": time(), "updatedAt": time(), "lastEditedBy": text(),
            "sections": list(schema("Section")), "fields": list(schema("Field")), "files": list(schema("File")),
        }),
    )
}

/// As a client sends it. What only the server writes may be there and is ignored.
fn request() -> Value {
    object(
        &["category"],
        json!({
            "title": text(), "vault": identified(), "category": categories(), "urls": list(url()), "favorite": flag(),
            "tags": list(text()), "sections": list(schema("Section")), "fields": list(schema("FieldRequest")),
        }),
    )
}

fn categories() -> Value {
    words(Category::ALL.iter().map(|category| category.as_str()))
}

fn purposes() -> impl Iterator<Item = &'static str> {
    Purpose::ALL.iter().map(|purpose| purpose.as_str())
}

/// Its type is one of the words of a request, or of another origin.
fn field() -> Value {
    object(
        &["id", "type"],
        json!({
            "id": text(), "section": identified(), "type": text(), "purpose": words(purposes()), "label": text(),
            "value": text(), "entropy": { "type": "number" }, "totp": text(),
            "passwordDetails": object(&[], json!({
                "entropy": { "type": "number" }, "generated": flag(), "strength": text(), "history": list(text()),
            })),
        }),
    )
}

fn field_request() -> Value {
    object(
        &[],
        json!({
            "id": text(), "section": identified(), "type": words(FieldType::creatable()),
            "purpose": words(purposes().chain([""])), "label": text(), "value": text(), "generate": flag(),
            "recipe": schema("GeneratorRecipe"),
        }),
    )
}
