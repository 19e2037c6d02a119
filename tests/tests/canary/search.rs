//! Looks for secrets in bytes, in every form in which they could have been written down.

use std::{collections::BTreeMap, fs, path::Path};

/// What is looked for.
pub(crate) struct Search {
    needles: Vec<Needle>,
    /// The needles that begin with two bytes: most places are passed over by one look.
    starts: BTreeMap<[u8; 2], Vec<usize>>,
    is_start: Vec<bool>,
}

struct Needle {
    secret: String,
    form: &'static str,
    bytes: Vec<u8>,
}

/// A secret where it must not be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Whose bytes were searched.
    pub(crate) place: String,
    /// What it is.
    pub(crate) secret: String,
    /// How it is written.
    pub(crate) form: &'static str,
    /// What stands there.
    pub(crate) context: String,
}

impl Search {
    /// For these secrets, each with its name. They must be long enough not to occur by chance.
    pub(crate) fn new(secrets: &[(String, Vec<u8>)]) -> Self {
        let needles: Vec<Needle> = secrets
            .iter()
            .flat_map(|(name, bytes)| forms(name, bytes))
            .collect();
        let (mut starts, mut is_start) = (BTreeMap::<_, Vec<usize>>::new(), vec![false; 1 << 16]);
        for (index, needle) in needles.iter().enumerate() {
            assert!(
                needle.bytes.len() >= 10,
                "{} is too short to look for",
                needle.secret
            );
            let start = [needle.bytes[0], needle.bytes[1]];
            is_start[usize::from(u16::from_be_bytes(start))] = true;
            starts.entry(start).or_default().push(index);
        }
        Self {
            needles,
            starts,
            is_start,
        }
    }

    /// In some bytes.
    pub(crate) fn bytes(&self, place: &str, bytes: &[u8]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for at in 1..bytes.len() {
            let start = [bytes[at - 1], bytes[at]];
            if !self.is_start[usize::from(u16::from_be_bytes(start))] {
                continue;
            }
            let rest = &bytes[at - 1..];
            let found = self.starts[&start]
                .iter()
                .map(|index| &self.needles[*index]);
            findings.extend(
                found
                    .filter(|needle| rest.starts_with(&needle.bytes))
                    .map(|needle| Finding {
                        place: place.to_owned(),
                        secret: needle.secret.clone(),
                        form: needle.form,
                        context: String::from_utf8_lossy(
                            &bytes[at.saturating_sub(80)..bytes.len().min(at + 100)],
                        )
                        .into_owned(),
                    }),
            );
        }
        findings
    }

    /// In every file below a folder, their names included, but for files of these names.
    pub(crate) fn files(&self, folder: &Path, except: &[&str]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a name")
                .to_owned();
            findings.extend(self.bytes("a file's name", name.as_bytes()));
            if path.is_dir() {
                findings.extend(self.files(&path, except));
            } else if !except.contains(&name.as_str()) {
                findings.extend(self.bytes(
                    &path.display().to_string(),
                    &fs::read(&path).expect("a file"),
                ));
            }
        }
        findings
    }
}

/// A secret in every form.
fn forms(name: &str, secret: &[u8]) -> Vec<Needle> {
    let each = |print: &dyn Fn(u8) -> String| {
        secret
            .iter()
            .map(|byte| print(*byte))
            .collect::<String>()
            .into_bytes()
    };
    let mut forms = vec![
        ("raw", secret.to_vec()),
        ("upper case", secret.to_ascii_uppercase()),
        ("hex", each(&|byte| format!("{byte:02x}"))),
        ("upper-case hex", each(&|byte| format!("{byte:02X}"))),
        ("percent-encoded", each(&|byte| format!("%{byte:02X}"))),
        (
            "lower-case percent-encoded",
            each(&|byte| format!("%{byte:02x}")),
        ),
        ("JSON escapes", each(&|byte| format!("\\u{byte:04x}"))),
        (
            "UTF-16, little end first",
            secret.iter().flat_map(|byte| [*byte, 0]).collect(),
        ),
        (
            "UTF-16, big end first",
            secret.iter().flat_map(|byte| [0, *byte]).collect(),
        ),
        (
            "decimal bytes",
            secret
                .iter()
                .map(u8::to_string)
                .collect::<Vec<_>>()
                .join(", ")
                .into_bytes(),
        ),
        (
            "decimal bytes of JSON",
            secret
                .iter()
                .map(u8::to_string)
                .collect::<Vec<_>>()
                .join(",")
                .into_bytes(),
        ),
    ];
    for alignment in 0..3 {
        forms.push(("base64", base64(secret, alignment, b"+/")));
        forms.push(("base64url", base64(secret, alignment, b"-_")));
    }
    // What is digits alone reads the same in either case.
    forms.sort_by(|one, other| one.1.cmp(&other.1));
    forms.dedup_by(|one, other| one.1 == other.1);
    let needle = |(form, bytes)| Needle {
        secret: name.to_owned(),
        form,
        bytes,
    };
    forms.into_iter().map(needle).collect()
}

