//! GET of files: list, details, content (connect-contract.md §1, §2.6).

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Write;

use base64ct::{Base64, Encoding};
use http::{StatusCode, header};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Action, Asked, Body, Ports, Refusal, Reply};
use crate::{
    file::FileEntry,
    id::{FileId, ItemId, VaultId},
    item::{File, json},
    records::{Fault, Records},
    seal::Kind,
};

/// The files of one item, opened.
struct Files<'a> {
    records: &'a dyn Records,
    vault: VaultId,
    item: ItemId,
    entries: Vec<FileEntry>,
    max_inline: u64,
    inline: bool,
}

impl<'a> Files<'a> {
    fn open(
        asked: &Asked<'_>,
        ports: &Ports<'a>,
        vault: VaultId,
        item: ItemId,
    ) -> Result<Self, Refusal> {
        let access = asked
            .grant
            .read(&vault)
            .map_err(|error| asked.denied(ports, Action::Read, &vault, Some(item), error))?;
        let record = ports
            .records
            .item(&vault, &item)
            .map_err(|fault| Refusal::of_item(fault, &item))?;
        let entries = match &record.files {
            None => Vec::new(),
            Some(sealed) => {
                let opened = access.open_item(Kind::Files, item, record.version, sealed)?;
                serde_json::from_slice(&opened).map_err(|_| Refusal::damaged())?
            }
        };
        asked.note(ports, Action::Read, vault, Some((item, record.version)));
        // The spec says inline_files, its own reference page inline_content: both are in use.
        let inline = ["inline_files", "inline_content"].into_iter().any(|name| {
            asked.query().value(name).is_some_and(|flag| {
                matches!(flag.to_ascii_lowercase().as_str(), "" | "true" | "1" | "t")
            })
        });
        Ok(Self {
            records: ports.records,
            vault,
            item,
            entries,
            max_inline: asked.head.max_inline,
            inline,
        })
    }

    fn entry(&self, file: &FileId) -> Result<&FileEntry, Refusal> {
        self.entries
            .iter()
            .find(|entry| entry.id == *file)
            .ok_or_else(|| Refusal::file_missing(file))
    }

    fn print(&self, entry: &FileEntry) -> Result<Value, Refusal> {
        let mut value = print(&self.vault, &self.item, entry);
        if let (true, Value::Object(members)) = (self.inline, &mut value) {
            members.insert("content".to_string(), Value::String(self.inlined(entry)?));
        }
        Ok(value)
    }

    fn inlined(&self, entry: &FileEntry) -> Result<String, Refusal> {
        if entry.size > self.max_inline {
            return Err(Refusal::too_large_to_inline(
                &self.vault,
                &self.item,
                &entry.id,
            ));
        }
        let mut body = Body::file(self.vault, self.item, entry.clone(), 0, entry.size);
        let mut content = Zeroizing::new(Vec::with_capacity(
            usize::try_from(entry.size).unwrap_or_default(),
        ));
        while let Some(piece) = body.next_chunk(self.records).map_err(content_fault)? {
            content.extend_from_slice(&piece);
        }
        Ok(Base64::encode_string(&content))
    }
}

/// The vendor answers 500 when content is not there yet; 503 says that trying again helps.
fn content_fault(fault: Fault) -> Refusal {
    match fault {
        Fault::Missing => Refusal::fault(Fault::Unavailable),
        fault => Refusal::fault(fault),
    }
}

/// An uploaded file, as its details show it.
pub(super) fn show(vault: &VaultId, item: &ItemId, entry: &FileEntry) -> Reply {
    Reply::json(json::to_bytes(&print(vault, item, entry)))
}

fn print(vault: &VaultId, item: &ItemId, entry: &FileEntry) -> Value {
    let file = File {
        id: entry.id,
        name: entry.name.clone(),
        size: entry.size,
        section: entry.section.clone(),
    };
    json::print_file(vault, item, &file)
}

pub(super) fn list(
    asked: &Asked<'_>,
    ports: &Ports<'_>,
    vault: VaultId,
    item: ItemId,
) -> Result<Reply, Refusal> {
    let files = Files::open(asked, ports, vault, item)?;
    let shown: Vec<Value> = files
        .entries
        .iter()
        .map(|entry| files.print(entry))
        .collect::<Result<_, _>>()?;
    Ok(Reply::json(json::into_bytes(Value::Array(shown))))
}

pub(super) fn details(
    asked: &Asked<'_>,
    ports: &Ports<'_>,
    vault: VaultId,
    item: ItemId,
    file: FileId,
) -> Result<Reply, Refusal> {
    let files = Files::open(asked, ports, vault, item)?;
    let shown = files.print(files.entry(&file)?)?;
    Ok(Reply::json(json::into_bytes(shown)))
}

