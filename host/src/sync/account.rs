//! The account as the sync core's upstream: in this process, or over HTTP.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use sekisho_account::{AccountError, UsageReport, device::Device};
use sekisho_core::{
    id::{FileId, ItemId, VaultId},
    records::{DeleteRequest, Fault, PutChunkRequest, PutRequest},
    sync::FeedPage,
};

use super::{Upstream, UpstreamError};
use crate::random::{Random, SystemRandom};

/// Things on one page of the feed; the account ends a page earlier when its bytes are many.
const PAGE: u32 = 1000;
/// Waits for a push after a failed one: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LAST_PAUSE: Duration = Duration::from_secs(10);

/// An account, by one of its doors for hosts.
pub struct AccountUpstream {
    device: RwLock<Arc<dyn Device>>,
    page: u32,
    /// The environment's version as it was last told: to tick twice for one version is of no use.
    told: AtomicU64,
    /// Waits that failed since one succeeded.
    failures: AtomicU32,
}

impl AccountUpstream {
    /// Through this door.
    pub const fn new(device: Arc<dyn Device>) -> Self {
        Self::paged(device, PAGE)
    }

    /// With so many things on a page of the feed.
    pub const fn paged(device: Arc<dyn Device>, page: u32) -> Self {
        Self {
            device: RwLock::new(device),
            page,
            told: AtomicU64::new(0),
            failures: AtomicU32::new(0),
        }
    }

    /// From now on through this one: new credentials, or a new address. Calls under way end as they began.
    pub fn replace(&self, device: Arc<dyn Device>) {
        *self.device.write().unwrap_or_else(PoisonError::into_inner) = device;
    }

    fn device(&self) -> Arc<dyn Device> {
        let device = self.device.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&device)
    }

    /// Between a half and one and a half of a pause that doubles: hosts cut off together do not come back together.
    fn pause(&self) -> Duration {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).min(16);
        let meant = FIRST_PAUSE.saturating_mul(1 << failures).min(LAST_PAUSE);
        let mut byte = [0];
        SystemRandom.fill(&mut byte);
        meant / 2 + meant.mul_f64(f64::from(byte[0]) / 255.0)
    }
}

impl Upstream for AccountUpstream {
    fn changes(&self, cursor: &str) -> Result<FeedPage, UpstreamError> {
        let page = self.device().changes(cursor, self.page).map_err(told)?;
        if page.after.as_ref().is_some_and(|after| after != cursor) {
            let why = "it sent a page of another place in the feed";
            return Err(UpstreamError::Garbled(why.to_owned()));
        }
        self.told.store(page.head.version, Ordering::Relaxed);
        Ok(page)
    }

    fn put(&self, request: &PutRequest) -> Result<(), UpstreamError> {
        self.device().put(request).map_err(told)
    }

    fn put_chunk(&self, request: &PutChunkRequest) -> Result<(), UpstreamError> {
        self.device().put_chunk(request).map_err(told)
    }

    fn delete(&self, request: &DeleteRequest) -> Result<(), UpstreamError> {
        self.device().delete(request).map_err(told)
    }

    fn chunk(
        &self,
        vault: &VaultId,
        item: &ItemId,
        file: &FileId,
        index: u32,
    ) -> Result<Vec<u8>, UpstreamError> {
        let chunk = self.device().chunk(vault, item, file, index);
        Ok(chunk.map_err(told)?.into_bytes())
    }

    fn report_usage(&self, reports: &[UsageReport]) -> Result<(), UpstreamError> {
        self.device().report_usage(reports).map_err(told)
    }

    fn wait(&self, timeout: Duration) -> bool {
        let known = self.told.load(Ordering::Relaxed);
        match self.device().wait(known, timeout) {
            Ok(version) => {
                self.told.store(version, Ordering::Relaxed);
                let was_cut_off = self.failures.swap(0, Ordering::Relaxed) > 0;
                version != known || was_cut_off
            }
            Err(_) => {
                thread::sleep(self.pause().min(timeout));
                false
            }
        }
    }
}

/// The account's errors carry ids and reasons, never contents.
fn told(error: AccountError) -> UpstreamError {
    match error {
        AccountError::DeviceUnknown => UpstreamError::Unauthorised,
        AccountError::Unreachable(why) => UpstreamError::Unreachable(why),
        AccountError::Garbled(why) => UpstreamError::Garbled(why),
        AccountError::RefusedUpstream { reason } => UpstreamError::Declined {
            fault: Fault::Refused,
            reason: reason.map(|reason| reason.as_str().to_owned()),
        },
        AccountError::ConflictUpstream(_) => UpstreamError::Declined {
            fault: Fault::Conflict,
            reason: None,
        },
        error => match error.fault() {
            Fault::Unavailable => UpstreamError::Unreachable(error.to_string()),
            fault => UpstreamError::Refused(fault),
        },
    }
}
