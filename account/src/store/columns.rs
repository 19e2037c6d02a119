//! From columns to decided values and back. A value that does not decide means a damaged file: an error, never a guess.

use std::str::FromStr;

use rusqlite::{Row, types::Type};
use sekisho_core::{id::IdError, key::PublicKey, seal::Sealed, time::Timestamp};

type Read<T> = rusqlite::Result<T>;

/// The column does not hold what the schema says.
#[derive(Debug, thiserror::Error)]
#[error("column '{0}' is damaged")]
struct Damaged(String);

pub(super) fn damaged(column: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Null, Box::new(Damaged(column.to_owned())))
}

/// An id.
pub(super) fn id<T: FromStr<Err = IdError>>(row: &Row<'_>, column: &str) -> Read<T> {
    let text = row.get_ref(column)?.as_str().map_err(|_| damaged(column))?;
    text.parse().map_err(|_| damaged(column))
}

/// A count, a version, a number of the feed.
pub(super) fn number(row: &Row<'_>, column: &str) -> Read<u64> {
    u64::try_from(row.get::<_, i64>(column)?).map_err(|_| damaged(column))
}

/// A number for a column; beyond 2^63 it stays at the end.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A time.
pub(super) fn time(row: &Row<'_>, column: &str) -> Read<Timestamp> {
    number(row, column).map(Timestamp::from_millis)
}

/// A time that may be absent.
pub(super) fn optional_time(row: &Row<'_>, column: &str) -> Read<Option<Timestamp>> {
    let millis = row.get::<_, Option<i64>>(column)?;
    let millis = millis.map(|millis| u64::try_from(millis).map_err(|_| damaged(column)));
    Ok(millis.transpose()?.map(Timestamp::from_millis))
}

/// A time for a column.
pub(super) fn millis(time: Timestamp) -> i64 {
    int(time.millis())
}

/// Bytes of a fixed length.
pub(super) fn array<const N: usize>(row: &Row<'_>, column: &str) -> Read<[u8; N]> {
    let bytes = row
        .get_ref(column)?
        .as_blob()
        .map_err(|_| damaged(column))?;
    bytes.try_into().map_err(|_| damaged(column))
}

/// A point of the curve.
pub(super) fn public_key(row: &Row<'_>, column: &str) -> Read<PublicKey> {
    PublicKey::parse(&array::<65>(row, column)?).map_err(|_| damaged(column))
}

/// Ciphertext.
pub(super) fn sealed(row: &Row<'_>, column: &str) -> Read<Sealed> {
    row.get(column).map(Sealed::from_bytes)
}

/// Ciphertext that may be absent.
pub(super) fn optional_sealed(row: &Row<'_>, column: &str) -> Read<Option<Sealed>> {
    Ok(row
        .get::<_, Option<Vec<u8>>>(column)?
        .map(Sealed::from_bytes))
}
