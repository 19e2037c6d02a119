//! `sekisho inject`.

use std::{env, fs, io::Read, path::PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::{
    failure::{Done, Failure},
    outfile::LowOutFile,
};
use crate::client::{Connect, Resolver, expand, fill};

#[derive(Args)]
#[command(
    after_help = "References stand in braces, {{ op://VAULT/ITEM/FIELD }}, or bare where they have no blanks. Inside them $NAME, ${NAME} and
${NAME:-default} are environment variables. Asks the Connect server of OP_CONNECT_HOST with OP_CONNECT_TOKEN.

Examples:
  sekisho inject -i config.yml.tpl -o config.yml
  echo 'password: {{ op://$APP_ENV/Database/password }}' | APP_ENV=Prod sekisho inject"
)]
pub(super) struct LowInject {
    /// The template; without it, stdin.
    #[arg(short, long, value_name = "FILE")]
    in_file: Option<PathBuf>,
    #[command(flatten)]
    out: LowOutFile,
}

impl LowInject {
    pub(super) fn run(self) -> Done {
        self.out.check()?;
        let template = self.template()?;
        let mut resolver: Option<Resolver> = None;
        let filled = fill(&template, |reference| {
            let reference = expand(reference, &|name| env::var(name).ok())?;
            // A template without references needs no server.
            let resolver = match &mut resolver {
                Some(resolver) => resolver,
                none => none.insert(Resolver::new(Connect::from_env()?)),
            };
            Ok(resolver.read(&reference)?.bytes)
        })?;
        self.out.write(&filled)
    }

    fn template(&self) -> Result<Zeroizing<String>, Failure> {
        let mut bytes = Zeroizing::new(Vec::new());
        let (name, read) = match &self.in_file {
            Some(path) => (
                path.clone(),
                fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
            ),
            None => (
                "stdin".into(),
                std::io::stdin().lock().read_to_end(&mut bytes),
            ),
        };
        read.map_err(|error| Failure::io(&name, &error))?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Zeroizing::new(text.to_owned())),
            Err(_) => Err(Failure::new(
                format!("{} is no text in UTF-8", name.display()),
                "convert it first",
            )),
        }
    }
}
