//! `bench`: int8 against float on this host.

use std::path::Path;

use crate::cli::BenchArgs;
use crate::data::Dataset;
use crate::export::{CHECKPOINT, Source, Stored, read_checkpoint};
use crate::timing::{Effort, Nets, Timing, measure};
use crate::{Error, Result};

pub(super) fn run(args: &BenchArgs) -> Result<()> {
    let stored = Stored::load(&args.dir)?;
    let timing = time(&args.dir, &stored, Effort::default())?;
    if args.json {
        let json = serde_json::to_string_pretty(&timing).expect("plain data has a JSON form");
        super::print(&format!("{json}\n"))
    } else {
        super::print(&timing.text())
    }
}

/// Times the nets of an output folder: of a training on the test samples of its data, of an import on made-up ones.
fn time(folder: &Path, stored: &Stored, effort: Effort) -> Result<Timing> {
    let nets = match stored.origin.source {
        Source::Trained { .. } => trained(folder, stored)?,
        Source::Imported { .. } => Nets::imported(&stored.net),
    };
    measure(&nets, effort)
}

fn trained(folder: &Path, stored: &Stored) -> Result<Nets> {
    let name = stored.origin.data()?;
    let path = folder.join(CHECKPOINT);
    let float = read_checkpoint(&path)?;
    let mut data = Dataset::load(name)?;
    let (have, want) = (data.len_of_sample(), stored.net.input_shape().len());
    if have != want {
        return Err(Error::new(format!(
            "data {name:?} has {have} values a sample; the net was trained on {want}"
        )));
    }
    data.range = (stored.origin.low, stored.origin.high); // that of the training, whatever this data shows
    Nets::trained(&stored.net, &float, &data.normalised(&data.test)).map_err(|e| Error::file(&path, e))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use zipnet::ir::Shape;

    use super::*;
    use crate::build::build;
    use crate::export::{Origin, Source, write_checkpoint};
    use crate::quantise::quantise;
    use crate::recipe::Recipe;

    const EFFORT: Effort = Effort { rounds: 3, round: Duration::from_millis(5) };

    /// An output folder of the default net, never trained.
    fn folder(data: &str) -> tempfile::TempDir {
        let recipe = Recipe::load("digits").expect("ships");
        let net = build(&recipe, Shape::new(16, 16, 1), 10, 1).expect("builds").net;
        let digits = Dataset::load("digits").expect("embedded");
        let samples = &digits.normalised(&digits.test)[..32 * 256];
        let made = quantise(&net, &recipe.quantise, samples, 1).expect("quantises");
        let origin = Origin {
            source: Source::Trained { data: data.to_owned(), seed: 1 },
            low: 0.0,
            high: 255.0,
            classes: digits.classes.clone(),
        };
        let stored = Stored { net: made.net, arena: made.arena, origin };
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::write(dir.path().join(Stored::FILE), stored.to_json()).expect("can be written");
        fs::write(dir.path().join(CHECKPOINT), write_checkpoint(&net).expect("writes"))
            .expect("can be written");
        dir
    }

    #[test]
    fn a_folder_is_timed() {
        let dir = folder("digits");
        let timing = time(dir.path(), &Stored::load(dir.path()).expect("loads"), EFFORT).expect("times");
        assert_eq!((timing.model.as_str(), timing.macs), ("digits", 63_660));
    }

    #[test]
    fn a_folder_that_lacks_something_names_it() {
        let refused = |dir: &Path| {
            let timing = Stored::load(dir).and_then(|stored| time(dir, &stored, EFFORT));
            timing.expect_err("must be refused").to_string()
        };
        let dir = folder("digits");
        fs::write(dir.path().join(CHECKPOINT), [0; 9]).expect("can be written");
        assert!(refused(dir.path()).contains(CHECKPOINT));
        fs::remove_file(dir.path().join(Stored::FILE)).expect("can be removed");
        assert!(refused(dir.path()).contains(Stored::FILE));

        let table = dir.path().join("table.csv");
        fs::write(&table, "a,label\n".to_owned() + &"1,x\n2,y\n".repeat(6)).expect("can be written");
        let text = refused(folder(table.to_str().expect("UTF-8")).path());
        assert!(text.contains("1 values a sample; the net was trained on 256"), "{text}");
    }
}
