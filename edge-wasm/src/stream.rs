//! Bytes into a stream of WASI, for whoever has its bindings.

use crate::bindings::wasi::io::streams::{OutputStream, StreamError};

/// Writes all of it, waiting for room, and does not flush.
pub(super) fn write_all(stream: &OutputStream, bytes: &[u8]) -> Result<(), StreamError> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let room = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        if room == 0 {
            stream.subscribe().block();
            continue;
        }
        let (now, later) = rest.split_at(room.min(rest.len()));
        stream.write(now)?;
        rest = later;
    }
    Ok(())
}
