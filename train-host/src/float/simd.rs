//! The one door to the CPU's vector instructions.
//!
//! An instruction set is a token ([`Avx512`], [`Avx2`], [`Portable`]) that implements [`Simd`]; the tokens of sets
//! that a CPU may lack are made in [`Isa::all`] only, after asking it. A kernel is a value that implements
//! [`Kernel`], written once over [`Simd`] and compiled once for each set: [`Isa::run`] calls it inside a function
//! for which the compiler may use the set's instructions, so everything a kernel calls must be `#[inline(always)]`.
//!
//! A [`Lanes`] is held in [`Simd::PARTS`] registers, and kernels walk over the parts outermost: their blocks of
//! accumulators are then the same on every set, at most twelve registers with a few to spare in the sixteen of AVX2.
//!
//! # Rounding
//! Every set with fused multiply-add computes the same bits. An x86 CPU without it takes [`Portable`], which then
//! rounds products before it adds them: right, slower, and different in the last bits.

use super::lanes::{LANES, Lanes};

/// Vector instructions over parts of a [`Lanes`].
pub(crate) trait Simd: Copy {
    /// A register: `LANES / PARTS` numbers.
    type V: Copy;
    /// Registers that make a [`Lanes`].
    const PARTS: usize;
    /// Accumulators that a kernel may hold besides a handful of operands: 12, or 24 of twice as many registers.
    const ACCUMULATORS: usize;
    /// Zeros.
    fn zero(self) -> Self::V;
    /// The same number in every lane.
    fn splat(self, x: f32) -> Self::V;
    /// Part `part` of `x`.
    fn load(self, x: &Lanes, part: usize) -> Self::V;
    /// Writes part `part` of `y`.
    fn store(self, x: Self::V, y: &mut Lanes, part: usize);
    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a` where it is above `b`, else `b`.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a` where it is below `b`, else `b`.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, fused where the CPU can.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `x` where `y` is above 0, else 0.
    fn where_positive(self, y: Self::V, x: Self::V) -> Self::V;
    /// Sum over the lanes, in the order of [`Lanes::sum`].
    fn sum(self, x: &Lanes) -> f32;
    /// `a * b + c` of single numbers, rounded as [`Simd::fma`] rounds.
    fn fma1(self, a: f32, b: f32, c: f32) -> f32;
}

/// Something to compute, written once for every instruction set.
pub(crate) trait Kernel {
    /// What it gives.
    type Output;
    /// Computes it. Implementations are `#[inline(always)]`.
    fn run<S: Simd>(self, s: S) -> Self::Output;
}

/// An instruction set that this CPU has.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Isa {
    /// 16 numbers a register.
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    /// 8 numbers a register.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// What the compiler makes of plain loops for the target it was told.
    Portable(Portable),
}

impl Isa {
    /// The widest this CPU has.
    pub(crate) fn best() -> Self {
        Self::all()[0]
    }

