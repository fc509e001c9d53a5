//! `import`: from another program's file to an output folder.

use std::fs;
use std::path::{Path, PathBuf};

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde::Serialize;
use zipnet::argmax;

use crate::cli::ImportArgs;
use crate::export::{Folder, Origin, Sample, Source, Stored, Streamed};
use crate::import::{Imported, import};
use crate::report::Layer;
use crate::{Error, Result};

/// Golden samples made up where none are given.
const MADE_UP: usize = 8;

/// Golden samples kept of those given.
const MOST: usize = 64;

pub(super) fn run(args: &ImportArgs) -> Result<()> {
    let bytes = fs::read(&args.file).map_err(|e| Error::file(&args.file, e))?;
    let name = name(&args.file)?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("out").join(&name));
    let labels = args.labels.as_deref().map(labels).transpose()?.unwrap_or_default();
    let (stored, streamed) = read(args, &bytes, &name, labels).map_err(|e| Error::file(&args.file, e))?;
    let inputs = match &args.samples {
        Some(path) => {
            let mut given = super::inputs(&stored, path)?;
            given.truncate(MOST * stored.net.input_shape().len());
            given
        }
        None => made_up(&stored),
    };
    let golden = golden(&stored, &inputs)?;

    let mut folder = Folder::open(&out)?;
    folder.write("model.rs", super::model(&stored, streamed.as_ref(), &golden).as_bytes())?;
    folder.write(Stored::FILE, stored.to_json().as_bytes())?;
    folder.write("report.json", report(&stored, streamed.as_ref()).as_bytes())?;
    folder.commit()?;
    let golden = golden.len();
    super::print(&format!(
        "{}\nthe file has {} bytes; written to {}: model.rs with {golden} golden samples, {}, report.json\n",
        super::inspect::describe(&stored),
        bytes.len(),
        out.display(),
        Stored::FILE,
    ))
}

/// The net of a file, cleaned and planned; cut behind its first layer where its input shall come row by row.
fn read(
    args: &ImportArgs,
    bytes: &[u8],
    name: &str,
    classes: Vec<String>,
) -> Result<(Stored, Option<Streamed>)> {
    let Imported { mut net, input, notes } = import(bytes, name, !args.no_clean)?;
    let (arena, streamed) = super::packed(&mut net, &args.place)?;
    let outputs = net.output_shape().len();
    if !classes.is_empty() && classes.len() != outputs {
        return Err(Error::new(format!("{} labels for {outputs} outputs", classes.len())));
    }
    let source = Source::Imported {
        file: args.file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        sha256: crate::data::sha256(bytes),
        notes,
    };
    let (low, high) = (input.int8.real(i8::MIN), input.int8.real(i8::MAX));
    Ok((Stored { net, arena, origin: Origin { source, low, high, classes } }, streamed))
}

/// The net's name: the file's, without its extension.
fn name(path: &Path) -> Result<String> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).map(str::trim).filter(|stem| !stem.is_empty());
    stem.map(str::to_owned).ok_or_else(|| Error::file(path, "has no file name to call the net by"))
}

/// The lines of a file.
fn labels(path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).map_err(|e| Error::file(path, e))?;
    Ok(text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect())
}

/// Inputs that reach far: all zero, all least, all greatest, the others random.
fn made_up(stored: &Stored) -> Vec<i8> {
    let net = &stored.net;
    let (size, zero) = (net.input_shape().len(), net.tensors[net.input.at()].meta.zero);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut inputs: Vec<i8> =
        [zero, i8::MIN, i8::MAX].iter().flat_map(|&q| std::iter::repeat_n(q, size)).collect();
    inputs.extend((inputs.len()..MADE_UP * size).map(|_| (rng.next_u64() >> 56) as u8 as i8));
    inputs
}

/// Inputs with what the host's engine makes of them.
fn golden(stored: &Stored, inputs: &[i8]) -> Result<Vec<Sample>> {
    let (size, made) = (stored.net.input_shape().len(), stored.net.output_shape().len());
    let outputs = stored.run(inputs)?;
    let sample = |(input, output): (&[i8], &[i8])| Sample {
        input: input.to_vec(),
        output: output.to_vec(),
        label: argmax(output) as u16, // one axis alone is longer than 1 where this means something
    };
    Ok(inputs.chunks(size).zip(outputs.chunks(made)).map(sample).collect())
}

/// `report.json` of an imported net: the keys of a trained one as far as there is something to tell.
fn report(stored: &Stored, streamed: Option<&Streamed>) -> String {
    #[derive(Serialize)]
    struct Json<'a> {
        model: &'a str,
        source: &'a Source,
        macs: u64,
        weight_bytes: usize,
        arena_bytes: usize,
        layers: Vec<Layer>,
        classes: &'a [String],
    }
    let net = &stored.net;
    let json = Json {
        model: &net.name,
        source: &stored.origin.source,
        macs: net.macs(),
        weight_bytes: net.weight_bytes(),
        arena_bytes: streamed.map_or(stored.arena, |cut| cut.arena),
        layers: Layer::all(net),
        classes: &stored.origin.classes,
    };
    let mut text = serde_json::to_string_pretty(&json).expect("plain data has a JSON form");
    text.push('\n');
    text
}
