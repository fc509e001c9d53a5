//! The command line: what may be said, and the help that teaches it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::compress::Unit;
use crate::export::Target;

/// Trains small neural nets, shrinks them to 8 bits, and writes them as const tables for microcontrollers.
///
/// Without a command: trains the default recipe (the 1989 zip-code net) on the embedded digits, quantises it,
/// measures what that cost, and writes out/digits/model.rs, report.html and their kin.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Choices of `train`, which is what happens without a command.
    #[command(flatten)]
    pub train: TrainArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a net, quantise it, export it, report what was lost.
    Train(TrainArgs),
    /// Turn an int8 .tflite file into model.rs, with the same bytes out as TensorFlow Lite Micro.
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
    /// Make a trained net smaller: convolutions in groups, channel shuffles between them.
    #[command(after_help = REBUILD_HELP)]
    Rebuild(RebuildArgs),
    /// Make a trained net smaller: take away the channels that count least.
    #[command(after_help = PRUNE_HELP)]
    Prune(PruneArgs),
    /// Train a quantised net on in the engine's own arithmetic: with 8 bits a weight, 4, or a plan of both.
    #[command(after_help = QAT_HELP)]
    Qat(QatArgs),
    /// Train nets of many numbers of groups, with and without channel shuffle, at equal cost; show the trade-off.
    #[command(after_help = SWEEP_HELP)]
    Sweep(SweepArgs),
    /// Run an exported int8 net over raw int8 tensors, back to back.
    #[command(
        after_help = "The input file holds N inputs of the net, each as many bytes as its input has elements \
        (rows, columns, channels in that order); the output file gets N outputs. For 8-bit images, input = pixel - 128."
    )]
    Run(RunArgs),
    /// Compare float and int8 over a test split.
    Eval(EvalArgs),
    /// Time int8 against float on this host, interleaved in one run.
    #[command(after_help = "Both run on one thread over the same samples. Quote the ratios: absolute times \
        swing with the machine.")]
    Bench(BenchArgs),
    /// Show layers, shapes, MACs, weight bytes and the arena over time.
    Inspect(InspectArgs),
    /// List the data sets known here, fetch one, or remake the embedded digits.
    #[command(subcommand)]
    Data(DataCommand),
}

/// Choices of `train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// A shipped recipe or a TOML file; an unknown name lists those shipped.
    #[arg(long, default_value = "digits")]
    pub recipe: String,
    /// Data set: digits, mnist, fashion-mnist, a folder of IDX files or of class folders of PNGs, or a CSV.
    #[arg(long)]
    pub data: Option<String>,
    /// Passes over the training images.
    #[arg(long)]
    pub epochs: Option<u32>,
    /// Seed of weights, order, dropout and augmentation.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Bits of a weight, 8 or 4, in every layer [default: as the recipe says].
    #[arg(long)]
    pub bits: Option<u8>,
    /// Output folder [default: out/RECIPE].
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Threads; the result does not depend on it [default: all cores].
    #[arg(long)]
    pub threads: Option<usize>,
    /// Where the table shall run.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Where a table shall run.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// CPU whose order of weights the table has; it runs on any other too, with the same results.
    #[arg(long, value_enum, default_value_t)]
    pub target: Target,
    /// Fail if the arena needs more bytes than this, and say what would have to shrink; what is left of them makes
    /// layers faster on some CPUs [default: 2 KiB or 15 % above the least]. Where it cannot be held otherwise, a tensor
    /// that is kept for long is computed again before it is read. The stack comes on top: `firmware/run bench` tells how
    /// much, 0.5 to 1.6 KB.
    #[arg(long, value_name = "BYTES")]
    pub arena_limit: Option<usize>,
    /// Let the input come row by row, as a sensor brings it (`Engine::stream`): the table holds no place for the whole input,
    /// only for the rows that the first layer's window spans. For nets that begin with a convolution or a pool.
    #[arg(long)]
    pub stream: bool,
}

