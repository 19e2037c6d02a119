//! The command itself: signals in, masked output and exit code out.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use rustix::{
    process::{Pid, Signal, getpgrp, kill_process},
    termios::tcgetpgrp,
};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use super::super::{choose::quoted, failure::Failure};
use crate::client::{Mask, Masking};

/// Becomes the command: nothing stands between it and the caller. Comes back only when that fails.
pub(super) fn become_it(mut command: Command, program: &OsStr) -> Failure {
    not_started(program, &command.exec())
}

/// Runs the command with its output masked.
pub(super) fn run(mut command: Command, program: &OsStr, mask: &Mask) -> Result<ExitCode, Failure> {
    // Listened for before there is anyone to pass them to: none is lost.
    let listener = Listener::new()?;
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| not_started(program, &error))?;
    drop(command);
    let target = Arc::new(Mutex::new(Pid::from_raw(child.id().cast_signed())));
    listener.pass_to(Arc::clone(&target));
    let status = thread::scope(|scope| {
        let (out, err) = (child.stdout.take(), child.stderr.take());
        scope.spawn(move || out.map(|out| copy(out, io::stdout(), mask.stream())));
        scope.spawn(move || err.map(|err| copy(err, io::stderr(), mask.stream())));
        wait(&mut child, &target)
    });
    let status = status.map_err(|error| not_started(program, &error))?;
    Ok(exit_code(status))
}

fn wait(child: &mut Child, target: &Mutex<Option<Pid>>) -> io::Result<ExitStatus> {
    let status = child.wait();
    // Its number may be another process's from now on.
    if let Ok(mut target) = target.lock() {
        *target = None;
    }
    status
}

/// Until the command closes it, or nobody reads any more.
fn copy(mut from: impl Read, mut to: impl Write, mut masking: Masking<'_>) {
    let mut buffer = Zeroizing::new(vec![0; 16 * 1024]);
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let shown = masking.push(buffer.get(..read).unwrap_or_default());
        // The command's end of the pipe closes with ours: it is told as it would be without us.
        if to.write_all(&shown).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
    let _ = to.write_all(&masking.finish()).and_then(|()| to.flush());
}

/// As shells have it: 128 and the signal's number.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    let code = code.and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

fn not_started(program: &OsStr, error: &io::Error) -> Failure {
    Failure::new(
        format!(
            "the command {} cannot be run: {}",
            quoted(&program.to_string_lossy()),
            error.kind()
        ),
        "check its name and its permissions",
    )
}

/// Signals for this process.
struct Listener {
    runtime: tokio::runtime::Runtime,
    signals: [(Signal, tokio::signal::unix::Signal); 4],
}

impl Listener {
    fn new() -> Result<Self, Failure> {
        let deaf = |error: io::Error| {
            Failure::new(
                format!("signals cannot be received: {}", error.kind()),
                "check the limits of this user",
            )
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(deaf)?;
        let guard = runtime.enter();
        let listen = |kind: SignalKind, passed: Signal| {
            signal(kind).map(|heard| (passed, heard)).map_err(deaf)
        };
        let signals = [
            listen(SignalKind::interrupt(), Signal::INT)?,
            listen(SignalKind::terminate(), Signal::TERM)?,
            listen(SignalKind::hangup(), Signal::HUP)?,
            listen(SignalKind::quit(), Signal::QUIT)?,
        ];
        drop(guard);
        Ok(Self { runtime, signals })
    }

    /// On a thread of its own, which ends with the process.
    fn pass_to(self, target: Arc<Mutex<Option<Pid>>>) {
        thread::spawn(move || {
            let Self {
                runtime,
                signals: [mut int, mut term, mut hup, mut quit],
            } = self;
            runtime.block_on(async {
                loop {
                    let received = tokio::select! {
                        _ = int.1.recv() => int.0,
                        _ = term.1.recv() => term.0,
                        _ = hup.1.recv() => hup.0,
                        _ = quit.1.recv() => quit.0,
                    };
                    pass(received, &target);
                }
            });
        });
    }
}

fn pass(signal: Signal, target: &Mutex<Option<Pid>>) {
    // A terminal sends these to the command too: twice would mean "at once" to many.
    if matches!(signal, Signal::INT | Signal::QUIT) && is_in_foreground() {
        return;
    }
    if let Ok(target) = target.lock()
        && let Some(pid) = *target
    {
        // It may have ended by itself.
        let _ = kill_process(pid, signal);
    }
}

/// Whether this process's terminal, if it has one, sends its signals to this process group.
fn is_in_foreground() -> bool {
    let group = File::open("/dev/tty").and_then(|terminal| Ok(tcgetpgrp(terminal)?));
    group.is_ok_and(|group| group == getpgrp())
}
