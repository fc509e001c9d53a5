//! Threads that share a list.

use std::sync::{Mutex, PoisonError};

use rayon_core::{ThreadPool, ThreadPoolBuilder};

/// Threads that share a list; one of them is the caller's own, so that a list is begun without waiting for anyone.
pub(crate) struct Team {
    /// All but the caller's own.
    pool: Option<ThreadPool>,
    threads: usize,
}

impl Team {
    /// A team of `threads`, at least one. Where the system refuses threads, the caller works alone.
    pub(crate) fn new(threads: usize) -> Self {
        let others = threads.saturating_sub(1);
        let pool = if others > 0 { ThreadPoolBuilder::new().num_threads(others).build().ok() } else { None };
        let threads = if pool.is_some() { threads } else { 1 };
        Self { pool, threads }
    }

    /// Number of threads.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Calls `f` with every item, on as many threads as there are; returns when all are done. The caller works from
    /// the front and the others from the back, so that items tend to stay in the caches of one core.
    pub(crate) fn each<T: Send>(&self, items: &mut [T], f: &(impl Fn(&mut T) + Sync)) {
        let Some(pool) = self.pool.as_ref().filter(|_| items.len() > 1) else {
            return items.iter_mut().for_each(f);
        };
        let helpers = (self.threads - 1).min(items.len() - 1);
        let left = Mutex::new(items.iter_mut());
        // Nothing is left half-changed by a panic of `f`, which holds no lock.
        let front = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
        let back = || left.lock().unwrap_or_else(PoisonError::into_inner).next_back();
        pool.in_place_scope(|scope| {
            for _ in 0..helpers {
                scope.spawn(|_| std::iter::from_fn(back).for_each(f));
            }
            std::iter::from_fn(front).for_each(f);
        });
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
                assert_eq!(items, vec![1; count]);
            }
        }
    }
}
