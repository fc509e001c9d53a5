//! `train-host`.

fn main() {}
