//! Integer-only, allocation-free inference of small neural nets.
//!
//! A network is a `const` table ([`ir::Graph`]) that lies in flash; the host tool `train-host` trains or imports nets
//! and writes such tables. An [`Engine`] is the table's memory and the calls that run it: int8 in, int8 out, no
//! heap, no float, no panic, and only the kernels that the table uses are linked.
//!
//! ```
//! # mod model {
//! # use zipnet::{ir::*, Arena, Golden, Model};
//! # static TENSORS: [Tensor<Int>; 2] = [
//! #     Tensor { shape: Shape::flat(4), meta: IntTensor { scale: 0.5, zero: 0, offset: 0 } },
//! #     Tensor { shape: Shape::flat(2), meta: IntTensor { scale: 0.5, zero: 0, offset: 4 } },
//! # ];
//! # static NODES: [Node<'static, Int>; 1] = [Node {
//! #     op: Op::Dense(Dense { units: 2, bias: Bias::Channel }),
//! #     inputs: &[TensorId(0)],
//! #     output: TensorId(1),
//! #     data: IntData {
//! #         weights: &[1, 1, -1, -1, -1, -1, 1, 1],
//! #         bias: &[0, 0],
//! #         requant: &[Requant::new(1 << 30, 1), Requant::new(1 << 30, 1)],
//! #         ..IntData::NONE
//! #     },
//! # }];
//! # static GRAPH: Graph<'static, Int> =
//! #     Graph { name: "which half", tensors: &TENSORS, nodes: &NODES, input: TensorId(0), output: TensorId(1) };
//! # const _: () = GRAPH.check(6);
//! # pub struct Net;
//! # impl Model for Net {
//! #     type Arena = Arena<6>;
//! #     const GRAPH: &'static Graph<'static, Int> = &GRAPH;
//! # }
//! # pub static GOLDEN: [Golden; 1] = [Golden { label: 1, input: &[1, 2, 3, 4], output: &[-4, 4] }];
//! # }
//! // mod model; // the exported `model.rs`: `Net` and its `GOLDEN` samples
//! use zipnet::Engine;
//!
//! let mut engine = Engine::<model::Net>::new(); // `const`: may be a `static`
//! for golden in &model::GOLDEN {
//!     assert_eq!(engine.run(golden.input), Ok(golden.output));
//! }
//! let class = engine.classify(&[9, 9, 1, 1]).unwrap(); // an `Err` when the length is wrong
//! assert_eq!((class.index, class.score), (0, 16));
//! ```
//!
//! # Rooms
//!
//! | module | question it answers |
//! |---|---|
//! | [`ir`] | What is a network? Operators, shapes, tensors, and the check that makes an illegal table a compile error. |
//! | [`fixed`] | What does an int8 number mean? Requantise, round, saturate. |
//! | `kernels` | What does an operator compute? One file each, written once over the trait `Isa`. |
//! | `arch` | How does this CPU do the inner blocks? The trait, its instances, and the one place that chooses. |
//! | `engine` | In which order? [`Runner`] for any graph on a host. |
//! | `step` | Which kernel runs a node? |
//! | `place` | Where in memory? |
//! | `stream` | What if the input comes row by row? [`Stream`]. |
//! | `model` | What does a user call? [`Model`], [`Engine`], [`Arena`], [`Class`]. |
//! | `float` | Reals before and after the net, behind the feature of that name; never inside. |
//!
//! # Features
//!
//! | feature | gives |
//! |---|---|
//! | `std` (default) | the standard library, for hosts; without it the crate is `no_std` |
//! | `helium` | kernels for the vectors of a Cortex-M55 or M85, which must have them and must have switched them on |
//! | `float` | quantise, dequantise and probabilities in f32 |
//! | `defmt` | `defmt::Format` on public types |
//! | `serde` | operators and shapes as data, for host tools |
#![no_std]
#![deny(unsafe_code)]
extern crate no_std_compat as std;

mod arch;
mod engine;
pub mod fixed;
#[cfg(feature = "float")]
pub mod float;
pub mod ir;
mod kernels;
mod model;
mod place;
mod step;
mod stream;

pub use arch::Cpu;
pub use engine::{RunError, Runner, run_graph, run_streamed};
pub use model::{Arena, Class, Engine, Golden, Memory, Model, argmax, from_u8, top};
pub use place::WrongLength;
pub use stream::Stream;
