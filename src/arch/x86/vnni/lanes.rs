//! Depthwise convolution, 64 lanes at a time: the bytes of four taps are interleaved, so that a lane's four elements
//! meet its four weights in one instruction.
//!
//! Tricks:
//! 1. Where taps lie in columns, a column is interleaved once for all outputs of a row that see it, and kept.
//! 2. Then half of the lanes of many outputs are done after the other half, two outputs at once: weights and factors of
//!    half the lanes fit the registers.
//! 3. Windows of three by three that share rows too are done by [`stacked`].

use super::super::rounding::{AWAY, FAR, HIDDEN, TWICE};
use super::factors::{Factors, Narrow};
use super::stacked;
use crate::arch::fours::Lanes;
use crate::arch::{Store, run};
use crate::ir::{FourTaps, Requant};
use core::arch::x86_64::*;
use core::mem::MaybeUninit;
use core::ptr;

/// All pixels and channels.
///
/// # Safety
/// `l.fits(x.len(), y.len())`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(in super::super) unsafe fn lanes(l: &Lanes<'_>, x: &[i8], y: &mut [i8]) {
    debug_assert!(l.fits(x.len(), y.len()));
    let kinds = if l.repeated { 1 } else { l.blocks() };
    for place in 0..kinds {
        let Some(requant) = l.requant.as_chunks::<16>().0[4 * place..].first_chunk::<4>() else { return };
        let factors = parts(requant, l.store);
        // SAFETY: the caller's promise; places stay below their number.
        unsafe {
            match Factors::rounding(&factors, l.store) {
                HIDDEN => blocks::<HIDDEN>(l, place, (requant, &factors), x, y),
                AWAY => blocks::<AWAY>(l, place, (requant, &factors), x, y),
                FAR => blocks::<FAR>(l, place, (requant, &factors), x, y),
                _ => blocks::<TWICE>(l, place, (requant, &factors), x, y),
            }
        }
    }
}

/// The blocks that have the weights at `place`.
///
/// # Safety
/// As for [`lanes`], and there is such a place.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn blocks<const ROUND: u8>(
    l: &Lanes<'_>,
    place: usize,
    (requant, factors): (&[[Requant; 16]; 4], &[Factors; 4]),
    x: &[i8],
    y: &mut [i8],
) {
    let narrow = Narrow::new(l.store);
    let block = Block { l, place, requant, factors, narrow };
    // SAFETY: the caller's promise.
    unsafe {
        if stacked::fits(&block) {
            return stacked::stacked::<ROUND>(&block, x, y);
        }
        match (l.neighbours(), l.taps.len() / 4) {
            (0, _) => windows::<ROUND>(&block, x, y),
            // Of a kernel of three by three, weights stay in registers.
            (neighbours, 3) => columns::<ROUND, 3>(&block, neighbours, x, y),
            (neighbours, _) => columns::<ROUND, 0>(&block, neighbours, x, y),
        }
    }
}

/// What blocks of the same weights have in common.
pub(super) struct Block<'a> {
    pub(super) l: &'a Lanes<'a>,
    /// Where their weights are.
    pub(super) place: usize,
    pub(super) requant: &'a [[Requant; 16]; 4],
    pub(super) factors: &'a [Factors; 4],
    pub(super) narrow: Narrow,
}

impl<'a> Block<'a> {
    /// Its weights.
    pub(super) fn weights(&self) -> &'a [i8] {
        run(self.l.weights, self.place * self.l.block(), self.l.block())
    }

    /// Its biases.
    pub(super) fn bias(&self) -> &'a [i32] {
        run(self.l.bias, 64 * self.place, 64)
    }
}

/// Stores the bytes of a block from `channel` on, as far as there are channels.
///
/// # Safety
/// The CPU has the instructions; `to` is where the live channels go.
#[inline(always)]
pub(super) unsafe fn put(bytes: __m512i, live: usize, to: *mut i8) {
    // SAFETY: the caller's promise; a mask keeps to what is live.
    unsafe {
        if live >= 64 {
            _mm512_storeu_si512(to.cast(), bytes);
        } else {
            _mm512_mask_storeu_epi8(to.cast(), u64::MAX >> (64 - live), bytes);
        }
    }
}

