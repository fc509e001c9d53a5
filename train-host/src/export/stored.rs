//! The quantised net as a file that the other commands reload.
//!
//! JSON, so that people and scripts can read it; `model.rs` holds the same numbers for firmware.

use std::path::Path;

use serde::{Deserialize, Serialize};
use zipnet::ir::{Int, IntTensor, Op, Shape, Tensor, TensorId};

use crate::graph::{IntStore, Net, NetNode};
use crate::{Error, Result};

/// Where a net comes from; what the commands that reload it need to know besides the net.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Trained here, or brought.
    pub source: Source,
    /// Raw value that is the least input, -128.
    pub low: f32,
    /// Raw value that is the greatest input, 127.
    pub high: f32,
    /// Names of the outputs; none where nobody said.
    pub classes: Vec<String>,
}

/// Trained here, or brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub enum Source {
    /// Trained here.
    Trained {
        /// Data set it was trained on.
        data: String,
        /// Seed of the run.
        seed: u64,
    },
    /// Read from a file that another program wrote.
    Imported {
        /// Its name, without the folder.
        file: String,
        /// SHA-256 of its bytes, in hexadecimal digits.
        sha256: String,
        /// What the file has at its borders, and what was taken out of its graph; a line each.
        notes: Vec<String>,
    },
}

impl Origin {
    /// The data a net was trained on, and the seed of the run.
    fn trained(&self) -> Result<(&str, u64)> {
        match &self.source {
            Source::Trained { data, seed } => Ok((data, *seed)),
            Source::Imported { file, .. } => Err(Error::new(format!(
                "the net was imported from {file:?}: there is no float net here to compare it with; `run` runs it"
            ))),
        }
    }

    /// The data a net was trained on.
    ///
    /// # Errors
    /// For a net that was not trained here, which has no float counterpart either.
    pub fn data(&self) -> Result<&str> {
        Ok(self.trained()?.0)
    }

    /// The seed of the run that a net was trained in.
    ///
    /// # Errors
    /// As [`Origin::data`].
    pub fn seed(&self) -> Result<u64> {
        Ok(self.trained()?.1)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trained { data, seed } => write!(f, "data {data:?}, seed {seed}"),
            Self::Imported { file, sha256, .. } => write!(f, "imported from {file:?}, SHA-256 {sha256}"),
        }
    }
}

/// A quantised net, its arena, and where it comes from.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The net; checked.
    pub net: Net<Int>,
    /// Bytes its arena has.
    pub arena: usize,
    /// Where it comes from.
    pub origin: Origin,
}

