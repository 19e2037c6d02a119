//! `sekisho run`: a command with secrets in its environment.

mod child;

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
    process::{Command, ExitCode},
};

use clap::Args;
use sekisho_core::secret::SecretText;
use zeroize::Zeroizing;

use super::{choose::quoted, failure::Failure};
use crate::client::{Connect, Mask, Resolver, expand, is_reference, parse_env_file};

#[derive(Args)]
#[command(
    after_help = "Variables whose value is a reference, of this environment or of env files, get what it leads to; env files come before the
environment, later ones before earlier ones. Inside references $NAME, ${NAME} and ${NAME:-default} are environment
variables. Secrets are masked in what the command prints. Signals and the exit code are passed on.
Asks the Connect server of OP_CONNECT_HOST with OP_CONNECT_TOKEN.

Examples:
  DB_PASSWORD=op://Demo/Database/password sekisho run -- ./serve
  sekisho run --env-file prod.env -- docker compose up"
)]
pub(super) struct LowRun {
    /// A file of NAME=value; may be repeated.
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Let secrets through in what the command prints [env: OP_RUN_NO_MASKING]
    #[arg(long)]
    no_masking: bool,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// A variable that is set for the command.
struct Setting {
    name: OsString,
    value: Zeroizing<Vec<u8>>,
    is_secret: bool,
}

impl LowRun {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let settings = self.settings()?;
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| Failure::usage("there is no command", "sekisho run -- COMMAND"))?;
        let mut command = Command::new(program);
        command.args(arguments);
        let mut secrets = Vec::new();
        for Setting {
            name,
            value,
            is_secret,
        } in settings
        {
            command.env(name, OsStr::from_bytes(&value));
            if is_secret {
                secrets.push(value);
            }
        }
        let is_unmasked = self.no_masking || is_set("OP_RUN_NO_MASKING");
        if is_unmasked || secrets.is_empty() {
            return Err(child::become_it(command, program));
        }
        child::run(command, program, &Mask::new(secrets))
    }

    /// What differs from this process's environment.
    fn settings(&self) -> Result<Vec<Setting>, Failure> {
        let mut wanted: Vec<(OsString, SecretText)> = Vec::new();
        for (name, value) in env::vars_os() {
            let text = value.into_string().ok().filter(|text| is_reference(text));
            wanted.extend(text.map(|text| (name, SecretText::new(text))));
        }
        for path in &self.env_file {
            for (name, value) in read_env_file(path)? {
                let name = OsString::from(name);
                wanted.retain(|(known, _)| *known != name);
                wanted.push((name, value));
            }
        }
        let mut resolver: Option<Resolver> = None;
        wanted
            .into_iter()
            .map(|(name, value)| setting(name, &value, &mut resolver))
            .collect()
    }
}

fn setting(
    name: OsString,
    value: &SecretText,
    resolver: &mut Option<Resolver>,
) -> Result<Setting, Failure> {
    // EXPOSE: into the child's environment.
    let text = value.expose();
    if !is_reference(text) {
        return Ok(Setting {
            name,
            value: Zeroizing::new(text.as_bytes().to_vec()),
            is_secret: false,
        });
    }
    let shown = quoted(&name.to_string_lossy());
    let told = |error: Failure| error.with_cause(&format!("variable {shown}"));
    let reference = expand(text, &|name| env::var(name).ok()).map_err(told)?;
    let resolver = match resolver {
        Some(resolver) => resolver,
        none => none.insert(Resolver::new(Connect::from_env()?)),
    };
    let value = resolver.read(&reference).map_err(told)?.bytes;
    if value.contains(&0) {
        return Err(Failure::new(
            format!("the value for variable {shown} has a null byte in it"),
            "no variable can hold one: use `sekisho read --out-file`",
        ));
    }
    Ok(Setting {
        name,
        value,
        is_secret: true,
    })
}

fn read_env_file(path: &std::path::Path) -> Result<Vec<(String, SecretText)>, Failure> {
    let bytes = fs::read(path).map(Zeroizing::new);
    let bytes = bytes.map_err(|error| Failure::io(path, &error))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Failure::new(
            format!("{} is no text in UTF-8", path.display()),
            "convert it first",
        )
    })?;
    parse_env_file(text).map_err(|(line, wrong)| {
        Failure::new(
            format!("{}, line {line}: {wrong}", path.display()),
            "write NAME=value, one to a line",
        )
    })
}

fn is_set(name: &str) -> bool {
    let value = env::var_os(name).unwrap_or_default().into_vec();
    !matches!(
        value.to_ascii_lowercase().as_slice(),
        b"" | b"0" | b"false" | b"no"
    )
}
