//! A sweep: nets of every number of groups, with and without channel shuffle, at three complexities and from several
//! seeds, at equal multiplications.
//!
//! A sweep is a folder. `sweep.json` says what it is of; each [`Trial`] has a name and writes one file of that name,
//! whole or not at all, so that trials can run anywhere, at any time, more than once, and be killed: a trial is over when
//! its file is there. The table is made from the files alone and holds nothing that depends on when or where they were
//! written.

mod net;
mod table;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::export::write_beside;
use crate::{Error, Result};

pub use self::table::{csv, points};
pub use self::trial::{Outcome, run};

/// Numbers of groups that a net can have: those that divide the channels of its stem.
const GROUPS: [u16; 8] = [1, 2, 3, 4, 6, 8, 12, 24];

/// What a sweep is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Data set: of 28x28 grey pictures in 10 classes.
    pub data: String,
    /// Passes over the training samples.
    pub epochs: u32,
    /// Training samples used, the first ones; `None` for all.
    pub samples: Option<usize>,
    /// Numbers of groups.
    pub groups: Vec<u16>,
    /// Channels of the net of one group at each complexity; its multiplications are what the others get.
    pub channels: Vec<u16>,
    /// Seeds 1 to this.
    pub seeds: u64,
}

impl Default for Settings {
    /// 81 trials, about a quarter of an hour on two cores with AVX-512.
    fn default() -> Self {
        Self {
            data: "fashion-mnist".to_owned(),
            epochs: 4,
            samples: None,
            groups: vec![1, 2, 3, 4, 8],
            channels: vec![64, 40, 24],
            seeds: 3,
        }
    }
}

/// One net of a sweep, trained from one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// Channels of the net of one group that costs as much.
    pub channels: u16,
    /// Groups.
    pub groups: u16,
    /// Whether there are channel shuffles; with one group they would change nothing, and there are none.
    pub shuffle: bool,
    /// Seed.
    pub seed: u64,
}

impl Trial {
    /// Its name: `c40-g3-shuffle-s1`.
    pub fn id(&self) -> String {
        let Self { channels, groups, shuffle, seed } = self;
        let shuffle = if *shuffle { "-shuffle" } else { "" };
        format!("c{channels}-g{groups}{shuffle}-s{seed}")
    }
}

impl Settings {
    /// Whether they make a sweep.
    ///
    /// # Errors
    /// Names what is out of range.
    pub fn check(&self) -> Result<()> {
        let bad = |what: &str, range: &str| Err(Error::new(format!("sweep: {what} must be {range}")));
        if self.epochs == 0 {
            return bad("epochs", "at least 1");
        }
        if self.samples.is_some_and(|n| n < 100) {
            return bad("samples", "at least 100");
        }
        if self.groups.is_empty() || self.groups.iter().any(|g| !GROUPS.contains(g)) {
            return bad("groups", "of 1, 2, 3, 4, 6, 8, 12 and 24");
        }
        if self.channels.is_empty() || self.channels.iter().any(|c| !(4..=200).contains(c)) {
            return bad("channels", "from 4 to 200");
        }
        if !(1..=100).contains(&self.seeds) {
            return bad("seeds", "from 1 to 100");
        }
        Ok(())
    }

    /// Every trial: by complexity, groups, shuffle, seed.
    pub fn trials(&self) -> Vec<Trial> {
        let mut trials = Vec::new();
        for &channels in &self.channels {
            for &groups in &self.groups {
                for shuffle in [false, true].into_iter().filter(|&shuffle| groups > 1 || !shuffle) {
                    trials.extend((1..=self.seeds).map(|seed| Trial { channels, groups, shuffle, seed }));
                }
            }
        }
        trials
    }
}

/// The folder of a sweep.
#[derive(Clone, Debug)]
pub struct Sweep {
    dir: PathBuf,
    /// What it is of.
    pub settings: Settings,
}

impl Sweep {
    /// Opens a folder, or makes it. `settings` fills in what is not said; where the folder says what it is of, nothing
    /// else may be asked of it.
    ///
    /// # Errors
    /// Where the folder is of another sweep, or cannot be read or written.
    pub fn open(dir: &Path, settings: impl FnOnce(Settings) -> Settings) -> Result<Self> {
        let path = dir.join("sweep.json");
        let old: Option<Settings> = match fs::read(&path) {
            Ok(bytes) => Some(serde_json::from_slice(&bytes).map_err(|e| Error::file(&path, e))?),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(Error::file(&path, e)),
        };
        let asked = settings(old.clone().unwrap_or_default());
        asked.check()?;
        match old {
            Some(old) if old != asked => {
                return Err(Error::file(&path, "is of a sweep with other settings; choose another --out"));
            }
            Some(_) => {}
            None => {
                let trials = dir.join("trials");
                fs::create_dir_all(&trials).map_err(|e| Error::file(&trials, e))?;
                let json = serde_json::to_string_pretty(&asked).expect("plain data has a JSON form");
                write_beside(&path, json.as_bytes())?;
            }
        }
        Ok(Self { dir: dir.to_owned(), settings: asked })
    }

