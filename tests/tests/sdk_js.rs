//! The official JavaScript SDK, unmodified: `sdk/js/story.js`.
#![cfg(feature = "host")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that panics is a test that fails"
)]

use std::{fs, path::PathBuf, process::Command};

use sekisho_tests::sdk;

/// The folder with the SDK in it: the committed lock says of which content, not of which registry.
fn modules() -> Result<PathBuf, String> {
    for program in ["node", "npm"] {
        if !sdk::is_there(program, "--version") {
            return Err(format!("no `{program}` on PATH"));
        }
    }
    let folder = sdk::installed("js");
    let mut stamp = String::new();
    for name in ["package.json", "package-lock.json"] {
        let wanted = fs::read_to_string(sdk::folder("js").join(name)).unwrap();
        fs::write(folder.join(name), &wanted).unwrap();
        stamp.push_str(&wanted);
    }
    let mut install = Command::new("npm");
    install
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder);
    sdk::install(&folder, &stamp, &mut [install])?;
    Ok(folder.join("node_modules"))
}

#[test]
fn component() {
    match modules() {
        Err(why) => sdk::skip("sdk_js", &why),
        Ok(modules) => {
            let mut story = Command::new("node");
            story
                .arg(sdk::folder("js").join("story.js"))
                .env("NODE_PATH", modules);
            sdk::tell("component", &mut story);
        }
    }
}
