//! A client of any Connect server, ours or the vendor's: what `read`, `inject` and `run` need of it. Only the documented
//! API is used.
//!
//! | module | does |
//! |---|---|
//! | `connect` | HTTP, blocking: one answer, or one failure that says why |
//! | `resolver` | names and ids to items, references to values |
//! | `template` | texts with references in them |
//! | `variables` | environment variables inside references |
//! | `env_file` | files of `NAME=value` |
//! | `mask` | secrets out of a stream |
//! | `openssh` | private keys in OpenSSH's form |

mod connect;
mod env_file;
mod mask;
mod openssh;
mod resolver;
mod template;
mod variables;

pub(crate) use self::{
    connect::Connect,
    env_file::parse as parse_env_file,
    mask::{Mask, Masking},
    resolver::Resolver,
    template::fill,
    variables::expand,
};

/// Whether a text is meant as a secret reference.
pub(crate) fn is_reference(text: &str) -> bool {
    let head = text.trim_start().get(..5);
    head.is_some_and(|scheme| scheme.eq_ignore_ascii_case("op://"))
}
