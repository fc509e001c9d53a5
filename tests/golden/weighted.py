"""Cases of the operators with weights: CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV, FULLY_CONNECTED."""

import numpy as np

from author import ACTIVATIONS, PADDINGS, float32, schema
from case import Case, fit, patches, window

# Real values an output spreads over (one standard deviation) so that the fused activation has something to cut on both sides.
SPREAD = {"NONE": 1.7, "RELU": 1.7, "RELU6": 3.0, "RELU_N1_TO_1": 0.8}
# Mean of the biases, in units of that spread.
LIFT = {"NONE": 0.0, "RELU": 0.5, "RELU6": 1.0, "RELU_N1_TO_1": 0.0}


def draw_weights(case, shape, axis, limit=127):
    """int8 weights in [-limit, limit]; along `axis` every channel reaches the limit, as symmetric quantisation makes it."""
    w = case.random.integers(-limit, limit + 1, shape).astype(np.int8)
    by_channel = np.moveaxis(w, axis, 0).reshape(shape[axis], -1)
    peak = case.random.integers(0, by_channel.shape[1], shape[axis])
    sign = case.random.choice([-limit, limit], shape[axis])
    by_channel[np.arange(shape[axis]), peak] = sign
    moved = [shape[axis]] + [n for i, n in enumerate(shape) if i != axis]
    return np.moveaxis(by_channel.reshape(moved), 0, axis)


def finish(case, x, w, axis, sums, shape, activation, bias, per_channel, out_zero, tail, multiplier, options, version, kind, attributes,
           missing_bias_index=False):
    """Chooses scales from `sums` [..., out], the exact sums of the random sample without bias, and appends the operator."""
    channels = w.shape[axis]
    spread = SPREAD[activation]
    # Biases take away most of a channel's mean, as trained ones do, where there are pixels enough to have a mean.
    means = 0.8 * sums.reshape(-1, channels).mean(0) if bias and sums.size >= 6 * channels else np.zeros(channels)
    step = spread / max(float(np.std(sums - means)), 1.0) / x.scale[0]
    scales = step * (case.random.uniform(0.4, 1.6, channels) if per_channel else np.ones(1))
    scales = np.array([float32(s) for s in scales])
    product = scales * x.scale[0]
    real = sums * product
    biases = None
    if bias:
        biases = np.round((case.random.uniform(-1, 1, channels) + LIFT[activation]) * spread / product - means).astype(np.int32)
        real = real + biases * product
    scale, zero = fit(real, out_zero, tail, activation)
    if multiplier is not None:
        scale = float32(np.max(product) / multiplier)
    if activation in ("RELU6", "RELU_N1_TO_1") and tail <= 2.0:
        low, high = (0.0, 6.0) if activation == "RELU6" else (-1.0, 1.0)
        scale = float32((high - low) / 255)
        zero = round(-128 - low / scale)
    weights = case.model.constant("weights", w, scales, axis=axis)
    inputs = [x, weights]
    if bias:
        inputs.append(case.model.constant("bias", biases, product, kind="int32"))
    elif missing_bias_index:
        inputs.append(None)
    y = case.model.output("output", shape, scale, zero)
    case.model.operator(kind, version, options, inputs, [y], attributes)
    return case


def towards(w_sum):
    """Per input channel the end of the int8 range that drives an output up, given that output's summed weights."""
    return np.where(w_sum > 0, 127, -128).astype(np.int8)


def text(shape):
    return "x".join(map(str, shape))


def label(prefix, shape, extras):
    return "_".join([prefix, "x".join(map(str, shape))] + [e for e in extras if e])


