//! `GET /openapi.json`, our addition: the API described by itself (OpenAPI 3.1.0).
//!
//! `table` is the one table of what there is. It is written against [`super::Route`], so a route without a row does not
//! compile; the tests send each row through the router and back. What is ours carries `x-sekisho-addition`.
//!
//! The document is made from it by a test and kept in `openapi.json`: built when it is asked for, it would cost the
//! component a tenth of its size.

use zeroize::Zeroizing;

use super::Reply;

#[cfg(test)]
mod document;
#[cfg(test)]
mod schemas;
mod table;

const DOCUMENT: &[u8] = include_bytes!("openapi/openapi.json");

pub(super) fn answer() -> Reply {
    Reply::json(Zeroizing::new(DOCUMENT.to_vec()))
}
