//! Counts what one operator takes, for each of many shapes, and holds every output to that of the portable kernels.
//!
//! `firmware/run grid` makes the table. Of each net the last operator is counted, the others bring it its operands.
#![no_std]
#![no_main]

use firmware::cost::{bench_start, bench_stop, counted, plausible};
use firmware::{FAILURE, SUCCESS, board, exit};
use zipnet::Golden;
use zipnet::Runner;
use zipnet::ir::{Graph, Int};

#[allow(unreachable_pub, reason = "generated")]
mod cases {
    include!(concat!(env!("OUT_DIR"), "/cases.rs"));
}

/// A net, and the output it must give.
struct Case {
    graph: &'static Graph<'static, Int>,
    golden: &'static [Golden],
}

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut INPUT: [i8; cases::INPUT] = [0; cases::INPUT];
    static mut ARENA: zipnet::ir::Aligned<[i8; cases::ARENA]> = zipnet::ir::Aligned([0; cases::ARENA]);
    board::take();

    if !plausible() {
        defmt::warn!("the counter is off (QEMU needs -icount shift=7)");
    }
    let mut wrong = 0;
    for case in cases::CASES {
        let input = INPUT.get_mut(..case.graph.tensor(case.graph.input).shape.len()).unwrap_or_default();
        fill(input);
        let last = case.graph.nodes.len() - 1;
        let see = |node: usize, _: &[i8]| {
            if node + 1 == last {
                bench_start();
            } else if node == last {
                bench_stop();
            }
        };
        let ran = match Runner::new(case.graph) {
            Ok(runner) => runner.observe(&mut ARENA.0, input, see).ok(),
            Err(_) => None,
        };
        if ran.is_some_and(|output| case.golden.iter().all(|golden| golden.output == output)) {
            defmt::info!("{=str} {=u32}", case.graph.name, counted());
        } else {
            defmt::error!("{=str}: other bytes than the portable kernels", case.graph.name);
            wrong += 1;
        }
    }
    exit(if wrong == 0 { SUCCESS } else { FAILURE })
}

/// The numbers that the host filled its input with: the upper bytes of linear congruences.
fn fill(input: &mut [i8]) {
    let mut state = 1u32;
    for x in input {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *x = (state >> 24) as i8;
    }
}
