//! Builds the components by a nested cargo and tells the crate where they lie.
//!
//! The nested cargo has a target directory of its own (the outer one is locked while this runs) and an environment
//! swept clean of what the outer cargo set for the host's target. `SEKISHO_EDGE_PREBUILT` names a directory that holds
//! the components already; then nothing is built.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use wit_parser::Resolve;

mod strip;

const TARGET: &str = "wasm32-wasip2";
const PREBUILT: &str = "SEKISHO_EDGE_PREBUILT";
/// Package, file, and the variable that carries its path to `lib.rs`.
const COMPONENTS: [(&str, &str, &str); 9] = [
    (
        "sekisho-component",
        "sekisho_component.wasm",
        "SEKISHO_COMPONENT_WASM",
    ),
    (
        "sekisho-plug-feed",
        "sekisho_plug_feed.wasm",
        "SEKISHO_PLUG_FEED_WASM",
    ),
    (
        "sekisho-plug-bundle",
        "sekisho_plug_bundle.wasm",
        "SEKISHO_PLUG_BUNDLE_WASM",
    ),
    (
        "sekisho-frozen",
        "sekisho_frozen.wasm",
        "SEKISHO_FROZEN_WASM",
    ),
    (
        "sekisho-plug-spin",
        "sekisho_plug_spin.wasm",
        "SEKISHO_PLUG_SPIN_WASM",
    ),
    (
        "sekisho-spin-publish",
        "sekisho_spin_publish.wasm",
        "SEKISHO_SPIN_PUBLISH_WASM",
    ),
    ("sekisho-hello", "sekisho_hello.wasm", "SEKISHO_HELLO_WASM"),
    ("sekisho-least", "sekisho_least.wasm", "SEKISHO_LEAST_WASM"),
    ("sekisho-fetch", "sekisho_fetch.wasm", "SEKISHO_FETCH_WASM"),
];
/// What runtimes give, `wit/runtimes/<name>.wit`, as the components that the check of a composition reads.
const RUNTIMES: [&str; 3] = ["wasmtime", "bundle", "spin"];
/// simd128 is what every runtime takes; it makes AES a quarter faster (runtimes.md §3.2). SHA-256 is quicker in its compact
/// form (ADR 23). The stack is a quarter of what the linker gives: a runtime looks through the whole memory for what to wipe
/// after each request, which is a fifteenth of a read's cost with a stack of 1 MiB. The deepest JSON and filters that are
/// taken fit (`tests/abuse.rs`). Offsets that the linker may still have had to change are written in as few bytes as they
/// need: 7 % of the size.
const FLAGS: [&str; 5] = [
    "-Ctarget-feature=+simd128",
    "--cfg=sha2_256_backend=\"soft\"",
    "--cfg=sha2_backend_soft=\"compact\"",
    "-Clink-arg=-zstack-size=262144",
    "-Clink-arg=--compress-relocations",
];
/// What the components are made of, from the workspace's root.
const SOURCES: [&str; 16] = [
    "Cargo.toml",
    "Cargo.lock",
    "core/Cargo.toml",
    "core/cipher/Cargo.toml",
    "core/cipher/src",
    "core/src",
    "edge-wasm/Cargo.toml",
    "edge-wasm/src",
    "edge-wasm/component",
    "edge-wasm/plugs",
    "benches/fetch-component",
    "benches/hello-component",
    "benches/least-component",
    "tests/frozen",
    "tests/src/rng.rs",
    "wit",
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("cargo::error={message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let root = workspace_root()?;
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    let directory = match env::var_os(PREBUILT) {
        Some(directory) => PathBuf::from(directory),
        None => build(&root)?,
    };
    for (_, file, variable) in COMPONENTS {
        let path = directory.join(file);
        let kept =
            keep_stripped(&path, file).map_err(|error| format!("{}: {error:#}", path.display()))?;
        println!("cargo::rustc-env={variable}={}", kept.display());
    }
    for runtime in RUNTIMES {
        encode_world(&root, runtime).map_err(|error| format!("{runtime}.wit: {error:#}"))?;
    }
    Ok(())
}

/// The component without what no runtime reads, in `OUT_DIR`.
fn keep_stripped(path: &Path, file: &str) -> anyhow::Result<PathBuf> {
    let stripped = strip::strip(&std::fs::read(path)?)?;
    let kept = out_directory()?.join(file);
    std::fs::write(&kept, stripped)?;
    Ok(kept)
}

fn out_directory() -> anyhow::Result<PathBuf> {
    let out = env::var_os("OUT_DIR").ok_or_else(|| anyhow::anyhow!("cargo runs this"))?;
    Ok(PathBuf::from(out))
}

/// A file of WIT in its binary form, in `OUT_DIR`.
fn encode_world(root: &Path, runtime: &str) -> anyhow::Result<()> {
    let mut resolve = Resolve::default();
    // Brings WASI's own definitions in.
    resolve.push_dir(root.join("wit"))?;
    let file = root.join(format!("wit/runtimes/{runtime}.wit"));
    let package = resolve.push_file(file)?;
    let encoded = wit_component::encode(&resolve, package)?;
    std::fs::write(
        out_directory()?.join(format!("{runtime}.world.wasm")),
        encoded,
    )?;
    Ok(())
}

fn workspace_root() -> Result<PathBuf, String> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo runs this")?);
    here.ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .ok_or_else(|| "this crate lies two folders below the workspace's root".to_owned())
}

