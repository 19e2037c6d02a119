//! The carrier that calls `core::rest::answer` itself, over [`MemoryRecords`], with a fixed clock and seeded bytes.

use std::{
    cell::RefCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use sekisho_core::{
    records::{Fault, Records},
    rest::{
        ActivityPage, ActivityQuery, Before, Kept, PEER_HEADER, Ports, Usage, UsageEvent,
        answer_again,
    },
    time::Timestamp,
};

use crate::{
    cases::{Carrier, Given, RawAnswer, Request, Runtime},
    memory::{MemoryRecords, Mood},
    rng::{LabelledRng, labelled},
    world::{NOW, World},
};

/// Core alone, in this process.
#[derive(Debug)]
pub struct Native;

impl Runtime for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn start(&self, given: &Given) -> Option<Box<dyn Carrier>> {
        Some(Box::new(NativeCarrier::new(given)))
    }
}

/// One case's server.
#[derive(Debug)]
pub struct NativeCarrier {
    records: MemoryRecords,
    usage: Notes,
    now: Timestamp,
    rng: LabelledRng,
}

/// Every access noted.
#[derive(Debug, Clone, Default)]
pub struct Notes(RefCell<Vec<UsageEvent>>);

impl Notes {
    /// All of them, by time.
    pub fn events(&self) -> Vec<UsageEvent> {
        self.0.borrow().clone()
    }
}

impl Usage for Notes {
    fn note(&self, event: UsageEvent) {
        self.0.borrow_mut().push(event);
    }

    fn recent(&self, wanted: ActivityQuery) -> ActivityPage {
        ActivityPage::of(self.0.borrow().iter(), &wanted)
    }
}

impl NativeCarrier {
    /// A fresh one.
    pub fn new(given: &Given) -> Self {
        let now = given.now().unwrap_or(NOW);
        let mood = given.mood().unwrap_or(Mood::Well);
        Self {
            records: MemoryRecords::in_mood(World::get(), now, mood),
            usage: Notes::default(),
            now,
            rng: labelled("native carrier"),
        }
    }

    /// The records behind it.
    pub const fn records(&self) -> &MemoryRecords {
        &self.records
    }

    /// The accesses noted so far.
    pub fn noted(&self) -> Vec<UsageEvent> {
        self.usage.events()
    }

    /// Answers a request of the `http` crate.
    pub fn answer(&mut self, request: &http::Request<Vec<u8>>) -> RawAnswer {
        answer_over(&self.records, &self.usage, self.now, &mut self.rng, request)
    }
}

/// What core answers over these records; its body must not break off.
pub fn answer_over(
    records: &dyn Records,
    usage: &dyn Usage,
    now: Timestamp,
    rng: &mut LabelledRng,
    request: &http::Request<Vec<u8>>,
) -> RawAnswer {
    try_answer_over(records, usage, now, rng, request).unwrap()
}

/// What core answers over these records, or why its body broke off.
pub fn try_answer_over(
    records: &dyn Records,
    usage: &dyn Usage,
    now: Timestamp,
    rng: &mut LabelledRng,
    request: &http::Request<Vec<u8>>,
) -> Result<RawAnswer, Fault> {
    answer_again_over(records, usage, now, rng, request, Before::Never).map(|(answer, _)| answer)
}

/// The same with what is remembered of the request, and with what is to be remembered of it.
pub fn answer_again_over(
    records: &dyn Records,
    usage: &dyn Usage,
    now: Timestamp,
    rng: &mut LabelledRng,
    request: &http::Request<Vec<u8>>,
    before: Before,
) -> Result<(RawAnswer, Option<Kept>), Fault> {
    let mut ports = Ports {
        records,
        usage,
        now,
        rng,
    };
    let (response, kept) = answer_again(request, before, &mut ports);
    let (head, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next_chunk(records)? {
        bytes.extend_from_slice(&chunk);
    }
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str().to_owned(), value.into_owned())
    });
    let answer = RawAnswer {
        status: head.status.as_u16(),
        headers: headers.collect(),
        body: bytes,
    };
    Ok((answer, kept))
}

impl Carrier for NativeCarrier {
    fn exchange(&mut self, request: &Request) -> RawAnswer {
        self.answer(&http_request(request))
    }
}

/// Core alone, and what can be remembered of a request is: each GET is asked three times, and must be answered the same.
#[derive(Debug, Default)]
pub struct Remembering {
    recalled: Arc<AtomicUsize>,
}

impl Remembering {
    /// How many answers were of what was kept.
    pub fn recalled(&self) -> usize {
        self.recalled.load(Ordering::Relaxed)
    }
}

impl Runtime for Remembering {
    fn name(&self) -> &'static str {
        "native, remembering"
    }

    fn start(&self, given: &Given) -> Option<Box<dyn Carrier>> {
        Some(Box::new(RememberingCarrier {
            carrier: NativeCarrier::new(given),
            recalled: Arc::clone(&self.recalled),
        }))
    }
}

struct RememberingCarrier {
    carrier: NativeCarrier,
    recalled: Arc<AtomicUsize>,
}

impl Carrier for RememberingCarrier {
    fn exchange(&mut self, request: &Request) -> RawAnswer {
        let request = http_request(request);
        if request.method() != http::Method::GET {
            return self.carrier.answer(&request);
        }
        let NativeCarrier {
            records,
            usage,
            now,
            rng,
        } = &mut self.carrier;
        let ask = |usage: &Notes, rng: &mut LabelledRng, before| {
            answer_again_over(records, usage, *now, rng, &request, before).unwrap()
        };
        let (first, none) = ask(&usage.clone(), &mut rng.clone(), Before::Never);
        assert_eq!(none, None);
        let (second, kept) = ask(&usage.clone(), &mut rng.clone(), Before::Answered);
        let before = kept.map_or(Before::Never, |kept| {
            self.recalled.fetch_add(1, Ordering::Relaxed);
            Before::Kept(kept)
        });
        let (third, none) = ask(usage, rng, before);
        assert_eq!(none, None);
        for again in [&second, &third] {
            assert_eq!(first, *again);
        }
        third
    }
}

/// A case's request as a runtime's front hands it on.
pub fn http_request(request: &Request) -> http::Request<Vec<u8>> {
    let mut builder = http::Request::builder()
        .method(request.method.as_str())
        .uri(&request.target);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    let mut request = builder.body(request.body.clone()).unwrap();
    // As a host's front does: its word stands, not the client's.
    let peer = http::HeaderValue::from_static("127.0.0.1");
    request.headers_mut().insert(PEER_HEADER, peer);
    request
}
