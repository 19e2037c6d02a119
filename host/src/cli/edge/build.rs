//! `sekisho edge build`.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use sekisho_edge_artifact::SPIN_PUBLISH_WASM;
use sekisho_host::edge::{
    build::{BakeError, BuildError, Target, bake, build},
    publish::Directory,
};
use serde_json::json;

use super::keys::LowWhose;
use crate::cli::{
    Session,
    duration::Seconds,
    failure::{Done, Failure},
    output,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Runtime {
    /// `wasmtime serve`: records come over HTTP from a host that runs with --feed.
    Wasmtime,
    /// Any runtime of WASI HTTP: the records are part of the component, and no network is needed.
    Bundle,
    /// Spin: records come from its key-value store, which a second component takes them into.
    Spin,
}

#[derive(Args)]
#[command(
    after_help = "The component serves the same API as a host, from sealed records only. It is the host's own component with a small one in
its imports; the result is checked against what the runtime gives. No other tool is needed.

Examples:
  sekisho edge build --runtime wasmtime --out edge.wasm
  sekisho edge publish --credentials 1password-credentials.json --to published && sekisho edge build --runtime bundle --from published --max-stale 30d --out edge.wasm
  sekisho edge build --runtime spin --out edge.wasm    (writes edge-publish.wasm too)
  wasmtime serve -S cli --addr 127.0.0.1:8080 edge.wasm"
)]
pub(in crate::cli) struct LowBuild {
    /// Where the component shall run.
    #[arg(long, value_enum, value_name = "RUNTIME")]
    runtime: Runtime,
    /// Where the component goes.
    #[arg(short, long, value_name = "FILE", default_value = "edge.wasm")]
    out: PathBuf,
    /// For a bundle: the folder that `sekisho edge publish --to DIR` wrote.
    #[arg(long, value_name = "DIR", required_if_eq("runtime", "bundle"))]
    from: Option<PathBuf>,
    /// For a bundle: how long it may be served after the account vouched for it; 0 = not at all [default: as published]
    #[arg(long, value_name = "DURATION", requires = "from", value_parser = clap::builder::ValueParser::from(str::parse::<Seconds>))]
    max_stale: Option<Seconds>,
    #[command(flatten)]
    whose: LowWhose,
}

impl LowBuild {
    pub(in crate::cli) fn run(self, session: &Session) -> Done {
        let (target, set) = self.target()?;
        let component = build(&target).map_err(|error| misbuilt(&error))?;
        write(&self.out, &component)?;
        if self.runtime == Runtime::Spin {
            write(&self.beside(), SPIN_PUBLISH_WASM)?;
        }
        let out = self.out.display().to_string();
        session.print(
            || {
                let mut built = json!({ "file": out, "bytes": component.len() });
                if let Some(set) = set {
                    built["set_bytes"] = set.into();
                }
                built
            },
            || {
                output::facts(&[
                    ("Component:", out.clone()),
                    ("Bytes:", component.len().to_string()),
                    ("Run it:", self.hint(&out)),
                ])
            },
        )
    }

    fn target(&self) -> Result<(Target, Option<usize>), Failure> {
        match (self.runtime, &self.from) {
            (Runtime::Wasmtime, None) => Ok((Target::Wasmtime, None)),
            (Runtime::Spin, None) => Ok((Target::Spin, None)),
            (Runtime::Wasmtime | Runtime::Spin, Some(_)) => Err(Failure::usage(
                "--from is for a bundle: other components get their records when they run",
                "leave --from out, or take --runtime bundle",
            )),
            (Runtime::Bundle, Some(from)) => {
                let keys = self.whose.edge_keys()?;
                let max_stale = self.max_stale.map(|seconds| seconds.0);
                let set = bake(&Directory::open(from), &keys, max_stale)
                    .map_err(|error| unbaked(from, &error))?;
                let size = set.size();
                Ok((Target::Bundle(set), Some(size)))
            }
            (Runtime::Bundle, None) => Err(Failure::usage(
                "a bundle holds records, and none are named",
                "publish them into a folder (sekisho edge publish --to DIR) and name it: --from DIR",
            )),
        }
    }

    /// The component that takes sets in, beside the one that serves them.
    fn beside(&self) -> PathBuf {
        let stem = self.out.file_stem().unwrap_or_default().to_string_lossy();
        self.out.with_file_name(format!("{stem}-publish.wasm"))
    }

    fn hint(&self, out: &str) -> String {
        if self.runtime == Runtime::Spin {
            return "spin up, with deploy/spin/spin.toml beside it".to_owned();
        }
        let settings = match self.runtime {
            Runtime::Wasmtime => " --env SEKISHO_FEED_URL=http://HOST:PORT --env SEKISHO_EDGE_KEYS",
            Runtime::Bundle | Runtime::Spin => "",
        };
        format!("wasmtime serve -S cli --addr 127.0.0.1:8080{settings} {out}")
    }
}

fn unbaked(from: &Path, error: &BakeError) -> Failure {
    let failure = Failure::of_line(&error.to_string(), ": ");
    failure.with_cause(&from.display().to_string())
}

fn misbuilt(error: &BuildError) -> Failure {
    match error {
        BuildError::TooLarge { .. } => Failure::of_line(&error.to_string(), ": "),
        _ => Failure::new(
            error.to_string(),
            "this is a fault of this program: please report it",
        ),
    }
}

/// Whole or not at all: under another name first.
fn write(path: &Path, component: &[u8]) -> Done {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let put = || {
        let mut file = fs::File::create_new(&beside)?;
        file.write_all(component)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    put().map_err(|error: std::io::Error| {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
        Failure::io(path, &error)
    })
}
