//! The command line: what may be said, and the help that teaches it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
    /// Output folder [default: out/RECIPE].
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Threads; the result does not depend on it [default: all cores].
    #[arg(long)]
    pub threads: Option<usize>,
}

const IMPORT_HELP: &str = "Takes fully quantised int8 models of one input and one output; float or uint8 borders \
(QUANTIZE, DEQUANTIZE at the edges) become the scale and zero point that are printed. Operators: CONV_2D, \
DEPTHWISE_CONV_2D, FULLY_CONNECTED, ADD, SUB, MUL, AVERAGE_POOL_2D, MAX_POOL_2D, MEAN, PAD, PADV2, RESHAPE, SQUEEZE, \
EXPAND_DIMS, CONCATENATION, SPLIT, STRIDED_SLICE, TRANSPOSE, SOFTMAX, LOGISTIC, TANH, HARD_SWISH, RELU, RELU6, \
RELU_N1_TO_1, LEAKY_RELU, PRELU, RESIZE_NEAREST_NEIGHBOR, QUANTIZE.\n\nThe graph is cleaned up without changing a \
byte of any output: reshapes vanish, padding goes into windows, activations into clamps, channels that never change \
into biases. `inspect` lists what went.\n\nThen: ZIPNET_MODEL=out/NAME/model.rs firmware/run golden";

/// Choices of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The .tflite file.
    pub file: PathBuf,
    /// Output folder [default: out/NAME, NAME being the file's without its extension].
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Fail if the arena needs more bytes than this, and say what would have to shrink.
    #[arg(long, value_name = "BYTES")]
    pub arena_limit: Option<usize>,
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
    /// Output folder of a training or an import; of an imported net int8 is timed alone, layer by layer.
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
