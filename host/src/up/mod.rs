//! `sekisho up`, the part that is not typed: where things lie, what a first run makes, how they are served.

mod bridged;
mod first_run;
mod lock;
mod place;
mod private;
mod samples;
mod serve;
mod ssh_key;

pub(crate) use self::{
    bridged::grant,
    first_run::{FirstRun, Prepared, prepare},
    lock::Lock,
    place::Place,
    private::make_dir as make_private_dir,
    serve::{Serving, serve},
    ssh_key::public_half as ed25519_public,
};
