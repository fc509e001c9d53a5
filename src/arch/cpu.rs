//! The one place that chooses an instruction set.

use super::Isa;
#[cfg(thumb)]
use super::armv6m::Armv6m;
#[cfg(dsp)]
use super::armv7em::Armv7em;
#[cfg(mve)]
use super::mve::Mve;
#[cfg(all(feature = "std", target_arch = "aarch64"))]
use super::neon::Dot;
#[cfg(not(any(dsp, mve, thumb)))]
use super::scalar::Scalar;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
use super::x86::{Avx2, Vnni};

/// An instruction set that the CPU is known to have: what nets are run on. Every one gives the same bytes.
///
/// On a microcontroller there is one, known when it is compiled. A host has those that its CPU says it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cpu(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    #[cfg(thumb)]
    Armv6m(Armv6m),
    #[cfg(mve)]
    Mve(Mve),
    #[cfg(dsp)]
    Armv7em(Armv7em),
    #[cfg(not(any(dsp, mve, thumb)))]
    Scalar(Scalar),
    #[cfg(all(feature = "std", target_arch = "aarch64"))]
    Dot(Dot),
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    Avx2(Avx2),
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    Vnni(Vnni),
}

impl Cpu {
    /// The fastest there is.
    #[inline(always)]
    pub fn fastest() -> Self {
        #[cfg(all(feature = "std", any(target_arch = "x86_64", target_arch = "aarch64")))]
        if let Some(cpu) = Self::extensions().into_iter().flatten().next() {
            return cpu;
        }
        Self::PORTABLE
    }

    /// All there are, the fastest first.
    pub fn all() -> impl Iterator<Item = Self> {
        #[cfg(all(feature = "std", any(target_arch = "x86_64", target_arch = "aarch64")))]
        let extensions = Self::extensions();
        #[cfg(not(all(feature = "std", any(target_arch = "x86_64", target_arch = "aarch64"))))]
        let extensions = [None];
        extensions.into_iter().flatten().chain([Self::PORTABLE])
    }

    /// What the CPU says it has beyond what its target promises, the fastest first.
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    fn extensions() -> [Option<Self>; 2] {
        [Vnni::detect().map(|vnni| Self(Kind::Vnni(vnni))), Avx2::detect().map(|avx2| Self(Kind::Avx2(avx2)))]
    }

    /// The same.
    #[cfg(all(feature = "std", target_arch = "aarch64"))]
    fn extensions() -> [Option<Self>; 1] {
        [Dot::detect().map(|dot| Self(Kind::Dot(dot)))]
    }

    /// What every CPU of the target has.
    #[cfg(mve)]
    const PORTABLE: Self = Self(Kind::Mve(Mve));
    #[cfg(thumb)]
    const PORTABLE: Self = Self(Kind::Armv6m(Armv6m));
    #[cfg(dsp)]
    const PORTABLE: Self = Self(Kind::Armv7em(Armv7em));
    #[cfg(not(any(dsp, mve, thumb)))]
    const PORTABLE: Self = Self(Kind::Scalar(Scalar));

    /// Its name: `scalar`, `armv6-m`, `armv7e-m`, `armv8.1-m mve`, `avx2`, `avx-512 vnni`, `neon dot`.
    pub fn name(self) -> &'static str {
        struct Name(&'static str);
        impl Job for &mut Name {
            fn on<I: Isa>(self, _: I) {
                self.0 = I::NAME;
            }
        }
        let mut name = Name("");
        self.run(&mut name);
        name.0
    }

    /// Does the job on it.
    #[inline(always)]
    pub(crate) fn run(self, job: impl Job) {
        match self.0 {
            #[cfg(mve)]
            Kind::Mve(isa) => job.on(isa),
            #[cfg(thumb)]
            Kind::Armv6m(isa) => job.on(isa),
            #[cfg(dsp)]
            Kind::Armv7em(isa) => job.on(isa),
            #[cfg(not(any(dsp, mve, thumb)))]
            Kind::Scalar(isa) => job.on(isa),
            #[cfg(all(feature = "std", target_arch = "aarch64"))]
            Kind::Dot(isa) => job.on(isa),
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            Kind::Avx2(isa) => job.on(isa),
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            Kind::Vnni(isa) => job.on(isa),
        }
    }
}

/// Work that can be done on any instruction set.
pub(crate) trait Job {
    /// Does it.
    fn on<I: Isa>(self, isa: I);
}
