//! Operators by vectors of sixteen elements. They compute what their namesakes one room up do; what differs is the order of
//! things, which is told at [`Packing`](crate::ir::Packing) and [`Vectors`](crate::ir::Vectors).
//!
//! Rows are copied with their border once, into a ring of as many as four neighbouring outputs see, so that all their windows
//! are runs of it. Rows are read in order, each before the output that lies as far down is written.

mod conv2d;

pub(crate) use conv2d::conv2d;
