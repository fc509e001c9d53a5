//! However a file lies, reading it takes no more memory than a small multiple of its size.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use train_host::import::import;
use train_host::import::tflite::read;

use crate::author::{Buffer, File, INT8, Tensor};

thread_local! {
    /// Bytes that this thread holds, and the most it held. A test has a thread of its own.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: isize) {
    HELD.with(|held| {
        let (now, most) = held.get();
        held.set((now + bytes, most.max(now + bytes)));
    });
}

// SAFETY: `System` does the work; counting neither allocates nor touches what it returns.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The most bytes held while a file is read, and whether it is a model.
fn peak(bytes: &[u8]) -> (usize, bool) {
    let before = HELD.with(|held| {
        let (now, _) = held.get();
        held.set((now, now));
        now
    });
    let legal = read(bytes).is_ok();
    (usize::try_from(HELD.with(Cell::get).1 - before).expect("not less than before"), legal)
}

/// Holds the reading of a file to `times` its size.
fn within(times: usize, name: &str, bytes: &[u8], legal: bool) {
    let (most, read) = peak(bytes);
    println!(
        "{name}: {} bytes, {most} held at most, {:.1} times",
        bytes.len(),
        most as f64 / bytes.len() as f64
    );
    assert_eq!(read, legal, "{name}");
    assert!(most <= times * bytes.len(), "{name}: {most} bytes held for {} in the file", bytes.len());
}

#[test]
fn large_constants_are_copied_once() {
    let mut file = File::convolution();
    file.tensors.push(Tensor::constant("large", &[1000, 1000], INT8, 3));
    file.buffers.push(Buffer { data: vec![1; 1_000_000], ..Buffer::default() });
    let bytes = file.bytes();
    let (most, legal) = peak(&bytes);
    assert!(legal && (1_000_000..1_100_000).contains(&most), "{most} bytes");
}

#[test]
fn a_shape_that_lies_costs_nothing() {
    let mut file = File::convolution();
    file.tensors[1].shape = vec![1 << 15, 1 << 15];
    file.tensors[3].shape = vec![1 << 15, 1 << 15];
    within(8, "shapes of 2^30", &file.bytes(), false);
}

#[test]
fn an_activation_that_fits_no_microcontroller_is_refused() {
    let net = |shape: &[i32]| {
        let mut file = File::operator(19, 1, 1, 0, &[]);
        file.tensors = ["input", "output"].map(|name| Tensor::activation(name, shape)).to_vec();
        import(&file.bytes(), "large", true)
    };
    assert!(net(&[1, 1024, 1024, 4]).is_ok());
    let due =
        r#"tensor "input" of shape 1x1024x1025x4: more than 4194304 bytes; shrink the input of the model"#;
    assert_eq!(net(&[1, 1024, 1025, 4]).unwrap_err().to_string(), due);
    assert!(net(&[1, 65_535, 65_535, 1]).is_err());
}

#[test]
fn parts_shared_without_end_are_refused() {
    const MANY: usize = 20_000;
    let spare = |name: &str| Tensor::activation(name, &[1]);
    let mut file = File::convolution();
    file.tensors.extend((0..MANY).map(|_| spare("x")));
    within(8, "as many tensors, each its own", &file.bytes(), true);

    file.tensors.truncate(5);
    file.repeated = MANY;
    within(16, "one table for all tensors", &file.bytes(), false);

    file.tensors[4].name = "n".repeat(100_000);
    file.repeated = 1000;
    within(16, "one long name for all tensors", &file.bytes(), false);
}
