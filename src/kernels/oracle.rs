//! Kernels too simple to be wrong: one loop an index, i64 sums, `q - zero` written out, the border skipped, biases
//! as they were before any folding. The real kernels must equal them on every instruction set.

use super::Input;
use crate::arch::Store;
use crate::fixed::tests::requantise_exactly;
use crate::ir::{Clamp, IntData, Padding, Requant, Shape, Window};
use core::cell::Cell;
use proptest::prelude::any;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::prelude::v1::*;

/// Calls a generic function with every instruction set there is to test on this machine, and prints which, and how many
/// cases that held.
macro_rules! on_every_isa {
    ($property:ident) => {{
        struct Property;
        impl crate::arch::Job for Property {
            fn on<I: Isa>(self, isa: I) {
                let before = crate::kernels::oracle::HELD.get();
                $property(isa);
                let cases = crate::kernels::oracle::HELD.get() - before;
                let property = concat!(module_path!(), "::", stringify!($property));
                std::println!("{property} on {}: {cases} cases", I::NAME);
            }
        }
        crate::Cpu::all().for_each(|cpu| cpu.run(Property));
    }};
}
pub(crate) use on_every_isa;

std::thread_local! {
    /// Random cases that held on this thread.
    pub(crate) static HELD: Cell<u64> = const { Cell::new(0) };
}

/// Holds a property against random cases: as many as the environment's `ZIPNET_CASES` says, else `cases`.
pub(crate) fn hold<S: Strategy>(
    cases: u32,
    strategy: S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let asked = std::env::var("ZIPNET_CASES").ok().map(|text| text.parse().expect("a number of cases"));
    let cases = asked.unwrap_or(cases);
    let config =
        Config { cases, failure_persistence: None, max_local_rejects: u32::MAX, ..Config::default() };
    TestRunner::new(config).run(&strategy, property).unwrap();
    HELD.set(HELD.get() + u64::from(cases));
}

/// Random numbers that need not be good: Knuth's linear congruences.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as u32
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }

    /// An int8; in one of three seeds mostly the extremes.
    pub(crate) fn int8(&mut self) -> i8 {
        let extremes = self.0.is_multiple_of(3);
        let x = self.next();
        if extremes && x & 3 != 0 { [i8::MIN, i8::MAX][(x >> 4 & 1) as usize] } else { (x >> 8) as i8 }
    }

    pub(crate) fn int8s(&mut self, n: usize) -> Vec<i8> {
        (0..n).map(|_| self.int8()).collect()
    }

    /// Weights lie from -127 to 127.
    pub(crate) fn weights(&mut self, n: usize) -> Vec<i8> {
        (0..n).map(|_| self.int8().max(-127)).collect()
    }

    pub(crate) fn biases(&mut self, n: usize) -> Vec<i32> {
        (0..n).map(|_| self.next() as i32 % (1 << 16) - (1 << 15)).collect()
    }

    /// Any legal mantissa; shifts that leave something of an accumulator, and a few that do not.
    pub(crate) fn requant(&mut self) -> Requant {
        let multiplier = match self.below(8) {
            0 => 0,
            1 => 1 << 30,
            2 => i32::MAX,
            _ => (1 << 30) + (self.next() & 0x3fff_ffff) as i32,
        };
        let shift = if self.below(8) == 0 { self.below(34) as i32 - 31 } else { -(self.below(14) as i32) };
        Requant { multiplier, shift }
    }

    /// One a unit, or one for all.
    pub(crate) fn requants(&mut self, n: usize) -> Vec<Requant> {
        let n = if self.below(4) == 0 { 1 } else { n };
        (0..n).map(|_| self.requant()).collect()
    }

    pub(crate) fn clamp(&mut self) -> Clamp {
        if self.below(2) == 0 {
            return Clamp::FULL;
        }
        let (a, b) = (self.int8(), self.int8());
        Clamp::new(a.min(b), a.max(b))
    }
}

/// The factor of a unit.
pub(crate) fn factor(data: &IntData<'_>, unit: usize) -> Requant {
    data.requant[if data.requant.len() == 1 { 0 } else { unit }]
}

