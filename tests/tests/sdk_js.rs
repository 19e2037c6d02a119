//! The official JavaScript SDK, unmodified: `sdk/js/story.js`.
#![cfg(feature = "host")]

use std::process::Command;

use sekisho_tests::sdk;

#[test]
fn component() {
    match sdk::modules() {
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
