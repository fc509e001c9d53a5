#!/usr/bin/env python3
"""Makes the golden int8 vectors of every operator: `operators.json` and one small model a case in `operators/`.

The models are written as flatbuffers by `author.py`; the outputs come from an implementation of the operators that is not this
project's (`interpret.py`). README.md beside this file says which, how the files are laid out and how to install what this needs.

    python3 make_operators.py            writes the files and prints a table
    python3 make_operators.py --check    makes everything again, writes nothing, fails where the tree differs
"""

import argparse
import importlib.metadata
import json
import pathlib
import sys

import numpy as np

import elementwise
import extreme
import spatial
import weighted
from case import SEED
from interpret import LITERT, MICRO, RUNNERS

HERE = pathlib.Path(__file__).resolve().parent
HEADER = {
    "about": "Outputs of int8 TFLite operators computed by an independent implementation. Made by make_operators.py.",
    "case": "name, operator (what is tested; operators[] lists what the model holds, usually that one alone), by (the implementation"
    " whose outputs these are), file, operators, tensors, inputs and outputs (indices into tensors), samples, at times a note.",
    "tensor": "A tensor with data is a constant: shape as in the file, data flat in that order. A tensor without data is an activation:"
    " shape without the leading batch, which is 1; NHWC. A constant second operand of ADD, SUB, MUL keeps its batch of 1."
    " real = scale * (q - zero_point). scale has one value, or one a channel of"
    " quantized_dimension (their zero points are all zero_point). Scales are float32 written exactly.",
    "weights": "CONV_2D [out, kh, kw, in / groups]; TRANSPOSE_CONV [out, kh, kw, in]; DEPTHWISE_CONV_2D [1, kh, kw, in * depth_multiplier], output channel ="
    " in * depth_multiplier + m; FULLY_CONNECTED [out, in]. int8 with zero point 0. Bias int32, zero point 0, scale of input * scale"
    " of weights; absent where inputs has two entries or its third is null.",
    "attributes": "Dimensions are counted without batch: axis 2 is the channel. stride, dilation, kernel, size are [height, width]; pads"
    " of convolution and pooling are [top, bottom, left, right], resolved from padding SAME or VALID; pads of PAD and PADV2 are [before,"
    " after] a dimension and value is the int8 written there. begin, end, strides of STRIDED_SLICE are resolved: no mask, no negative"
    " index; with a negative stride an end of -1 lies before element 0; shrink_axis are dimensions dropped afterwards.",
    "samples": "kind, then a flat int list for every input and every output. random: the whole int8 range (each value once where an"
    " input has 256 elements). extreme: only -128 and 127; for operators with weights chosen so that the first output channel of each"
    " group runs towards its upper end. close (SOFTMAX): values near each other.",
}


def cases():
    """Every case, in the order of the file."""
    for module in (weighted, elementwise, spatial, extreme):
        yield from module.cases()


def share_unsaturated(case, operators, outputs):
    """Share of output integers strictly between the ends of int8 and of the fused activation."""
    y = case.model.outputs[0]
    activation = operators[-1]["attributes"].get("activation", "NONE")
    if case.operator in ("RELU", "RELU6", "RELU_N1_TO_1"):
        activation = case.operator
    bounds = {"NONE": (-np.inf, np.inf), "RELU": (0, np.inf), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}[activation]
    low, high = (np.round(b / y.scale[0]) + y.zero for b in bounds)
    q = outputs[0].astype(int)
    return float(np.mean((q > max(low, -128)) & (q < min(high, 127))))


def difference(packed, inputs, outputs):
    """How many outputs LiteRT's reference kernels give otherwise and by how much at most; None where they refuse the model."""
    try:
        other = RUNNERS[LITERT](packed, inputs)
    except RuntimeError as refusal:
        print(f"{LITERT} refuses: {refusal}", file=sys.stderr)
        return None
    pairs = [(a.astype(int), b.astype(int)) for x, y in zip(outputs, other, strict=True) for a, b in zip(x, y, strict=True)]
    return sum(int((a != b).sum()) for a, b in pairs), max(int(np.abs(a - b).max()) for a, b in pairs)


