//! The passphrase of a key file: from a variable, from a file, or typed where nobody sees it.
//!
//! While it is typed the terminal neither echoes nor sends signals, and Ctrl-C ends the line: so the terminal is put
//! back as it was before this program ends, however it ends.

use std::{
    env,
    io::{self, IsTerminal, Write},
    path::PathBuf,
};

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};
use sekisho_core::secret::SecretText;
use zeroize::Zeroizing;

use super::failure::Failure;

/// Longest passphrase, in bytes: a terminal's line is no longer.
const MAX: usize = 4096;
/// What Ctrl-C sends.
const INTERRUPT: u8 = 3;

/// What the key file is under now: `SEKISHO_PASSPHRASE`, `SEKISHO_PASSPHRASE_FILE`, or what is typed. None where there
/// is nobody to type.
pub(super) fn current(what: &str) -> Result<Option<SecretText>, Failure> {
    match set("SEKISHO_PASSPHRASE")? {
        Some(text) => Ok(Some(text)),
        None => typed(&format!("Passphrase of {what}: ")),
    }
}

/// What it shall be under: `SEKISHO_NEW_PASSPHRASE` or its file, or the variables above, or what is typed twice.
pub(super) fn new() -> Result<SecretText, Failure> {
    for name in ["SEKISHO_NEW_PASSPHRASE", "SEKISHO_PASSPHRASE"] {
        if let Some(text) = set(name)? {
            return Ok(text);
        }
    }
    let none = || {
        Failure::usage(
            "there is no passphrase",
            "run it in a terminal, or set SEKISHO_NEW_PASSPHRASE_FILE to a file that holds it",
        )
    };
    let first = typed("New passphrase: ")?.ok_or_else(none)?;
    let second = typed("The same again: ")?.ok_or_else(none)?;
    if first.is_empty() {
        return Err(Failure::usage(
            "the passphrase is empty",
            "type some words that nobody else would choose",
        ));
    }
    // EXPOSE: compared with what the same person typed; there is no one to time it.
    if first.expose() == second.expose() {
        Ok(first)
    } else {
        Err(Failure::new(
            "the two passphrases differ",
            "nothing was changed: try again",
        ))
    }
}

/// By a variable, or by the file that the variable with `_FILE` names. Empty counts as absent.
fn set(name: &str) -> Result<Option<SecretText>, Failure> {
    let variable = |name: &str| env::var_os(name).filter(|text| !text.is_empty());
    if let Some(text) = variable(name) {
        let text = text.into_string().map_err(|_| {
            Failure::usage(
                format!("the variable {name} is not UTF-8"),
                "set it to plain text",
            )
        })?;
        return Ok(Some(SecretText::new(text)));
    }
    let Some(path) = variable(&format!("{name}_FILE")).map(PathBuf::from) else {
        return Ok(None);
    };
    let bytes = std::fs::read(&path).map(Zeroizing::new);
    let bytes = bytes.map_err(|error| Failure::io(&path, &error))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Failure::new(
            format!("{} is not UTF-8", path.display()),
            "write the passphrase as plain text",
        )
    })?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Failure::new(
            format!("{} is empty", path.display()),
            "write the passphrase into it",
        ));
    }
    Ok(Some(SecretText::new(text)))
}

fn typed(prompt: &str) -> Result<Option<SecretText>, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let failed = |error: io::Error| {
        Failure::new(
            format!("the passphrase could not be read: {}", error.kind()),
            "run it in a terminal, or set SEKISHO_PASSPHRASE_FILE",
        )
    };
    let quiet = Quiet::begin().map_err(|error| failed(error.into()))?;
    let mut out = io::stderr().lock();
    write!(out, "{prompt}")
        .and_then(|()| out.flush())
        .map_err(failed)?;
    let line = read_line().map_err(failed);
    drop(quiet);
    // The line break that was typed was not echoed.
    let _ = writeln!(out);
    match line?.as_slice() {
        [.., INTERRUPT] => Err(Failure::new(
            "the passphrase was not given",
            "nothing was done: try again",
        )),
        typed => {
            let text = typed.strip_suffix(b"\n").unwrap_or(typed);
            let text = std::str::from_utf8(text).map_err(|_| {
                Failure::new("the passphrase is not UTF-8", "check the terminal's locale")
            })?;
            Ok(Some(SecretText::new(text)))
        }
    }
}

/// One line, past every buffer: what is typed lies in one place, and that is wiped.
fn read_line() -> io::Result<Zeroizing<Vec<u8>>> {
    let mut buffer = Zeroizing::new([0u8; MAX]);
    let length = rustix::io::retry_on_intr(|| rustix::io::read(io::stdin(), &mut buffer[..]))?;
    Ok(Zeroizing::new(
        buffer.get(..length).unwrap_or_default().to_vec(),
    ))
}

/// The terminal without echo and signals, for as long as this lives.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> rustix::io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ISIG);
        quiet.local_modes.insert(LocalModes::ICANON);
        quiet.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // There is nobody to tell; the shell puts its own settings back.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
