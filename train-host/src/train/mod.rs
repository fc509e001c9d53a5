//! Forwards, backwards, and what a step makes of it. Nothing of this leaves the host.

pub mod augment;
