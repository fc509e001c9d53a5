//! Threads that share a list.

use rayon_core::{ThreadPool, ThreadPoolBuilder};

/// Threads that share a list; one thread is the caller's own.
pub(crate) struct Team {
    pool: Option<ThreadPool>,
    threads: usize,
}

impl Team {
    /// A team of `threads`, at least one. Where the system refuses threads, the caller works alone.
    pub(crate) fn new(threads: usize) -> Self {
        let threads = threads.max(1);
        let pool =
            if threads > 1 { ThreadPoolBuilder::new().num_threads(threads).build().ok() } else { None };
        let threads = if pool.is_some() { threads } else { 1 };
        Self { pool, threads }
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
        match &self.pool {
            Some(pool) => pool.install(|| halves(items, f)),
            None => items.iter_mut().for_each(f),
        }
    }
}

/// The first half here, the second wherever a thread is free: the same halves fall to the same threads each time.
fn halves<T: Send>(items: &mut [T], f: &(impl Fn(&mut T) + Sync)) {
    match items {
        [] => {}
        [item] => f(item),
        _ => {
            let (left, right) = items.split_at_mut(items.len() / 2);
            rayon_core::join(|| halves(left, f), || halves(right, f));
        }
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
