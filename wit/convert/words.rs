//! `request.words` of the WIT: bytes in words of eight.

/// The bytes as words, their number first.
pub(crate) fn to_words(bytes: &[u8]) -> Vec<u64> {
    let (whole, rest) = bytes.as_chunks::<8>();
    let mut words = Vec::with_capacity(2 + whole.len());
    words.push(bytes.len() as u64);
    words.extend(whole.iter().map(|word| u64::from_le_bytes(*word)));
    if !rest.is_empty() {
        let mut last = [0; 8];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        words.push(u64::from_le_bytes(last));
    }
    words
}

/// The bytes that these words are, and no more than there are.
pub(crate) fn to_bytes(words: &[u64]) -> Vec<u8> {
    let Some((length, words)) = words.split_first() else {
        return Vec::new();
    };
    let mut bytes = vec![0; 8 * words.len()];
    for (to, from) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(words) {
        *to = from.to_le_bytes();
    }
    bytes.truncate(usize::try_from(*length).unwrap_or(usize::MAX));
    bytes
}
