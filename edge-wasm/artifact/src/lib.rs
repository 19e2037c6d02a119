//! The edge component, built for `wasm32-wasip2` by this crate's build script.

/// The component that carries Sekisho's API.
pub const WASM: &[u8] = include_bytes!(env!("SEKISHO_COMPONENT_WASM"));

/// Where it lies on the machine that built it: for tests and tools that want a file.
pub const WASM_PATH: &str = env!("SEKISHO_COMPONENT_WASM");

/// The plug that reads from a host's feed.
pub const PLUG_FEED_WASM: &[u8] = include_bytes!(env!("SEKISHO_PLUG_FEED_WASM"));

/// The plug that reads what is part of the component.
pub const PLUG_BUNDLE_WASM: &[u8] = include_bytes!(env!("SEKISHO_PLUG_BUNDLE_WASM"));

/// What `wasmtime serve` gives to a component and wants of it, as WIT in its binary form.
pub const RUNTIME_WASMTIME: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/wasmtime.world.wasm"));

/// The same for a component that holds all its records.
pub const RUNTIME_BUNDLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bundle.world.wasm"));

/// A clock that stands still and random bytes that repeat themselves: for tests, in place of a runtime's own.
pub const FROZEN_WASM: &[u8] = include_bytes!(env!("SEKISHO_FROZEN_WASM"));

/// The plug that reads from Spin's key-value store.
pub const PLUG_SPIN_WASM: &[u8] = include_bytes!(env!("SEKISHO_PLUG_SPIN_WASM"));

/// The component that takes published sets into that store. It is whole as it is.
pub const SPIN_PUBLISH_WASM: &[u8] = include_bytes!(env!("SEKISHO_SPIN_PUBLISH_WASM"));

/// What Spin gives to a component and wants of it.
pub const RUNTIME_SPIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/spin.world.wasm"));

/// A component that answers `hello` to everything, carried the same way: the benches' yardstick.
pub const HELLO_WASM: &[u8] = include_bytes!(env!("SEKISHO_HELLO_WASM"));

/// A component that does what no read can do without, and nothing else: how near the edge component could come to it.
pub const LEAST_WASM: &[u8] = include_bytes!(env!("SEKISHO_LEAST_WASM"));

/// A component that asks `FETCH_FROM` once and answers `hello`: what one question costs.
pub const FETCH_WASM: &[u8] = include_bytes!(env!("SEKISHO_FETCH_WASM"));

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that the component may have (ADR 0023).
    const MOST: usize = 600_000;

    #[test]
    fn the_component_is_small() {
        assert!(WASM.len() <= MOST, "{} bytes", WASM.len());
        let whole = WASM.starts_with(b"\0asm\x0d\0\x01\0");
        assert!(whole, "it is a component");
    }

    /// Neither it nor what holds its records (`edge-wasm/component/src/mute.rs`).
    #[test]
    fn it_cannot_print() {
        const OUT: &[u8] = b"wasi:cli/";
        for wasm in [WASM, PLUG_BUNDLE_WASM] {
            assert!(!wasm.windows(OUT.len()).any(|bytes| bytes == OUT));
        }
        assert!(HELLO_WASM.windows(OUT.len()).any(|bytes| bytes == OUT));
    }

    #[test]
    fn nothing_of_the_machine_is_in_it() {
        for wasm in [
            WASM,
            PLUG_FEED_WASM,
            PLUG_BUNDLE_WASM,
            PLUG_SPIN_WASM,
            SPIN_PUBLISH_WASM,
        ] {
            for path in [env!("CARGO_MANIFEST_DIR"), "registry/src"] {
                let is_there = wasm
                    .windows(path.len())
                    .any(|bytes| bytes == path.as_bytes());
                assert!(!is_there, "{path}");
            }
        }
    }
}
