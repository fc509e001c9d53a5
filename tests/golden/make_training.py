#!/usr/bin/env python3
"""Makes `training.json`: outputs, losses, gradients and optimiser steps of small nets, computed by PyTorch in float64.

A net is a list of layers (`NETS`), the same list that the JSON holds, so what was computed is what is written. README.md beside this
file says how to install what this needs.

    python3 make_training.py            writes the file and prints a line a net
    python3 make_training.py --check    makes it again, writes nothing, fails where a number of the tree differs by more than rounding
"""

import argparse
import json
import math
import pathlib
import sys

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
STEPS = (1, 5)
# Every activation stays this far from a kink (relu, relu6, ties of a maximum) during all steps, so that float32 takes the same side.
MARGIN = 1e-4
# Gradients that AdamW sees are zero or at least this share of the largest: it divides by their size, which would blow up rounding.
LEAST_GRADIENT = 1e-4

HEADER = {
    "about": "Small nets trained by PyTorch in float64. Made by make_training.py.",
    "layout": "Activations HWC (each sample flat, in inputs). Weights: conv2d [units][kh][kw][span], depthwise_conv2d"
    " [kh][kw][channels], dense [units][inputs] with inputs the flattened HWC. bias: channel [units], unit [h][w][units]. batch_norm:"
    " weights is gamma, bias is beta, mean and variance the running statistics. PyTorch's own layout is NCHW; the parameters were kept"
    " in the layout of this file and permuted on the way into each operator, so gradients and steps come out in it too.",
    "layers": "In order of execution; inputs name earlier layers or input. padding is [top, bottom, left, right]; it holds the net's"
    " origin around the net's input and 0 around other tensors. Max and average pooling leave padding out (an average divides by the"
    " elements inside). conv2d: the units form groups; group g reads span input channels from g * channels / groups on, wrapping round"
    " after the last. channel_shuffle: output channel i * groups + g is input channel g * channels / groups + i. batch_norm: while"
    " training it normalises with the mean and the biased variance over batch, rows and columns; the running variance takes the"
    " unbiased one (n / (n - 1)); running = (1 - momentum) * running + momentum * batch. Evaluation uses the running statistics.",
    "losses": "softmax_cross_entropy: mean over the batch of -sum(target * log softmax(output)), target = (1 - label_smoothing) *"
    " one_hot + label_smoothing / classes. mean_squared_error: mean over all elements of the batch, batch times classes, of (output -"
    " one_hot)^2.",
    "optimizers": "One batch, the same at every step. sgd: g += weight_decay * w; v = g at the first step, then momentum * v + g; w -="
    " learning_rate * v. adamw: w *= 1 - learning_rate * weight_decay; m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) *"
    " g^2; w -= learning_rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon). Both apply to every parameter, biases,"
    " gamma and beta included.",
    "results": "output: of the last layer, training mode, initial parameters; gradients likewise. after: parameters (and"
    " running statistics) after that many steps. step_losses: the loss that each step starts from. evaluated: outputs in evaluation"
    " mode, before any step and after the last. Numbers are rounded to 9 significant digits; inputs and initial parameters are exact"
    " once read as float32.",
}


def conv(name, source, units, kernel, bias="channel", stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1, span=None):
    """A conv2d layer; `span` None stands for channels / groups."""
    return {"name": name, "op": "conv2d", "inputs": [source], "units": units, "kernel": list(kernel), "stride": list(stride),
            "dilation": list(dilation), "padding": list(padding), "groups": groups, "span": span, "bias": bias}


def pool(name, op, source, kernel, stride, padding=(0, 0, 0, 0)):
    return {"name": name, "op": op, "inputs": [source], "kernel": list(kernel), "stride": list(stride), "padding": list(padding)}


def dense(name, source, units):
    return {"name": name, "op": "dense", "inputs": [source], "units": units, "bias": "channel"}


def simple(name, op, *sources, **more):
    return {"name": name, "op": op, "inputs": list(sources), **more}


def batch_norm(name, source):
    return simple(name, "batch_norm", source, momentum=0.02, epsilon=1e-5)


