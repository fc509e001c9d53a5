//! Runs many nets, each over its own golden samples: every output must equal the golden one, byte for byte.
//!
//! `firmware/run operators` takes the single-operator models of `tests/golden`, imported on the host, with the outputs of
//! an independent implementation; `firmware/run packed` takes packed nets, with what the portable kernels give on the
//! host, some of whose inputs come row by row. The table is made by `train-host/examples/tables`.
#![no_std]
#![no_main]

use firmware::{FAILURE, SUCCESS, board, exit};
use zipnet::ir::{Graph, Int};
use zipnet::{Cpu, Golden, Model, RunError, run_graph, run_streamed};

#[allow(unreachable_pub, reason = "generated")]
mod cases {
    include!(concat!(env!("OUT_DIR"), "/cases.rs"));
}

/// A net and its golden samples.
struct Case {
    head: Option<&'static Graph<'static, Int>>,
    graph: &'static Graph<'static, Int>,
    golden: &'static [Golden],
}

impl Case {
    const fn of<M: Model>(golden: &'static [Golden]) -> Self {
        Self { head: M::HEAD, graph: M::GRAPH, golden }
    }

    fn run(&self, arena: &mut [i8], input: &[i8], output: &mut [i8]) -> Result<(), RunError> {
        match self.head {
            Some(head) => run_streamed(Cpu::fastest(), (head, self.graph), arena, input, output),
            None => run_graph(self.graph, arena, input, output),
        }
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut ARENA: [i8; cases::ARENA] = [0; cases::ARENA];
    static mut OUTPUT: [i8; cases::OUTPUT] = [0; cases::OUTPUT];
    board::take();

    let (mut samples, mut wrong) = (0, 0);
    for case in cases::CASES {
        for (i, golden) in case.golden.iter().enumerate() {
            samples += 1;
            let Some(output) = OUTPUT.get_mut(..golden.output.len()) else {
                defmt::error!("{=str}: an output of {=usize} elements", case.graph.name, golden.output.len());
                wrong += 1;
                continue;
            };
            let ran = case.run(ARENA, golden.input, output).is_ok();
            if !ran || output != golden.output {
                defmt::error!(
                    "{=str}, sample {=usize}: {=str}",
                    case.graph.name,
                    i,
                    if ran { "other bytes" } else { "refused" }
                );
                wrong += 1;
            }
        }
    }
    if wrong == 0 && samples > 0 {
        defmt::info!(
            "{=usize} nets: {=usize} of {=usize} samples bit-equal",
            cases::CASES.len(),
            samples,
            samples
        );
        exit(SUCCESS)
    }
    defmt::error!("{=usize} nets: {=usize} of {=usize} samples wrong", cases::CASES.len(), wrong, samples);
    exit(FAILURE)
}
