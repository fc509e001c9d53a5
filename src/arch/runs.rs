//! Runs of elements from one tensor to another: what every operator that only moves bytes comes to.

use super::run;

/// Runs of one length, at even steps in either tensor. Assembler reads it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct EvenRuns {
    /// Elements of a run.
    pub(crate) len: usize,
    /// How many runs.
    pub(crate) count: usize,
    /// Elements from a run to the next where they are read, and where they are written.
    pub(crate) steps: [usize; 2],
}

impl EvenRuns {
    /// Whether there are any, and all of them lie within slices of these lengths.
    #[allow(dead_code)] // asked by instances in assembler
    pub(crate) fn lie_within(&self, from: usize, to: usize) -> bool {
        let Some(last) = self.count.checked_sub(1) else { return false };
        self.len > 0 && from >= last * self.steps[0] + self.len && to >= last * self.steps[1] + self.len
    }
}

/// See [`Isa::copy_runs`](super::Isa::copy_runs).
pub(crate) fn copy_runs(x: &[i8], y: &mut [i8], runs: &EvenRuns) {
    let [from, to] = runs.steps;
    for i in 0..runs.count {
        if runs.len == 1 {
            if let (Some(&x), Some(y)) = (x.get(i * from), y.get_mut(i * to)) {
                *y = x;
            }
            continue;
        }
        let y = y.get_mut(i * to..).unwrap_or_default();
        y.iter_mut().zip(run(x, i * from, runs.len)).for_each(|(y, &x)| *y = x);
    }
}
