//! Where blocks lie: orders improved by moves, then the search.

use std::ops::Range;

use super::block::{Block, most_alive};

/// Moves of a block within an order that are tried.
const MOVES: u32 = 4_000;

/// Placements the search may try before it gives up improving.
const SEARCH: u32 = 20_000;

/// The least arena found, and the offset of each block.
pub(super) fn place(blocks: &[Block], align: usize) -> (usize, Vec<usize>) {
    let bound = most_alive(blocks, align);
    let near = near(blocks);
    let mut orders: Vec<Vec<usize>> = Vec::new();
    let mut order_by = |key: &dyn Fn(&Block) -> (usize, usize)| {
        let mut order: Vec<usize> = (0..blocks.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(key(&blocks[i])));
        orders.push(order);
    };
    order_by(&|b| (b.bytes, b.last - b.first));
    order_by(&|b| (b.last - b.first, b.bytes));
    order_by(&|b| (b.bytes * (b.last - b.first + 1), b.bytes));
    order_by(&|b| (b.last, b.bytes));
    order_by(&|b| (usize::MAX - b.first, b.bytes));
    let in_order = |order: &[usize]| {
        let mut offsets = vec![None; blocks.len()];
        for &i in order {
            offsets[i] = Some(lowest(blocks, &near[i], &offsets, i, align));
        }
        let offsets: Vec<usize> = offsets.into_iter().flatten().collect();
        let arena = blocks.iter().zip(&offsets).map(|(b, at)| at + b.bytes).max().unwrap_or(0);
        (arena, offsets)
    };
    let mut best = (usize::MAX, Vec::new());
    for mut order in orders {
        let mut found = in_order(&order);
        let mut tries = if found.0 > bound { MOVES } else { 0 };
        // One block earlier in the order, as long as that gains something.
        while let Some((arena, offsets, moved)) = (0..order.len())
            .flat_map(|from| (0..from).map(move |to| (from, to)))
            .take_while(|_| {
                tries = tries.saturating_sub(1);
                tries > 0
            })
            .find_map(|(from, to)| {
                let mut moved = order.clone();
                moved[to..=from].rotate_right(1);
                let (arena, offsets) = in_order(&moved);
                (arena < found.0).then_some((arena, offsets, moved))
            })
        {
            (found, order) = ((arena, offsets), moved);
            if found.0 <= bound {
                break;
            }
        }
        if found.0 < best.0 {
            best = found;
        }
    }
    let mut search = Search { blocks, near: &near, align, bound, best, left: SEARCH };
    search.extend(&mut vec![None; blocks.len()], 0, 0);
    search.best
}

/// Of each block those that are alive with it: in long nets, few of many.
fn near(blocks: &[Block]) -> Vec<Vec<usize>> {
    let meets = |block: &Block| (0..blocks.len()).filter(|&j| blocks[j].meets(block)).collect();
    blocks.iter().map(meets).collect()
}

/// The lowest offset at which block `i` overlaps none that is placed and alive with it, which are among those `near`, but
/// for what it may lie over, or may lie over it.
fn lowest(blocks: &[Block], near: &[usize], offsets: &[Option<usize>], i: usize, align: usize) -> usize {
    let block = &blocks[i];
    // Between each pair of these, neither of them included, it may not begin.
    let mut taken: Vec<(isize, isize)> = Vec::with_capacity(near.len());
    // Within the range, its distance from the place has to be a multiple.
    let mut stepped: Vec<(Range<isize>, isize, usize)> = Vec::new();
    for &j in near {
        let (other, Some(at)) = (&blocks[j], offsets[j]) else { continue };
        let (at, size, other_size) = (at as isize, block.bytes as isize, other.bytes as isize);
        let (low, high) = (at - size, at + other_size);
        let (from, to, step) = match (block.over, other.over) {
            (Some((under, lead)), _) if under == j => (at - lead.least.min(size), high, lead.step),
            (_, Some((under, lead))) if under == i => (low, at + lead.least.min(other_size), lead.step),
            _ => (low, high, 1),
        };
        taken.push((from, to));
        if step > 1 {
            stepped.push((low + 1..high, at, step));
        }
    }
    taken.sort_unstable();
    let mut at = 0;
    loop {
        for &(from, to) in &taken {
            if at <= from {
                break;
            }
            if at < to {
                at = (to as usize).next_multiple_of(align) as isize;
            }
        }
        // Where it meets what it shares bytes with, only some distances will do.
        let meets = |(near, other, step): &(Range<isize>, isize, usize)| {
            near.contains(&at) && !(at - other).unsigned_abs().is_multiple_of(*step)
        };
        if !stepped.iter().any(meets) {
            return at as usize;
        }
        at += align as isize;
    }
}

/// A search through the orders in which blocks can be placed, each at the lowest free offset. Any best placement,
/// its blocks slid down, is reached in ascending order of offset, so only orders whose offsets ascend are followed.
struct Search<'a> {
    blocks: &'a [Block],
    near: &'a [Vec<usize>],
    align: usize,
    bound: usize,
    best: (usize, Vec<usize>),
    left: u32,
}

impl Search<'_> {
    /// Tries every block that is not placed yet as the next one; `arena` bytes are used so far, and none may lie
    /// below `floor`.
    fn extend(&mut self, offsets: &mut Vec<Option<usize>>, floor: usize, arena: usize) {
        if offsets.iter().all(Option::is_some) {
            self.best = (arena, offsets.iter().copied().flatten().collect());
            return;
        }
        for i in 0..self.blocks.len() {
            if self.best.0 <= self.bound || self.left == 0 {
                return;
            }
            if offsets[i].is_some() {
                continue;
            }
            let at = lowest(self.blocks, &self.near[i], offsets, i, self.align);
            let arena = arena.max(at + self.blocks[i].bytes);
            self.left -= 1;
            if at < floor || arena >= self.best.0 {
                continue;
            }
            offsets[i] = Some(at);
            self.extend(offsets, at, arena);
            offsets[i] = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn the_search_finds_what_no_order_by_size_or_time_does() {
        // Three long blocks and the gaps between them, where every greedy order leaves a hole.
        let block =
            |bytes, first, last| Block { tensors: vec![], scratch: None, bytes, first, last, over: None };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        let mut improved = 0;
        for _ in 0..200 {
            let mut draw = |n: u64| (rng.next_u64() % n) as usize;
            let blocks: Vec<Block> = (0..8)
                .map(|_| {
                    let first = draw(8);
                    block(4 + 4 * draw(12), first, first + draw(4))
                })
                .collect();
            let (arena, offsets) = place(&blocks, 4);
            let mut by_size: Vec<usize> = (0..blocks.len()).collect();
            by_size.sort_by_key(|&i| std::cmp::Reverse(blocks[i].bytes));
            let mut greedy = vec![None; blocks.len()];
            for i in by_size {
                greedy[i] = Some(lowest(&blocks, &near(&blocks)[i], &greedy, i, 4));
            }
            let end = |offsets: &[usize]| blocks.iter().zip(offsets).map(|(b, at)| at + b.bytes).max();
            let greedy: Vec<usize> = greedy.into_iter().flatten().collect();
            assert_eq!(end(&offsets), Some(arena));
            assert!(arena >= most_alive(&blocks, 4) && Some(arena) <= end(&greedy));
            improved += u32::from(Some(arena) < end(&greedy));
        }
        assert!(improved > 0, "largest first was never beaten");
    }
}
