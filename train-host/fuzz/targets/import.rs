//! A file from anywhere is read to a model that keeps its promises, or is refused in one line.

#![no_main]

#[path = "../../tests/tflite/promise.rs"]
mod promise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| import(bytes));

/// What `train-host import` does with the bytes of a file.
fn import(bytes: &[u8]) {
    match train_host::import::tflite::read(bytes) {
        Ok(model) => promise::holds(&model),
        Err(error) => promise::is_one_line(&error.to_string()),
    }
}
