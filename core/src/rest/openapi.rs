//! `GET /openapi.json`, our addition: the API described by itself (OpenAPI 3.1.0).
//!
//! `table` is the one table of what there is. It is written against [`super::Route`], so a route without a row does not
//! compile; the tests send each row through the router and back. What is ours carries `x-sekisho-addition`.
//!
//! The document is made from it by a test and kept in `openapi.json`: built when it is asked for, it would cost the
//! component a tenth of its size. What the component carries is `openapi.json.lz4`, a fifth of it (LZ4 block, its length
//! before it): what unpacks it is a kilobyte of code.

use lz4_flex::block::decompress_size_prepended;
use zeroize::Zeroizing;

use super::Reply;

#[cfg(test)]
mod document;
#[cfg(test)]
mod schemas;
mod table;

const DOCUMENT: &[u8] = include_bytes!("openapi/openapi.json.lz4");

pub(super) fn answer() -> Reply {
    // What was packed unpacks: the test that packs it says so.
    let document = decompress_size_prepended(DOCUMENT).unwrap_or_default();
    Reply::json(Zeroizing::new(document))
}