/// Changes with every change of the file's meaning.
const VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    zipnet_int8: u32,
    name: String,
    origin: Origin,
    arena: usize,
    input: TensorId,
    output: TensorId,
    tensors: Vec<FileTensor>,
    nodes: Vec<FileNode>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTensor {
    shape: Shape,
    meta: IntTensor,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileNode {
    name: String,
    op: Op,
    inputs: Vec<TensorId>,
    output: TensorId,
    data: IntStore,
}

impl Stored {
    /// The name of the file in an output folder.
    pub const FILE: &str = "int8.json";

    /// The file's text.
    pub fn to_json(&self) -> String {
        let net = &self.net;
        let file = File {
            zipnet_int8: VERSION,
            name: net.name.clone(),
            origin: self.origin.clone(),
            arena: self.arena,
            input: net.input,
            output: net.output,
            tensors: net.tensors.iter().map(|t| FileTensor { shape: t.shape, meta: t.meta }).collect(),
            nodes: net
                .nodes
                .iter()
                .map(|n| FileNode {
                    name: n.name.clone(),
                    op: n.op,
                    inputs: n.inputs.clone(),
                    output: n.output,
                    data: n.store.clone(),
                })
                .collect(),
        };
        serde_json::to_string(&file).expect("plain data has a JSON form")
    }

    /// Reads the net of an output folder.
    ///
    /// # Errors
    /// Names the file that is missing, no such file, or not a legal net.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(Self::FILE);
        let text = std::fs::read_to_string(&path).map_err(|e| {
            Error::file(&path, format!("{e}; is {} the --out of a training?", folder.display()))
        })?;
        Self::parse(&text).map_err(|e| Error::file(&path, e))
    }

    /// The engine over inputs back to back; outputs back to back.
    ///
    /// # Errors
    /// When `inputs` is no whole number of inputs.
    pub fn run(&self, inputs: &[i8]) -> Result<Vec<i8>> {
        self.net.run(inputs)
    }

    fn parse(text: &str) -> Result<Self> {
        let file: File = serde_json::from_str(text).map_err(Error::new)?;
        if file.zipnet_int8 != VERSION {
            return Err(Error::new(format!("format {}; this program reads {VERSION}", file.zipnet_int8)));
        }
        let net = Net {
            name: file.name,
            tensors: file.tensors.into_iter().map(|t| Tensor { shape: t.shape, meta: t.meta }).collect(),
            nodes: file
                .nodes
                .into_iter()
                .map(|n| NetNode {
                    name: n.name,
                    op: n.op,
                    inputs: n.inputs,
                    output: n.output,
                    store: n.data,
                })
                .collect(),
            input: file.input,
            output: file.output,
        };
        net.check(file.arena)?;
        Ok(Self { net, arena: file.arena, origin: file.origin })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use zipnet::ir::{Bias, Clamp, Dense, Requant};

    use super::*;

    /// Two inputs, a dense layer of two units.
    pub(in crate::export) fn small() -> Stored {
        let meta = |offset| IntTensor { scale: 0.1 + 1e-9, zero: -3, offset };
        let mut net: Net<Int> = Net::new("small", Shape::flat(2), meta(0));
        let store = IntStore {
            weights: vec![1, -2, 3, -127],
            bias: vec![7, i32::MIN],
            requant: vec![Requant::new(1 << 30, -7), Requant::new(i32::MAX, 0)],
            clamp: Clamp::new(-128, 100),
            ..IntStore::default()
        };
        let op = Op::Dense(Dense { units: 2, bias: Bias::Channel });
        net.push("the out-put", op, &[TensorId(0)], meta(4), store).expect("shapes meet");
        let classes = vec!["no".to_owned(), "\"yes\"".to_owned()];
        let origin = Origin {
            source: Source::Trained { data: "made up".to_owned(), seed: 9 },
            low: 0.0,
            high: 255.0,
            classes,
        };
        Stored { net, arena: 8, origin }
    }

    #[test]
    fn a_stored_net_comes_back_the_same() {
        let stored = small();
        let text = stored.to_json();
        let back = Stored::parse(&text).expect("reads back");
        assert_eq!(back.to_json(), text);
        assert_eq!(back.net.nodes[0].store, stored.net.nodes[0].store);
        assert_eq!(back.net.tensors[0].meta, stored.net.tensors[0].meta);
        assert_eq!(back.origin, stored.origin);
    }

    #[test]
    fn a_file_that_tells_no_bits_has_eight() {
        let text = small().to_json();
        assert!(text.contains(",\"bits\":8"));
        assert_eq!(Stored::parse(&text.replace(",\"bits\":8", "")).expect("reads").to_json(), text);
    }

    #[test]
    fn an_illegal_file_is_refused() {
        let text = small().to_json();
        for (from, to, part) in [
            ("\"zipnet_int8\":2", "\"zipnet_int8\":1", "format 1"),
            ("\"arena\":8", "\"arena\":5", "outside the arena"),
            ("[1,-2,3,-127]", "[1,-2,3]", "weights"),
            ("[1,-2,3,-127]", "[1,-2,3,-129]", "-129"),
            ("\"offset\":4", "\"offset\":1", "overlap"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = Stored::parse(&text.replace(from, to)).expect_err("must be refused").to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(Stored::parse(&text[..text.len() / 2]).is_err());
    }
}