    /// All this CPU has, the widest first.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let wide = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq");
            if fma && wide {
                all.push(Isa::Avx512(Avx512(())));
            }
            if fma {
                all.push(Isa::Avx2(Avx2(())));
            }
        }
        all.push(Isa::Portable(Portable));
        all
    }

    /// Runs a kernel with this instruction set.
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the token is made only where the CPU has every feature that `run_avx512` enables.
            Isa::Avx512(s) => unsafe { run_avx512(s, kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the token is made only where the CPU has every feature that `run_avx2` enables.
            Isa::Avx2(s) => unsafe { run_avx2(s, kernel) },
            Isa::Portable(s) => kernel.run(s),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
fn run_avx512<K: Kernel>(s: Avx512, kernel: K) -> K::Output {
    kernel.run(s)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: Kernel>(s: Avx2, kernel: K) -> K::Output {
    kernel.run(s)
}

/// Plain loops over four numbers: NEON on 64-bit ARM, SSE2 on an x86 without AVX2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

const QUARTER: usize = LANES / 4;

impl Simd for Portable {
    type V = [f32; QUARTER];
    const PARTS: usize = 4;
    const ACCUMULATORS: usize = 12;

    #[inline(always)]
    fn zero(self) -> Self::V {
        [0.0; QUARTER]
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; QUARTER]
    }
    #[inline(always)]
    fn load(self, x: &Lanes, part: usize) -> Self::V {
        let at = part * QUARTER;
        [x.0[at], x.0[at + 1], x.0[at + 2], x.0[at + 3]]
    }
    #[inline(always)]
    fn store(self, x: Self::V, y: &mut Lanes, part: usize) {
        y.0[part * QUARTER..][..QUARTER].copy_from_slice(&x);
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        let mut y = a;
        for l in 0..QUARTER {
            y[l] = a[l] + b[l];
        }
        y
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        let mut y = a;
        for l in 0..QUARTER {
            y[l] = a[l] - b[l];
        }
        y
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        let mut y = a;
        for l in 0..QUARTER {
            y[l] = a[l] * b[l];
        }
        y
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        let mut y = a;
        for l in 0..QUARTER {
            y[l] = if a[l] > b[l] { a[l] } else { b[l] };
        }
        y
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        let mut y = a;
        for l in 0..QUARTER {
            y[l] = if a[l] < b[l] { a[l] } else { b[l] };
        }
        y
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        let mut y = c;
        for l in 0..QUARTER {
            y[l] = self.fma1(a[l], b[l], c[l]);
        }
        y
    }
    #[inline(always)]
    fn where_positive(self, y: Self::V, x: Self::V) -> Self::V {
        let mut z = x;
        for l in 0..QUARTER {
            z[l] = if y[l] > 0.0 { x[l] } else { 0.0 };
        }
        z
    }
    #[inline(always)]
    fn sum(self, x: &Lanes) -> f32 {
        x.sum()
    }
    #[inline(always)]
    fn fma1(self, a: f32, b: f32, c: f32) -> f32 {
        if cfg!(any(target_feature = "fma", target_arch = "aarch64")) { a.mul_add(b, c) } else { a * b + c }
    }
}

/// AVX-512 F, VL, BW and DQ.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

/// AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64 as arch;

    use super::{Avx2, Avx512, Lanes, Simd};

    impl Simd for Avx512 {
        type V = arch::__m512;
        const PARTS: usize = 1;
        const ACCUMULATORS: usize = 24;

        #[inline(always)]
        fn zero(self) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX-512 F.
            unsafe { arch::_mm512_setzero_ps() }
        }
        #[inline(always)]
        fn splat(self, x: f32) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX-512 F.
            unsafe { arch::_mm512_set1_ps(x) }
        }
        #[inline(always)]
        fn load(self, x: &Lanes, _part: usize) -> Self::V {
            // SAFETY: as above; a `Lanes` is 16 numbers aligned to 64 bytes.
            unsafe { arch::_mm512_load_ps(x.0.as_ptr()) }
        }
        #[inline(always)]
        fn store(self, x: Self::V, y: &mut Lanes, _part: usize) {
            // SAFETY: as above; a `Lanes` is 16 numbers aligned to 64 bytes.
            unsafe { arch::_mm512_store_ps(y.0.as_mut_ptr(), x) }
        }
        #[inline(always)]
        fn add(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX-512 F.
            unsafe { arch::_mm512_add_ps(a, b) }
        }
        #[inline(always)]
        fn sub(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX-512 F.
            unsafe { arch::_mm512_sub_ps(a, b) }
        }
        #[inline(always)]
        fn mul(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX-512 F.
            unsafe { arch::_mm512_mul_ps(a, b) }
        }
        #[inline(always)]
        fn max(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX-512 F.
            unsafe { arch::_mm512_max_ps(a, b) }
        }
        #[inline(always)]
        fn min(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX-512 F.
            unsafe { arch::_mm512_min_ps(a, b) }
        }
        #[inline(always)]
        fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX-512 F.
            unsafe { arch::_mm512_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        fn where_positive(self, y: Self::V, x: Self::V) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX-512 F.
            unsafe {
                let above = arch::_mm512_cmp_ps_mask::<{ arch::_CMP_GT_OQ }>(y, arch::_mm512_setzero_ps());
                arch::_mm512_maskz_mov_ps(above, x)
            }
        }
        #[inline(always)]
        fn sum(self, x: &Lanes) -> f32 {
            // SAFETY: a token is made only where the CPU has AVX, which is all that `sum` uses.
            unsafe { sum(x) }
        }
        #[inline(always)]
        fn fma1(self, a: f32, b: f32, c: f32) -> f32 {
            a.mul_add(b, c)
        }
    }

    /// [`Lanes::sum`] in seven instructions.
    #[inline]
    #[target_feature(enable = "avx")]
    fn sum(x: &Lanes) -> f32 {
        // SAFETY: a `Lanes` is 16 numbers aligned to 64 bytes.
        let (low, high) =
            unsafe { (arch::_mm256_load_ps(x.0.as_ptr()), arch::_mm256_load_ps(x.0[8..].as_ptr())) };
        let eight = arch::_mm256_add_ps(low, high);
        let four =
            arch::_mm_add_ps(arch::_mm256_castps256_ps128(eight), arch::_mm256_extractf128_ps::<1>(eight));
        let two = arch::_mm_add_ps(four, arch::_mm_movehl_ps(four, four));
        arch::_mm_cvtss_f32(arch::_mm_add_ss(two, arch::_mm_movehdup_ps(two)))
    }

    impl Simd for Avx2 {
        type V = arch::__m256;
        const PARTS: usize = 2;
        const ACCUMULATORS: usize = 12;

        #[inline(always)]
        fn zero(self) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX2, and so AVX.
            unsafe { arch::_mm256_setzero_ps() }
        }
        #[inline(always)]
        fn splat(self, x: f32) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX2, and so AVX.
            unsafe { arch::_mm256_set1_ps(x) }
        }
        #[inline(always)]
        fn load(self, x: &Lanes, part: usize) -> Self::V {
            let half: &[f32; 8] =
                if part == 0 { x.0.first_chunk() } else { x.0.last_chunk() }.unwrap_or(&[0.0; 8]);
            // SAFETY: as above; `half` is 8 numbers.
            unsafe { arch::_mm256_loadu_ps(half.as_ptr()) }
        }
        #[inline(always)]
        fn store(self, x: Self::V, y: &mut Lanes, part: usize) {
            let half = &mut y.0[part * 8..][..8];
            // SAFETY: as above; `half` is 8 numbers.
            unsafe { arch::_mm256_storeu_ps(half.as_mut_ptr(), x) }
        }
        #[inline(always)]
        fn add(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX2, and so AVX.
            unsafe { arch::_mm256_add_ps(a, b) }
        }
        #[inline(always)]
        fn sub(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX2, and so AVX.
            unsafe { arch::_mm256_sub_ps(a, b) }
        }
        #[inline(always)]
        fn mul(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX2, and so AVX.
            unsafe { arch::_mm256_mul_ps(a, b) }
        }
        #[inline(always)]
        fn max(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX2, and so AVX.
            unsafe { arch::_mm256_max_ps(a, b) }
        }
        #[inline(always)]
        fn min(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX2, and so AVX.
            unsafe { arch::_mm256_min_ps(a, b) }
        }
        #[inline(always)]
        fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            // SAFETY: a token is made only where the CPU has FMA.
            unsafe { arch::_mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        fn where_positive(self, y: Self::V, x: Self::V) -> Self::V {
            // SAFETY: a token is made only where the CPU has AVX2, and so AVX.
            unsafe {
                let above = arch::_mm256_cmp_ps::<{ arch::_CMP_GT_OQ }>(y, arch::_mm256_setzero_ps());
                arch::_mm256_and_ps(above, x)
            }
        }
        #[inline(always)]
        fn sum(self, x: &Lanes) -> f32 {
            // SAFETY: a token is made only where the CPU has AVX, which is all that `sum` uses.
            unsafe { sum(x) }
        }
        #[inline(always)]
        fn fma1(self, a: f32, b: f32, c: f32) -> f32 {
            a.mul_add(b, c)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Twice<'a>(&'a [Lanes], &'a mut [Lanes]);

    impl Kernel for Twice<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            for (x, y) in self.0.iter().zip(self.1) {
                for part in 0..S::PARTS {
                    let v = s.load(x, part);
                    let sum = s.fma(v, s.splat(2.0), s.zero());
                    s.store(sum, y, part);
                }
            }
        }
    }

    struct Sums<'a>(&'a [Lanes]);

    impl Kernel for Sums<'_> {
        type Output = Vec<f32>;
        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> Vec<f32> {
            self.0.iter().map(|x| s.sum(x)).collect()
        }
    }

    #[test]
    fn every_set_reads_writes_and_sums_every_lane() {
        let x: Vec<Lanes> = (0..3).map(|i| Lanes(std::array::from_fn(|l| (i * LANES + l) as f32))).collect();
        let rough: Vec<Lanes> =
            (0..9).map(|i| Lanes(std::array::from_fn(|l| libm::expf((i * 5 + l * 7 % 16) as f32)))).collect();
        for isa in Isa::all() {
            let mut y = vec![Lanes::ZERO; 3];
            isa.run(Twice(&x, &mut y));
            for (x, y) in x.iter().zip(&y) {
                assert_eq!(y.0, x.0.map(|x| 2.0 * x), "{isa:?}");
            }
            let sums = isa.run(Sums(&rough));
            assert_eq!(sums, rough.iter().map(Lanes::sum).collect::<Vec<f32>>(), "{isa:?}");
        }
    }
}
