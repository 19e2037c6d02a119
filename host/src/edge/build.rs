//! One component for a runtime that is not ours: the edge component with a plug in its imports, composed and checked.
//!
//! The edge component's bytes are the very ones that this host runs. What comes out is checked against what the runtime
//! gives (`wit/runtimes/`), so that what does not fit is found out here and not when it is started.

mod baked;
mod data;

use sekisho_edge_artifact as artifact;
use wac_graph::{
    CompositionGraph, EncodeOptions, plug,
    types::{ItemKind, Package, Type, Types, WorldId, validate_target},
};

pub use self::baked::{BakeError, Baked, bake};
use self::data::data_component;

/// Where the component shall run, and where its records come from.
#[derive(Debug, Clone)]
pub enum Target {
    /// `wasmtime serve`, with records from a host's feed.
    Wasmtime,
    /// Anything that gives WASI HTTP, with records that are part of the component ([`bake`]).
    Bundle(Baked),
    /// Spin, with records from its key-value store; [`artifact::SPIN_PUBLISH_WASM`] takes them in beside it.
    Spin,
}

/// Why no component came about. It is this program's own fault, except for the size.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// It could not be put together.
    #[error("the component cannot be composed: {0}")]
    Compose(String),
    /// It would not start.
    #[error("the component does not fit its runtime: {0}")]
    Misfit(String),
    /// A component has less room than this.
    #[error(
        "the set has {size} bytes, and a component holds {most} at most: publish fewer vaults, or let the edge read a host's feed (--runtime wasmtime)"
    )]
    TooLarge {
        /// Bytes of the set.
        size: usize,
        /// Bytes that fit.
        most: usize,
    },
}

/// The whole component for a runtime.
pub fn build(target: &Target) -> Result<Vec<u8>, BuildError> {
    match target {
        Target::Wasmtime => {
            let whole = compose(artifact::WASM, artifact::PLUG_FEED_WASM)?;
            check(&whole, artifact::RUNTIME_WASMTIME)?;
            Ok(whole)
        }
        Target::Spin => {
            let whole = compose(artifact::WASM, artifact::PLUG_SPIN_WASM)?;
            check(&whole, artifact::RUNTIME_SPIN)?;
            Ok(whole)
        }
        Target::Bundle(set) => {
            let plug = compose(artifact::PLUG_BUNDLE_WASM, &data_component(set)?)?;
            let whole = compose(artifact::WASM, &plug)?;
            check(&whole, artifact::RUNTIME_BUNDLE)?;
            Ok(whole)
        }
    }
}

/// What only our own host calls. Its types are those of an interface that a plug fills, so it cannot go out of a composition.
const ONLY_HERE: &str = "sekisho:vault/exchange@0.1.0";

/// A component with all imports filled that the plug has exports for.
pub fn compose(socket: &[u8], with: &[u8]) -> Result<Vec<u8>, BuildError> {
    let broken = |error: &dyn std::fmt::Display| BuildError::Compose(error.to_string());
    let mut graph = CompositionGraph::new();
    let mut register = |name: &str, bytes: &[u8]| {
        let package = Package::from_bytes(name, None, bytes.to_vec(), graph.types_mut())
            .map_err(|error| broken(&error))?;
        graph
            .register_package(package)
            .map_err(|error| broken(&error))
    };
    let socket = register("sekisho:socket", socket)?;
    let with = register("sekisho:plug", with)?;
    plug(&mut graph, vec![with], socket).map_err(|error| broken(&error))?;
    if let Some(node) = graph.get_export(ONLY_HERE) {
        graph.unexport(node).map_err(|error| broken(&error))?;
    }
    graph
        .encode(EncodeOptions::default())
        .map_err(|error| broken(&error))
}

/// Whether a component imports only what a runtime gives and exports what it wants: by types, and by versions as far as
/// they are compatible. `runtime` is a WIT package of one world in its binary form.
pub fn check(component: &[u8], runtime: &[u8]) -> Result<(), BuildError> {
    let misfit = |error: &dyn std::fmt::Display| BuildError::Misfit(error.to_string());
    let mut types = Types::default();
    let mut load = |name: &str, bytes: &[u8]| {
        Package::from_bytes(name, None, bytes.to_vec(), &mut types)
            .map(|package| package.ty())
            .map_err(|error| misfit(&error))
    };
    let runtime = load("sekisho:runtime", runtime)?;
    let component = load("sekisho:component", component)?;
    let world = only_world(&types, runtime)
        .ok_or_else(|| BuildError::Misfit("the runtime is not described by one world".into()))?;
    validate_target(&types, world, component).map_err(|report| misfit(&report))
}

/// A WIT package as a component exports a type for each world, which exports the world itself.
fn only_world(types: &Types, package: WorldId) -> Option<WorldId> {
    let exports = &types[package].exports;
    let outer = match exports.values().next()? {
        ItemKind::Type(Type::World(world)) | ItemKind::Component(world) => *world,
        _ => return None,
    };
    match types[outer].exports.values().next()? {
        ItemKind::Type(Type::World(world)) | ItemKind::Component(world) => Some(*world),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_composed_fits_its_runtime() {
        build(&Target::Wasmtime).unwrap();
        build(&Target::Bundle(Baked::default())).unwrap();
    }

    #[test]
    fn what_wants_more_than_a_runtime_gives_is_refused() {
        let alone = check(artifact::WASM, artifact::RUNTIME_WASMTIME).unwrap_err();
        assert!(
            alone.to_string().contains("sekisho:vault/records"),
            "{alone}"
        );
        let fed = build(&Target::Wasmtime).unwrap();
        let offline = check(&fed, artifact::RUNTIME_BUNDLE).unwrap_err();
        let offline = offline.to_string();
        // To ask others, and to print.
        for wanted in ["wasi:http/outgoing-handler", "wasi:cli/stderr"] {
            assert!(offline.contains(wanted), "{offline}");
        }
        // A line for each that is wanted, and not what is in it.
        let mut lines = offline.lines();
        assert!(lines.next().is_some_and(|first| first.ends_with(':')));
        assert!(lines.all(|line| line.starts_with("  - wasi:")), "{offline}");
    }

    #[test]
    fn what_gives_less_than_a_runtime_wants_is_refused() {
        let plug = check(artifact::PLUG_FEED_WASM, artifact::RUNTIME_WASMTIME).unwrap_err();
        assert!(plug.to_string().contains("incoming-handler"), "{plug}");
    }
}
