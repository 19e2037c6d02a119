//! Compiling in a process of its own.
//!
//! A compiler leaves 30 MiB of fragments behind in the process that it ran in (measured: `benches/memory.rs`), and has no
//! business beside secrets. So a program that says so at its start ([`compile_if_asked`]) is started once more for it:
//! the component goes in on standard input, machine code comes back on standard output, and the child is gone. It gets
//! no environment. Whatever goes wrong there, the component is compiled here instead.

use std::{
    env,
    io::{self, Read, Write},
    process::{Child, Command, ExitCode, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use super::Sandbox;

/// The one argument that asks this program to compile; no name of a command.
const ASKED: &str = "__compile-component";
/// The component takes 2 s on a slow machine; a child that takes so long does not come back.
const PATIENCE: Duration = Duration::from_secs(120);
/// Far more than machine code of ours has, in bytes.
const MOST: u64 = 256 * 1024 * 1024;

static CAN_BE_ASKED: AtomicBool = AtomicBool::new(false);

/// For the first line of `main`: compiles and says how it went if this process was started for that, else notes that
/// this program may be started again for it.
pub fn compile_if_asked() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_some_and(|word| word == ASKED) && arguments.next().is_none() {
        return Some(match compile() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        });
    }
    CAN_BE_ASKED.store(true, Ordering::Relaxed);
    None
}

fn compile() -> wasmtime::Result<()> {
    let mut wasm = Vec::new();
    io::stdin().lock().take(MOST).read_to_end(&mut wasm)?;
    let code = Sandbox::default().engine()?.precompile_component(&wasm)?;
    io::stdout().lock().write_all(&code)?;
    Ok(())
}

/// Machine code from a child of this very program, if that can be had.
pub(super) fn compiled_elsewhere(wasm: &[u8]) -> Option<Vec<u8>> {
    if !CAN_BE_ASKED.load(Ordering::Relaxed) {
        return None;
    }
    let code = ask_child(wasm)
        .inspect_err(|error| tracing::debug!(kind = ?error.kind(), "no child compiles"))
        .ok()?;
    (!code.is_empty()).then_some(code)
}

fn ask_child(wasm: &[u8]) -> io::Result<Vec<u8>> {
    let mut child = Command::new(env::current_exe()?)
        .arg(ASKED)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let code = converse(&mut child, wasm);
    let status = end(&mut child, Instant::now() + PATIENCE)?;
    match code {
        Ok(code) if status => Ok(code),
        Ok(_) => Err(io::Error::other("the child failed")),
        Err(error) => Err(error),
    }
}

fn converse(child: &mut Child, wasm: &[u8]) -> io::Result<Vec<u8>> {
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    let reader = thread::Builder::new().name("sekisho-compiler".to_owned());
    let reader = reader.spawn(move || {
        let mut code = Vec::new();
        stdout.take(MOST).read_to_end(&mut code).map(|_| code)
    })?;
    stdin.write_all(wasm)?;
    drop(stdin);
    let until = Instant::now() + PATIENCE;
    while !reader.is_finished() {
        if Instant::now() >= until {
            // Its end of the pipe closes with it, and the reader comes back.
            child.kill()?;
            break;
        }
        thread::sleep(Duration::from_millis(5));
    }
    reader
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the reader broke")))
}

/// Whether the child ended well; it does end, one way or the other.
fn end(child: &mut Child, until: Instant) -> io::Result<bool> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if Instant::now() >= until {
            child.kill()?;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::Engine;

    use super::{super::compiled, *};

    #[test]
    fn what_a_child_would_compile_fits_the_engine_that_asks() {
        let sandbox = Sandbox::default();
        let code = sandbox
            .engine()
            .unwrap()
            .precompile_component(b"\0asm\x0d\0\x01\0")
            .unwrap();
        let here = sandbox.engine().unwrap();
        assert!(Engine::detect_precompiled(&code).is_some());
        assert!(compiled::from_own_child(&here, &code).is_ok());
    }

    #[test]
    fn a_program_that_does_not_say_so_is_not_started_again() {
        assert!(compiled_elsewhere(b"\0asm\x0d\0\x01\0").is_none());
    }
}