/// The same bytes wherever they are built, and no path of the machine in what is shipped.
fn flags(root: &Path) -> Vec<String> {
    let mut flags: Vec<String> = FLAGS.map(str::to_owned).to_vec();
    let mut rename = |path: &Path, name: &str| {
        flags.push(format!("--remap-path-prefix={}={name}", path.display()));
    };
    rename(root, "sekisho");
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    if let Some(home) = home {
        rename(&home, "cargo");
        // A crate's sources lie in a folder named after the registry that it came from; the last rule that fits counts.
        let registries = std::fs::read_dir(home.join("registry/src"));
        let mut registries: Vec<_> = registries.into_iter().flatten().flatten().collect();
        registries.sort_by_key(std::fs::DirEntry::path);
        for registry in registries {
            rename(&registry.path(), "");
        }
    }
    flags
}

fn build(root: &Path) -> Result<PathBuf, String> {
    let target = nested_target_directory(root);
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    sweep(&mut command);
    command
        .current_dir(root)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(root).join("\u{1f}"))
        .args(["build", "--locked", "--profile", "edge", "--target", TARGET])
        .arg("--target-dir")
        .arg(&target);
    for (package, _, _) in COMPONENTS {
        command.args(["--package", package]);
    }
    let output = command
        .output()
        .map_err(|error| format!("cargo could not be started for the component: {error}"))?;
    if output.status.success() {
        Ok(target.join(TARGET).join("edge"))
    } else {
        Err(explain(&String::from_utf8_lossy(&output.stderr)))
    }
}

/// Beside `debug` and `release`, so that all profiles, tests and clippy share what was built.
fn nested_target_directory(root: &Path) -> PathBuf {
    let outer = env::var_os("OUT_DIR").map(PathBuf::from);
    let shared = outer.as_deref().and_then(|out| {
        out.ancestors()
            .find(|folder| folder.file_name() == Some(OsStr::new("build")))
            .and_then(|build| build.ancestors().nth(2))
    });
    shared
        .map_or_else(|| root.join("target"), Path::to_path_buf)
        .join("edge-wasm")
}

/// Takes out what the outer cargo, clippy or a coverage tool set for the host's target.
fn sweep(command: &mut Command) {
    const EXACT: [&str; 9] = [
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "RUSTC",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "CARGO_BUILD_TARGET",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "CARGO_MAKEFLAGS",
    ];
    const PREFIXES: [&str; 5] = [
        "CARGO_FEATURE_",
        "CARGO_CFG_",
        "CARGO_PROFILE_",
        "CARGO_PKG_",
        "DEP_",
    ];
    for (name, _) in env::vars_os() {
        let swept = name.to_str().is_some_and(|name| {
            EXACT.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        });
        if swept {
            command.env_remove(name);
        }
    }
}

fn explain(stderr: &str) -> String {
    if stderr.contains("target may not be installed")
        || stderr.contains("can't find crate for `core`")
    {
        return format!("the target {TARGET} is missing; run: rustup target add {TARGET}");
    }
    // One `cargo::error` is one line; the whole text follows on stderr.
    eprintln!("{stderr}");
    "the component could not be built; cargo's output is above".to_owned()
}