const IMPORT_HELP: &str = "Takes fully quantised int8 models of one input and one output; float or uint8 borders \
(QUANTIZE, DEQUANTIZE at the edges) become the scale and zero point that are printed. Operators: CONV_2D, \
DEPTHWISE_CONV_2D, TRANSPOSE_CONV, FULLY_CONNECTED, ADD, SUB, MUL, MAXIMUM, MINIMUM, AVERAGE_POOL_2D, MAX_POOL_2D, MEAN, \
REDUCE_MAX, REDUCE_MIN, PAD, PADV2, RESHAPE, SQUEEZE, EXPAND_DIMS, CONCATENATION, PACK, UNPACK, SPLIT, SPLIT_V, SLICE, \
STRIDED_SLICE, TRANSPOSE, TILE, SOFTMAX, LOGISTIC, TANH, HARD_SWISH, RELU, RELU6, RELU_N1_TO_1, LEAKY_RELU, PRELU, \
RESIZE_NEAREST_NEIGHBOR, QUANTIZE, FILL; SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND around a convolution, which is a dilated \
one. Recurrent layers where they are unrolled (unroll=True in Keras).\n\nThe batch may be open: it is 1 here, and shapes \
that the model would compute as it runs (SHAPE, GATHER, REDUCE_PROD and the like) are computed now.\n\nThe graph is cleaned \
up without changing a byte of any output: reshapes vanish, padding goes into windows, activations into clamps, channels that \
never change into biases. `inspect` lists what went.\n\nThen: ZIPNET_MODEL=out/NAME/model.rs firmware/run golden";

/// Choices of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The .tflite file.
    pub file: PathBuf,
    /// Output folder [default: out/NAME, NAME being the file's without its extension].
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Where the table shall run.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Raw int8 inputs, back to back, to keep as golden samples (at most 64) [default: 8 made up].
    #[arg(long, value_name = "FILE")]
    pub samples: Option<PathBuf>,
    /// Names of the outputs, one a line.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Keep the file's graph as it is.
    #[arg(long)]
    pub no_clean: bool,
}

const REBUILD_HELP: &str = "Each convolution that can be split into G groups is: a 1x1 becomes a grouped 1x1, a wider \
window a unit of grouped 1x1, channel shuffle, depthwise window, grouped 1x1 (or a grouped convolution of the same \
window, with --unit grouped). A shuffle lets each group see all others where one grouped convolution follows another. \
What cannot be split is left as it is; a table says why.\n\nThe new net then trains on with the old one as its \
teacher: its loss is (1 - M) * cross-entropy + M * T^2 * KL(teacher at T, net at T), M being --imitate and T \
--temperature. Old and new are compared in the terminal, report.json and report.html.\n\nMore groups save more and \
lose more; --width wins some of it back.";

const PRUNE_HELP: &str = "The same share goes from every layer inside the net: the channels whose weights, times what a \
batch norm makes of them, have the least magnitude. Channels that an addition ties together go together; those in \
groups stay, and a table says so. The net then trains on with the old one as its teacher, as `rebuild` does it.";

/// Choices of `rebuild`.
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// Output folder of a training.
    pub dir: PathBuf,
    /// Groups of each convolution; 1 leaves the net as it is.
    #[arg(long)]
    pub groups: u16,
    /// No channel shuffle between grouped convolutions.
    #[arg(long)]
    pub no_shuffle: bool,
    /// Factor of the channels of every layer inside the net.
    #[arg(long, default_value_t = 1.0)]
    pub width: f64,
    /// What becomes of a convolution whose window is more than one pixel.
    #[arg(long, value_enum, default_value_t)]
    pub unit: Unit,
    /// How to train on.
    #[command(flatten)]
    pub tune: TuneArgs,
}

/// Choices of `prune`.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Output folder of a training.
    pub dir: PathBuf,
    /// Share of each layer's channels that goes, from 0 to below 1.
    #[arg(long, value_name = "SHARE")]
    pub channels: f64,
    /// How to train on.
    #[command(flatten)]
    pub tune: TuneArgs,
}

