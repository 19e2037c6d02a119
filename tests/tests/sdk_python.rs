//! The official Python SDK, unmodified: `sdk/python/story.py`.
#![cfg(feature = "host")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails"
)]

use std::{path::PathBuf, process::Command, sync::LazyLock};

use sekisho_tests::sdk;

/// The interpreter of an environment that has the SDK.
static PYTHON: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    if !sdk::is_there("python3", "--version") {
        return Err("no `python3` on PATH".into());
    }
    let (folder, wanted) = (
        sdk::installed("python"),
        sdk::folder("python").join("requirements.txt"),
    );
    let stamp = std::fs::read_to_string(&wanted).unwrap();
    let python = folder.join("venv/bin/python");
    let mut make = Command::new("python3");
    make.args(["-m", "venv", "--clear"])
        .arg(folder.join("venv"));
    let mut fill = Command::new(&python);
    fill.args([
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--quiet",
        "--requirement",
    ])
    .arg(wanted);
    sdk::install(&folder, &stamp, &mut [make, fill])?;
    Ok(python)
});

fn tell(engine: &str) {
    match &*PYTHON {
        Err(why) => sdk::skip("sdk_python", why),
        Ok(python) => {
            let mut story = Command::new(python);
            // No compiled files in the work tree.
            story
                .arg("-B")
                .arg(sdk::folder("python").join("story.py"))
                .env("PYTHONUTF8", "1");
            sdk::tell(engine, &mut story);
        }
    }
}

#[test]
fn component() {
    tell("component");
}

#[test]
fn native() {
    tell("native");
}
