//! One file of reports: a line each, a checksum before it.
//!
//! ```text
//! <8 hex digits: SHA-256 of the rest, its first 4 bytes> <UsageReport as JSON>\n
//! ```
//!
//! The first line may be `<8 hex digits> {"sources":["<file>",…]}`: the file stands in for these. A line that is torn
//! or spoilt is passed over; the ids in the others stay what they were.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::sync::UsageReport;

/// Being written, note by note: each that is in it counts.
pub(super) const OPEN: &str = "open";
/// Being written as a whole: nothing in it counts before it is.
pub(super) const PART: &str = "part";
/// Whole, and never offered to the account.
pub(super) const FULL: &str = "full";
/// Offered: the account may have counted it.
pub(super) const SENT: &str = "sent";
/// The account does not take it, now or ever.
pub(super) const REFUSED: &str = "refused";

/// Bytes that are held from one append to the next at most.
const MOST_HELD: usize = 4096;

/// A file that is being written.
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    length: u64,
    lines: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Sources {
    sources: Vec<String>,
}

impl Segment {
    /// A new file, `<stem>.open` or `<stem>.part`.
    pub(super) fn begin(directory: &Path, stem: &str, ending: &str) -> io::Result<Self> {
        let path = directory.join(stem).with_extension(ending);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Self {
            path,
            file,
            length: 0,
            lines: Vec::new(),
        })
    }

    /// Says for which files it stands in.
    pub(super) fn replace(&mut self, sources: Vec<String>) -> io::Result<()> {
        self.append_values(&[Sources { sources }])
    }

    pub(super) fn append(&mut self, reports: &[UsageReport]) -> io::Result<()> {
        self.append_values(reports)
    }

    /// One call of the system, so that a kill leaves a line whole or not at all; nothing is left of them when it fails.
    fn append_values(&mut self, values: &[impl Serialize]) -> io::Result<()> {
        self.lines.clear();
        for value in values {
            append_line(&mut self.lines, value)?;
        }
        let written = self.file.write_all(&self.lines);
        match written {
            Ok(()) => self.length += self.lines.len() as u64,
            // A half line at the end would spoil the next one.
            Err(_) => self.file.set_len(self.length)?,
        }
        // A batch is no measure for what comes one by one.
        self.lines.shrink_to(MOST_HELD);
        written
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// A handle by which it can be synced while it is written.
    pub(super) fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// From now on it is `<stem>.full`.
    pub(super) fn close(self) -> io::Result<()> {
        fs::rename(&self.path, self.path.with_extension(FULL))
    }
}

fn append_line(lines: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    const SUM: usize = 9;
    let begin = lines.len();
    lines.resize(begin + SUM, b' ');
    serde_json::to_writer(&mut *lines, value).map_err(|_| io::ErrorKind::InvalidData)?;
    let (sum, rest) = lines[begin..].split_at_mut(SUM);
    sum[..8].copy_from_slice(&checksum(rest));
    lines.push(b'\n');
    Ok(())
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(bytes).into();
    let mut sum = [0; 8];
    // Eight digits are what four bytes have.
    let _ = base16ct::lower::encode(&[a, b, c, d], &mut sum);
    sum
}

/// A file that is read line by line.
pub(super) struct Lines {
    file: BufReader<File>,
    line: Vec<u8>,
}

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = BufReader::new(File::open(path)?);
        let line = Vec::new();
        Ok(Self { file, line })
    }
}

/// What a file holds.
#[derive(Default)]
pub(super) struct Content {
    pub(super) sources: Vec<String>,
    pub(super) reports: Vec<UsageReport>,
    /// Lines that could not be read.
    pub(super) spoilt: usize,
}

impl Content {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut lines = Lines::open(path)?;
        let mut content = Self::default();
        content.read_some(&mut lines, usize::MAX)?;
        Ok(content)
    }

    /// Until it has so many reports, or there are no lines left. A file may be large, what is sent is not.
    pub(super) fn read_some(&mut self, lines: &mut Lines, most: usize) -> io::Result<()> {
        while self.reports.len() < most {
            lines.line.clear();
            if lines.file.read_until(b'\n', &mut lines.line)? == 0 {
                return Ok(());
            }
            let line = lines.line.strip_suffix(b"\n").unwrap_or(&lines.line);
            if !line.is_empty() {
                self.take(line);
            }
        }
        Ok(())
    }

    /// The files that this one stands in for.
    pub(super) fn sources(path: &Path) -> io::Result<Vec<String>> {
        let mut lines = Lines::open(path)?;
        lines.file.read_until(b'\n', &mut lines.line)?;
        let mut content = Self::default();
        content.take(lines.line.strip_suffix(b"\n").unwrap_or_default());
        Ok(content.sources)
    }

    fn take(&mut self, line: &[u8]) {
        let json = line
            .split_at_checked(9)
            .filter(|(sum, rest)| sum.strip_suffix(b" ") == Some(&checksum(rest)))
            .map(|(_, json)| json);
        let Some(json) = json else {
            self.spoilt += 1;
            return;
        };
        if let Ok(report) = serde_json::from_slice(json) {
            self.reports.push(report);
        } else if let Ok(Sources { sources }) = serde_json::from_slice(json) {
            self.sources = sources;
        } else {
            self.spoilt += 1;
        }
    }
}
