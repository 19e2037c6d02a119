//! Case folding, character by character: upper-cased, then lower-cased.
//!
//! The standard library does the same and is what the tests compare with. Its tables hold both ways: 27 KB, where these
//! are 5 KB. And they change with the compiler, where a title's mark in the blind index must not.

use core::iter;

#[rustfmt::skip]
mod tables;

use tables::{RUNS, SEVERAL};

/// The characters that this one folds to.
pub(crate) fn folded(c: char) -> impl Iterator<Item = char> {
    let [first, more @ ..] = several(c).unwrap_or_else(|| [single(c), '\0', '\0']);
    iter::once(first).chain(more.into_iter().filter(|c| *c != '\0'))
}

fn several(c: char) -> Option<[char; 3]> {
    let found = SEVERAL.binary_search_by_key(&c, |entry| entry.0).ok();
    SEVERAL.get(found?).map(|entry| entry.1)
}

fn single(c: char) -> char {
    let code = u32::from(c);
    let after = RUNS.partition_point(|run| run[0] <= code);
    let run = after.checked_sub(1).and_then(|at| RUNS.get(at));
    let Some([first, last, step, to]) = run else {
        return c;
    };
    let off = code - first;
    if code > *last || off % step != 0 {
        return c;
    }
    char::from_u32(to + off).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use alloc::{string::String, vec::Vec};
    use core::fmt::Write as _;
    use std::{env, fs};

    use super::*;

    const TABLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/case/tables.rs");

    fn expected(c: char) -> Vec<char> {
        c.to_uppercase().flat_map(char::to_lowercase).collect()
    }

    /// The tables, from those of the standard library.
    fn made() -> String {
        let (mut runs, mut several) = (Vec::<[u32; 4]>::new(), String::new());
        for c in '\0'..=char::MAX {
            let to = match expected(c)[..] {
                [to] if to == c => continue,
                [to] => u32::from(to),
                [first, second] => {
                    writeln!(several, "    ({c:?}, [{first:?}, {second:?}, '\\0']),").unwrap();
                    continue;
                }
                [first, second, third] => {
                    writeln!(several, "    ({c:?}, [{first:?}, {second:?}, {third:?}]),").unwrap();
                    continue;
                }
                _ => panic!("{c:?} folds to more than three"),
            };
            let code = u32::from(c);
            if let Some([first, last, step, begin]) = runs.last_mut()
                && to.wrapping_sub(code) == begin.wrapping_sub(*first)
                && (1..=2).contains(&(code - *last))
                && (first == last || code - *last == *step)
            {
                (*last, *step) = (code, code - *last);
            } else {
                runs.push([code, code, 1, to]);
            }
        }
        let mut out = String::from(
            "//! Made by `SEKISHO_WRITE_CASE=1 cargo test -p sekisho-core case`.\n\n/// The first and last of a run \
             of characters, the step from one to the next, and what the first folds to.\n\
             pub(super) static RUNS: &[[u32; 4]] = &[\n",
        );
        for line in runs.chunks(4) {
            let line: Vec<String> = line
                .iter()
                .map(|[first, last, step, to]| {
                    std::format!("[{first:#x}, {last:#x}, {step}, {to:#x}],")
                })
                .collect();
            writeln!(out, "    {}", line.join(" ")).unwrap();
        }
        out.push_str(
            "];\n\n/// What folds to several characters; '\\0' where there are no more.\n\
             pub(super) static SEVERAL: &[(char, [char; 3])] = &[\n",
        );
        out + &several + "];\n"
    }

    #[test]
    fn the_tables_kept_are_the_ones_made() {
        let made = made();
        if env::var_os("SEKISHO_WRITE_CASE").is_some() {
            fs::write(TABLES, &made).unwrap();
        }
        assert!(
            fs::read_to_string(TABLES).unwrap() == made,
            "tables.rs is not what this compiler's library has: a new Unicode version?"
        );
    }

    #[test]
    fn every_character() {
        for c in '\0'..=char::MAX {
            assert_eq!(folded(c).collect::<Vec<_>>(), expected(c), "{c:?}");
        }
    }
}
