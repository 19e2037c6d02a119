//! Normalisation form C (UAX 15).
//!
//! `unicode-normalization` does the same and is what the tests compare with, character by character and in sequences.
//! Its tables are made for speed and hold the compatibility forms as well: 112 KB, a fifth of what the component may
//! have. These are 16 KB.

use alloc::{borrow::Cow, string::String, vec::Vec};

#[rustfmt::skip]
mod tables;

use tables::{APART, CLASSES, PAIRS, PAIRS_BEYOND, SINGLES, SUPPLEMENT, WHOLES};

/// The text in normalisation form C.
pub(crate) fn nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(nfc_of(text.chars()))
    }
}

/// These characters in normalisation form C.
pub(crate) fn nfc_of(text: impl Iterator<Item = char>) -> String {
    let mut composed = Composed::default();
    for c in text {
        decompose(c, &mut composed);
    }
    composed.finish()
}

/// Nothing before this character decomposes or has a class.
const FIRST: char = '\u{c0}';
/// CJK compatibility ideographs, supplement: each is another spelling of one character.
const SUPPLEMENT_BASE: u32 = 0x2_f800;

/// Where a syllable's parts and the syllables themselves begin, and how many there are (UAX 15 §16).
mod hangul {
    pub(super) const S: u32 = 0xac00;
    pub(super) const L: u32 = 0x1100;
    pub(super) const V: u32 = 0x1161;
    /// One before the first: a syllable may have none.
    pub(super) const T: u32 = 0x11a7;
    pub(super) const L_COUNT: u32 = 19;
    pub(super) const V_COUNT: u32 = 21;
    pub(super) const T_COUNT: u32 = 28;
    pub(super) const S_COUNT: u32 = L_COUNT * V_COUNT * T_COUNT;
}

fn combining_class(c: char) -> u8 {
    if c < FIRST {
        return 0;
    }
    // Each entry is where a run of one class begins, above the class.
    let after = CLASSES.partition_point(|run| run >> 8 <= u32::from(c));
    let run = after.checked_sub(1).and_then(|at| CLASSES.get(at));
    run.map_or(0, |run| (run & 0xff) as u8)
}

/// Hands over the characters that this one stands for.
fn decompose(c: char, composed: &mut Composed) {
    match parts(c) {
        None => composed.push(c),
        Some((first, second)) => {
            // At most four deep.
            decompose(first, composed);
            if let Some(second) = second {
                composed.push(second);
            }
        }
    }
}

/// One step of decomposing; a second part does not decompose further.
fn parts(c: char) -> Option<(char, Option<char>)> {
    if c < FIRST {
        return None;
    }
    let code = u32::from(c);
    let syllable = code.wrapping_sub(hangul::S);
    if syllable < hangul::S_COUNT {
        return syllable_parts(syllable);
    }
    let pair = |first: u32, second: u32| {
        let second = char::from_u32(second).filter(|second| *second != '\0');
        char::from_u32(first).map(|first| (first, second))
    };
    if let Ok(short) = u16::try_from(code) {
        let whole = |at: &u16| PAIRS.get(usize::from(*at));
        let found = WHOLES.binary_search_by_key(&short, |at| whole(at).map_or(0, |pair| pair[2]));
        let found = found.ok().and_then(|at| WHOLES.get(at)).and_then(whole);
        if let Some([second, first, _]) = found {
            return pair(u32::from(*first), u32::from(*second));
        }
        let found = SINGLES.binary_search_by_key(&short, |single| single[0]);
        if let Some([_, other]) = found.ok().and_then(|at| SINGLES.get(at)) {
            return pair(u32::from(*other), 0);
        }
    }
    let supplement = code.checked_sub(SUPPLEMENT_BASE);
    if let Some(other) = supplement.and_then(|at| SUPPLEMENT.get(at as usize)) {
        return pair(*other, 0);
    }
    [PAIRS_BEYOND, APART].into_iter().find_map(|table| {
        let found = table.binary_search_by_key(&code, |entry| entry[0]).ok();
        let [_, first, second] = table.get(found?)?;
        pair(*first, *second)
    })
}

