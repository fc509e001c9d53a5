//! The outcomes as a table, and as points with a spread over seeds.

use super::{Outcome, Trial};
use crate::report::sweep::Point;
use crate::{Error, Result};

const COLUMNS: [&str; 13] = [
    "trial",
    "channels",
    "groups",
    "shuffle",
    "seed",
    "params",
    "macs",
    "weight_bytes",
    "arena_bytes",
    "samples",
    "float_errors",
    "int8_errors",
    "int8_accuracy",
];

/// The table, a line a trial. `channels` names the complexity: those of the net of one group that costs as much.
///
/// # Errors
/// Where the table cannot be written as text.
pub fn csv(outcomes: &[Outcome]) -> Result<String> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(COLUMNS).map_err(Error::new)?;
    for outcome in outcomes {
        let Outcome { trial, params, macs, weight_bytes, arena_bytes, samples, .. } = outcome;
        let Trial { channels, groups, shuffle, seed } = trial;
        let row = [
            trial.id(),
            channels.to_string(),
            groups.to_string(),
            shuffle.to_string(),
            seed.to_string(),
            params.to_string(),
            macs.to_string(),
            weight_bytes.to_string(),
            arena_bytes.to_string(),
            samples.to_string(),
            outcome.float_errors.to_string(),
            outcome.int8_errors.to_string(),
            format!("{:.6}", outcome.int8_accuracy()),
        ];
        table.write_record(row).map_err(Error::new)?;
    }
    String::from_utf8(table.into_inner().map_err(Error::new)?).map_err(Error::new)
}

/// The outcomes of each net, its seeds together, in the order of the first.
pub fn points(outcomes: &[Outcome]) -> Vec<Point> {
    let net = |trial: &Trial| Trial { seed: 0, ..*trial };
    let mut nets: Vec<Trial> = outcomes.iter().map(|outcome| net(&outcome.trial)).collect();
    nets.dedup();
    let point = |trial: Trial| {
        let own: Vec<&Outcome> = outcomes.iter().filter(|outcome| net(&outcome.trial) == trial).collect();
        Point {
            channels: trial.channels,
            groups: trial.groups,
            shuffle: trial.shuffle,
            macs: own[0].macs, // at least one: the net was taken from an outcome
            weight_bytes: own[0].weight_bytes,
            arena_bytes: own[0].arena_bytes,
            float: own.iter().map(|outcome| outcome.float_accuracy()).collect(),
            int8: own.iter().map(|outcome| outcome.int8_accuracy()).collect(),
        }
    };
    nets.into_iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(groups: u16, seed: u64, int8_errors: usize) -> Outcome {
        let trial = Trial { channels: 20, groups, shuffle: groups > 1, seed };
        Outcome {
            trial,
            samples: 1_000,
            int8_errors,
            macs: 77,
            train_seconds: seed as f64,
            ..Outcome::default()
        }
    }

    #[test]
    fn a_table_has_no_trace_of_when_it_was_made() {
        let mut all = vec![outcome(1, 1, 100), outcome(1, 2, 90), outcome(3, 1, 80)];
        let text = csv(&all).expect("is text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[3], "c20-g3-shuffle-s1,20,3,true,1,0,77,0,0,1000,0,80,0.920000");
        assert_eq!(lines.len(), 4);
        all.iter_mut().for_each(|outcome| outcome.train_seconds = 9.0);
        assert_eq!(csv(&all).expect("is text"), text);
    }

    #[test]
    fn seeds_of_a_net_make_one_point() {
        let points = points(&[outcome(1, 1, 100), outcome(1, 2, 90), outcome(3, 1, 80)]);
        assert_eq!(points.len(), 2);
        assert_eq!((points[0].int8.as_slice(), points[1].int8.as_slice()), (&[0.9, 0.91][..], &[0.92][..]));
    }
}