/// `requantise`, zero point and clamp.
pub(crate) fn finish(acc: i64, q: Requant, store: Store) -> i8 {
    let value = requantise_exactly(acc, q) + i64::from(store.zero);
    value.clamp(store.clamp.low.into(), store.clamp.high.into()) as i8
}

/// The element of `x` that tap `(ky, kx)` of output `(oy, ox)` reads in channel `c`; `None` on the border.
pub(crate) fn element(
    x: &Input<'_>,
    window: &Window,
    (oy, ox): (usize, usize),
    (ky, kx): (usize, usize),
    c: usize,
) -> Option<i64> {
    let axis = |o: usize, t: usize, i: usize, before: u16, extent: u16| {
        let at = (o * usize::from(window.stride[i]) + t * usize::from(window.dilation[i])) as i64;
        let at = at - i64::from(before);
        (0..i64::from(extent)).contains(&at).then_some(at as usize)
    };
    let iy = axis(oy, ky, 0, window.padding.top, x.shape.h)?;
    let ix = axis(ox, kx, 1, window.padding.left, x.shape.w)?;
    Some(x.data[(iy * usize::from(x.shape.w) + ix) * usize::from(x.shape.c) + c].into())
}

/// Every output of a shape: row, column, channel.
pub(crate) fn outputs(shape: Shape) -> impl Iterator<Item = (usize, usize, usize)> {
    let [h, w, c] = [shape.h, shape.w, shape.c].map(usize::from);
    (0..h).flat_map(move |oy| (0..w).flat_map(move |ox| (0..c).map(move |n| (oy, ox, n))))
}

/// Every tap of a window: row, column.
pub(crate) fn taps(window: &Window) -> impl Iterator<Item = (usize, usize)> {
    let [kh, kw] = window.kernel.map(usize::from);
    (0..kh).flat_map(move |ky| (0..kw).map(move |kx| (ky, kx)))
}

/// Any window that fits some image of at most 9 x 9, dilated up to `dilation`; with the image's rows and columns.
pub(crate) fn windows(dilation: u16) -> impl Strategy<Value = (Window, u16, u16)> {
    let axis = || (1..=9u16, 1..=5u16, 1..=3u16, 1..=dilation, any::<[u16; 2]>());
    (axis(), axis()).prop_filter_map("the window must fit", |(rows, columns)| {
        let pad = |(_, k, _, d, pads): (u16, u16, u16, u16, [u16; 2])| pads.map(|p| p % ((k - 1) * d + 1));
        let ([top, bottom], [left, right]) = (pad(rows), pad(columns));
        let window = Window {
            kernel: [rows.1, columns.1],
            stride: [rows.2, columns.2],
            dilation: [rows.3, columns.3],
            padding: Padding { top, bottom, left, right },
        };
        window.output(rows.0, columns.0).map(|_| (window, rows.0, columns.0))
    })
}

/// Place of an element in a tensor, or of the one repeated there along its axes of one element.
pub(crate) fn place(shape: Shape, (h, w, c): (usize, usize, usize)) -> usize {
    let of = |i: usize, extent: u16| if extent == 1 { 0 } else { i };
    (of(h, shape.h) * usize::from(shape.w) + of(w, shape.w)) * usize::from(shape.c) + of(c, shape.c)
}

/// Any shape of at most 5 x 5 x 17.
pub(crate) fn shapes() -> impl Strategy<Value = Shape> {
    (1..=5u16, 1..=5u16, 1..=17u16).prop_map(|(h, w, c)| Shape::new(h, w, c))
}

/// A shape and two that broadcast to it.
pub(crate) fn broadcasts() -> impl Strategy<Value = (Shape, [Shape; 2])> {
    (shapes(), any::<[u8; 3]>()).prop_map(|(y, kinds)| {
        let extents = [y.h, y.w, y.c];
        let side = |one: u8| {
            let [h, w, c] = core::array::from_fn(|i| if kinds[i] % 4 == one { 1 } else { extents[i] });
            Shape::new(h, w, c)
        };
        (y, [side(1), side(2)])
    })
}