/// The characters that base64 (RFC 4648) has for these bytes alone, with so many others before them.
fn base64(bytes: &[u8], before: usize, last: &[u8; 2]) -> Vec<u8> {
    let bit = |at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    let character = |sextet: u8| match sextet {
        0..26 => b'A' + sextet,
        26..52 => b'a' + sextet - 26,
        52..62 => b'0' + sextet - 52,
        _ => last[usize::from(sextet) - 62],
    };
    // Bits before the first whole character.
    let skip = (6 - before * 8 % 6) % 6;
    let whole = (bytes.len() * 8 - skip) / 6;
    let sextet = |at: usize| {
        (0..6).fold(0, |sextet, bit_of| {
            sextet << 1 | bit(skip + at * 6 + bit_of)
        })
    };
    (0..whole).map(|at| character(sextet(at))).collect()
}

#[cfg(test)]
mod tests {
    use sekisho_core::encoding;

    use super::*;

    const SECRET: &[u8] = b"k4n4ri3?>~v0gel";

    fn search() -> Search {
        Search::new(&[("bird".to_owned(), SECRET.to_vec())])
    }

    /// Bytes that hold something amid others.
    fn around(planted: &[u8]) -> Vec<u8> {
        [b"%PDF\x00\xff k4n4ri3 ", planted, b"\"}\n\x00"].concat()
    }

    #[test]
    fn a_planted_canary_is_found_in_every_form() {
        let text = std::str::from_utf8(SECRET).expect("ASCII");
        let percent: String = SECRET.iter().map(|byte| format!("%{byte:02X}")).collect();
        let mut planted = vec![
            ("raw", SECRET.to_vec()),
            ("upper case", text.to_uppercase().into_bytes()),
            ("hex", b"6b346e347269333f3e7e763067656c".to_vec()),
            ("upper-case hex", b"6B346E347269333F3E7E763067656C".to_vec()),
            ("percent-encoded", percent.clone().into_bytes()),
            (
                "lower-case percent-encoded",
                percent.to_lowercase().into_bytes(),
            ),
            (
                "UTF-16, little end first",
                text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            ),
            (
                "UTF-16, big end first",
                text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            ),
            ("decimal bytes", format!("{SECRET:?}").into_bytes()),
        ];
        // The alignments, by another's encoder: so many bytes stand before it.
        for before in [&b""[..], b"x", b"xy", b"xyz", b"wxyz"] {
            let whole = [before, SECRET, b"and more"].concat();
            planted.push(("base64url", encoding::base64url(&whole).into_bytes()));
        }
        for (form, bytes) in planted {
            let found = search().bytes("here", &around(&bytes));
            assert!(
                found.iter().any(|finding| finding.form == form),
                "{form}: {found:?}"
            );
        }
        // Where a form of the other alphabet differs.
        let standard = encoding::base64url(SECRET)
            .replace('-', "+")
            .replace('_', "/");
        assert_ne!(standard, encoding::base64url(SECRET));
        assert!(
            !search()
                .bytes("here", &around(standard.as_bytes()))
                .is_empty()
        );
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        for innocent in [&b""[..], b"k", b"k4n4ri3?>~v0ge", b"k4n4ri3", &[0; 500]] {
            assert_eq!(search().bytes("here", innocent), []);
        }
    }

    #[test]
    fn files_are_searched_below_a_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("a/b");
        fs::create_dir_all(&below).expect("folders");
        fs::write(below.join("spared"), SECRET).expect("a file");
        assert_eq!(search().files(folder.path(), &["spared"]), []);
        fs::write(below.join("guilty.sqlite-wal"), around(SECRET)).expect("a file");
        fs::write(below.join("k4n4ri3?>~v0gel"), b"").expect("a file");
        let found = search().files(folder.path(), &["spared"]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found
                .iter()
                .any(|finding| finding.place.ends_with("guilty.sqlite-wal"))
        );
    }
}
