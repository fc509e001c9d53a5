"""What a golden case is, and the random numbers and quantisation ranges that every case draws from."""

import hashlib

import numpy as np

from author import Model, float32
from interpret import MICRO

SEED = 1989


class Case:
    """A model, and the inputs to run it on. `by` names the implementation whose outputs are kept.

    `measure` says whether saturation of the outputs means anything (it does not where values are only moved).
    """

    def __init__(self, name, operator, by=MICRO, measure=True, note=None):
        self.name, self.operator, self.by, self.measure, self.note = name, operator, by, measure, note
        self.model, self.samples = Model(name), []
        self.random = np.random.default_rng(int.from_bytes(hashlib.sha256(f"{SEED}/{name}".encode()).digest()[:8], "little"))

    def sample(self, kind, *inputs):
        """Adds one set of inputs: an int8 array a model input."""
        self.samples.append((kind, [np.asarray(x, np.int8) for x in inputs]))

    def full_range(self, shape):
        """int8 integers drawn evenly from -128 to 127; every value once where `shape` has 256 elements."""
        if int(np.prod(shape)) == 256:
            return self.random.permutation(np.arange(-128, 128)).astype(np.int8).reshape(shape)
        return self.random.integers(-128, 128, shape).astype(np.int8)

    def extreme(self, shape):
        """Each element -128 or 127."""
        return np.where(self.random.integers(0, 2, shape) == 1, 127, -128).astype(np.int8)

    def scale(self, low=0.01, high=0.1):
        """A float32 scale drawn evenly on a logarithmic axis."""
        return float32(np.exp(self.random.uniform(np.log(low), np.log(high))))

    def zero(self):
        """A zero point away from both ends."""
        return int(self.random.integers(-60, 61))


def fit(real, zero=None, tail=2.0, activation="NONE"):
    """Scale and zero point of an output, such that `tail` percent of `real` saturates at either end.

    With `zero` given only the scale is free: -128 leaves room for positive values alone, 127 for negative ones alone.
    """
    real = np.asarray(real, np.float64)
    if activation == "RELU":
        real = real[real > 0]
    low, high = (np.percentile(real, tail), np.percentile(real, 100 - tail)) if real.size else (-1.0, 1.0)
    low, high = min(low, 0.0), max(high, 0.0)
    if 0 < tail < 5 and real.size < 100:  # too few values for a tail: leave room instead
        low, high = 1.2 * low, 1.2 * high
    if zero is None:
        scale = max(high - low, 1e-3) / 255
        return float32(scale), int(np.clip(round(-128 - low / scale), -128, 127))
    candidates = [high / (127 - zero) if zero < 127 else 0.0, low / (-128 - zero) if zero > -128 else 0.0]
    return float32(max(*candidates, 1e-5)), zero


def same_pads(size, kernel, stride, dilation):
    """TFLite's SAME padding along one axis: (before, after, output size). The odd element goes after."""
    out = -(-size // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2, out


def window(hw, kernel, stride, padding, dilation=(1, 1)):
    """Pads [top, bottom, left, right] and output (height, width) of a sliding window."""
    if padding == "SAME":
        top, bottom, oh = same_pads(hw[0], kernel[0], stride[0], dilation[0])
        left, right, ow = same_pads(hw[1], kernel[1], stride[1], dilation[1])
        return [top, bottom, left, right], (oh, ow)
    oh, ow = ((hw[i] - (kernel[i] - 1) * dilation[i] - 1) // stride[i] + 1 for i in (0, 1))
    assert oh > 0 and ow > 0
    return [0, 0, 0, 0], (oh, ow)


def patches(x, kernel, stride, dilation, pads, out):
    """Windows of `x` [h, w, c], zero outside: [oh, ow, kh, kw, c]."""
    x = np.pad(x, ((pads[0], pads[1]), (pads[2], pads[3]), (0, 0)))
    rows = np.arange(out[0])[:, None] * stride[0] + np.arange(kernel[0])[None] * dilation[0]
    columns = np.arange(out[1])[:, None] * stride[1] + np.arange(kernel[1])[None] * dilation[1]
    return x[rows[:, None, :, None], columns[None, :, None, :]]
