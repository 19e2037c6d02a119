//! Files that may be changed while a host runs: its credentials, its certificate.

use std::{fs, os::unix::fs::MetadataExt, path::Path, sync::Arc, time::Duration};

use sekisho_host::{RunningHost, serve::Tls, sync::AccountUpstream};
use tokio::{
    signal::unix::Signal,
    time::{Interval, MissedTickBehavior, interval},
};

use super::identity::Identity;

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);

/// What is read again when it changes.
pub(super) struct Reload {
    identity: Identity,
    upstream: Arc<AccountUpstream>,
    tls: Option<Tls>,
    credentials: Stamp,
    certificate: Stamp,
    looks: Interval,
    hangup: Signal,
}

/// What a change of files shows in: of which device, number, size and time they are. Links are followed, for
/// Kubernetes changes files by changing links.
#[derive(PartialEq, Eq)]
struct Stamp(Vec<Option<[i64; 5]>>);

impl Stamp {
    fn of<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Self {
        let stamp = |path: &Path| {
            let found = fs::metadata(path).ok()?;
            let (device, number) = (found.dev().cast_signed(), found.ino().cast_signed());
            let size = found.size().cast_signed();
            Some([device, number, size, found.mtime(), found.mtime_nsec()])
        };
        Self(paths.into_iter().map(stamp).collect())
    }
}

impl Reload {
    pub(super) fn new(
        identity: Identity,
        upstream: Arc<AccountUpstream>,
        tls: Option<Tls>,
        hangup: Signal,
    ) -> Self {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let credentials = Stamp::of(identity.files());
        let certificate = Stamp::of(tls.iter().flat_map(Tls::files));
        Self {
            identity,
            upstream,
            tls,
            credentials,
            certificate,
            looks,
            hangup,
        }
    }

    /// Looks now and then, and when SIGHUP comes; it never ends.
    pub(super) async fn watch(mut self, host: &RunningHost) {
        loop {
            let is_asked = tokio::select! {
                _ = self.looks.tick() => false,
                _ = self.hangup.recv() => true,
            };
            let credentials = Stamp::of(self.identity.files());
            if is_asked || credentials != self.credentials {
                self.credentials = credentials;
                self.read_credentials(host);
            }
            let certificate = Stamp::of(self.tls.iter().flat_map(Tls::files));
            if is_asked || certificate != self.certificate {
                self.certificate = certificate;
                self.read_certificate();
            }
        }
    }

    /// What is no good, or half written, changes nothing: the earlier credentials are good until somebody ends them.
    fn read_credentials(&mut self, host: &RunningHost) {
        match self.identity.read_again() {
            Ok((identity, device)) => {
                self.upstream.replace(device);
                host.believe(identity.credentials.signing_keys().to_vec());
                self.identity = identity;
                tracing::info!("the credentials file was read again");
            }
            Err(why) => {
                tracing::warn!(%why, "the credentials file is not taken: going on with the earlier one");
            }
        }
    }

    fn read_certificate(&self) {
        let Some(tls) = &self.tls else { return };
        match tls.reload() {
            Ok(()) => tracing::info!("the TLS certificate was read again"),
            Err(error) => {
                tracing::warn!(%error, "the TLS certificate is not taken: going on with the earlier one");
            }
        }
    }
}
