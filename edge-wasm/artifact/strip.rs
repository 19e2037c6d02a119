//! What no runtime reads is left out of a component: names of functions and of the linker's own parts, and who made it.
//! `strip = true` does not reach all of it: not what the component's own level has, and no name where the profile says
//! something of the package.

use wasm_encoder::{RawSection, Section as _};
use wasmparser::{Parser, Payload};

const MODULE: u8 = 1;
const COMPONENT: u8 = 4;

/// The component and all in it without custom sections.
pub(crate) fn strip(wasm: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(wasm.len());
    // What the binary at hand is part of, and as which section.
    let mut outer = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        match &payload {
            Payload::Version { range, .. } => out.extend_from_slice(part(wasm, range.clone())?),
            Payload::ModuleSection { .. } => outer.push((MODULE, std::mem::take(&mut out))),
            Payload::ComponentSection { .. } => outer.push((COMPONENT, std::mem::take(&mut out))),
            Payload::End(_) => {
                if let Some((id, whole)) = outer.pop() {
                    let inner = std::mem::replace(&mut out, whole);
                    let data = &inner;
                    RawSection { id, data }.append_to(&mut out);
                }
            }
            Payload::CustomSection(_) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    let data = part(wasm, range)?;
                    RawSection { id, data }.append_to(&mut out);
                }
            }
        }
    }
    Ok(out)
}

fn part(wasm: &[u8], range: std::ops::Range<u64>) -> anyhow::Result<&[u8]> {
    wasm.get(usize::try_from(range.start)?..usize::try_from(range.end)?)
        .ok_or_else(|| anyhow::anyhow!("a section ends beyond the file"))
}
