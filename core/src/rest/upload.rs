//! Upload, replacement and removal of files: our addition (pains.md no. 13).
//!
//! `POST …/files?name=key.pem[&section=ID]` and `PUT …/files/{f}[?name=…]` take the content as the raw body. It comes in
//! pieces: each full chunk is sealed and handed on at once, so that a gigabyte needs no more memory than a kilobyte.
//! Nothing counts before the item's next version names the file, so a broken upload leaves nothing behind that is seen.

use alloc::{boxed::Box, string::String, vec::Vec};

use http::{HeaderMap, StatusCode, header};
use zeroize::Zeroizing;

use super::{
    Action, Asked, Ports, Refusal, Reply, Response, files,
    query::text,
    route::Route,
    write::{self, FileChange},
};
use crate::{
    file::{self, CHUNK, ChunkPosition, FileEntry, FileKey, FilePlace},
    id::{FileId, ItemId, VaultId},
    item::{draft::MAX_NAME, stored::StoredItem},
    records::PutChunkRequest,
    token::WriteAccess,
};

/// Largest content taken, in bytes.
pub const MAX_FILE: u64 = 2 * 1024 * 1024 * 1024;

/// Most files an item may have.
const MAX_FILES: usize = 1000;

/// A content on its way in.
pub struct Upload<'a> {
    asked: Asked<'a>,
    access: WriteAccess,
    place: FilePlace,
    /// The file whose content is replaced.
    replaces: Option<FileId>,
    name: Option<String>,
    section: Option<String>,
    key: FileKey,
    pending: Zeroizing<Vec<u8>>,
    index: u32,
    size: u64,
}

impl<'a> Upload<'a> {
    pub(super) fn begin(
        asked: Asked<'a>,
        ports: &mut Ports<'_>,
        route: Route,
    ) -> Result<Self, Refusal> {
        let (vault, item, replaces) = match route {
            Route::CreateFile(vault, item) => (vault, item, None),
            Route::ReplaceFile(vault, item, file) => (vault, item, Some(file)),
            _ => return Err(Refusal::no_route()),
        };
        let access = write::write_access(&asked, ports, Action::Update, &vault, Some(item))?;
        refuse_forms(asked.parts.headers)?;
        let name = named(&asked);
        if replaces.is_none() && name.is_none() {
            return Err(Refusal::query("name"));
        }
        if name.as_ref().is_some_and(|name| name.len() > MAX_NAME) {
            return Err(Refusal::query("name"));
        }
        // What cannot succeed is refused before the content is sent.
        let stored = write::open_current(ports, &access, &item)?;
        let entries = stored.file_entries()?;
        match &replaces {
            Some(file) if !entries.iter().any(|entry| entry.id == *file) => {
                return Err(Refusal::file_missing(file));
            }
            None if entries.len() >= MAX_FILES => {
                return Err(Refusal::body("the item has too many files"));
            }
            _ => {}
        }
        if content_length(&asked).is_some_and(|length| length > MAX_FILE) {
            return Err(Refusal::body_too_large(MAX_FILE));
        }
        Ok(Self {
            name,
            section: asked
                .query()
                .value("section")
                .filter(|section| !section.is_empty()),
            access,
            place: FilePlace {
                vault,
                item,
                file: FileId::generate(ports.rng),
            },
            replaces,
            key: FileKey::generate(ports.rng),
            pending: Zeroizing::new(Vec::with_capacity(2 * CHUNK as usize)),
            index: 0,
            size: 0,
            asked,
        })
    }

    /// Takes the next piece of the content, of any size.
    pub fn push(&mut self, mut piece: &[u8], ports: &Ports<'_>) -> Result<(), Refusal> {
        self.size += piece.len() as u64;
        if self.size > MAX_FILE {
            return Err(Refusal::body_too_large(MAX_FILE));
        }
        while !piece.is_empty() {
            // A full chunk waits for a byte behind it: only then is it known not to be the last.
            if self.pending.len() == CHUNK as usize {
                self.store(false, ports)?;
            }
            let room = (CHUNK as usize - self.pending.len()).min(piece.len());
            let (now, later) = piece.split_at_checked(room).unwrap_or((piece, &[]));
            self.pending.extend_from_slice(now);
            piece = later;
        }
        Ok(())
    }

    /// The content is complete: adds it to the item and answers with the file.
    pub fn finish(self, ports: &mut Ports<'_>) -> Response {
        let request_id = self.asked.request_id.clone();
        super::respond(self.complete(ports), &request_id, false)
    }

    pub(super) fn complete(mut self, ports: &mut Ports<'_>) -> Result<Reply, Refusal> {
        self.store(true, ports)?;
        self.commit(ports)
    }

    /// The answer to a piece that was refused.
    pub fn refuse(self, refusal: &Refusal) -> Response {
        super::refuse(refusal, &self.asked.request_id)
    }

    /// The answer to a content that broke off.
    pub fn broken(self) -> Response {
        self.refuse(&Refusal::body_broken())
    }

    fn store(&mut self, last: bool, ports: &Ports<'_>) -> Result<(), Refusal> {
        let position = ChunkPosition {
            index: self.index,
            last,
        };
        let content = file::seal_chunk(&self.key, &self.place, position, &self.pending);
        self.pending.clear();
        self.index += 1;
        let FilePlace { vault, item, file } = self.place;
        let request = PutChunkRequest {
            token: self.asked.grant.token(),
            vault,
            item,
            file,
            index: position.index,
            content: crate::seal::Sealed::from_bytes(content),
        };
        ports.records.put_chunk(request).map_err(Refusal::fault)
    }