def conv_2d(shape, out, kernel, stride=(1, 1), padding="SAME", dilation=(1, 1), groups=1, activation="NONE", bias=True, in_zero=None,
            out_zero=None, per_channel=True, tail=2.0, multiplier=None, limit=127, tag=""):
    name = label("conv_2d", shape, [
        f"to{out}", f"k{kernel[0]}x{kernel[1]}", f"s{stride[0]}x{stride[1]}" if stride != (1, 1) else "", padding.lower(),
        f"d{dilation[0]}x{dilation[1]}" if dilation != (1, 1) else "", f"g{groups}" if groups > 1 else "",
        activation.lower() if activation != "NONE" else "", "" if bias else "nobias", tag])
    case = Case(name, "CONV_2D", note=None if bias else "LiteRT refuses a CONV_2D without bias; TensorFlow Lite Micro runs it")
    pads, (oh, ow) = window(shape[:2], kernel, stride, padding, dilation)
    x = case.model.input("input", [1, *shape], case.scale(), case.zero() if in_zero is None else in_zero)
    depth = shape[2] // groups
    w = draw_weights(case, (out, *kernel, depth), 0, limit)
    q = case.full_range(x.shape)
    views = patches(q[0].astype(np.int64) - x.zero, kernel, stride, dilation, pads, (oh, ow))
    sums = np.zeros((oh, ow, out), np.int64)
    drive = np.zeros(shape[2], np.int8)
    for o in range(out):
        first = o // (out // groups) * depth
        sums[..., o] = (views[..., first : first + depth] * w[o].astype(np.int64)).sum((2, 3, 4))
        if o % (out // groups) == 0:
            drive[first : first + depth] = towards(w[o].astype(np.int64).sum((0, 1)))
    options = schema.Conv2DOptionsT()
    options.padding, options.fusedActivationFunction = PADDINGS[padding], ACTIVATIONS[activation]
    options.strideH, options.strideW, options.dilationHFactor, options.dilationWFactor = *stride, *dilation
    finish(case, x, w, 0, sums, [1, oh, ow, out], activation, bias, per_channel, out_zero, tail, multiplier, options,
           6 if groups > 1 else 3, "CONV_2D",
           {"kernel": list(kernel), "stride": list(stride), "padding": padding, "pads": pads, "dilation": list(dilation), "groups": groups,
            "activation": activation})
    case.sample("random", q)
    case.sample("extreme", np.broadcast_to(drive, x.shape))
    return case


def depthwise_conv_2d(shape, times, kernel, stride=(1, 1), padding="SAME", dilation=(1, 1), activation="NONE", bias=True, in_zero=None,
                      out_zero=None, per_channel=True, tail=2.0, multiplier=None, limit=127, tag=""):
    name = label("depthwise_conv_2d", shape, [
        f"m{times}", f"k{kernel[0]}x{kernel[1]}", f"s{stride[0]}x{stride[1]}" if stride != (1, 1) else "", padding.lower(),
        f"d{dilation[0]}x{dilation[1]}" if dilation != (1, 1) else "", activation.lower() if activation != "NONE" else "",
        "" if bias else "nobias", tag])
    case = Case(name, "DEPTHWISE_CONV_2D")
    pads, (oh, ow) = window(shape[:2], kernel, stride, padding, dilation)
    x = case.model.input("input", [1, *shape], case.scale(), case.zero() if in_zero is None else in_zero)
    out = shape[2] * times
    w = draw_weights(case, (1, *kernel, out), 3, limit)
    q = case.full_range(x.shape)
    views = patches(q[0].astype(np.int64) - x.zero, kernel, stride, dilation, pads, (oh, ow))
    sums = (np.repeat(views, times, axis=4) * w[0].astype(np.int64)).sum((2, 3))
    drive = towards(w[0].astype(np.int64).sum((0, 1))[::times])
    options = schema.DepthwiseConv2DOptionsT()
    options.padding, options.fusedActivationFunction, options.depthMultiplier = PADDINGS[padding], ACTIVATIONS[activation], times
    options.strideH, options.strideW, options.dilationHFactor, options.dilationWFactor = *stride, *dilation
    finish(case, x, w, 3, sums, [1, oh, ow, out], activation, bias, per_channel, out_zero, tail, multiplier, options, 3,
           "DEPTHWISE_CONV_2D",
           {"kernel": list(kernel), "stride": list(stride), "padding": padding, "pads": pads, "dilation": list(dilation),
            "depth_multiplier": times, "activation": activation})
    case.sample("random", q)
    case.sample("extreme", np.broadcast_to(drive, x.shape))
    return case


def transpose_conv(shape, out, kernel, stride, padding="SAME", size=None, activation="NONE", bias=True, in_zero=None, out_zero=None,
                   per_channel=True):
    """`size` is the output's, where it is not the least that `padding` allows."""
    if size is None:
        size = [n * s if padding == "SAME" else (n - 1) * s + k for n, s, k in zip(shape[:2], stride, kernel, strict=True)]
    name = label("transpose_conv", shape, [
        f"to{text(size)}x{out}", f"k{text(kernel)}", f"s{text(stride)}", padding.lower(),
        activation.lower() if activation != "NONE" else "", "" if bias else "nobias"])
    case = Case(name, "TRANSPOSE_CONV")
    x = case.model.input("input", [1, *shape], case.scale(), case.zero() if in_zero is None else in_zero)
    w = draw_weights(case, (out, *kernel, shape[2]), 0)
    q = case.full_range(x.shape)
    # Each input adds its window to the output, from where the border before cuts off.
    before = [max((n - 1) * s + k - m, 0) // 2 for n, m, s, k in zip(shape[:2], size, stride, kernel, strict=True)]
    sums = np.zeros((*size, out), np.int64)
    for i, j, a, b in np.ndindex(*shape[:2], *kernel):
        at = (i * stride[0] + a - before[0], j * stride[1] + b - before[1])
        if 0 <= at[0] < size[0] and 0 <= at[1] < size[1]:
            sums[at] += w[:, a, b].astype(np.int64) @ (q[0, i, j].astype(np.int64) - x.zero)
    options = schema.TransposeConvOptionsT()
    options.padding, options.fusedActivationFunction = PADDINGS[padding], ACTIVATIONS[activation]
    options.strideH, options.strideW = stride
    finish(case, x, w, 0, sums, [1, *size, out], activation, bias, per_channel, out_zero, 2.0, None, options, 4, "TRANSPOSE_CONV",
           {"kernel": list(kernel), "stride": list(stride), "padding": padding, "activation": activation})
    kind, version, options, (x, weights, *rest), outputs, attributes = case.model.operators.pop()
    inputs = [case.model.parameter("shape", [1, *size, out]), weights, x, *rest]
    case.model.operator(kind, version, options, inputs, outputs, attributes)
    case.sample("random", q)
    case.sample("extreme", np.broadcast_to(towards(w[0].astype(np.int64).sum((0, 1))), x.shape))
    return case


def fully_connected(shape, out, per_channel=False, bias=True, activation="NONE", keep_dims=False, in_zero=None, out_zero=None, tail=2.0,
                    multiplier=None, limit=127, missing_bias_index=False, tag=""):
    """`shape` is the input's without batch, flattened whole; with keep_dims the last dimension alone is mapped."""
    depth = shape[-1] if keep_dims else int(np.prod(shape))
    name = label("fully_connected", shape, [
        f"to{out}", "per_channel" if per_channel else "", "keep_num_dims" if keep_dims else "",
        activation.lower() if activation != "NONE" else "", "" if bias else "nobias", tag])
    case = Case(name, "FULLY_CONNECTED")
    x = case.model.input("input", [1, *shape], case.scale(), case.zero() if in_zero is None else in_zero)
    w = draw_weights(case, (out, depth), 0, limit)
    q = case.full_range(x.shape)
    sums = (q.reshape(-1, depth).astype(np.int64) - x.zero) @ w.T.astype(np.int64)
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction, options.keepNumDims = ACTIVATIONS[activation], keep_dims
    version = 6 if not bias and not missing_bias_index else 5 if keep_dims else 4
    finish(case, x, w, 0, sums, [1, *shape[:-1], out] if keep_dims else [sums.shape[0], out], activation, bias, per_channel, out_zero,
           tail, multiplier, options, version, "FULLY_CONNECTED", {"activation": activation, "keep_num_dims": keep_dims},
           missing_bias_index)
    case.sample("random", q)
    case.sample("extreme", np.broadcast_to(towards(w[0].astype(np.int64)), sums.shape[:1] + (depth,)).reshape(x.shape))
    return case


def transposed():
    t = transpose_conv
    yield t((3, 4, 5), 4, (3, 3), (2, 2))
    yield t((4, 3, 3), 6, (2, 2), (2, 2), "VALID", in_zero=-128, activation="RELU")
    yield t((3, 3, 4), 3, (3, 3), (2, 2), "VALID", in_zero=127)
    yield t((5, 1, 6), 5, (4, 1), (2, 1), activation="RELU6")
    yield t((1, 7, 3), 4, (1, 5), (1, 2), bias=False)
    yield t((4, 5, 2), 3, (4, 4), (2, 2), out_zero=-128, per_channel=False)
    yield t((3, 2, 8), 2, (5, 4), (3, 2), "VALID")
    yield t((4, 4, 1), 7, (3, 3), (1, 1), in_zero=-20)
    yield t((3, 4, 3), 4, (3, 3), (2, 3), size=(5, 11))
    yield t((2, 3, 5), 3, (5, 5), (4, 4), "VALID", size=(11, 14))
    yield t((2, 2, 17), 9, (2, 3), (2, 2))
    yield t((3, 3, 4), 5, (7, 7), (2, 2))


def cases():
    c = conv_2d
    # 1x1: channels in and out, strides, both ends of the zero point's range.
    yield c((4, 5, 1), 1, (1, 1))
    yield c((5, 5, 3), 4, (1, 1), padding="VALID", in_zero=-128)
    yield c((4, 3, 5), 7, (1, 1), activation="RELU", in_zero=127)
    yield c((3, 3, 8), 16, (1, 1), activation="RELU6")
    yield c((3, 4, 17), 5, (1, 1), in_zero=-128, out_zero=127)
    yield c((7, 5, 4), 6, (1, 1), stride=(2, 2))
    yield c((7, 8, 2), 3, (1, 1), stride=(3, 3), padding="VALID", out_zero=-128)
    yield c((1, 1, 17), 17, (1, 1), activation="RELU_N1_TO_1")
    yield c((3, 5, 16), 9, (1, 1), bias=False)
    yield c((3, 3, 13), 13, (1, 1), in_zero=12)
    # 3x3
    yield c((5, 5, 1), 8, (3, 3))
    yield c((6, 5, 2), 5, (3, 3), padding="VALID", in_zero=-128, activation="RELU")
    yield c((7, 7, 3), 4, (3, 3), stride=(2, 2), in_zero=-1)
    yield c((8, 7, 3), 4, (3, 3), stride=(2, 2), padding="VALID", activation="RELU6", in_zero=127)
    yield c((6, 8, 4), 3, (3, 3), stride=(2, 2), activation="RELU", in_zero=-128)
    yield c((9, 10, 1), 6, (3, 3), stride=(3, 3))
    yield c((7, 9, 2), 4, (3, 3), stride=(1, 2), activation="RELU_N1_TO_1")
    yield c((9, 6, 2), 4, (3, 3), stride=(2, 1), padding="VALID")
    yield c((8, 7, 3), 3, (3, 3), stride=(2, 3), out_zero=-128)
    yield c((7, 6, 5), 2, (3, 3), stride=(3, 1), padding="VALID", out_zero=127)
    yield c((3, 4, 6), 10, (3, 3), in_zero=5)
    yield c((3, 3, 11), 4, (3, 3))
    yield c((4, 3, 7), 11, (3, 3), bias=False, activation="RELU")
    yield c((3, 3, 9), 12, (3, 3), padding="VALID")
    yield c((3, 3, 10), 15, (3, 3), padding="VALID", activation="RELU6")
    yield c((3, 3, 12), 14, (3, 3), padding="VALID", in_zero=-128, out_zero=-128)
    yield c((3, 3, 14), 3, (3, 3), in_zero=127)
    yield c((3, 3, 15), 2, (3, 3), stride=(2, 2))
    # 5x5, thin and even kernels, kernels larger than the input.
    yield c((6, 7, 1), 3, (5, 5), activation="RELU")
    yield c((8, 8, 1), 4, (5, 5), stride=(2, 2), in_zero=-128)
    yield c((7, 6, 2), 2, (5, 5), padding="VALID")
    yield c((9, 9, 1), 2, (5, 5), stride=(3, 2), padding="VALID", in_zero=127, activation="RELU6")
    yield c((3, 2, 2), 4, (5, 5), in_zero=-100)
    yield c((3, 9, 3), 4, (1, 7))
    yield c((3, 9, 2), 5, (1, 7), padding="VALID", activation="RELU")
    yield c((9, 3, 3), 4, (7, 1), stride=(2, 1), in_zero=-128)
    yield c((5, 4, 3), 5, (2, 2))
    yield c((7, 7, 2), 3, (4, 4), stride=(2, 2), in_zero=127)
    yield c((5, 6, 3), 3, (2, 3), padding="VALID", stride=(1, 2))
    # Dilation
    yield c((7, 7, 2), 4, (3, 3), dilation=(2, 2))
    yield c((7, 8, 2), 3, (3, 3), dilation=(2, 2), padding="VALID", activation="RELU", in_zero=-128)
    yield c((8, 7, 1), 4, (3, 3), dilation=(3, 3), in_zero=127)
    yield c((8, 9, 2), 4, (3, 3), dilation=(3, 3), padding="VALID")
    yield c((5, 9, 2), 3, (3, 3), dilation=(1, 2), activation="RELU6")
    yield c((9, 5, 2), 3, (2, 3), dilation=(3, 1), padding="VALID")
    # Groups
    yield c((5, 4, 4), 6, (3, 3), groups=2)
    yield c((5, 5, 6), 6, (3, 3), stride=(2, 2), groups=3, activation="RELU", in_zero=-128)
    yield c((3, 4, 12), 8, (1, 1), groups=4, in_zero=127)
    yield c((4, 4, 5), 10, (3, 3), groups=5, padding="VALID")
    yield c((3, 3, 16), 16, (1, 1), groups=8, activation="RELU6")
    yield c((5, 5, 8), 4, (3, 3), groups=2, dilation=(2, 2), bias=False)
    yield c((4, 5, 9), 9, (1, 3), groups=3, activation="RELU_N1_TO_1", stride=(1, 2))
    # Scales: one for all channels, multipliers above one, most outputs cut, an activation that ends inside the output's range.
    yield c((5, 5, 3), 4, (3, 3), per_channel=False, tag="per_tensor")
    yield c((5, 5, 2), 3, (1, 1), multiplier=3.7, limit=3, bias=False, in_zero=0, tag="multiplier_above_one")
    yield c((5, 4, 1), 2, (1, 2), multiplier=1.0, limit=1, bias=False, in_zero=0, padding="VALID", tag="multiplier_about_one")
    yield c((5, 5, 3), 4, (3, 3), tail=25.0, tag="half_cut")
    yield c((5, 5, 4), 4, (3, 3), activation="RELU6", tail=3.0, out_zero=-40, tag="wide_output")
    yield c((5, 5, 4), 4, (3, 3), activation="RELU", tail=3.0, out_zero=31, tag="wide_output")

    # Multipliers whose right shift is one or two bits: there rounding twice and rounding once part ways most often.
    yield c((5, 5, 3), 6, (1, 1), multiplier=0.45, limit=1, in_zero=0, tag="multiplier_0.45")
    yield c((5, 6, 2), 4, (3, 3), multiplier=0.24, limit=1, in_zero=3, tag="multiplier_0.24")

    d = depthwise_conv_2d
    yield d((5, 5, 1), 1, (3, 3))
    yield d((5, 6, 2), 1, (3, 3), padding="VALID", in_zero=-128, activation="RELU")
    yield d((7, 7, 3), 1, (3, 3), stride=(2, 2), activation="RELU6")
    yield d((6, 7, 4), 1, (3, 3), stride=(2, 2), padding="VALID", in_zero=127)
    yield d((5, 4, 5), 1, (3, 3), in_zero=-128, out_zero=-128)
    yield d((4, 5, 6), 1, (3, 3), activation="RELU_N1_TO_1")
    yield d((4, 4, 7), 1, (3, 3), out_zero=127)
    yield d((4, 3, 8), 1, (3, 3), bias=False)
    yield d((4, 4, 9), 1, (3, 3), stride=(2, 1), activation="RELU")
    yield d((3, 3, 10), 1, (3, 3), padding="VALID")
    yield d((3, 3, 11), 1, (3, 3), stride=(1, 2))
    yield d((3, 4, 12), 1, (2, 2), in_zero=-128)
    yield d((3, 3, 13), 1, (3, 3), activation="RELU6", in_zero=127)
    yield d((5, 5, 14), 1, (3, 3), stride=(3, 3))
    yield d((3, 3, 15), 1, (1, 3))
    yield d((3, 3, 16), 1, (3, 3), in_zero=-128, activation="RELU")
    yield d((3, 3, 17), 1, (3, 3), stride=(2, 2))
    yield d((5, 5, 1), 2, (3, 3), activation="RELU")
    yield d((5, 4, 3), 2, (3, 3), stride=(2, 2), in_zero=-128)
    yield d((4, 4, 2), 3, (3, 3), padding="VALID", in_zero=127)
    yield d((4, 5, 5), 3, (1, 1))
    yield d((5, 5, 1), 5, (5, 5), activation="RELU6")
    yield d((6, 5, 3), 5, (3, 3), stride=(3, 2), bias=False)
    yield d((7, 7, 3), 1, (3, 3), dilation=(2, 2))
    yield d((7, 8, 2), 1, (3, 3), dilation=(2, 2), padding="VALID", activation="RELU", in_zero=-128)
    yield d((8, 7, 2), 2, (3, 3), dilation=(3, 3), in_zero=127)
    yield d((5, 8, 2), 1, (3, 2), dilation=(1, 3), padding="VALID")
    yield d((7, 3, 4), 1, (7, 1), activation="RELU_N1_TO_1")
    yield d((8, 8, 2), 1, (5, 5), stride=(2, 2))
    yield d((2, 3, 4), 1, (5, 5), in_zero=-90)
    yield d((4, 5, 4), 1, (4, 5), padding="VALID", tag="whole_input")
    yield d((5, 5, 3), 1, (3, 3), per_channel=False, tag="per_tensor")
    yield d((5, 5, 4), 1, (3, 3), tail=25.0, tag="half_cut")
    yield d((5, 5, 4), 1, (3, 3), activation="RELU6", tail=3.0, out_zero=-40, tag="wide_output")

    yield d((5, 6, 4), 1, (2, 2), multiplier=0.45, limit=1, in_zero=0, tag="multiplier_0.45")
    yield d((5, 5, 3), 2, (3, 3), multiplier=0.24, limit=1, in_zero=-2, tag="multiplier_0.24")

    f = fully_connected
    yield f((1,), 1, out_zero=2)
    yield f((2,), 3, bias=False)
    yield f((7,), 9, activation="RELU")
    yield f((16,), 8, in_zero=-128)
    yield f((17,), 17, in_zero=127)
    yield f((31,), 10, activation="RELU6")
    yield f((64,), 9, out_zero=-128)
    yield f((33,), 6, activation="RELU_N1_TO_1")
    yield f((9,), 13, per_channel=True)
    yield f((40,), 9, per_channel=True, activation="RELU", in_zero=-128)
    yield f((15,), 11, per_channel=True, bias=False, in_zero=127)
    yield f((25,), 4, bias=False, missing_bias_index=True, tag="bias_index_minus_one")
    yield f((3, 3, 5), 6, in_zero=-128)
    yield f((2, 5, 4), 7, per_channel=True, activation="RELU6")
    yield f((3, 2, 6), 5, keep_dims=True)
    yield f((1, 4, 12), 3, keep_dims=True, per_channel=True, activation="RELU")
    yield f((12, 2), 4, keep_dims=True, multiplier=1.6, limit=1, bias=False, in_zero=0, tag="multiplier_above_one")
    yield f((16, 3), 6, keep_dims=True, multiplier=0.45, limit=1, in_zero=0, tag="multiplier_0.45")
    yield f((16, 5), 6, keep_dims=True, per_channel=True, multiplier=0.24, limit=1, in_zero=1, tag="multiplier_0.24")
    yield f((20,), 12, tail=25.0, tag="half_cut")
    yield f((20,), 14, activation="RELU6", tail=3.0, out_zero=-40, tag="wide_output")
    yield f((128,), 2, in_zero=-128, out_zero=127)
    yield from transposed()
