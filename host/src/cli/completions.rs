//! `sekisho completions`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{LowArgs, Session, failure::Done, output};

#[derive(Args)]
#[command(after_help = "Examples:\n  sekisho completions bash > /etc/bash_completion.d/sekisho")]
pub(super) struct LowCompletions {
    /// Which shell.
    shell: Shell,
}

impl LowCompletions {
    pub(super) fn run(self, _session: &Session) -> Done {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut LowArgs::command(), "sekisho", &mut script);
        output::bytes(&script)
    }
}
