//! The zip archive under an export, held to its limits before anything of it is used.
//!
//! Nothing is ever unpacked to disk; unsafe paths are refused all the same, because an archive that has them was made
//! to hurt someone.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use zeroize::Zeroizing;
use zip::read::ZipFile;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::error::{ImportError, Oversized};
use super::limits::Limits;
use super::tail;

const DATA: &str = "export.data";

/// An opened archive whose directory was checked.
pub(super) struct Container {
    zip: ZipArchive<BufReader<File>>,
    entries: BTreeMap<String, Entry>,
}

/// What the directory says of one entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    index: usize,
    pub(super) size: u64,
    is_file: bool,
    is_supported: bool,
}

impl Entry {
    fn number(self) -> usize {
        self.index + 1
    }
}

impl Container {
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<Self, ImportError> {
        let mut file = File::open(path).map_err(ImportError::Unreadable)?;
        check_outside(&mut file, limits)?;
        let zip = ZipArchive::new(BufReader::new(file)).map_err(refused)?;
        let mut container = Self {
            zip,
            entries: BTreeMap::new(),
        };
        container.check_directory(limits)?;
        Ok(container)
    }

    /// The content of `export.data`, in memory that is wiped.
    pub(super) fn data(&mut self) -> Result<Zeroizing<Vec<u8>>, ImportError> {
        let entry = self
            .find(&[DATA.to_owned(), format!("{DATA}/")], "")?
            .ok_or(ImportError::NoData)?;
        // One allocation of the right size: a growing buffer would leave unwiped copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(
            usize::try_from(entry.size).unwrap_or_default(),
        ));
        let mut content = self.content(entry)?;
        match content.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(content.fault(&error)),
        }
    }

    /// The file of one of these names, or else the only one whose name begins so: file names differ in encoding and
    /// normal form between the systems an export is made on, the id in front of them does not.
    pub(super) fn find(
        &self,
        names: &[String],
        prefix: &str,
    ) -> Result<Option<Entry>, ImportError> {
        let entry = match names.iter().find_map(|name| self.entries.get(name)) {
            Some(entry) => *entry,
            None => match self.only(prefix) {
                Some(entry) => entry,
                None => return Ok(None),
            },
        };
        if entry.is_file {
            Ok(Some(entry))
        } else {
            Err(ImportError::NotAFile {
                entry: entry.number(),
            })
        }
    }

    fn only(&self, prefix: &str) -> Option<Entry> {
        let mut found = self
            .entries
            .range(prefix.to_owned()..)
            .take_while(|(name, _)| name.starts_with(prefix));
        match (found.next(), found.next()) {
            (Some((_, entry)), None) if !prefix.is_empty() => Some(*entry),
            _ => None,
        }
    }

    pub(super) fn named(&self, name: &str) -> Option<Entry> {
        self.entries
            .get(name)
            .copied()
            .filter(|entry| entry.is_file)
    }

    pub(super) fn name(&self, entry: Entry) -> String {
        let found = self.zip.name_for_index(entry.index).and_then(Result::ok);
        found.map(String::from).unwrap_or_default()
    }

    /// Reads an entry to its end, for its checksum and its size.
    pub(super) fn verify(&mut self, entry: Entry) -> Result<(), ImportError> {
        let mut content = self.content(entry)?;
        match io::copy(&mut content, &mut io::sink()) {
            Ok(_) => Ok(()),
            Err(error) => Err(content.fault(&error)),
        }
    }

    pub(super) fn content(&mut self, entry: Entry) -> Result<Content<'_>, ImportError> {
        if !entry.is_supported {
            return Err(ImportError::Unsupported {
                entry: entry.number(),
            });
        }
        let inner = self
            .zip
            .by_index(entry.index)
            .map_err(|error| match error {
                ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                    ImportError::Unreadable(error)
                }
                _ => ImportError::Truncated {
                    entry: entry.number(),
                },
            })?;
        Ok(Content {
            inner,
            entry,
            left: entry.size,
        })
    }

    fn check_directory(&mut self, limits: &Limits) -> Result<(), ImportError> {
        if self.zip.has_duplicate_names() {
            return Err(ImportError::DuplicateEntry);
        }
        let mut total = 0_u64;
        for index in 0..self.zip.len() {
            let (name, entry) = self.check_entry(index, limits)?;
            total = total.saturating_add(entry.size);
            within(Oversized::Total, total, limits.total_bytes)?;
            if self.entries.insert(name, entry).is_some() {
                return Err(ImportError::DuplicateEntry);
            }
        }
        match self.zip.has_overlapping_files().map_err(refused)? {
            true => Err(ImportError::Overlap),
            false => Ok(()),
        }
    }

    fn check_entry(&self, index: usize, limits: &Limits) -> Result<(String, Entry), ImportError> {
        let number = index + 1;
        let found = self.zip.by_index_data(index).map_err(refused)?;
        let name = found
            .name()
            .map_err(|_| ImportError::UnsafePath { entry: number })?
            .into_owned();
        if !is_safe(&name) {
            return Err(ImportError::UnsafePath { entry: number });
        }
        if found.encrypted() {
            return Err(ImportError::Encrypted { entry: number });
        }
        let (size, packed) = (found.size(), found.compressed_size());
        match name.as_str() {
            DATA => within(Oversized::Data, size, limits.data_bytes)?,
            _ => within(Oversized::Entry(number), size, limits.file_bytes)?,
        }
        if size > Limits::RATIO_FREE && size > packed.saturating_mul(limits.ratio) {
            return Err(ImportError::Ratio {
                entry: number,
                limit: limits.ratio,
            });
        }
        Ok((
            name,
            Entry {
                index,
                size,
                is_file: found.is_file(),
                is_supported: matches!(
                    found.compression(),
                    CompressionMethod::Stored | CompressionMethod::Deflated
                ),
            },
        ))
    }
}

