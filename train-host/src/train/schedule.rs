//! The learning rate of each step.

use crate::recipe::{Course, Schedule};

/// The rate of step `step` of `steps`, counted from 0.
///
/// Over the first `warm_up * steps` steps the rate rises on a line, reaching the peak with the last of them. Then the
/// course goes from the peak to the end, which it reaches just after the last step: a cosine follows
/// `end + (peak - end) * (1 + cos(pi * t)) / 2` (Loshchilov and Hutter, arXiv 1608.03983) with t the share of the
/// steps after warm-up that are done.
pub fn rate(schedule: &Schedule, step: u64, steps: u64) -> f32 {
    let (peak, end) = (f64::from(schedule.peak), f64::from(schedule.end));
    let warm = libm::round(f64::from(schedule.warm_up) * steps as f64) as u64;
    if step < warm {
        return (peak * (step + 1) as f64 / warm as f64) as f32;
    }
    let t = (step - warm) as f64 / (steps - warm).max(1) as f64;
    let rate = match schedule.kind {
        Course::Constant => peak,
        Course::Linear => peak + (end - peak) * t,
        Course::Cosine => end + (peak - end) * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * t)),
    };
    rate as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(kind: Course, warm_up: f32) -> Schedule {
        Schedule { kind, peak: 2.0, end: 1.0, warm_up }
    }

    #[test]
    fn courses_go_from_peak_to_end() {
        let at = |kind, step| rate(&schedule(kind, 0.0), step, 100);
        assert_eq!([0, 50, 100].map(|s| at(Course::Constant, s)), [2.0, 2.0, 2.0]);
        assert_eq!([0, 50, 100].map(|s| at(Course::Linear, s)), [2.0, 1.5, 1.0]);
        assert_eq!([0, 50, 100].map(|s| at(Course::Cosine, s)), [2.0, 1.5, 1.0]);
        assert!(at(Course::Cosine, 25) > 1.85 && at(Course::Cosine, 75) < 1.15);
    }

    #[test]
    fn warm_up_rises_from_above_zero_to_the_peak() {
        let at = |step| rate(&schedule(Course::Linear, 0.1), step, 100);
        assert_eq!([0, 4, 9, 10, 55].map(at), [0.2, 1.0, 2.0, 2.0, 1.5]);
        assert_eq!(rate(&schedule(Course::Cosine, 0.99), 0, 1), 2.0);
    }
}
