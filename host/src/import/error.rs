//! Why an export was refused, and what to do about it.
//!
//! Payloads are places, numbers and sizes: an export is plaintext, and so are the names of the files in it, hence no
//! text of the archive and no foreign error that read it ever gets in here.

use std::io;

/// An export that cannot be taken over. Nothing was imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file could not be opened or read.
    #[error("the export cannot be read: {0}; check the path and the permissions")]
    Unreadable(#[source] io::Error),
    /// No zip archive at all.
    #[error(
        "this is not a 1PUX export: it is no zip archive; export again from the 1Password app, format \"1PUX\""
    )]
    NotAnArchive,
    /// Begins as a zip archive, but its directory is missing or broken.
    #[error(
        "the export is cut off or damaged: its directory cannot be read; copy or export it again"
    )]
    BrokenArchive,
    /// No `export.data` inside.
    #[error(
        "the archive holds no export.data, so it is not a 1PUX export; export again, format \"1PUX\""
    )]
    NoData,
    /// `export.data` is not JSON.
    #[error("export.data is not valid JSON at line {line}, column {column}; export again")]
    BadJson {
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1.
        column: usize,
    },
    /// `export.data` nests deeper than any export does.
    #[error("export.data nests deeper than {limit} levels, which no export does; export again")]
    TooDeep {
        /// Levels allowed.
        limit: usize,
    },
    /// A member that carries the structure has another type than an export gives it.
    #[error(
        "export.data has an unexpected shape at {at}; export again, or report this place as a bug"
    )]
    Shape {
        /// Path of member names and positions.
        at: String,
    },
    /// More entries than allowed.
    #[error(
        "the archive has {entries} entries, {limit} are allowed; raise the limit only if you made this export"
    )]
    TooManyEntries {
        /// Entries the archive claims.
        entries: u64,
        /// Entries allowed.
        limit: u64,
    },
    /// Something is larger than allowed.
    #[error(
        "{what} has {size} bytes, {limit} are allowed; raise the limit only if you made this export"
    )]
    TooLarge {
        /// What is too large.
        what: Oversized,
        /// Bytes it has or claims to have.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// An entry unpacks to many times its size.
    #[error(
        "entry {entry} unpacks to more than {limit} times its size (a zip bomb?); raise the limit only if you made this export"
    )]
    Ratio {
        /// Number of the entry, from 1.
        entry: usize,
        /// Times allowed.
        limit: u64,
    },
    /// Two entries share bytes.
    #[error("entries of the archive overlap, which no export does (a zip bomb?); export again")]
    Overlap,
    /// An entry's path leaves the archive.
    #[error(
        "entry {entry} has a path that leads out of the archive; do not trust this file, export again"
    )]
    UnsafePath {
        /// Number of the entry, from 1.
        entry: usize,
    },
    /// Two entries of one name.
    #[error("the archive holds two entries of one name; do not trust this file, export again")]
    DuplicateEntry,
    /// An encrypted entry.
    #[error(
        "entry {entry} is encrypted; 1PUX exports are not, so unpack or export again without a password"
    )]
    Encrypted {
        /// Number of the entry, from 1.
        entry: usize,
    },
    /// An entry packed by a method this program lacks.
    #[error(
        "entry {entry} is packed by an unsupported method; pack the archive again with \"deflate\", or export again"
    )]
    Unsupported {
        /// Number of the entry, from 1.
        entry: usize,
    },
    /// A directory or a link where a file is needed.
    #[error("entry {entry} should be a file, but is a directory or a link; export again")]
    NotAFile {
        /// Number of the entry, from 1.
        entry: usize,
    },
    /// An entry ends early or does not unpack.
    #[error("entry {entry} is cut off or does not unpack; copy or export it again")]
    Truncated {
        /// Number of the entry, from 1.
        entry: usize,
    },
    /// An entry unpacks to something its checksum does not know.
    #[error("entry {entry} does not match its checksum and size; copy or export it again")]
    Checksum {
        /// Number of the entry, from 1.
        entry: usize,
    },
    /// An item names a file that is not in the archive.
    #[error(
        "the file of {at} is not in the archive; export again, or remove that attachment before exporting"
    )]
    MissingFile {
        /// Path of the item in `export.data`.
        at: String,
    },
    /// A file was asked for that this archive did not hand out.
    #[error("that file does not belong to this export; ask with one of its own")]
    ForeignFile,
}

/// What was found too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oversized {
    /// The archive as it lies on disk.
    Archive,
    /// `export.data`, unpacked.
    Data,
    /// One entry, unpacked; its number from 1.
    Entry(usize),
    /// Everything, unpacked.
    Total,
}

impl std::fmt::Display for Oversized {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Archive => f.write_str("the archive"),
            Self::Data => f.write_str("export.data"),
            Self::Entry(number) => write!(f, "entry {number}"),
            Self::Total => f.write_str("the unpacked archive"),
        }
    }
}
