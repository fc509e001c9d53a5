//! An addition as one linear form, proved by trying every pair of inputs.

use zipnet::fixed::{narrow, requantise};
use zipnet::ir::{Packing, Requant};

use crate::graph::IntStore;

/// Steps away from the nearest factors, either way, that are tried.
const AROUND: i64 = 6;
/// What a step changes a factor by: about a thousandth of the least that one output can notice.
const STEP: i64 = 40;
/// Fractional bits of a factor.
const FRACTION: i32 = 29;
/// Fractional bits of the sum.
const SUM: u32 = 21;

/// An addition as [`Packing::DspAdd`]; `zeros` are those of both operands and of the output. Factors are multiples of
/// `grain`.
pub(super) fn linear(zeros: [i8; 3], plain: &IntStore, grain: i64) -> Option<IntStore> {
    let &[qa, qb, q] = plain.requant.as_slice() else { return None };
    let table = table(zeros, [qa, qb, q]);
    let nearest = |operand: Requant| {
        let real = |q: Requant| f64::from(q.multiplier) * libm::exp2(f64::from(q.shift - 31));
        libm::round(real(operand) * real(q) * libm::exp2(f64::from(20 + FRACTION))) as i64 / grain * grain
    };
    let (a, b) = (nearest(qa), nearest(qb));
    let mut around: Vec<(i64, i64)> =
        (-AROUND..=AROUND).flat_map(|i| (-AROUND..=AROUND).map(move |j| (i, j))).collect();
    around.sort_by_key(|(i, j)| i.abs().max(j.abs()));
    around.into_iter().find_map(|(i, j)| {
        let step = STEP.max(grain);
        let (a, b) = (a + i * step, b + j * step);
        let c = constant(a, b, &table)?;
        Some(IntStore {
            bias: vec![a as i32, b as i32, c],
            requant: Vec::new(),
            packing: Packing::DspAdd,
            ..plain.clone()
        })
    })
}

/// What the sum of every pair of inputs is, within int8, `[first + 128][second + 128]`.
fn table([za, zb, zero]: [i8; 3], [qa, qb, q]: [Requant; 3]) -> Vec<i8> {
    let scaled =
        |x: i32, zero: i8, q: Requant| requantise((x - i32::from(zero)) << 20, q.multiplier, q.shift);
    let second: Vec<i32> = (-128..128).map(|x| scaled(x, zb, qb)).collect();
    let row = |x: i32| {
        let first = scaled(x, za, qa);
        second.iter().map(move |&second| {
            narrow(requantise(first.wrapping_add(second), q.multiplier, q.shift), zero, i8::MIN, i8::MAX)
        })
    };
    (-128..128).flat_map(row).collect::<Vec<i8>>()
}

/// A `c` with which `(256 a x >> 16) + (256 b y >> 16) + c`, shifted down, is the table for every pair and never
/// leaves i32.
fn constant(a: i64, b: i64, table: &[i8]) -> Option<i32> {
    let word = i64::from(i32::MIN)..=i64::from(i32::MAX);
    if !word.contains(&a) || !word.contains(&b) {
        return None;
    }
    let (mut low, mut high) = (i64::from(i32::MIN) * 2, i64::from(i32::MAX) * 2);
    let (mut least, mut greatest) = (0, 0);
    for (i, &y) in table.iter().enumerate() {
        let (x0, x1) = (i as i64 / 256 - 128, i as i64 % 256 - 128);
        let (first, second) = ((a * x0 * 256) >> 16, (b * x1 * 256) >> 16);
        let (sum, y) = (first + second, i64::from(y));
        (least, greatest) = (least.min(sum).min(second), greatest.max(sum).max(second));
        if y > -128 {
            low = low.max((y << SUM) - sum);
        }
        if y < 127 {
            high = high.min(((y + 1) << SUM) - 1 - sum);
        }
    }
    let c = low.midpoint(high);
    (low <= high && word.contains(&(c + least)) && word.contains(&(c + greatest))).then_some(c as i32)
}
