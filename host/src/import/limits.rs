//! How much an export may ask of this machine.

/// Bounds that every archive is held to before anything of it is used. The defaults are far above what an account can
/// hold; raise them only for an export you made yourself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the archive on disk.
    pub archive_bytes: u64,
    /// Entries in it.
    pub entries: u64,
    /// Bytes of `export.data`, unpacked: all of it is held in memory, a few times over.
    pub data_bytes: u64,
    /// Bytes of any other entry, unpacked.
    pub file_bytes: u64,
    /// Bytes of all entries, unpacked.
    pub total_bytes: u64,
    /// How many times its packed size an entry may unpack to, once it is larger than [`Limits::RATIO_FREE`].
    pub ratio: u64,
    /// How deep `export.data` may nest.
    pub depth: usize,
}

impl Limits {
    /// Small entries may shrink as they like: a page of zeros is no bomb.
    pub const RATIO_FREE: u64 = 8 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive_bytes: 8 << 30,
            entries: 200_000,
            data_bytes: 512 << 20,
            file_bytes: 2 << 30,
            total_bytes: 16 << 30,
            ratio: 200,
            depth: 64,
        }
    }
}