/// Window after window, where these share nothing.
///
/// # Safety
/// As for [`blocks`].
#[inline(always)]
unsafe fn windows<const ROUND: u8>(block: &Block<'_>, x: &[i8], y: &mut [i8]) {
    let l = block.l;
    let blocks = if l.repeated { 0..l.blocks() } else { block.place..block.place + 1 };
    // SAFETY: `fits` holds, so all weights of a block, 64 bytes of every tap of every block of every pixel, and all
    // outputs lie within.
    unsafe {
        let (weights, bias) = (block.weights().as_ptr(), block.bias().as_ptr());
        let mut to = y.as_mut_ptr();
        for row in 0..l.grid[0] {
            for column in 0..l.grid[1] {
                let window = x.as_ptr().add(row * l.steps[0] + column * l.steps[1]);
                for at in blocks.clone() {
                    let sums = window_sums(l.taps, window.add(64 * at), weights, bias);
                    let values = Factors::apply_all::<ROUND, 4, 4>(block.factors, block.requant, sums);
                    put(block.narrow.four(values), l.channels - 64 * at, to.add(64 * at));
                }
                to = to.add(l.channels);
            }
        }
    }
}

/// Windows whose columns are shared: those of some rows of outputs after others, or of parts of a row.
///
/// # Safety
/// As for [`blocks`]; `QUADS` is 0 or how many fours of taps there are, `neighbours` what [`Lanes::neighbours`] tells.
#[inline(always)]
unsafe fn columns<const ROUND: u8, const QUADS: usize>(
    block: &Block<'_>,
    neighbours: usize,
    x: &[i8],
    y: &mut [i8],
) {
    let l = block.l;
    let [rows, width] = l.grid;
    let most = if width > neighbours { 1 } else { FourTaps::COLUMNS / (l.column() * l.seen(width)) };
    let mut held = MaybeUninit::<Held>::uninit();
    let held = held.as_mut_ptr();
    let mut windows = [ptr::null(); FourTaps::COLUMNS];
    // SAFETY: `fits` holds, so all weights of a block, 64 bytes of every tap of every pixel, and all outputs lie within.
    // There is room for the columns that `neighbours` outputs see, or for those of `most` rows. Each output sees a column
    // that no other one begins with, so there are no more outputs than columns.
    unsafe {
        let mut to = y.as_mut_ptr().add(64 * block.place);
        let mut row = 0;
        while row < rows {
            let some = most.min(rows - row);
            let mut column = 0;
            while column < width {
                let outputs = neighbours.min(width - column);
                let mut first: *mut i8 = (&raw mut (*held).columns).cast();
                for i in 0..some {
                    let x = x.as_ptr().add((row + i) * l.steps[0] + column * l.steps[1] + 64 * block.place);
                    hold(l, x, l.seen(outputs), first);
                    for j in 0..outputs {
                        windows[i * outputs + j] =
                            first.add(256 * l.column() * l.column_step * j).cast_const();
                    }
                    first = first.add(256 * l.column() * l.seen(outputs));
                }
                let windows = &windows[..some * outputs];
                let kept = (&raw mut (*held).halves).cast();
                half::<ROUND, QUADS, 0>(block, windows, kept, to);
                half::<ROUND, QUADS, 1>(block, windows, kept, to);
                to = to.wrapping_add(some * outputs * l.channels);
                column += outputs;
            }
            row += some;
        }
    }
}