def run(case, compare):
    """The case's entry in the JSON, its file's bytes, and figures for the table."""
    packed, inputs = case.model.pack(), [values for _, values in case.samples]
    outputs = RUNNERS[case.by](packed, inputs)
    entry = {"name": case.name, "operator": case.operator, "by": case.by, "file": f"operators/{case.name}.tflite"}
    if case.note:
        entry["note"] = case.note
    entry |= case.model.record()
    for got in outputs:
        for y, value in zip(case.model.outputs, got, strict=True):
            assert list(value.shape) == y.shape and value.dtype == np.int8, (case.name, value.shape, y.shape)
    entry["samples"] = [
        {"kind": kind, "inputs": [v.reshape(-1).tolist() for v in values], "outputs": [v.reshape(-1).tolist() for v in got]}
        for (kind, values), got in zip(case.samples, outputs, strict=True)
    ]
    differ = None
    if compare and case.by == MICRO:
        differ = difference(packed, inputs, outputs)
    free = share_unsaturated(case, entry["operators"], outputs[0]) if case.measure else None
    return entry, packed, free, differ


def dump(header, entries):
    """The JSON text: a case a line."""
    def compact(value):
        return json.dumps(value, separators=(",", ":"))
    lines = ",\n".join(compact(e) for e in entries)
    return "{\n" + ",\n".join(f"{compact(k)}:{compact(v)}" for k, v in header.items()) + ',\n"cases":[\n' + lines + "\n]}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=HERE, help="folder to write to (default: the script's)")
    parser.add_argument("--check", action="store_true", help="compare with the files in --out instead of writing them")
    parser.add_argument("--compare", action="store_true", help="also count where LiteRT's reference kernels give other outputs")
    parser.add_argument("--verbose", action="store_true", help="a line a case")
    args = parser.parse_args()

    files, entries, table = {}, [], {}
    for case in cases():
        entry, packed, free, differ = run(case, args.compare)
        assert entry["file"] not in files, f"two cases are called {case.name}"
        files[entry["file"]] = packed
        entries.append(entry)
        row = table.setdefault((case.operator, case.by), {"cases": 0, "free": [], "differ": 0, "most": 0})
        row["cases"] += 1
        if free is not None:
            row["free"].append(free)
        if differ:
            row["differ"] += bool(differ[0])
            row["most"] = max(row["most"], differ[1])
        if args.verbose:
            note = "" if not differ or not differ[0] else f"  {differ[0]} outputs differ in {LITERT}, by at most {differ[1]}"
            print(f"{case.name:72} {'' if free is None else f'{free:4.0%}':>5} {len(packed):6}{note}")

    versions = {name: importlib.metadata.version(name) for name in (MICRO, LITERT, "numpy", "flatbuffers")}
    files["operators.json"] = dump({**HEADER, "versions": versions, "seed": SEED}, entries).encode()

    last = "  cases where LiteRT differs" if args.compare else ""
    print(f"{'operator':26} {'cases':>5}  {'by':14} {'unsaturated: least':>18} {'mean':>5}{last}")
    for (operator, by), row in table.items():
        shares = f"{min(row['free']):18.0%} {np.mean(row['free']):5.0%}" if row["free"] else f"{'(moves values)':>18} {'':5}"
        other = f"  {row['differ']} (by at most {row['most']})" if args.compare and by == MICRO else ""
        print(f"{operator:26} {row['cases']:5}  {by:14} {shares}{other}")
    channels = {e["tensors"][i]["shape"][-1] for e in entries for i in e["inputs"] if len(e["tensors"][i]["shape"]) == 3}
    print(f"{len(entries)} cases; {sum(map(len, files.values())):,} bytes in {len(files)} files, operators.json"
          f" {len(files['operators.json']):,}; input channels {sorted(channels)}")

    folder = args.out / "operators"
    stale = {f"operators/{p.name}" for p in folder.glob("*.tflite")} - set(files) if folder.is_dir() else set()
    if args.check:
        wrong = sorted(stale | {n for n, data in files.items() if not (args.out / n).is_file() or (args.out / n).read_bytes() != data})
        if wrong:
            sys.exit(f"{len(wrong)} files in {args.out} differ from what this script makes, the first: {wrong[0]}; run it without --check")
        print("the tree holds exactly these files")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in stale:
        (args.out / name).unlink()
    for name, data in files.items():
        (args.out / name).write_bytes(data)


if __name__ == "__main__":
    main()
