//! Secrets out of a stream, wherever its pieces end. What may be the beginning of a secret is held back until it is one
//! or is not.

use zeroize::Zeroizing;

const INSTEAD: &[u8] = b"<concealed by Sekisho>";

/// The secrets to be masked, the longest first.
pub(crate) struct Mask {
    secrets: Vec<Zeroizing<Vec<u8>>>,
    begins: [bool; 256],
}

impl Mask {
    /// Empty values are no secrets; of a value that ends with a line's end, the rest is one.
    pub(crate) fn new(values: impl IntoIterator<Item = Zeroizing<Vec<u8>>>) -> Self {
        let mut secrets: Vec<Zeroizing<Vec<u8>>> = Vec::new();
        for value in values {
            let secret = Zeroizing::new(value.trim_ascii_end().to_vec());
            if !secret.is_empty() && !secrets.contains(&secret) {
                secrets.push(secret);
            }
        }
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let mut begins = [false; 256];
        for first in secrets.iter().filter_map(|secret| secret.first()) {
            if let Some(slot) = begins.get_mut(usize::from(*first)) {
                *slot = true;
            }
        }
        Self { secrets, begins }
    }

    /// A stream's own state.
    pub(crate) fn stream(&self) -> Masking<'_> {
        Masking {
            mask: self,
            held: Zeroizing::new(Vec::new()),
        }
    }

    fn may_begin(&self, byte: u8) -> bool {
        self.begins.get(usize::from(byte)).copied().unwrap_or(true)
    }
}

enum Here {
    /// A secret of this length.
    Secret(usize),
    /// Perhaps one, once more is there.
    Perhaps,
    Nothing,
}

/// One stream.
pub(crate) struct Masking<'a> {
    mask: &'a Mask,
    held: Zeroizing<Vec<u8>>,
}

impl Masking<'_> {
    /// What can be shown after these bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut all = Zeroizing::new(Vec::with_capacity(self.held.len() + bytes.len()));
        all.extend_from_slice(&self.held);
        all.extend_from_slice(bytes);
        let (shown, rest) = self.masked(&all, false);
        self.held = Zeroizing::new(all.get(rest..).unwrap_or_default().to_vec());
        shown
    }

    /// What is left when the stream has ended.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.masked(&self.held, true).0
    }

    /// What can be shown, and where the rest begins.
    fn masked(&self, bytes: &[u8], is_end: bool) -> (Vec<u8>, usize) {
        let (mut shown, mut at) = (Vec::with_capacity(bytes.len()), 0);
        while let Some(byte) = bytes.get(at) {
            let rest = bytes.get(at..).unwrap_or_default();
            match self.here(*byte, rest, is_end) {
                Here::Secret(length) => {
                    shown.extend_from_slice(INSTEAD);
                    at += length;
                }
                Here::Perhaps => return (shown, at),
                Here::Nothing => {
                    shown.push(*byte);
                    at += 1;
                }
            }
        }
        (shown, at)
    }

    fn here(&self, first: u8, rest: &[u8], is_end: bool) -> Here {
        if !self.mask.may_begin(first) {
            return Here::Nothing;
        }
        for secret in &self.mask.secrets {
            if rest.starts_with(secret) {
                return Here::Secret(secret.len());
            }
            if !is_end && secret.starts_with(rest) {
                return Here::Perhaps;
            }
        }
        Here::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secrets: &[&str], pieces: &[&str]) -> String {
        let secrets = secrets
            .iter()
            .map(|s| Zeroizing::new(s.as_bytes().to_vec()));
        let mask = Mask::new(secrets);
        let mut stream = mask.stream();
        let mut shown: Vec<u8> = pieces
            .iter()
            .flat_map(|piece| stream.push(piece.as_bytes()))
            .collect();
        shown.extend(stream.finish());
        String::from_utf8(shown)
            .unwrap()
            .replace("<concealed by Sekisho>", "#")
    }

    #[test]
    fn wherever_the_pieces_end() {
        let text = "a hunter2 b hunter22 c hunt hunter hhunter2";
        let wanted = "a # b ## c hunt hunter h#".replace("##", "#");
        for cut in 1..text.len() {
            let pieces: Vec<String> = text
                .as_bytes()
                .chunks(cut)
                .map(|c| String::from_utf8(c.to_vec()).unwrap())
                .collect();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            assert_eq!(masked(&["hunter2", "hunter22"], &pieces), wanted, "{cut}");
        }
    }

    #[test]
    fn nothing_is_held_that_is_no_beginning() {
        let mask = Mask::new([
            Zeroizing::new(b"secret\n".to_vec()),
            Zeroizing::new(Vec::new()),
        ]);
        let mut stream = mask.stream();
        assert_eq!(stream.push(b"name: "), b"name: ");
        assert_eq!(stream.push(b"sec"), b"");
        assert_eq!(stream.push(b"ond"), b"second");
        assert_eq!(stream.push(b"secre"), b"");
        assert_eq!(stream.finish(), b"secre");
    }
}
