//! The table of operations. Only its names are needed when the server runs; the rest is read by the tests, which make the
//! document of it.

#[cfg(test)]
use http::Method;

#[cfg(test)]
use super::document::*;
use crate::rest::Route;

/// The table, and which row a route has: one `match`, so that none is forgotten.
macro_rules! operations {
    ($($route:pat => $id:literal $method:ident $path:literal $origin:ident $summary:literal
        [$($takes:literal)*] $body:expr, [$($answer:expr),*], $refusals:expr;)*) => {
        #[cfg(test)]
        pub(super) const CORE: &[Operation] = &[$(Operation {
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

            /// The path with names in place of ids: safe to log and to count by.
            pub const fn template(&self) -> &'static str {
                match self { $($route => $path,)* }
            }
        }
    };
}

#[cfg(test)]
const ITEM: Content = Content::Json("FullItem");
#[cfg(test)]
const NEW_ITEM: Option<Content> = Some(Content::Json("ItemRequest"));
#[cfg(test)]
const FILE: Content = Content::Json("File");

operations! {
    Route::Heartbeat => "GetHeartbeat" GET "/heartbeat" CONNECT "Ping the server for liveness"
        [] None, [(200, Some(TEXT), &[])], &[];
    Route::Health => "GetServerHealth" GET "/health" CONNECT "The state of the server and its dependencies"
        [] None, [(200, Some(Content::Json("ServerHealth")), &[])], &[];
    Route::Ready => "GetReadiness" GET "/ready" OURS "Whether a set of vaults is served"
        [] None, [(200, Some(Content::Json("Readiness")), &[])], &[503];
    Route::Activity => "GetApiActivity" GET "/v1/activity" CONNECT "What was done to the token's vaults, newest first"
        ["ActivityLimit" "ActivityOffset"] None, [(200, Some(Content::List("APIRequest")), &["ContentRange"])], LISTED;
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
#[cfg(test)]
pub(super) const HOST: &[Operation] = &[
    Operation {
        id: "GetPrometheusMetrics",
        method: Method::GET,
        path: "/metrics",
        summary: "Figures of the server for Prometheus; it may ask for a bearer, or stand on a listener of its own",
        origin: CONNECT,
        takes: &[],
        body: None,
        // 401 only where it was told to ask, so it is no route with a token.
        answers: &[
            (200, Some(TEXT), &[]),
            (401, Some(Content::Json("ErrorResponse")), &[]),
        ],
        refusals: &[404],
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
