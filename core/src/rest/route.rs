//! Method and path to a [`Route`]; ids are parsed here, so that a bad one stops before anything is looked up.

use alloc::{borrow::Cow, string::String, vec::Vec};

use http::Method;

use super::{query::percent_decode, refusal::Refusal};
use crate::id::{FileId, ItemId, VaultId};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `GET /heartbeat`
    Heartbeat,
    /// `GET /health`
    Health,
    /// `GET /ready`, our addition
    Ready,
    /// `GET /openapi.json`, our addition
    OpenApi,
    /// `GET /v1/activity`
    Activity,
    /// `GET /v1/vaults`
    Vaults,
    /// `POST /v1/batch`, our addition
    Batch,
    /// `GET /v1/vaults/{v}`
    Vault(VaultId),
    /// `GET /v1/vaults/{v}/items`
    Items(VaultId),
    /// `GET /v1/vaults/{v}/items/{i}/files`
    Files(VaultId, ItemId),
    /// `GET /v1/vaults/{v}/items/{i}/files/{f}`
    File(VaultId, ItemId, FileId),
    /// `GET /v1/vaults/{v}/items/{i}/files/{f}/content`
    Content(VaultId, ItemId, FileId),
    /// `POST /v1/vaults/{v}/items/{i}/files`, our addition
    CreateFile(VaultId, ItemId),
    /// `PUT /v1/vaults/{v}/items/{i}/files/{f}`, our addition
    ReplaceFile(VaultId, ItemId, FileId),
    /// `DELETE /v1/vaults/{v}/items/{i}/files/{f}`, our addition
    DeleteFile(VaultId, ItemId, FileId),
    /// `POST /v1/vaults/{v}/items`
    CreateItem(VaultId),
    /// `GET /v1/vaults/{v}/items/{i}`
    Item(VaultId, ItemId),
    /// `PUT /v1/vaults/{v}/items/{i}`
    ReplaceItem(VaultId, ItemId),
    /// `PATCH /v1/vaults/{v}/items/{i}`
    PatchItem(VaultId, ItemId),
    /// `DELETE /v1/vaults/{v}/items/{i}`
    DeleteItem(VaultId, ItemId),
}

impl Route {
    /// Parses a request's method and path. One trailing slash is allowed everywhere (connect-contract.md §0.2 no. 3).
    pub fn parse(method: &Method, path: &str) -> Result<Self, Refusal> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let decoded: Vec<Cow<'_, str>> = path.split('/').skip(1).map(segment).collect();
        let segments: Vec<&str> = decoded.iter().map(AsRef::as_ref).collect();
        match segments.as_slice() {
            ["heartbeat"] => get(method, Self::Heartbeat),
            ["health"] => get(method, Self::Health),
            ["ready"] => get(method, Self::Ready),
            ["openapi.json"] => get(method, Self::OpenApi),
            ["v1", "activity"] => get(method, Self::Activity),
            ["v1", "vaults"] => get(method, Self::Vaults),
            ["v1", "batch"] if *method == Method::POST => Ok(Self::Batch),
            ["v1", "batch"] => Err(Refusal::method("POST")),
            ["v1", "vaults", v] => get(method, Self::Vault(vault(v)?)),
            ["v1", "vaults", v, "items"] => {
                let vault = vault(v)?;
                match method.as_str() {
                    "GET" | "HEAD" => Ok(Self::Items(vault)),
                    "POST" => Ok(Self::CreateItem(vault)),
                    _ => Err(Refusal::method("GET, HEAD, POST")),
                }
            }
            ["v1", "vaults", v, "items", i] => {
                let (vault, item) = (vault(v)?, item(i)?);
                match method.as_str() {
                    "GET" | "HEAD" => Ok(Self::Item(vault, item)),
                    "PUT" => Ok(Self::ReplaceItem(vault, item)),
                    "PATCH" => Ok(Self::PatchItem(vault, item)),
                    "DELETE" => Ok(Self::DeleteItem(vault, item)),
                    _ => Err(Refusal::method("GET, HEAD, PUT, PATCH, DELETE")),
                }
            }
            ["v1", "vaults", v, "items", i, "files"] => {
                let (vault, item) = (vault(v)?, item(i)?);
                match method.as_str() {
                    "GET" | "HEAD" => Ok(Self::Files(vault, item)),
                    "POST" => Ok(Self::CreateFile(vault, item)),
                    _ => Err(Refusal::method("GET, HEAD, POST")),
                }
            }
            ["v1", "vaults", v, "items", i, "files", f] => {
                let (vault, item, file) = (vault(v)?, item(i)?, file(f)?);
                match method.as_str() {
                    "GET" | "HEAD" => Ok(Self::File(vault, item, file)),
                    "PUT" => Ok(Self::ReplaceFile(vault, item, file)),
                    "DELETE" => Ok(Self::DeleteFile(vault, item, file)),
                    _ => Err(Refusal::method("GET, HEAD, PUT, DELETE")),
                }
            }
            ["v1", "vaults", v, "items", i, "files", f, "content"] => {
                get(method, Self::Content(vault(v)?, item(i)?, file(f)?))
            }
            // A title with a slash pasted into the path (Ansible): still the client's wrong id first.
            ["v1", "vaults", v, "items", ..] => vault(v).and_then(|_| Err(Refusal::no_route())),
            _ => Err(Refusal::no_route()),
        }
    }

    /// Whether its answer is in one piece, so that a carrier may take it as one: no list of items, which a filter need not
    /// make short, and no file.
    pub const fn is_short(&self) -> bool {
        !matches!(
            self,
            Self::Items(_) | Self::Content(..) | Self::Activity | Self::Batch | Self::OpenApi
        )
    }

    /// Which vault and which item its path names.
    pub(super) const fn place(&self) -> (Option<&VaultId>, Option<&ItemId>) {
        match self {
            Self::Heartbeat
            | Self::Health
            | Self::Ready
            | Self::OpenApi
            | Self::Activity
            | Self::Vaults
            | Self::Batch => (None, None),
            Self::Vault(vault) | Self::Items(vault) | Self::CreateItem(vault) => {
                (Some(vault), None)
            }
            Self::Files(vault, item)
            | Self::File(vault, item, _)
            | Self::Content(vault, item, _)
            | Self::CreateFile(vault, item)
            | Self::ReplaceFile(vault, item, _)
            | Self::DeleteFile(vault, item, _)
            | Self::Item(vault, item)
            | Self::ReplaceItem(vault, item)
            | Self::PatchItem(vault, item)
            | Self::DeleteItem(vault, item) => (Some(vault), Some(item)),
        }
    }
}

