//! What the C library would print with, and nothing behind it.
//!
//! A guest that holds plaintext must not be able to write it anywhere but into its answer. Rust's standard library prints
//! panics by the C library's `write`, asks its `getenv` whether they come with a backtrace, and its `getcwd` how to name
//! the files in one. Where a component defines these itself, the library's own are not linked, and with them the component
//! has no import of `wasi:cli` left: no output, no environment, no arguments; nor the library's own allocator. What it says
//! when it panics is lost; that it trapped, and where, the runtime says.
#![allow(
    unsafe_code,
    reason = "a symbol's name is all that is unsafe here: what is pointed to is not looked at"
)]

use core::ffi::{c_char, c_int, c_void};

/// `write` of POSIX: all `length` bytes are taken, and dropped.
#[unsafe(no_mangle)]
extern "C" fn write(_: c_int, _: *const c_void, length: usize) -> isize {
    isize::try_from(length).unwrap_or(isize::MAX)
}

/// `getenv` of POSIX: there is no such variable.
#[unsafe(no_mangle)]
extern "C" fn getenv(_: *const c_char) -> *mut c_char {
    core::ptr::null_mut()
}

/// `getcwd` of POSIX: there is no such directory.
#[unsafe(no_mangle)]
extern "C" fn getcwd(_: *mut c_char, _: usize) -> *mut c_char {
    core::ptr::null_mut()
}
