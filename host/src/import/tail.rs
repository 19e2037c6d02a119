//! The number of entries an archive claims, before any reader believes it.
//!
//! The zip reader builds its table of all entries at once, several times the size of the directory on disk; so the
//! claim is read first, from the end records themselves (APPNOTE 4.3.14 to 4.3.16).

use std::io::{self, Read, Seek, SeekFrom};

const END: &[u8] = b"PK\x05\x06";
const LOCATOR: &[u8] = b"PK\x06\x07";
const END64: &[u8] = b"PK\x06\x06";
/// An end record with the longest comment, and a ZIP64 locator before it.
const LONGEST: u64 = 20 + 22 + 65_535;

/// The largest claim of any end record: one hidden in a comment must not hide the real one.
pub(super) fn declared_entries(file: &mut (impl Read + Seek), size: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(size.saturating_sub(LONGEST)))?;
    let mut tail = Vec::new();
    file.by_ref().take(LONGEST).read_to_end(&mut tail)?;
    let mut most = 0;
    for at in (0..tail.len()).filter(|at| starts(&tail, *at, END)) {
        most = most
            .max(number::<2>(&tail, at + 8))
            .max(number::<2>(&tail, at + 10));
        let locator = at.checked_sub(20).filter(|at| starts(&tail, *at, LOCATOR));
        if let Some(locator) = locator {
            most = most.max(declared_in_64(file, number::<8>(&tail, locator + 8))?);
        }
    }
    Ok(most)
}

fn declared_in_64(file: &mut (impl Read + Seek), offset: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(offset))?;
    let mut record = Vec::new();
    file.by_ref().take(40).read_to_end(&mut record)?;
    if !starts(&record, 0, END64) {
        return Ok(0);
    }
    Ok(number::<8>(&record, 24).max(number::<8>(&record, 32)))
}

fn starts(bytes: &[u8], at: usize, magic: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(magic))
}

/// A little-endian number of N bytes; 0 past the end.
fn number<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    let digits = bytes.get(at..at + N).unwrap_or_default();
    digits
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
