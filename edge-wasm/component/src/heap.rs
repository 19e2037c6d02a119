//! Where a component's memory comes from, for [`talc`], which is a third of the C library's allocator in size.
//!
//! A read needs little, and a memory that grows costs its runtime a change of page tables: so there is a place to begin
//! with, of zeros that no component carries.
#![allow(
    unsafe_code,
    reason = "memory is handed out once: the place is named nowhere else, and what has grown belongs to nobody"
)]

use core::{alloc::Layout, arch::wasm32::memory_grow, ptr::NonNull};

use talc::{
    base::{Talc, binning::Binning},
    cell::TalcSyncCell,
    source::Source,
    wasm::WasmBinning,
};

/// Bytes to begin with: an item of some KB is read and answered with them.
const FIRST: usize = 128 * 1024;
/// WebAssembly's page, in bytes.
const PAGE: usize = 64 * 1024;
/// Pages that are added at least.
const STEP: usize = 4;
/// What an allocation may need beside its own bytes and its alignment, in bytes.
const TAGS: usize = 64;

static mut PLACE: [u8; FIRST] = [0; FIRST];

#[global_allocator]
static ALLOCATOR: TalcSyncCell<Growing, WasmBinning> = TalcSyncCell::new_wasm(Growing {
    is_begun: false,
    end: None,
});

/// The place to begin with, then pages one after the other.
#[derive(Debug)]
struct Growing {
    is_begun: bool,
    /// Where what has grown ends.
    end: Option<NonNull<u8>>,
}

// SAFETY: it allocates nothing itself.
unsafe impl Source for Growing {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        if !talc.source.is_begun {
            talc.source.is_begun = true;
            // SAFETY: nothing else names the place, and this is reached once.
            if unsafe { talc.claim((&raw mut PLACE).cast(), FIRST) }.is_some() {
                return Ok(());
            }
        }
        let wanted = layout.size().saturating_add(layout.align() + TAGS);
        let pages = wanted.div_ceil(PAGE).max(STEP);
        let before = memory_grow::<0>(pages);
        if before == usize::MAX {
            return Err(());
        }
        let begin = core::ptr::without_provenance_mut::<u8>(before * PAGE);
        let grown = begin.wrapping_add(pages * PAGE);
        talc.source.end = match talc.source.end.take() {
            // SAFETY: what was there ends where the new pages begin, and they are ours alone.
            Some(end) if end.as_ptr() == begin => Some(unsafe { talc.extend(end, grown) }),
            // SAFETY: the new pages are ours alone.
            _ => unsafe { talc.claim(begin, pages * PAGE) },
        };
        Ok(())
    }
}