/// How a net that was made from another trains on.
#[derive(Debug, Args)]
pub struct TuneArgs {
    /// Where the table shall run.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Recipe whose training settings count [default: the shipped one that the net is named after].
    #[arg(long)]
    pub recipe: Option<String>,
    /// Passes over the training images; 0 trains not at all [default: the recipe's].
    #[arg(long)]
    pub epochs: Option<u32>,
    /// Greatest learning rate [default: the recipe's].
    #[arg(long)]
    pub rate: Option<f32>,
    /// Divides the logits of both nets where one imitates the other.
    #[arg(long, default_value_t = 4.0)]
    pub temperature: f32,
    /// Share of the imitation in the loss, 0 to 1; the rest is the labels'.
    #[arg(long, default_value_t = 0.7)]
    pub imitate: f32,
    /// Seed of new weights, order, and augmentation [default: that of the old net].
    #[arg(long)]
    pub seed: Option<u64>,
    /// Bits of a weight, 8 or 4, in every layer [default: as the recipe says].
    #[arg(long)]
    pub bits: Option<u8>,
    /// Output folder [default: DIR with what was done to it at the end].
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Threads; the result does not depend on it [default: all cores].
    #[arg(long)]
    pub threads: Option<usize>,
}

const QAT_HELP: &str = "Takes the float net of the folder, quantises it, and trains the int8 net on for a few epochs: it runs \
forward as the engine runs it, bit for bit, while gradients pass straight through the rounding to weights in f32 that are \
rounded anew after every step. The float net is the teacher beside the labels (--imitate). The new folder holds the same \
float net and the new int8 one.\n\n8 bits: worth it where plain quantising loses accuracy; there is often little to win. \
4 bits: half the flash for weights, which without this training costs much. mixed: 4 bits in the layers where that costs \
least, as many as it takes for weights and biases to fit --flash; a table shows what each layer costs alone.\n\nRecipes \
say the same in [qat] (epochs, rate, imitate, temperature), [quantise] (bits, flash) and `bits` of a layer; `train` then \
does it all in one go.\n\n  train-host qat out/digits --bits 4\n  train-host qat out/plain-28 --bits mixed --flash 60000";

/// Bits of a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Bits {
    /// 8 in every layer.
    #[value(name = "8")]
    Eight,
    /// 4 in every layer.
    #[value(name = "4")]
    Four,
    /// 4 in the layers where it costs least, under --flash.
    Mixed,
}

/// Choices of `qat`.
#[derive(Debug, Args)]
pub struct QatArgs {
    /// Output folder of a training.
    pub dir: PathBuf,
    /// Bits of a weight [default: as the recipe says; mixed with --flash].
    #[arg(long, value_enum)]
    pub bits: Option<Bits>,
    /// Bytes that weights and biases may take.
    #[arg(long, value_name = "BYTES")]
    pub flash: Option<usize>,
    /// Passes over the training images [default: the recipe's, else 10].
    #[arg(long)]
    pub epochs: Option<u32>,
    /// Greatest learning rate [default: the recipe's, else a tenth of that of the float net's training].
    #[arg(long)]
    pub rate: Option<f32>,
    /// Share of the float net's imitation in the loss, 0 to 1 [default: the recipe's, else 0.5].
    #[arg(long)]
    pub imitate: Option<f32>,
    /// Divides the logits of both nets where one imitates the other [default: the recipe's, else 2].
    #[arg(long)]
    pub temperature: Option<f32>,
    /// Recipe whose training settings count [default: the shipped one that the net is named after].
    #[arg(long)]
    pub recipe: Option<String>,
    /// Data set [default: the one it was trained on].
    #[arg(long)]
    pub data: Option<String>,
    /// Seed of order and augmentation [default: that of the float net].
    #[arg(long)]
    pub seed: Option<u64>,
    /// Output folder [default: DIR with -q8, -q4, -mixed or -qat at the end].
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Threads; the result does not depend on it [default: all cores].
    #[arg(long)]
    pub threads: Option<usize>,
    /// Where the table shall run.
    #[command(flatten)]
    pub place: PlaceArgs,
}