/// Half `H` of a block's lanes, for outputs two by two whose columns are held from `windows` on. The outputs of the first
/// half are kept, to be joined with those of the second.
///
/// # Safety
/// The CPU has the instructions; for each output its fours are held, there is room in `kept`, and its live channels go to
/// `to`, one output's after another's.
#[inline(always)]
unsafe fn half<const ROUND: u8, const QUADS: usize, const H: usize>(
    block: &Block<'_>,
    windows: &[*const i8],
    kept: *mut i8,
    to: *mut i8,
) {
    let l = block.l;
    let live = l.channels - 64 * block.place;
    let quads = if QUADS == 0 { l.taps.len() / 4 } else { QUADS };
    let Some(factors) = block.factors[2 * H..].first_chunk::<2>() else { return };
    let Some(requant) = block.requant[2 * H..].first_chunk::<2>() else { return };
    let factors = *factors;
    // SAFETY: the caller's promise.
    unsafe {
        let (weights, bias) = (block.weights().as_ptr().add(128 * H), block.bias().as_ptr().add(32 * H));
        let mut fours = [[_mm512_setzero_si512(); QUADS]; 2];
        let mut biases = [_mm512_setzero_si512(); 2];
        for part in 0..2 {
            for quad in 0..QUADS {
                fours[part][quad] = _mm512_loadu_si512(weights.add(256 * quad + 64 * part).cast());
            }
            biases[part] = _mm512_loadu_si512(bias.add(16 * part).cast());
        }
        for (i, pair) in windows.chunks(2).enumerate() {
            let at = [pair[0], pair[pair.len() - 1]];
            let mut sums = [biases[0], biases[1], biases[0], biases[1]];
            for quad in 0..quads {
                for i in 0..4 {
                    let place = 256 * quad + 64 * (i % 2);
                    let elements = _mm512_load_si512(at[i / 2].add(128 * H + place).cast());
                    let four = match QUADS {
                        0 => _mm512_loadu_si512(weights.add(place).cast()),
                        _ => fours[i % 2][quad],
                    };
                    sums[i] = _mm512_dpbusd_epi32(sums[i], elements, four);
                }
            }
            let values = Factors::apply_all::<ROUND, 2, 4>(&factors, requant, sums);
            let bytes = block.narrow.four(values);
            let kept = kept.add(64 * i);
            if H == 0 {
                _mm512_store_si512(kept.cast(), bytes);
                continue;
            }
            let (first, to) = (_mm512_load_si512(kept.cast()), to.wrapping_add(2 * i * l.channels));
            put(_mm512_unpacklo_epi64(first, bytes), live, to);
            if pair.len() == 2 {
                put(_mm512_unpackhi_epi64(first, bytes), live, to.wrapping_add(l.channels));
            }
        }
    }
}

/// What outputs that share columns are computed from.
#[repr(C, align(64))]
struct Held {
    /// Interleaved fours of taps, four registers each.
    columns: [i8; 256 * FourTaps::COLUMNS],
    /// Halves of outputs, a register for two.
    halves: [i8; 32 * FourTaps::COLUMNS],
}

/// Interleaves the taps of columns of a kernel, one for each of so many pixels.
///
/// # Safety
/// 64 bytes may be read at the taps of a column of each pixel from `x` on; there is room for all.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn hold(l: &Lanes<'_>, x: *const i8, pixels: usize, held: *mut i8) {
    let column = &l.taps.as_chunks::<4>().0[..l.column()];
    // SAFETY: the caller's promise.
    unsafe {
        let mut to = held;
        for pixel in 0..pixels {
            let x = x.add(pixel * l.channels);
            for taps in column {
                for (i, elements) in interleaved(taps, x).into_iter().enumerate() {
                    _mm512_store_si512(to.add(64 * i).cast(), elements);
                }
                to = to.add(256);
            }
        }
    }
}

/// The bytes of four taps, so that each lane has its four elements.
///
/// # Safety
/// 64 bytes may be read at every tap of `x`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn interleaved(taps: &[usize; 4], x: *const i8) -> [__m512i; 4] {
    // SAFETY: the caller's promise.
    let [a, b, c, d] = unsafe { taps.map(|tap| _mm512_loadu_si512(x.add(tap).cast())) };
    let (ab, cd) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d));
    let (ab_high, cd_high) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d));
    [
        _mm512_unpacklo_epi16(ab, cd),
        _mm512_unpackhi_epi16(ab, cd),
        _mm512_unpacklo_epi16(ab_high, cd_high),
        _mm512_unpackhi_epi16(ab_high, cd_high),
    ]
}

/// Factors of the four parts of a block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn parts(requant: &[[Requant; 16]; 4], store: Store) -> [Factors; 4] {
    let [a, b, c, d] = requant;
    [Factors::new(a, store), Factors::new(b, store), Factors::new(c, store), Factors::new(d, store)]
}

/// The sums of a block.
///
/// # Safety
/// 64 bytes may be read at every tap of `x`, 256 of weights for each four of them, 64 biases.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
unsafe fn window_sums(taps: &[usize], x: *const i8, weights: *const i8, bias: *const i32) -> [__m512i; 4] {
    let mut sums = [_mm512_setzero_si512(); 4];
    // SAFETY: the caller's promise.
    unsafe {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = _mm512_loadu_si512(bias.add(16 * i).cast());
        }
        for (quad, taps) in taps.as_chunks::<4>().0.iter().enumerate() {
            let elements = interleaved(taps, x);
            for i in 0..4 {
                let four = _mm512_loadu_si512(weights.add(256 * quad + 64 * i).cast());
                sums[i] = _mm512_dpbusd_epi32(sums[i], elements[i], four);
            }
        }
    }
    sums
}