fn syllable_parts(syllable: u32) -> Option<(char, Option<char>)> {
    use hangul::{L, S, T, T_COUNT, V, V_COUNT};
    let (rest, t) = (syllable / T_COUNT, syllable % T_COUNT);
    let (first, second) = if t == 0 {
        (L + rest / V_COUNT, V + rest % V_COUNT)
    } else {
        (S + rest * T_COUNT, T + t)
    };
    Some((char::from_u32(first)?, char::from_u32(second)))
}

/// The character that these two compose to.
fn compose(first: char, second: char) -> Option<char> {
    if second < FIRST {
        return None;
    }
    let (a, b) = (u32::from(first), u32::from(second));
    if let Some(syllable) = compose_syllable(a, b) {
        return char::from_u32(syllable);
    }
    if let (Ok(first), Ok(second)) = (u16::try_from(a), u16::try_from(b)) {
        let found = PAIRS.binary_search_by_key(&(second, first), |pair| (pair[0], pair[1]));
        let found = found.ok().and_then(|at| PAIRS.get(at));
        return found.and_then(|pair| char::from_u32(pair[2].into()));
    }
    let mut beyond = PAIRS_BEYOND.iter();
    let found = beyond.find(|entry| (entry[1], entry[2]) == (a, b));
    found.and_then(|entry| char::from_u32(entry[0]))
}

fn compose_syllable(a: u32, b: u32) -> Option<u32> {
    use hangul::{L, L_COUNT, S, S_COUNT, T, T_COUNT, V, V_COUNT};
    let (l, v) = (a.wrapping_sub(L), b.wrapping_sub(V));
    if l < L_COUNT && v < V_COUNT {
        return Some(S + (l * V_COUNT + v) * T_COUNT);
    }
    let (s, t) = (a.wrapping_sub(S), b.wrapping_sub(T));
    let is_open = s < S_COUNT && s % T_COUNT == 0;
    (is_open && (1..T_COUNT).contains(&t)).then(|| a + t)
}

/// What has been composed so far.
#[derive(Default)]
struct Composed {
    done: String,
    /// The last character that marks can be composed with (combining class 0).
    starter: Option<char>,
    /// What follows it, with the combining class of each.
    marks: Vec<(u8, char)>,
}

impl Composed {
    fn push(&mut self, c: char) {
        let class = combining_class(c);
        if class != 0 {
            self.marks.push((class, c));
            return;
        }
        self.settle();
        // A starter composes with the one before only if nothing stands between them.
        let whole = self
            .starter
            .filter(|_| self.marks.is_empty())
            .and_then(|before| compose(before, c));
        if whole.is_none() {
            self.flush();
        }
        self.starter = whole.or(Some(c));
    }

    /// Composes the marks with their starter, in canonical order; what does not compose is kept in that order.
    fn settle(&mut self) {
        if self.marks.is_empty() {
            return;
        }
        let mut kept = Vec::with_capacity(self.marks.len());
        let mut class = 0;
        // There are some fifty classes, so this is linear in the marks; and it is a tenth of the code of a sort.
        while let Some(next) = self.classes_after(class) {
            class = next;
            let mut is_blocked = false;
            for (_, mark) in self.marks.iter().filter(|(of, _)| *of == class) {
                let whole = self
                    .starter
                    .filter(|_| !is_blocked)
                    .and_then(|starter| compose(starter, *mark));
                if whole.is_some() {
                    self.starter = whole;
                } else {
                    // One that stays blocks the others of its class.
                    is_blocked = true;
                    kept.push((class, *mark));
                }
            }
        }
        self.marks = kept;
    }

    fn classes_after(&self, class: u8) -> Option<u8> {
        let classes = self.marks.iter().map(|(of, _)| *of);
        classes.filter(|of| *of > class).min()
    }

    fn flush(&mut self) {
        self.done.extend(self.starter.take());
        self.done.extend(self.marks.drain(..).map(|(_, mark)| mark));
    }

