//! Threads that share a list.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rayon_core::{ThreadPool, ThreadPoolBuilder};

/// How long a thread stays awake when its list is done, for the next to come.
///
/// A step of a small net takes a quarter of a millisecond and shares several lists; to wake a sleeping thread takes a
/// good part of that.
const AWAKE: Duration = Duration::from_micros(200);

/// Threads that share a list; one thread is the caller's own.
pub(crate) struct Team {
    pool: Option<ThreadPool>,
    threads: usize,
    /// Whether a list is being shared.
    busy: Arc<AtomicBool>,
}

impl Team {
    /// A team of `threads`, at least one. Where the system refuses threads, the caller works alone.
    pub(crate) fn new(threads: usize) -> Self {
        let threads = threads.max(1);
        let pool =
            if threads > 1 { ThreadPoolBuilder::new().num_threads(threads).build().ok() } else { None };
        let threads = if pool.is_some() { threads } else { 1 };
        Self { pool, threads, busy: Arc::default() }
    }

    /// Number of threads.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Runs `f` on one of the team's threads: each [`Team::each`] within it then begins without a change of thread,
    /// and finds the others awake.
    pub(crate) fn enter<R: Send>(&self, f: impl FnOnce() -> R + Send) -> R {
        match &self.pool {
            Some(pool) => pool.install(f),
            None => f(),
        }
    }

    /// Calls `f` with every item, on as many threads as there are; returns when all are done.
    pub(crate) fn each<T: Send>(&self, items: &mut [T], f: &(impl Fn(&mut T) + Sync)) {
        self.share(items, false, f);
    }

    /// As [`Team::each`]; with `back`, every thread goes through its items the other way round. To and fro by turns, a
    /// thread begins with what it saw last, which still lies in its cache.
    pub(crate) fn share<T: Send>(&self, items: &mut [T], back: bool, f: &(impl Fn(&mut T) + Sync)) {
        let Some(pool) = self.pool.as_ref().filter(|_| items.len() > 1) else {
            return in_order(items, back, f);
        };
        self.busy.store(true, Ordering::Release);
        pool.install(|| halves(items, self.threads, back, f));
        self.busy.store(false, Ordering::Release);
        for _ in 1..self.threads {
            let busy = Arc::clone(&self.busy);
            pool.spawn(move || stay_awake(&busy));
        }
    }
}

/// Calls `f` with every item.
fn in_order<T>(items: &mut [T], back: bool, f: &impl Fn(&mut T)) {
    if back { items.iter_mut().rev().for_each(f) } else { items.iter_mut().for_each(f) }
}

/// The first half here, the second wherever a thread is free, until there is a part for each of `parts`: the same
/// parts tend to fall to the same threads.
fn halves<T: Send>(items: &mut [T], parts: usize, back: bool, f: &(impl Fn(&mut T) + Sync)) {
    if items.len() < 2 {
        return in_order(items, back, f);
    }
    let (left, right) = items.split_at_mut(items.len() / 2);
    let rest = parts / 2;
    if back && parts < 2 {
        rayon_core::join(|| halves(right, rest, back, f), || halves(left, rest, back, f));
    } else {
        rayon_core::join(|| halves(left, rest, back, f), || halves(right, rest, back, f));
    }
}

/// Returns when there is a list to share, or none has come for long.
fn stay_awake(busy: &AtomicBool) {
    let begun = Instant::now();
    while !busy.load(Ordering::Acquire) && begun.elapsed() < AWAKE {
        std::thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_visited_once() {
        for threads in [0, 1, 2, 3] {
            let team = Team::new(threads);
            for count in [0, 1, 2, 7] {
                let mut items = vec![0; count];
                team.each(&mut items, &|item| *item += 1);
                team.enter(|| team.share(&mut items, true, &|item| *item += 1));
                assert_eq!(items, vec![2; count]);
            }
        }
    }
}
