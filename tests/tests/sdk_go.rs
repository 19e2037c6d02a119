//! The official Go SDK, unmodified: `sdk/go/main.go`.
#![cfg(feature = "host")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails"
)]

use std::{path::PathBuf, process::Command};

use sekisho_tests::sdk;

/// `go` on the story's module, which it must not change.
fn go(args: &[&str]) -> Command {
    let mut go = Command::new("go");
    go.args(args)
        .current_dir(sdk::folder("go"))
        .env("GOFLAGS", "-mod=readonly -buildvcs=false")
        .env("GOWORK", "off");
    go
}

/// The story's program.
fn program() -> Result<PathBuf, String> {
    if !sdk::is_there("go", "version") {
        return Err("no `go` on PATH".into());
    }
    // The modules' absence is a missing registry; anything after that is a failure.
    let fetched = go(&["mod", "download"]).output().unwrap();
    if !fetched.status.success() {
        return Err(String::from_utf8_lossy(&fetched.stderr).into_owned());
    }
    let program = sdk::installed("go").join("story");
    let built = go(&["build", "-o"])
        .arg(&program)
        .arg(".")
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    Ok(program)
}

#[test]
fn component() {
    match program() {
        Err(why) => sdk::skip("sdk_go", &why),
        Ok(program) => sdk::tell("component", &mut Command::new(program)),
    }
}
