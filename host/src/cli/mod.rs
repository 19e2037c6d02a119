//! The command line: what is typed ([`LowArgs`]), what it decides to, and who does it.
//!
//! Every command is a `Low…` struct as clap reads it and a `run` that decides and does. Exit codes: 0 done, 1 refused
//! or failed, 2 usage. No error repeats a value that was typed or read, for it may be a secret (invariant 7).

mod account;
mod attach;
mod bridge;
mod choose;
mod completions;
mod connect;
mod credentials;
mod duration;
mod edge;
mod failure;
mod group;
mod health;
mod import;
mod inject;
mod item;
mod key;
mod log;
mod man;
mod outfile;
mod output;
mod passphrase;
mod read;
mod run;
mod serving;
mod session;
mod typed;
mod up;
mod usage;
mod user;
mod vault;
mod watching;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub(crate) use self::{
    attach::{attach, put_new},
    choose::{ambiguous, quoted},
    failure::Failure,
    output::plain,
};
use self::{
    failure::Done,
    session::{LowSession, Session},
};

/// A drop-in server for the 1Password Connect REST API.
#[derive(Parser)]
#[command(name = "sekisho", version, disable_help_subcommand = true)]
#[command(after_help = "Examples:
  sekisho up
  sekisho item create --vault Demo --title Mail username=wendy --generate-password
  sekisho connect token create ci --server default --vault Demo,r --expires-in 30d
  sekisho import export.1pux
  sekisho read op://Demo/Mail/password")]
struct LowArgs {
    #[command(flatten)]
    session: LowSession,
    #[command(subcommand)]
    command: LowCommand,
}

#[derive(Subcommand)]
enum LowCommand {
    /// Make what a first run needs, then serve.
    Up(up::LowUp),
    /// Serve an account that is elsewhere: synchronise and answer, in one process.
    Serve(serving::LowServe),
    /// Synchronise only: fill the data folder for `sekisho api`.
    Sync(serving::LowSync),
    /// Answer only: serve what `sekisho sync` keeps in the data folder.
    Api(serving::LowApi),
    /// Vaults.
    #[command(subcommand)]
    Vault(vault::LowVault),
    /// Items.
    #[command(subcommand)]
    Item(item::LowItem),
    /// Connect servers, their tokens and their vaults.
    #[command(subcommand)]
    Connect(connect::LowConnect),
    /// The account, alone.
    #[command(subcommand)]
    Account(account::LowAccount),
    /// Your key file.
    #[command(subcommand)]
    Key(key::LowKey),
    /// Users of the account.
    #[command(subcommand)]
    User(user::LowUser),
    /// Groups of users.
    #[command(subcommand)]
    Group(group::LowGroup),
    /// What was read, when and by which Connect server.
    #[command(subcommand)]
    Usage(usage::LowUsage),
    /// A 1Password account behind this one.
    #[command(subcommand)]
    Bridge(bridge::LowBridge),
    /// The API where this host is not: components for other runtimes.
    #[command(subcommand)]
    Edge(edge::LowEdge),
    /// Take over a 1Password export.
    Import(import::LowImport),
    /// Credentials files of Connect servers.
    #[command(subcommand)]
    Credentials(credentials::LowCredentials),
    /// Print a secret by its reference, from any Connect server.
    Read(read::LowRead),
    /// Fill a template with secrets, from any Connect server.
    Inject(inject::LowInject),
    /// Run a command with secrets in its environment, from any Connect server.
    Run(run::LowRun),
    /// Ask a running server whether it is alive.
    Health(health::LowHealth),
    /// Print a completion script for a shell.
    Completions(completions::LowCompletions),
    /// Write man pages, one for each command.
    Man(man::LowMan),
}

/// Everything from the arguments to the exit code.
pub(crate) fn main() -> ExitCode {
    let args = match LowArgs::try_parse() {
        Ok(args) => args,
        Err(error) => return typed::refuse(error),
    };
    match run(args) {
        Ok(code) => code,
        Err(failure) => {
            output::complain(&failure);
            failure.exit_code()
        }
    }
}

fn run(args: LowArgs) -> Result<ExitCode, Failure> {
    let session = args.session.decide()?;
    // Before anything is done that could not be shown afterwards.
    if session.format == output::Format::Csv && !matches!(args.command, LowCommand::Usage(_)) {
        return Err(Failure::usage(
            "CSV is for `sekisho usage report` only",
            "take --format json or table",
        ));
    }
    let done: Done = match args.command {
        LowCommand::Up(low) => low.run(&session),
        LowCommand::Serve(low) => low.run(&session),
        LowCommand::Sync(low) => low.run(&session),
        LowCommand::Api(low) => low.run(&session),
        LowCommand::Bridge(low) => low.run(&session),
        LowCommand::Vault(low) => low.run(&session),
        LowCommand::Item(low) => low.run(&session),
        LowCommand::Connect(low) => low.run(&session),
        LowCommand::Account(low) => low.run(&session),
        LowCommand::Key(low) => low.run(&session),
        LowCommand::User(low) => low.run(&session),
        LowCommand::Group(low) => low.run(&session),
        LowCommand::Usage(low) => low.run(&session),
        LowCommand::Edge(low) => low.run(&session),
        LowCommand::Import(low) => low.run(&session),
        LowCommand::Credentials(low) => low.run(&session),
        LowCommand::Read(low) => low.run(),
        LowCommand::Inject(low) => low.run(),
        LowCommand::Run(low) => return low.run(),
        LowCommand::Health(low) => low.run(&session),
        LowCommand::Completions(low) => low.run(&session),
        LowCommand::Man(low) => low.run(&session),
    };
    done.map(|()| ExitCode::SUCCESS)
}