    fn commit(self, ports: &mut Ports<'_>) -> Result<Reply, Refusal> {
        let file = self.replaces.unwrap_or(self.place.file);
        let now = ports.now;
        let changed = write::change(
            &self.asked,
            ports,
            &self.access,
            &self.place.item,
            |stored, _| {
                let mut entries = stored.file_entries()?;
                let dropped = self.add_to(&mut entries)?;
                next_version(stored, &entries, &self.asked, now);
                Ok(Some(FileChange {
                    added: Vec::from([self.place.file]),
                    dropped: dropped.into_iter().collect(),
                }))
            },
        )?;
        let entries = changed.file_entries()?;
        let entry = entries
            .iter()
            .find(|entry| entry.id == file)
            .ok_or_else(Refusal::damaged)?;
        Ok(files::show(&self.place.vault, &self.place.item, entry))
    }

    /// Puts the entry among the others; hands back the id of the content that it replaces.
    fn add_to(&self, entries: &mut Vec<FileEntry>) -> Result<Option<FileId>, Refusal> {
        let new = FileEntry {
            id: self.place.file,
            name: self.name.clone().unwrap_or_default(),
            size: self.size,
            section: self.section.clone(),
            content: None,
            key: self.key.clone(),
            chunk_size: CHUNK,
        };
        let Some(file) = self.replaces else {
            entries.push(new);
            return Ok(None);
        };
        let old = entries
            .iter_mut()
            .find(|entry| entry.id == file)
            .ok_or_else(|| Refusal::file_missing(&file))?;
        let dropped = old.stored();
        *old = FileEntry {
            id: file,
            name: self.name.clone().unwrap_or_else(|| old.name.clone()),
            section: self.section.clone().or_else(|| old.section.clone()),
            content: Some(new.id),
            ..new
        };
        Ok(Some(dropped))
    }
}

impl core::fmt::Debug for Upload<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Upload")
            .field("place", &self.place)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// `DELETE …/files/{f}`
pub(super) fn delete(
    asked: &Asked<'_>,
    ports: &mut Ports<'_>,
    vault: VaultId,
    item: ItemId,
    file: FileId,
) -> Result<Reply, Refusal> {
    let access = write::write_access(asked, ports, Action::Update, &vault, Some(item))?;
    let now = ports.now;
    write::change(asked, ports, &access, &item, |stored, _| {
        let mut entries = stored.file_entries()?;
        let at = entries
            .iter()
            .position(|entry| entry.id == file)
            .ok_or_else(|| Refusal::file_missing(&file))?;
        let dropped = entries.remove(at).stored();
        next_version(stored, &entries, asked, now);
        Ok(Some(FileChange {
            added: Vec::new(),
            dropped: Vec::from([dropped]),
        }))
    })?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

fn next_version(
    stored: &mut StoredItem,
    entries: &[FileEntry],
    asked: &Asked<'_>,
    now: crate::time::Timestamp,
) {
    stored.set_file_entries(entries);
    let item = &mut stored.item;
    item.version += 1;
    item.updated_at = now.truncated().max(item.updated_at);
    item.last_edited_by = asked.head.environment.as_str().into();
}

/// The file's name: a query parameter, or `Content-Disposition: attachment; filename="…"`.
fn named(asked: &Asked<'_>) -> Option<String> {
    let given = asked.query().value("name").filter(|name| !name.is_empty());
    given.or_else(|| {
        let disposition = asked.header(header::CONTENT_DISPOSITION)?;
        let (_, extended) = disposition.split_once("filename*=UTF-8''").unzip();
        if let Some(encoded) = extended {
            return Some(text(
                encoded.split(';').next().unwrap_or_default().trim(),
                false,
            ));
        }
        let (_, name) = disposition.split_once("filename=")?;
        let name = name
            .trim()
            .strip_prefix('"')
            .map_or_else(|| name.split(';').next(), |quoted| quoted.split('"').next());
        name.map(|name| name.trim().into())
            .filter(|name: &String| !name.is_empty())
    })
}

/// A form would end up inside the file, boundaries and all.
fn refuse_forms(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    if kind.to_ascii_lowercase().starts_with("multipart/") {
        Err(Refusal::raw_body())
    } else {
        Ok(())
    }
}

fn content_length(asked: &Asked<'_>) -> Option<u64> {
    asked.header(header::CONTENT_LENGTH)?.parse().ok()
}

/// How a request's body is to be read.
#[derive(Debug)]
pub enum Intake<'a> {
    /// Whole, up to this many bytes; then [`super::answer`] answers.
    Whole(usize),
    /// In pieces, as they come.
    Pieces(Box<Upload<'a>>),
    /// Not at all: the answer is there already.
    Answered(Box<Response>),
}

/// Whether a request brings a file's content.
pub fn is_upload<T>(head: &http::Request<T>) -> bool {
    // By far most requests are none; they need not be parsed twice.
    if !matches!(*head.method(), http::Method::POST | http::Method::PUT) {
        return false;
    }
    let route = Route::parse(head.method(), head.uri().path());
    matches!(route, Ok(Route::CreateFile(..) | Route::ReplaceFile(..)))
}

/// What to do with a body: asked with the request's head, before the body is read.
pub fn intake<'a, T>(head: &'a http::Request<T>, ports: &mut Ports<'_>) -> Intake<'a> {
    if !is_upload(head) {
        return Intake::Whole(super::MAX_BODY);
    }
    let request_id = super::request_id(head, ports.rng);
    let upload = Route::parse(head.method(), head.uri().path())
        .and_then(|route| {
            let asked = Asked::admit(head, ports, request_id.clone(), Some(&route));
            asked.map(|asked| (route, asked))
        })
        .and_then(|(route, asked)| Upload::begin(asked, ports, route));
    match upload {
        Ok(upload) => Intake::Pieces(Box::new(upload)),
        Err(refusal) => Intake::Answered(Box::new(super::refuse(&refusal, &request_id))),
    }
}
