//! What the tests share.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use sekisho_bridge::{
    client::{SdkConfig, SdkCore, ServiceToken},
    net::{Guard, Hosts, Incoming, Meter, Outgoing, Transport, TransportError},
    vendor::{Core, CoreFile, fetch},
};
use sekisho_op_stand_in::StandIn;
use zeroize::Zeroizing;

/// The stand-in, in process.
pub(crate) struct Carried(pub(crate) StandIn);

impl Transport for Carried {
    fn send(&self, request: &Outgoing) -> Result<Incoming, TransportError> {
        let answer = self.0.answer(
            &request.method,
            &request.url,
            &request.headers,
            &request.body,
        );
        match answer {
            None => Err(TransportError::Unreachable),
            Some(answer) if answer.cut => Err(TransportError::Broken),
            Some(answer) => Ok(Incoming {
                status: answer.status,
                headers: answer.headers,
                body: Zeroizing::new(answer.body),
            }),
        }
    }
}

/// The vendor's core, compiled once for all tests; `None` = it is not to be had, which is said loudly.
pub(crate) fn core() -> Option<Arc<Core>> {
    static CORE: OnceLock<Option<Arc<Core>>> = OnceLock::new();
    CORE.get_or_init(|| {
        let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("core");
        let file = file()?;
        Some(Arc::new(Core::load(&file, Some(&cache)).unwrap()))
    })
    .clone()
}

fn file() -> Option<CoreFile> {
    if let Ok(path) = std::env::var("SEKISHO_OP_CORE") {
        return Some(CoreFile::read(path.as_ref()).unwrap());
    }
    let is_there = std::process::Command::new("go").arg("version").output();
    if is_there.is_ok_and(|go| go.status.success())
        && let Ok(core) = fetch(None)
    {
        return Some(core);
    }
    assert!(
        std::env::var_os("SEKISHO_NO_SKIP").is_none(),
        "no core: neither Go's module cache nor SEKISHO_OP_CORE gives it"
    );
    eprintln!(
        "SKIPPED: everything that needs the vendor's core: neither Go's module cache nor SEKISHO_OP_CORE gives it"
    );
    None
}

/// A client of the stand-in by the real core.
pub(crate) fn client(service: &StandIn) -> Option<SdkCore> {
    Some(client_with(core()?, service))
}

pub(crate) fn client_with(core: Arc<Core>, service: &StandIn) -> SdkCore {
    let transport = Arc::new(Carried(service.clone()));
    let guard = Guard::new(Hosts::Vendor, transport, Arc::new(Meter::default()));
    SdkCore::new(SdkConfig {
        core,
        guard: Arc::new(guard),
        token: ServiceToken::parse(&service.token()).unwrap(),
        max_file: 20 * 1024 * 1024,
        pause: Some(Duration::ZERO),
    })
}
