//! The sandbox's limits, reached: a small module in the core's place that does what the answers to its requests say.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use zeroize::Zeroizing;

use super::{Core, CoreFile};
use crate::{
    OpClient, OpError,
    client::{SdkConfig, SdkCore, ServiceToken},
    net::{Guard, Hosts, Incoming, Meter, Outgoing, Transport, TransportError},
};

/// It signs in by one request. Each call makes one more, and then does what its status says.
const MODULE: &str = r#"(module
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u8" (func $store (param i64 i32)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (import "extism:host/env" "http_request" (func $request (param i64 i64) (result i64)))
  (import "extism:host/env" "http_status_code" (func $status (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "{\"url\":\"https://my.1password.com/x\",\"method\":\"GET\",\"headers\":{}}")
  (data (i32.const 100) "1")
  (data (i32.const 101) "[]")
  ;; A block with a part of the memory.
  (func $block (param $from i32) (param $length i32) (result i64)
    (local $handle i64) (local $at i32)
    (local.set $handle (call $alloc (i64.extend_i32_u (local.get $length))))
    (loop $next
      (call $store
        (i64.add (local.get $handle) (i64.extend_i32_u (local.get $at)))
        (i32.load8_u (i32.add (local.get $from) (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $length))))
    (local.get $handle))
  (func $ask (result i32)
    (drop (call $request (call $block (i32.const 0) (i32.const 64)) (i64.const 0)))
    (call $status))
  (func (export "init_client") (result i32)
    (drop (call $ask))
    (call $output (call $block (i32.const 100) (i32.const 1)) (i64.const 1))
    (i32.const 0))
  (func (export "invoke") (result i32)
    (local $told i32)
    (local.set $told (call $ask))
    (if (i32.eq (local.get $told) (i32.const 510)) (then (unreachable)))
    (if (i32.eq (local.get $told) (i32.const 511)) (then (loop $forever (br $forever))))
    ;; A gigabyte of its own.
    (if (i32.eq (local.get $told) (i32.const 512)) (then (drop (memory.grow (i32.const 16384)))))
    ;; A gigabyte of blocks.
    (if (i32.eq (local.get $told) (i32.const 513)) (then (drop (call $alloc (i64.const 1073741824)))))
    ;; Much, but not too much.
    (if (i32.eq (local.get $told) (i32.const 514)) (then (drop (memory.grow (i32.const 320)))))
    (if (i32.eq (local.get $told) (i32.const 515)) (then (drop (call $alloc (i64.const 20971520)))))
    (call $output (call $block (i32.const 101) (i32.const 2)) (i64.const 2))
    (i32.const 0))
  (func (export "release_client") (result i32) (i32.const 0)))"#;

/// What a computation may take here.
const STRETCH: Duration = Duration::from_secs(2);

/// Answers with the statuses it was given, in order, and counts.
#[derive(Default)]
struct Script {
    statuses: Mutex<VecDeque<u16>>,
    seen: Mutex<usize>,
    delay: Duration,
}

impl Transport for Script {
    fn send(&self, _: &Outgoing) -> Result<Incoming, TransportError> {
        thread::sleep(self.delay);
        *self.seen.lock().unwrap() += 1;
        Ok(Incoming {
            status: self.statuses.lock().unwrap().pop_front().unwrap_or(200),
            headers: Vec::new(),
            body: Zeroizing::default(),
        })
    }
}

impl Script {
    /// Requests since this was last asked.
    fn seen(&self) -> usize {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn client(script: &Arc<Script>, stretch: Duration) -> SdkCore {
    let file = CoreFile::dangerous_any(wat::parse_str(MODULE).unwrap());
    let core = Core::load_with(&file, None, stretch).unwrap();
    let transport: Arc<dyn Transport> = script.clone();
    let guard = Guard::new(Hosts::Vendor, transport, Arc::new(Meter::default()));
    SdkCore::new(SdkConfig {
        core: Arc::new(core),
        guard: Arc::new(guard),
        token: ServiceToken::parse(&format!("ops_{}", "a".repeat(80))).unwrap(),
        max_file: 0,
        pause: Some(Duration::ZERO),
    })
}

/// What the next call comes to when its request is answered so, and what it cost; a sign-in costs one more.
fn call(
    client: &mut SdkCore,
    script: &Script,
    statuses: &[u16],
) -> (Result<usize, OpError>, usize) {
    script.statuses.lock().unwrap().extend(statuses);
    let result = client.vaults(false).map(|vaults| vaults.len());
    (result, script.seen())
}

#[test]
fn an_instance_is_used_again_as_long_as_all_is_well() {
    let script = Arc::new(Script::default());
    let mut client = client(&script, STRETCH);
    assert_eq!(
        call(&mut client, &script, &[]),
        (Ok(0), 2),
        "with its sign-in"
    );
    for _ in 0..5 {
        assert_eq!(call(&mut client, &script, &[]), (Ok(0), 1));
    }
}

#[test]
fn after_a_trap_of_any_kind_there_is_a_fresh_instance() {
    let script = Arc::new(Script::default());
    let mut client = client(&script, STRETCH);
    call(&mut client, &script, &[]).0.unwrap();
    for (status, what) in [
        (510, "unreachable"),
        (511, "it never ends: the deadline"),
        (512, "more memory than it may have"),
        (513, "more blocks than it may have"),
    ] {
        let broken = call(&mut client, &script, &[status]);
        assert_eq!(broken, (Err(OpError::Poisoned), 1), "{what}");
        assert_eq!(
            call(&mut client, &script, &[]),
            (Ok(0), 2),
            "fresh after: {what}"
        );
        assert_eq!(call(&mut client, &script, &[]), (Ok(0), 1), "kept: {what}");
    }
}

#[test]
fn after_a_call_that_needed_much_there_is_a_fresh_instance() {
    let script = Arc::new(Script::default());
    let mut client = client(&script, STRETCH);
    call(&mut client, &script, &[]).0.unwrap();
    for (status, what) in [(514, "memory"), (515, "blocks")] {
        assert_eq!(call(&mut client, &script, &[status]), (Ok(0), 1), "{what}");
        assert_eq!(
            call(&mut client, &script, &[]),
            (Ok(0), 2),
            "fresh after: {what}"
        );
        assert_eq!(call(&mut client, &script, &[]), (Ok(0), 1), "kept: {what}");
    }
}

/// The deadline is for computing: an answer may take its time.
#[test]
fn waiting_for_an_answer_is_not_computing() {
    let script = Arc::new(Script {
        delay: STRETCH + Duration::from_secs(1),
        ..Script::default()
    });
    let mut client = client(&script, STRETCH);
    assert_eq!(call(&mut client, &script, &[]), (Ok(0), 2));
}