NETS = [
    {
        "name": "tanh_sgd", "seed": 1, "input": [7, 6, 1], "origin": 0.0, "batch": 4,
        "layers": [
            conv("c1", "input", 4, (3, 3), stride=(2, 2), padding=(1, 1, 1, 1)),
            simple("t1", "tanh", "c1"),
            conv("c2", "t1", 6, (3, 3), padding=(1, 1, 1, 1), groups=2),
            simple("r2", "relu", "c2"),
            simple("flat", "reshape", "r2", shape=[1, 1, 72]),
            dense("d3", "flat", 5),
        ],
        "loss": {"kind": "softmax_cross_entropy", "label_smoothing": 0.0},
        "optimizer": {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 5e-4},
    },
    {
        "name": "untied_adamw", "seed": 158, "input": [8, 8, 1], "origin": -1.0, "batch": 4,
        "layers": [
            conv("c1", "input", 6, (5, 5), bias="unit", stride=(2, 2), padding=(2, 2, 2, 2)),
            simple("r1", "relu", "c1"),
            conv("c2", "r1", 6, (3, 3), bias="unit", stride=(2, 2), padding=(1, 1, 1, 1), groups=3, span=4),
            simple("r2", "relu", "c2"),
            dense("d3", "r2", 10),
            simple("r3", "relu", "d3"),
            dense("d4", "r3", 5),
        ],
        "loss": {"kind": "softmax_cross_entropy", "label_smoothing": 0.1},
        "optimizer": {"kind": "adamw", "learning_rate": 1e-2, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.1},
    },
    {
        "name": "batch_norm_shuffle", "seed": 3, "input": [5, 6, 3], "origin": 0.0, "batch": 6,
        "layers": [
            conv("c1", "input", 6, (1, 1), bias="none"),
            batch_norm("n1", "c1"),
            simple("r1", "relu6", "n1"),
            {"name": "w2", "op": "depthwise_conv2d", "inputs": ["r1"], "units": 6, "kernel": [3, 3], "stride": [1, 1],
             "dilation": [1, 1], "padding": [1, 1, 1, 1], "bias": "none"},
            batch_norm("n2", "w2"),
            simple("s2", "channel_shuffle", "n2", groups=2),
            conv("c3", "s2", 6, (1, 1), groups=2),
            simple("a3", "add", "r1", "c3"),
            simple("k3", "concat", "a3", "n2"),
            pool("p3", "avg_pool2d", "k3", (5, 6), (5, 6)),
            dense("d4", "p3", 3),
        ],
        "loss": {"kind": "mean_squared_error"},
        "optimizer": {"kind": "sgd", "learning_rate": 0.01, "momentum": 0.9, "weight_decay": 0.0},
    },
    {
        "name": "pools_dilation_softmax", "seed": 1, "input": [9, 8, 2], "origin": 0.0, "batch": 5,
        "layers": [
            conv("c1", "input", 4, (3, 3), dilation=(2, 2), padding=(2, 2, 2, 2)),
            simple("t1", "tanh", "c1"),
            pool("m1", "max_pool2d", "t1", (2, 2), (2, 2)),
            pool("p2", "avg_pool2d", "m1", (3, 3), (2, 2), (1, 1, 1, 1)),
            dense("d3", "p2", 4),
            simple("s3", "softmax", "d3"),
        ],
        "loss": {"kind": "mean_squared_error"},
        "optimizer": {"kind": "adamw", "learning_rate": 3e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0},
    },
]


def grid(shape, size, step, generator):
    """Numbers spread evenly over -size..size on a grid of `step`, a power of two: exact in float32."""
    x = (torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1) * size
    return torch.round(x / step) * step


class Nearest:
    """Smallest distance from a kink met so far."""

    def __init__(self):
        self.value = math.inf

    def see(self, distances):
        self.value = min(self.value, float(distances.detach().abs().min()))


def window_shape(layer, h, w):
    (kh, kw), (sh, sw), (dh, dw) = layer["kernel"], layer["stride"], layer.get("dilation", [1, 1])
    top, bottom, left, right = layer["padding"]
    return (h + top + bottom - (kh - 1) * dh - 1) // sh + 1, (w + left + right - (kw - 1) * dw - 1) // sw + 1


def initialise(net, generator):
    """Shapes of all tensors, spans filled in, and the initial parameters and running statistics."""
    shapes, parameters, state = {"input": tuple(net["input"])}, {}, {}
    for layer in net["layers"]:
        h, w, c = shapes[layer["inputs"][0]]
        op, own = layer["op"], {}
        if op in ("conv2d", "depthwise_conv2d"):
            oh, ow = window_shape(layer, h, w)
            shape, depth = (oh, ow, layer["units"]), 1
            if op == "conv2d":
                layer["span"] = layer["span"] or c // layer["groups"]
                depth = layer["span"]
            fan = math.prod(layer["kernel"]) * depth
            own["weights"] = (layer["units"], *layer["kernel"], depth) if op == "conv2d" else (*layer["kernel"], c)
        elif op == "dense":
            shape, fan = (1, 1, layer["units"]), h * w * c
            own["weights"] = (layer["units"], fan)
        elif op in ("max_pool2d", "avg_pool2d"):
            shape = (*window_shape(layer, h, w), c)
        elif op == "concat":
            shape = (h, w, sum(shapes[i][2] for i in layer["inputs"]))
        elif op == "reshape":
            shape = tuple(layer["shape"])
        else:
            shape = (h, w, c)
        shapes[layer["name"]] = shape
        if op == "batch_norm":
            gamma = 2.5 + grid((c,), 1.0, 2**-9, generator)  # large enough for relu6 to cut above
            parameters[layer["name"]] = {"weights": gamma, "bias": 1.0 + grid((c,), 1.0, 2**-9, generator)}
            state[layer["name"]] = {"mean": grid((c,), 0.25, 2**-9, generator), "variance": 1.0 + grid((c,), 0.5, 2**-9, generator)}
        elif own:
            values = {"weights": grid(own["weights"], 2.4 / math.sqrt(fan), 2**-12, generator)}
            if layer["bias"] != "none":
                values["bias"] = grid(shape if layer["bias"] == "unit" else (layer["units"],), 0.25, 2**-10, generator)
            parameters[layer["name"]] = values
    return shapes, parameters, state