pub(super) fn content(
    asked: &Asked<'_>,
    ports: &Ports<'_>,
    vault: VaultId,
    item: ItemId,
    file: FileId,
) -> Result<Reply, Refusal> {
    let files = Files::open(asked, ports, vault, item)?;
    let entry = files.entry(&file)?;
    // Content never changes under the id it is kept by.
    let etag = format!("\"{}\"", entry.stored());
    if asked.has_tag(header::IF_NONE_MATCH, &etag) {
        return Ok(Reply::empty(StatusCode::NOT_MODIFIED).with(header::ETAG, &etag));
    }
    // If-Range (RFC 9110 §13.1.5): a range of something else is of no use.
    let may_range = asked.header(header::IF_RANGE).is_none_or(|tag| tag == etag);
    let wanted = asked
        .header(header::RANGE)
        .filter(|_| may_range)
        .map_or(Span::Whole, |text| Span::parse(text, entry.size));
    let (status, at, length) = match wanted {
        Span::Whole => (StatusCode::OK, 0, entry.size),
        Span::Part(at, length) => (StatusCode::PARTIAL_CONTENT, at, length),
        Span::Unsatisfiable => return Err(Refusal::range(entry.size)),
    };
    let mut reply = Reply::stream(
        status,
        "application/octet-stream",
        Body::file(vault, item, entry.clone(), at, length),
    )
    .with(header::CONTENT_DISPOSITION, &disposition(&entry.name))
    .with(header::ACCEPT_RANGES, "bytes")
    .with(header::ETAG, &etag);
    if status == StatusCode::PARTIAL_CONTENT {
        reply = reply.with(
            header::CONTENT_RANGE,
            &format!("bytes {at}-{}/{}", at + length - 1, entry.size),
        );
    }
    Ok(reply)
}

/// One byte range (RFC 9110 §14.1.2). Several at once are answered with the whole, as the RFC allows.
#[derive(Debug, PartialEq, Eq)]
enum Span {
    Whole,
    Part(u64, u64),
    Unsatisfiable,
}

impl Span {
    fn parse(text: &str, size: u64) -> Self {
        let Some((first, last)) = text
            .strip_prefix("bytes=")
            .and_then(|range| range.trim().split_once('-'))
        else {
            return Self::Whole;
        };
        match (first.parse::<u64>(), last.parse::<u64>()) {
            (Ok(first), _) if first >= size && !last.contains(',') => Self::Unsatisfiable,
            (Ok(first), Ok(last)) if first <= last => {
                Self::Part(first, last.min(size - 1) - first + 1)
            }
            (Ok(first), Err(_)) if last.is_empty() => Self::Part(first, size - first),
            (Err(_), Ok(0)) if first.is_empty() => Self::Unsatisfiable,
            (Err(_), Ok(_)) if first.is_empty() && size == 0 => Self::Unsatisfiable,
            (Err(_), Ok(count)) if first.is_empty() => {
                Self::Part(size.saturating_sub(count), count.min(size))
            }
            _ => Self::Whole,
        }
    }
}

/// RFC 6266: the name in ASCII for everyone, and in UTF-8 (RFC 8187) where ASCII does not do.
fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() && !matches!(c, '"' | '\\') || c == ' ' {
                c
            } else {
                '_'
            }
        })
        .collect();
    let mut out = format!("attachment; filename=\"{plain}\"");
    if plain != name {
        out.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            // Writing to a String cannot fail.
            let _ = if byte.is_ascii_alphanumeric() {
                write!(out, "{}", char::from(byte))
            } else {
                write!(out, "%{byte:02X}")
            };
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let rows = [
            ("bytes=0-0", Span::Part(0, 1)),
            ("bytes=2-", Span::Part(2, 8)),
            ("bytes=-3", Span::Part(7, 3)),
            ("bytes=-30", Span::Part(0, 10)),
            ("bytes=5-99", Span::Part(5, 5)),
            ("bytes=10-", Span::Unsatisfiable),
            ("bytes=-0", Span::Unsatisfiable),
            ("bytes=4-2", Span::Whole),
            ("bytes=0-1,3-4", Span::Whole),
            ("items=0-1", Span::Whole),
        ];
        for (text, wanted) in rows {
            assert_eq!(Span::parse(text, 10), wanted, "{text}");
        }
        assert_eq!(Span::parse("bytes=0-0", 0), Span::Unsatisfiable);
        assert_eq!(Span::parse("bytes=-1", 0), Span::Unsatisfiable);
    }

    #[test]
    fn names_in_headers() {
        assert_eq!(
            disposition("privkey.pem"),
            "attachment; filename=\"privkey.pem\""
        );
        assert_eq!(
            disposition("a\"b\r\n.t"),
            "attachment; filename=\"a_b__.t\"; filename*=UTF-8''a%22b%0D%0A%2Et"
        );
        assert_eq!(
            disposition("ü"),
            "attachment; filename=\"_\"; filename*=UTF-8''%C3%BC"
        );
    }
}
