//! What the benches share: nets both in f32 and in int8, with inputs for both.
//!
//! `kernels` times one operator at a time, `models` whole nets. Both compare what each number format is run by: int8 by
//! the engine, sample after sample, as a device runs it; f32 by the trainer's engine, whose arithmetic is done on
//! [`train_host::float::LANES`] samples at once whether a call brings one or all of them; and, with the feature
//! `peers`, f32 by tract ([`train_host::timing`]). Everything runs on one thread.

pub mod nets;
pub mod tiny;
