//! The official Python SDK, unmodified: `sdk/python/story.py`.
#![cfg(feature = "host")]
use std::process::Command;

use sekisho_tests::sdk;

fn tell(engine: &str) {
    match sdk::python() {
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