const SWEEP_HELP: &str = "Each trial is a process of its own that writes one file, whole or not at all: a sweep may be \
killed at any moment and called again, and goes on with what is left. The table is made of the files alone.\n\nThe \
trials can be spread over machines that share the folder, by any scheduler; `sweep` then only collects:\n\n  \
GNU parallel: train-host sweep --list | parallel -j2 train-host sweep --threads 1 --trial {}\n  \
Slurm:        sbatch --array=1-81 --wrap 'train-host sweep --threads 1 --trial $(train-host sweep --list | sed -n \
${SLURM_ARRAY_TASK_ID}p)'\n  \
HyperQueue:   train-host sweep --list >ids; hq submit --each-line ids -- bash -c 'train-host sweep --threads 1 --trial \
$HQ_ENTRY'";

/// Choices of `sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Folder of the sweep; a folder that has one goes on with it.
    #[arg(long, default_value = "out/sweep")]
    pub out: PathBuf,
    /// Data set of 28x28 grey pictures in 10 classes [default: fashion-mnist].
    #[arg(long)]
    pub data: Option<String>,
    /// Passes over the training images [default: 4].
    #[arg(long)]
    pub epochs: Option<u32>,
    /// Training images used, the first ones [default: all].
    #[arg(long)]
    pub samples: Option<usize>,
    /// Numbers of groups, of 1, 2, 3, 4, 6, 8, 12 and 24 [default: 1,2,3,4,8].
    #[arg(long, value_delimiter = ',')]
    pub groups: Vec<u16>,
    /// Complexities: channels of the net of one group whose multiplications the others get [default: 64,40,24].
    #[arg(long, value_delimiter = ',')]
    pub channels: Vec<u16>,
    /// How many seeds [default: 3].
    #[arg(long)]
    pub seeds: Option<u64>,
    /// Trials at a time [default: one a core].
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Threads of each trial; the result does not depend on it [default: 1; with --trial, all cores].
    #[arg(long)]
    pub threads: Option<usize>,
    /// Run this trial alone, unless it is over.
    #[arg(long, value_name = "ID", conflicts_with_all = ["list", "collect"])]
    pub trial: Option<String>,
    /// List the names of all trials.
    #[arg(long, conflicts_with = "collect")]
    pub list: bool,
    /// Run nothing: make table and page of the trials that are over.
    #[arg(long)]
    pub collect: bool,
}

/// Choices of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Output folder of a training or an import.
    pub dir: PathBuf,
    /// Raw int8 inputs.
    #[arg(long)]
    pub input: PathBuf,
    /// Where the raw int8 outputs go.
    #[arg(long)]
    pub output: PathBuf,
}

/// Choices of `eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Output folder of a training.
    pub dir: PathBuf,
    /// Data set [default: the one it was trained on].
    #[arg(long)]
    pub data: Option<String>,
    /// Threads [default: all cores].
    #[arg(long)]
    pub threads: Option<usize>,
}

/// Choices of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Output folder of a training or an import; the float net of an import is made of its int8 numbers.
    pub dir: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Choices of `inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Output folder of a training or an import.
    pub dir: PathBuf,
}

/// What to do about data.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// The data sets known, where each is looked for, and how to get it.
    List,
    /// Fetch a data set into the user's cache, checked by SHA-256 (needs `--features fetch`).
    Fetch {
        /// mnist or fashion-mnist.
        name: String,
    },
    /// Remake the embedded digits from MNIST.
    MakeDigits {
        /// Folder of the four MNIST IDX files.
        #[arg(long)]
        mnist: PathBuf,
        /// Where digits.png and its labels go.
        #[arg(long, default_value = "data")]
        out: PathBuf,
    },
}