    /// The file of a trial's outcome.
    pub fn path(&self, trial: &Trial) -> PathBuf {
        self.dir.join("trials").join(format!("{}.json", trial.id()))
    }

    /// The trial of a name.
    ///
    /// # Errors
    /// Where there is none.
    pub fn trial(&self, id: &str) -> Result<Trial> {
        let found = self.settings.trials().into_iter().find(|trial| trial.id() == id);
        found.ok_or_else(|| {
            Error::new(format!("{id:?} is no trial of {}; --list names them all", self.dir.display()))
        })
    }

    /// What a trial came to, if it is over.
    ///
    /// # Errors
    /// Where its file is there but is not that trial's outcome: nothing a killed trial leaves behind.
    pub fn outcome(&self, trial: &Trial) -> Result<Option<Outcome>> {
        let path = self.path(trial);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::file(&path, e)),
        };
        let outcome: Outcome = serde_json::from_slice(&bytes).map_err(|e| Error::file(&path, e))?;
        if outcome.trial != *trial {
            return Err(Error::file(&path, "is the outcome of another trial; remove it"));
        }
        Ok(Some(outcome))
    }

    /// Writes what a trial came to, whole or not at all.
    ///
    /// # Errors
    /// Names the file that cannot be written.
    pub fn keep(&self, outcome: &Outcome) -> Result<()> {
        let json = serde_json::to_string_pretty(outcome).expect("plain data has a JSON form");
        write_beside(&self.path(&outcome.trial), json.as_bytes())
    }

    /// What all trials that are over came to, in the order of [`Settings::trials`].
    ///
    /// # Errors
    /// Those of [`Sweep::outcome`].
    pub fn outcomes(&self) -> Result<Vec<Outcome>> {
        let all = self.settings.trials();
        all.iter().filter_map(|trial| self.outcome(trial).transpose()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_sweep_has_each_trial_once() {
        let trials = Settings::default().trials();
        assert_eq!(trials.len(), 3 * 9 * 3, "one group has no shuffle");
        let mut ids: Vec<String> = trials.iter().map(Trial::id).collect();
        assert!(ids.contains(&"c40-g1-s1".to_owned()) && ids.contains(&"c24-g8-shuffle-s3".to_owned()));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), trials.len());
    }

    #[test]
    fn a_folder_is_of_one_sweep() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let few = |settings| Settings { epochs: 2, seeds: 1, ..settings };
        let sweep = Sweep::open(dir.path(), few).expect("opens");
        assert_eq!(Sweep::open(dir.path(), |old| old).expect("opens again").settings, sweep.settings);
        let other = |settings| Settings { epochs: 3, ..settings };
        let error = Sweep::open(dir.path(), other).expect_err("is another").to_string();
        assert!(error.contains("sweep.json: is of a sweep with other settings"), "{error}");
        let error = sweep.trial("c40-g1-s2").expect_err("one seed only").to_string();
        assert!(error.contains("c40-g1-s2"), "{error}");
        let five = |settings| Settings { groups: vec![1, 5], ..settings };
        assert!(Sweep::open(&dir.path().join("b"), five).expect_err("24 / 5").to_string().contains("groups"));
        let none = |settings| Settings { epochs: 0, ..settings };
        assert!(Sweep::open(&dir.path().join("b"), none).is_err());
        assert!(!dir.path().join("b").exists());
    }

    #[test]
    fn what_a_killed_trial_leaves_counts_for_nothing() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let sweep = Sweep::open(dir.path(), |settings| settings).expect("opens");
        let trial = sweep.trial("c40-g3-shuffle-s2").expect("is one");
        let part = sweep.path(&trial).with_extension("json.writing-77");
        fs::write(part, "{ \"trial\": ").expect("can be written");
        assert_eq!(sweep.outcome(&trial).expect("is not over"), None);
        let outcome = Outcome { trial, ..Outcome::default() };
        sweep.keep(&outcome).expect("can be written");
        assert_eq!(sweep.outcomes().expect("can be read"), [outcome]);
        let other = sweep.trial("c40-g3-shuffle-s1").expect("is one");
        fs::copy(sweep.path(&trial), sweep.path(&other)).expect("can be copied");
        assert!(sweep.outcomes().expect_err("of another").to_string().contains("another trial"));
    }
}
