#!/usr/bin/env python3
"""Training rate of PyTorch on the nets of `rate.rs`: forward, backward and the optimiser's step, on made-up images.

    python3 train-host/examples/rate_torch.py [SECONDS] [RECIPE ...]

Needs Python 3.11 and torch. A recipe is a name from train-host/recipes or a path; without augmentation, as in `rate.rs`.
"""

import pathlib
import sys
import time
import tomllib

import torch
import torch.nn.functional as F

RECIPES = pathlib.Path(__file__).resolve().parent.parent / "recipes"
SHAPES = {"digits": (16, 16, 1), "digits-1989": (16, 16, 1), "digits-bn": (16, 16, 1), "shuffle-28": (28, 28, 1)}


def pair(value):
    return [value, value] if isinstance(value, int) else value


class Net(torch.nn.Module):
    """A recipe's layers; tensors are NCHW."""

    def __init__(self, layers, shape):
        super().__init__()
        h, w, c = shape
        self.layers, self.own = layers, torch.nn.ModuleList()
        x, values = torch.zeros(2, c, h, w), {}
        for layer in layers:
            inputs = [values[name] for name in layer.get("from", [])] or [x]
            module = self.module(layer, inputs[0].shape[1:])
            self.own.append(module)
            x = values[layer.get("name", len(values))] = module(*inputs)

    def module(self, layer, shape):
        c, op = shape[0], layer["op"]
        if op in ("conv2d", "depthwise_conv2d"):
            return Conv(layer, shape)
        if op == "dense":
            return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(shape.numel(), layer["units"]))
        if op == "batch_norm":
            return torch.nn.BatchNorm2d(c, momentum=0.02)
        if op == "channel_shuffle":
            return torch.nn.ChannelShuffle(layer["groups"])
        if op == "avg_pool2d":
            kernel = layer.get("kernel", list(shape[1:]))
            return torch.nn.AvgPool2d(kernel, layer.get("stride"), layer.get("padding", 0), count_include_pad=False)
        if op == "dropout":
            return torch.nn.Dropout(layer["rate"])
        if op in ("add", "concat"):
            return Join(op)
        return {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[op]()

    def forward(self, x):
        values = {}
        for layer, module in zip(self.layers, self.own):
            x = module(*([values[name] for name in layer.get("from", [])] or [x]))
            values[layer.get("name", len(values))] = x
        return x


class Join(torch.nn.Module):
    def __init__(self, op):
        super().__init__()
        self.op = op

    def forward(self, a, b):
        return a + b if self.op == "add" else torch.cat([a, b], 1)


class Conv(torch.nn.Module):
    """A convolution whose groups may overlap and whose bias may be one for each unit."""

    def __init__(self, layer, shape):
        super().__init__()
        c, h, w = shape
        depthwise = layer["op"] == "depthwise_conv2d"
        self.groups = c if depthwise else layer.get("groups", 1)
        units = c if depthwise else layer["units"]
        span = 1 if depthwise else layer.get("span", c // self.groups)
        kernel = pair(layer["kernel"])
        self.options = {"stride": layer.get("stride", 1), "padding": layer.get("padding", 0), "groups": self.groups}
        self.weight = torch.nn.Parameter(torch.randn(units, span, *kernel) / (span * kernel[0] * kernel[1]) ** 0.5)
        overlap = span * self.groups > c
        step = c // self.groups
        self.seen = [(g * step + k) % c for g in range(self.groups) for k in range(span)] if overlap else None
        kind, self.bias, self.unit_bias = layer.get("bias", "channel"), None, None
        if kind == "channel":
            self.bias = torch.nn.Parameter(torch.zeros(units))
        if kind == "unit":
            self.unit_bias = torch.nn.Parameter(torch.zeros_like(self(torch.zeros(1, *shape))[0]))

    def forward(self, x):
        x = x[:, self.seen] if self.seen else x
        y = F.conv2d(x, self.weight, self.bias, **self.options)
        return y if self.unit_bias is None else y + self.unit_bias


def rate(recipe, shape, threads, seconds):
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    net = Net(recipe["layer"], shape).train()
    batch = recipe["train"]["batch"]
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.1)
    h, w, c = shape
    x = torch.rand(batch * 10, c, h, w) * 2 - 1
    labels = torch.randint(10, (batch * 10,))

    def step(i):
        at = slice(i % 10 * batch, (i % 10 + 1) * batch)
        optimiser.zero_grad(set_to_none=True)
        F.cross_entropy(net(x[at]).flatten(1), labels[at]).backward()
        optimiser.step()

    for i in range(3):
        step(i)
    begun, steps = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        step(steps)
        steps += 1
    return steps * batch / (time.perf_counter() - begun), sum(p.numel() for p in net.parameters())


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    print(f"{'recipe':20} {'parameters':>10} {'threads':>8} {'images/s':>12}   torch {torch.__version__}")
    for name in sys.argv[2:] or ["digits", "shuffle-28"]:
        path = RECIPES / f"{name}.toml" if name in SHAPES else pathlib.Path(name)
        recipe = tomllib.loads(path.read_text())
        shape = SHAPES.get(name) or SHAPES[{"fashion-mnist": "shuffle-28"}.get(recipe["data"], "digits")]
        for threads in (1, 2):
            images, parameters = rate(recipe, shape, threads, seconds)
            print(f"{recipe['name']:20} {parameters:>10} {threads:>8} {images:>12.0f}", flush=True)


main()