/// The content of one entry: exactly as many bytes as the directory says, then the checksum.
pub(super) struct Content<'a> {
    inner: ZipFile<'a, BufReader<File>>,
    entry: Entry,
    left: u64,
}

impl Content<'_> {
    /// The checksum is compared last, so a fault after the last byte is its fault.
    fn fault(&self, error: &io::Error) -> ImportError {
        let entry = self.entry.number();
        match self.left {
            0 if error.kind() == io::ErrorKind::InvalidData => ImportError::Checksum { entry },
            _ => ImportError::Truncated { entry },
        }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let too_long = || {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the entry is longer than the archive says",
            )
        };
        self.left = self.left.checked_sub(count as u64).ok_or_else(too_long)?;
        if count == 0 && !buffer.is_empty() && self.left > 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the entry is shorter than the archive says",
            ));
        }
        Ok(count)
    }
}

fn check_outside(file: &mut File, limits: &Limits) -> Result<(), ImportError> {
    let size = file.metadata().map_err(ImportError::Unreadable)?.len();
    within(Oversized::Archive, size, limits.archive_bytes)?;
    let mut magic = Vec::new();
    file.by_ref()
        .take(4)
        .read_to_end(&mut magic)
        .map_err(ImportError::Unreadable)?;
    if ![b"PK\x03\x04", b"PK\x05\x06"]
        .iter()
        .any(|known| magic == *known)
    {
        return Err(ImportError::NotAnArchive);
    }
    let entries = tail::declared_entries(file, size).map_err(ImportError::Unreadable)?;
    if entries > limits.entries {
        return Err(ImportError::TooManyEntries {
            entries,
            limit: limits.entries,
        });
    }
    file.seek(SeekFrom::Start(0))
        .map_err(ImportError::Unreadable)?;
    Ok(())
}

fn within(what: Oversized, size: u64, limit: u64) -> Result<(), ImportError> {
    if size > limit {
        Err(ImportError::TooLarge { what, size, limit })
    } else {
        Ok(())
    }
}

fn refused(error: ZipError) -> ImportError {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            ImportError::Unreadable(error)
        }
        _ => ImportError::BrokenArchive,
    }
}

/// Relative, without a step up, on every system: a backslash or a drive means nothing here but much elsewhere.
fn is_safe(name: &str) -> bool {
    let drive = matches!(name.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    let odd = name.is_empty() || name.starts_with('/') || name.contains(['\\', '\0']);
    !drive && !odd && name.split('/').all(|part| part != "..")
}
