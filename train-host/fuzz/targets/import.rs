//! A file from anywhere becomes a net, or is refused in one line.

#![no_main]

#[path = "../../tests/tflite/promise.rs"]
mod promise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    promise::keep(bytes);
});