def forward(net, parameters, state, x, training, nearest):
    """Output [batch, classes] of the net for `x` [batch, h, w, c]. Inside, tensors are NCHW. Training updates `state`."""
    values = {"input": x.permute(0, 3, 1, 2)}
    for layer in net["layers"]:
        op, name = layer["op"], layer["name"]
        x, own = values[layer["inputs"][0]], parameters.get(name, {})
        if op in ("conv2d", "depthwise_conv2d", "max_pool2d", "avg_pool2d"):
            top, bottom, left, right = layer["padding"]
            sides = (left, right, top, bottom)
        if op in ("conv2d", "depthwise_conv2d"):
            x = F.pad(x, sides, value=net["origin"] if layer["inputs"][0] == "input" else 0.0)
            channels = x.shape[1]
            if op == "conv2d":
                groups, span = layer["groups"], layer["span"]
                seen = [(g * channels // groups + j) % channels for g in range(groups) for j in range(span)]
                x, w = x[:, seen], own["weights"].permute(0, 3, 1, 2)
            else:
                groups, w = channels, own["weights"].permute(2, 0, 1)[:, None]
            y = F.conv2d(x, w, stride=layer["stride"], dilation=layer["dilation"], groups=groups)
            if layer["bias"] == "unit":
                y = y + own["bias"].permute(2, 0, 1)
            elif layer["bias"] == "channel":
                y = y + own["bias"][:, None, None]
        elif op == "dense":
            y = (x.permute(0, 2, 3, 1).flatten(1) @ own["weights"].T + own["bias"])[:, :, None, None]
        elif op == "reshape":
            h, w, c = layer["shape"]
            y = x.permute(0, 2, 3, 1).reshape(-1, h, w, c).permute(0, 3, 1, 2)
        elif op == "max_pool2d":
            x = F.pad(x, sides, value=-math.inf)
            y = F.max_pool2d(x, layer["kernel"], layer["stride"])
            taps = F.unfold(x, layer["kernel"], stride=layer["stride"]).unflatten(1, (x.shape[1], -1))
            first, second = taps.topk(2, dim=2).values.unbind(2)
            nearest.see(first - second)
        elif op == "avg_pool2d":
            assert top == bottom and left == right
            y = F.avg_pool2d(x, layer["kernel"], layer["stride"], padding=(top, left), count_include_pad=False)
        elif op == "add":
            y = x + values[layer["inputs"][1]]
        elif op == "concat":
            y = torch.cat([values[i] for i in layer["inputs"]], 1)
        elif op == "channel_shuffle":
            y = F.channel_shuffle(x, layer["groups"])
        elif op == "batch_norm":
            y = F.batch_norm(x, state[name]["mean"], state[name]["variance"], own["weights"], own["bias"], training, layer["momentum"],
                             layer["epsilon"])
        elif op == "relu":
            nearest.see(x)
            y = F.relu(x)
        elif op == "relu6":
            nearest.see(x)
            nearest.see(x - 6)
            y = F.relu6(x)
        elif op == "tanh":
            y = torch.tanh(x)
        elif op == "softmax":
            y = torch.softmax(x, 1)
        else:
            raise ValueError(op)
        values[name] = y
    return y[:, :, 0, 0]


def loss_of(net, output, labels):
    if net["loss"]["kind"] == "softmax_cross_entropy":
        return F.cross_entropy(output, labels, label_smoothing=net["loss"]["label_smoothing"])
    return F.mse_loss(output, F.one_hot(labels, output.shape[1]).double())


def optimizer_of(net, leaves):
    o = net["optimizer"]
    if o["kind"] == "sgd":
        return torch.optim.SGD(leaves, lr=o["learning_rate"], momentum=o["momentum"], weight_decay=o["weight_decay"])
    betas = (o["beta1"], o["beta2"])
    return torch.optim.AdamW(leaves, lr=o["learning_rate"], betas=betas, eps=o["epsilon"], weight_decay=o["weight_decay"])


def plain(x):
    """A tensor as a flat list of numbers of 9 significant digits."""
    return [float(f"{v:.9g}") for v in x.detach().reshape(-1).tolist()]


def snapshot(parameters, state):
    return {name: {k: plain(v) for k, v in {**own, **state.get(name, {})}.items()} for name, own in parameters.items()}


def train(net):
    """The net's entry in the JSON, and how near any activation came to a kink."""
    generator = torch.Generator().manual_seed(net["seed"])
    shapes, parameters, state = initialise(net, generator)
    classes = shapes[net["layers"][-1]["name"]][2]
    x = grid((net["batch"], *net["input"]), 1.0, 2**-8, generator)
    labels = torch.randperm(max(net["batch"], classes), generator=generator)[: net["batch"]] % classes
    leaves = [v.requires_grad_() for own in parameters.values() for v in own.values()]
    optimizer, nearest = optimizer_of(net, leaves), Nearest()
    entry = {k: net[k] for k in ("name", "input", "origin", "layers", "loss", "optimizer")}
    entry |= {"inputs": [plain(s) for s in x], "labels": labels.tolist(), "initial": snapshot(parameters, state)}

    def evaluate():
        with torch.no_grad():
            return [plain(s) for s in forward(net, parameters, state, x, False, nearest)]

    evaluated, after, losses = [evaluate()], {}, []
    for step in range(1, max(STEPS) + 1):
        optimizer.zero_grad()
        output = forward(net, parameters, state, x, True, nearest)
        loss = loss_of(net, output, labels)
        loss.backward()
        losses.append(float(f"{loss.item():.9g}"))
        if step == 1:
            entry["output"] = [plain(s) for s in output]
            entry["gradients"] = {n: {k: plain(v.grad) for k, v in own.items()} for n, own in parameters.items()}
        if net["optimizer"]["kind"] == "adamw":
            sizes = torch.cat([v.grad.reshape(-1) for v in leaves]).abs()
            least = float(sizes[sizes > 0].min() / sizes.max())
            assert least > LEAST_GRADIENT, f"{net['name']}: a gradient of {least:.1e} of the largest at step {step}; choose another seed"
        optimizer.step()
        if step in STEPS:
            after[str(step)] = snapshot(parameters, state)
    evaluated.append(evaluate())
    assert nearest.value > MARGIN, f"{net['name']}: an activation only {nearest.value:.1e} from a kink; choose another seed"
    assert losses[-1] < losses[0], f"{net['name']}: does not learn"
    return entry | {"step_losses": losses, "after": after, "evaluated": evaluated}, nearest.value


def same(a, b):
    """Whether two JSON values agree, floats within what another order of float64 sums may change."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-7, abs_tol=1e-12)
    return a == b


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "training.json", help="file to write (default: beside the script)")
    parser.add_argument("--check", action="store_true", help="compare with --out instead of writing it")
    args = parser.parse_args()
    torch.set_num_threads(1)
    entries = []
    for net in NETS:
        entry, nearest = train(net)
        entries.append(entry)
        count = sum(len(v) for own in entry["gradients"].values() for v in own.values())
        print(f"{entry['name']:24} {count:5} parameters, losses {entry['step_losses'][0]:.6f} to {entry['step_losses'][-1]:.6f},"
              f" nearest kink {nearest:.1e}")
    header = {**HEADER, "precision": "float64", "versions": {"torch": torch.__version__}}
    if args.check:
        kept = json.loads(args.out.read_text())
        wrong = [e["name"] for e, k in zip(entries, kept["nets"], strict=False) if not same(json.loads(json.dumps(e)), k)]
        if wrong or len(entries) != len(kept["nets"]):
            where = ", ".join(wrong) or "the number of nets"
            sys.exit(f"{args.out} differs from what this script makes, in {where}; run it without --check")
        print("the tree holds these numbers")
        return
    def compact(value):
        return json.dumps(value, separators=(",", ":"))
    nets = ",\n".join("{\n" + ",\n".join(f"{compact(k)}:{compact(v)}" for k, v in e.items()) + "\n}" for e in entries)
    text = "{\n" + ",\n".join(f"{compact(k)}:{compact(v)}" for k, v in header.items()) + ',\n"nets":[\n' + nets + "\n]}\n"
    args.out.write_text(text)
    print(f"{len(text):,} bytes")


if __name__ == "__main__":
    main()
