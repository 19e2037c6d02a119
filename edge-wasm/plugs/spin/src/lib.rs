//! The plug for Spin: sealed records from its key-value store, read as a published set that `sekisho edge publish` brings
//! there through the component beside this one.
//!
//! What the store holds is believed as far as the edge's keys prove it: the pointer by its MAC, each object by its name.
//! An instance lives for one request, so nothing is cached and each request sees the pointer as it stands. Accesses are
//! kept in the store until the publisher takes them.

mod bindings;
#[path = "../../feed/src/http.rs"]
mod http;

use std::{cell::RefCell, thread, time::Duration};

use ::http::Method;
use bindings::wasi::random::insecure;
use sekisho_core::{
    published::{Backed, EdgeKeys, Published},
    records::{DeleteRequest, Fault, PutChunkRequest, PutRequest, Records},
    rest::{ActivityPage, ActivityQuery, Usage, UsageEvent},
};
use sekisho_plug_exports::{Plug, plug};
use sekisho_spin_store::{KeyValue, keys, variable};
use serde::{Deserialize, Serialize};

use self::http::{Address, Content, Question, ask};

type View = Published<'static, &'static KeyValue>;

/// Where clients' writes go; unset = this edge only reads.
const WRITE_URL: &str = "sekisho_write_url";
/// Whether a proxy in front says who asks; `1` = it does.
const TRUST_PEER: &str = "sekisho_trust_peer";
/// How long a write waits to be seen here: the host publishes it at once.
const SEEN: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);
/// Bytes of a word that says why something was refused.
const WORD: usize = 64;

/// The application's store, if it can be had.
struct Spin(Option<Ready>);

struct Ready {
    store: &'static KeyValue,
    keys: &'static EdgeKeys,
    view: RefCell<View>,
    noted: RefCell<Vec<UsageEvent>>,
    trusts_peers: bool,
}

/// An access under an id that counts once.
#[derive(Serialize, Deserialize)]
struct Note {
    id: String,
    event: UsageEvent,
}

plug!(Spin, Spin::new);

impl Spin {
    fn new() -> Self {
        let ready = keys().and_then(|keys| Ok((keys, KeyValue::open()?)));
        match ready {
            Ok((keys, store)) => {
                // They live as long as the instance, of which there is one.
                let (keys, store): (&'static EdgeKeys, &'static KeyValue) =
                    (Box::leak(Box::new(keys)), Box::leak(Box::new(store)));
                Self(Some(Ready {
                    store,
                    keys,
                    view: RefCell::new(Published::new(store, keys)),
                    noted: RefCell::default(),
                    trusts_peers: variable(TRUST_PEER).is_some_and(|text| text.trim() == "1"),
                }))
            }
            Err(cause) => {
                // Names of variables, and never what is in them.
                eprintln!("sekisho: {cause}");
                Self(None)
            }
        }
    }

    fn ready(&self) -> Result<&Ready, Fault> {
        self.0.as_ref().ok_or(Fault::Unavailable)
    }
}

impl Ready {
    /// The version of the set that is read.
    fn version(&self) -> Result<u64, Fault> {
        self.view
            .borrow()
            .pointer()
            .map(|pointer| pointer.head.version)
    }

    /// Lets a host write, and waits until what it wrote is published here.
    fn write(&self, what: &str, request: &impl Serialize, shows: bool) -> Result<(), Fault> {
        let url = variable(WRITE_URL).ok_or(Fault::ReadOnly)?;
        let address = Address::parse(url.trim()).ok_or(Fault::Unavailable)?;
        let body = serde_json::to_vec(request).map_err(|_| Fault::Unavailable)?;
        // EXPOSE: goes into the header that proves this edge to its host.
        let authorization = format!("Bearer {}", self.keys.read_bearer().expose());
        let question = Question {
            method: Method::POST,
            path: &format!("/edge/v1/{what}"),
            authorization: &authorization,
            content: Some(Content::json(&body)),
            limit: WORD,
        };
        let before = self.version()?;
        ask(&address, &question)?;
        if shows {
            for _ in 0..SEEN.as_millis() / LOOK.as_millis() {
                self.view.borrow_mut().renew();
                if self.version()? > before {
                    break;
                }
                thread::sleep(LOOK);
            }
        }
        Ok(())
    }

    /// Brings what was noted into the store. What does not get there is lost: no read waits for it.
    fn keep_notes(&self) {
        let events = std::mem::take(&mut *self.noted.borrow_mut());
        if events.is_empty() {
            return;
        }
        // It tells accesses apart and protects nothing.
        let random = insecure::get_insecure_random_u64();
        let _ = self.store.note(random, |name| {
            let events = events.into_iter().enumerate();
            let notes: Vec<Note> = events
                .map(|(at, event)| Note {
                    id: format!("{name}-{at}"),
                    event,
                })
                .collect();
            serde_json::to_vec(&notes).unwrap_or_default()
        });
    }

    fn remembered(&self) -> Result<Vec<UsageEvent>, Fault> {
        let mut events = Vec::new();
        for name in self.store.notes()? {
            let Some(json) = self.store.find_note(&name)? else {
                continue;
            };
            let notes: Vec<Note> = serde_json::from_slice(&json).unwrap_or_default();
            events.extend(notes.into_iter().map(|note| note.event));
        }
        Ok(events)
    }
}

impl Backed for Spin {
    fn ask<T>(&self, what: impl FnOnce(&dyn Records) -> Result<T, Fault>) -> Result<T, Fault> {
        what(&*self.ready()?.view.borrow())
    }

    fn put(&self, request: PutRequest) -> Result<(), Fault> {
        self.ready()?.write("put", &request, true)
    }

    fn put_chunk(&self, request: PutChunkRequest) -> Result<(), Fault> {
        // It is seen by nobody before the item's own write.
        self.ready()?.write("put-chunk", &request, false)
    }

    fn delete(&self, request: DeleteRequest) -> Result<(), Fault> {
        self.ready()?.write("delete", &request, true)
    }
}

impl Usage for Spin {
    fn note(&self, event: UsageEvent) {
        if let Some(ready) = &self.0 {
            ready.noted.borrow_mut().push(event);
        }
    }

    /// As far back as the publisher has not taken them yet.
    fn recent(&self, wanted: ActivityQuery) -> ActivityPage {
        let Some(ready) = &self.0 else {
            return ActivityPage::default();
        };
        ready.keep_notes();
        let events = ready.remembered().unwrap_or_default();
        ActivityPage::of(events.iter(), &wanted)
    }
}

impl Plug for Spin {
    fn finished(&self) {
        if let Some(ready) = &self.0 {
            ready.keep_notes();
            ready.view.borrow_mut().renew();
        }
    }

    fn trusts_peers(&self) -> bool {
        self.0.as_ref().is_some_and(|ready| ready.trusts_peers)
    }
}
