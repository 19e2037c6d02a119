//! `sekisho read`.

use clap::Args;
use zeroize::Zeroizing;

use super::{failure::Done, outfile::LowOutFile};
use crate::client::{Connect, Resolver};

#[derive(Args)]
#[command(
    after_help = "Asks the Connect server of OP_CONNECT_HOST with OP_CONNECT_TOKEN, ours or the vendor's. The value is printed as it is,
whatever the format.

A reference is op://VAULT/ITEM[/SECTION]/FIELD, by names or ids; FIELD may be a file's name. Behind it may stand
?attribute=value, type, id, purpose, otp or title; for files content, size, id or name; ?ssh-format=openssh for private keys.

Examples:
  sekisho read op://Demo/Mail/password
  sekisho read --no-newline 'op://Demo/Mail/one-time password?attribute=otp'
  sekisho read --out-file key.pem op://Demo/Server/key.pem"
)]
pub(super) struct LowRead {
    /// What to read.
    #[arg(value_name = "REFERENCE")]
    reference: String,
    /// Print no newline after a field's value.
    #[arg(short, long)]
    no_newline: bool,
    #[command(flatten)]
    out: LowOutFile,
}

impl LowRead {
    pub(super) fn run(self) -> Done {
        self.out.check()?;
        let found = Resolver::new(Connect::from_env()?).read(&self.reference)?;
        if found.is_file || self.no_newline {
            return self.out.write(&found.bytes);
        }
        let line = Zeroizing::new([found.bytes.as_slice(), b"\n"].concat());
        self.out.write(&line)
    }
}