    fn finish(mut self) -> String {
        self.settle();
        self.flush();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use alloc::{
        collections::{BTreeMap, BTreeSet},
        format,
    };
    use core::fmt::{LowerHex, Write as _};
    use std::{env, fs};

    use proptest::prelude::*;
    use unicode_normalization::{
        UnicodeNormalization,
        char::{canonical_combining_class, compose as composed_by_crate, decompose_canonical},
    };

    use super::*;

    const TABLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/nfc/tables.rs");

    fn table<T: LowerHex, const N: usize>(out: &mut String, head: &str, rows: &[[T; N]]) {
        let (row_type, unit) = match N {
            1 => ("", 12),
            _ => ("[", 12 / N),
        };
        writeln!(out, "{head}").unwrap();
        for line in rows.chunks(unit) {
            let rows = line.iter().map(|row| {
                let numbers: Vec<String> = row.iter().map(|n| format!("{n:#x}")).collect();
                let close = if row_type.is_empty() { "" } else { "]" };
                format!("{row_type}{}{close},", numbers.join(", "))
            });
            writeln!(out, "    {}", rows.collect::<Vec<_>>().join(" ")).unwrap();
        }
        out.push_str("];\n");
    }

    /// The tables, from those of `unicode-normalization`.
    fn made() -> String {
        let (mut classes, mut class) = (Vec::new(), 0);
        let (mut pairs, mut beyond, mut apart) = (Vec::new(), Vec::new(), Vec::new());
        let (mut singles, mut supplement) = (Vec::new(), Vec::new());
        let mut by_parts = BTreeMap::new();
        let all = || ('\0'..=char::MAX).filter(|c| !('\u{ac00}'..='\u{d7a3}').contains(c));
        for c in all() {
            by_parts.entry(full(c)).or_insert(c);
        }
        for c in all() {
            let code = u32::from(c);
            if canonical_combining_class(c) != class {
                class = canonical_combining_class(c);
                classes.push([code << 8 | u32::from(class)]);
            }
            let parts = full(c);
            let (second, rest) = parts.split_last().unwrap();
            if parts == [c] {
                continue;
            }
            if rest.is_empty() {
                let other = u32::from(*second);
                match (u16::try_from(code), u16::try_from(other)) {
                    (Ok(code), Ok(other)) => singles.push([code, other]),
                    _ if code == SUPPLEMENT_BASE + supplement.len() as u32 => {
                        supplement.push([other]);
                    }
                    _ => apart.push([code, other, 0]),
                }
                continue;
            }
            // Of all that decompose so, the one that is composed.
            let composed: Vec<char> = rest.iter().copied().nfc().collect();
            let first = match composed[..] {
                [first] => first,
                _ => by_parts[rest],
            };
            let (first, second) = (u32::from(first), u32::from(*second));
            let short = (
                u16::try_from(code),
                u16::try_from(first),
                u16::try_from(second),
            );
            let is_composed = composed_by_crate(
                char::from_u32(first).unwrap(),
                char::from_u32(second).unwrap(),
            ) == Some(c);
            match short {
                _ if !is_composed => apart.push([code, first, second]),
                (Ok(code), Ok(first), Ok(second)) => pairs.push([second, first, code]),
                _ => beyond.push([code, first, second]),
            }
        }
        pairs.sort_unstable();
        let mut wholes: Vec<[u16; 1]> = (0..pairs.len()).map(|at| [at as u16]).collect();
        wholes.sort_unstable_by_key(|at| pairs[usize::from(at[0])][2]);
        let mut out =
            String::from("//! Made by `SEKISHO_WRITE_NFC=1 cargo test -p sekisho-core nfc`.\n\n");
        let o = &mut out;
        table(
            o,
            "/// Where each run of one combining class begins, and the class in the lowest 8 bits.\npub(super) static CLASSES: &[u32] = &[",
            &classes,
        );
        table(
            o,
            "\n/// Second part, first part, and what they compose to.\npub(super) static PAIRS: &[[u16; 3]] = &[",
            &pairs,
        );
        table(
            o,
            "\n/// Places in `PAIRS` by what is composed.\npub(super) static WHOLES: &[u16] = &[",
            &wholes,
        );
        table(
            o,
            "\n/// What is composed beyond U+FFFF, and its two parts.\npub(super) static PAIRS_BEYOND: &[[u32; 3]] = &[",
            &beyond,
        );
        table(
            o,
            "\n/// What decomposes and is never composed, and its parts; 0 = no second one.\npub(super) static APART: &[[u32; 3]] = &[",
            &apart,
        );
        table(
            o,
            "\n/// What is another spelling of one character.\npub(super) static SINGLES: &[[u16; 2]] = &[",
            &singles,
        );
        table(
            o,
            "\n/// The same from U+2F800 on.\npub(super) static SUPPLEMENT: &[u32] = &[",
            &supplement,
        );
        out
    }

    #[test]
    fn the_tables_kept_are_the_ones_made() {
        let made = made();
        if env::var_os("SEKISHO_WRITE_NFC").is_some() {
            fs::write(TABLES, &made).unwrap();
        }
        assert!(
            fs::read_to_string(TABLES).unwrap() == made,
            "tables.rs is not what unicode-normalization has: write it anew"
        );
    }

    fn check(text: &str) {
        let expected: String = text.nfc().collect();
        assert_eq!(nfc(text), expected, "{}", text.escape_unicode());
    }

    fn full(c: char) -> Vec<char> {
        let mut parts = Vec::new();
        decompose_canonical(c, |part| parts.push(part));
        parts
    }

    /// Every character that normalisation can change, or that can change how another one is normalised.
    fn concerned() -> Vec<char> {
        let mut concerned = BTreeSet::new();
        for c in '\0'..=char::MAX {
            let parts = full(c);
            if canonical_combining_class(c) != 0 || parts != [c] {
                concerned.insert(c);
                concerned.extend(parts);
            }
        }
        concerned.into_iter().collect()
    }

    #[test]
    fn every_character_alone() {
        let mut text = String::new();
        for c in '\0'..=char::MAX {
            text.clear();
            text.push(c);
            check(&text);
        }
    }

    /// Each with each second half of a composition, and with a mark of each class before that.
    #[test]
    fn every_character_followed_by_marks() {
        let concerned = concerned();
        let hangul = |c: &char| ('\u{ac00}'..='\u{d7a3}').contains(c);
        let mut second: BTreeSet<char> = ('\u{1161}'..='\u{1175}')
            .chain('\u{11a7}'..='\u{11c2}')
            .collect();
        second.extend(concerned.iter().filter(|c| !hangul(c)).filter_map(|c| {
            // A decomposition's last character is the second half of its last step.
            full(*c)
                .split_first()
                .and_then(|(_, rest)| rest.last().copied())
        }));
        let mut seen = BTreeSet::new();
        let one_of_each_class: Vec<char> = concerned
            .iter()
            .copied()
            .filter(|c| seen.insert(canonical_combining_class(*c)))
            .collect();
        let few = concerned
            .iter()
            .filter(|c| !hangul(c) || (u32::from(**c) - 0xac00) % 97 < 2);
        for first in few {
            for second in &second {
                check(&String::from_iter([*first, *second]));
            }
            for between in &one_of_each_class {
                check(&String::from_iter([
                    *first, *between, '\u{301}', *first, '\u{327}', *between,
                ]));
            }
        }
    }

    proptest! {
        #[test]
        fn any_text(text in ".*") {
            check(&text);
        }

        #[test]
        fn many_marks(
            picked in proptest::collection::vec(any::<proptest::sample::Index>(), 0..40),
        ) {
            static CONCERNED: std::sync::LazyLock<Vec<char>> = std::sync::LazyLock::new(concerned);
            let text: String = picked.iter().map(|index| *index.get(&CONCERNED)).collect();
            check(&text);
        }

        #[test]
        fn many_marks_on_few_letters(text in "[aeou\u{1100}\u{1161}\u{11a8}\u{300}-\u{345}\u{5b0}-\u{5b9}\u{3099}]{0,60}") {
            check(&text);
        }
    }
}