fn get(method: &Method, route: Route) -> Result<Route, Refusal> {
    match *method {
        Method::GET | Method::HEAD => Ok(route),
        _ => Err(Refusal::method("GET, HEAD")),
    }
}

fn vault(segment: &str) -> Result<VaultId, Refusal> {
    VaultId::parse(segment).map_err(|_| Refusal::bad_id("Vault"))
}

fn item(segment: &str) -> Result<ItemId, Refusal> {
    ItemId::parse(segment).map_err(|_| Refusal::bad_id("Item"))
}

fn file(segment: &str) -> Result<FileId, Refusal> {
    FileId::parse(segment).map_err(|_| Refusal::bad_id("File"))
}

fn segment(raw: &str) -> Cow<'_, str> {
    if raw.contains('%') {
        Cow::Owned(String::from_utf8_lossy(&percent_decode(raw, false)).into_owned())
    } else {
        Cow::Borrowed(raw)
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    const V: &str = "aaaaaaaaaaaaaaaaaaaaaaaaa2";

    fn status(method: &Method, path: &str) -> StatusCode {
        Route::parse(method, path).map_or_else(|refusal| refusal.status, |_| StatusCode::OK)
    }

    #[test]
    fn trailing_slashes_do_not_matter() {
        for path in [
            "/heartbeat",
            "/health",
            "/v1/vaults",
            &alloc::format!("/v1/vaults/{V}/items"),
        ] {
            let slashed = alloc::format!("{path}/");
            assert_eq!(
                Route::parse(&Method::GET, path),
                Route::parse(&Method::GET, &slashed)
            );
            assert_eq!(status(&Method::GET, path), StatusCode::OK, "{path}");
        }
    }

    #[test]
    fn bad_ids_and_methods_are_told_apart() {
        let items = alloc::format!("/v1/vaults/{V}/items");
        assert_eq!(
            status(&Method::GET, "/v1/vaults/Accept/items/a/b"),
            StatusCode::BAD_REQUEST
        );
        assert_eq!(
            status(&Method::GET, &alloc::format!("{items}/nope")),
            StatusCode::BAD_REQUEST
        );
        assert_eq!(status(&Method::PUT, &items), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(
            status(&Method::GET, "/v1/vaults//items"),
            StatusCode::BAD_REQUEST
        );
        assert_eq!(status(&Method::GET, "/v2/vaults"), StatusCode::NOT_FOUND);
        assert_eq!(status(&Method::GET, "/"), StatusCode::NOT_FOUND);
        assert_eq!(
            status(&Method::GET, &alloc::format!("/v1/vaults/{V}%2Fitems")),
            StatusCode::BAD_REQUEST
        );
    }
}
