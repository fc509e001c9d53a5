"""Cases of pooling, MEAN, and of the operators that only move values: padding, slicing, joining, resizing, reordering."""

import functools

import numpy as np

from author import ACTIVATIONS, PADDINGS, schema
from case import Case, fit, window
from interpret import LITERT, MICRO


def join(*parts):
    return "_".join(str(p) for p in parts if p != "")


def text(shape):
    return "x".join(map(str, shape))


def pool(operator, shape, kernel, stride, padding, activation="NONE", scale=None, zero=None, tag=""):
    case = Case(join(operator.lower(), text(shape), f"k{text(kernel)}", f"s{text(stride)}", padding.lower(),
                     activation.lower() if activation != "NONE" else "", tag), operator)
    scale, zero = scale or case.scale(), case.zero() if zero is None else zero
    pads, (oh, ow) = window(shape[:2], kernel, stride, padding)
    x = case.model.input("input", [1, *shape], scale, zero)
    y = case.model.output("output", [1, oh, ow, shape[2]], scale, zero)
    options = schema.Pool2DOptionsT()
    options.padding, options.fusedActivationFunction = PADDINGS[padding], ACTIVATIONS[activation]
    options.strideH, options.strideW, options.filterHeight, options.filterWidth = *stride, *kernel
    case.model.operator(operator, 2, options, [x], [y], {
        "kernel": list(kernel), "stride": list(stride), "padding": padding, "pads": pads, "activation": activation})
    case.sample("random", case.full_range(x.shape))
    case.sample("extreme", case.extreme(x.shape))
    return case


def mean(shape, axes, keep=True, in_zero=None, out=None, tag=""):
    """`axes` count dimensions with the batch, as in the file."""
    case = Case(join("mean", text(shape), "axis", "_".join(map(str, axes)), "" if keep else "drop", tag), "MEAN")
    x = case.model.input("input", [1, *shape], case.scale(), case.zero() if in_zero is None else in_zero)
    q = case.full_range(x.shape)
    real = x.real(q).mean(tuple(axes), keepdims=keep)
    scale, zero = {"same": (x.scale[0], x.zero), None: fit(real)}.get(out, out)
    y = case.model.output("output", list(real.shape), scale, zero)
    options = schema.ReducerOptionsT()
    options.keepDims = keep
    case.model.operator("MEAN", 2, options, [x, case.model.parameter("axis", axes)], [y], {
        "axis": [a - 1 for a in axes], "keep_dims": keep})
    case.sample("random", q)
    case.sample("extreme", case.extreme(x.shape))
    return case


def moved(operator, name, inputs, outputs, samples=2, zero=None, by=MICRO):
    """A case whose inputs and outputs share scale and zero point. Shapes come with the batch. Returns case, inputs, outputs."""
    case = Case(name, operator, by, measure=False)
    scale, zero = case.scale(), case.zero() if zero is None else zero
    several = len(inputs) > 1
    xs = [case.model.input(f"input_{i}" if several else "input", s, scale, zero) for i, s in enumerate(inputs)]
    several = len(outputs) > 1
    ys = [case.model.output(f"output_{i}" if several else "output", s, scale, zero) for i, s in enumerate(outputs)]
    case.sample("random", *(case.full_range(x.shape) for x in xs))
    if samples == 2:
        case.sample("extreme", *(case.extreme(x.shape) for x in xs))
    return case, xs, ys


def pad(shape, pads, value=None, zero=None, tag=""):
    """`pads` are (before, after) of height, width and channels. PADV2 where `value`, an int8, is given."""
    operator = "PAD" if value is None else "PADV2"
    full, after = [1, *shape], [1, *(n + b + a for n, (b, a) in zip(shape, pads, strict=True))]
    case, (x,), (y,) = moved(operator, join(operator.lower(), text(shape), text(after[1:]), tag), [full], [after], zero=zero)
    paddings = case.model.parameter("paddings", [(0, 0), *pads])
    inputs, attributes = [x, paddings], {"pads": [list(p) for p in pads]}
    options = schema.PadOptionsT()
    if value is not None:
        inputs.append(case.model.constant("value", np.array([value], np.int8), x.scale[0], x.zero))
        options = schema.PadV2OptionsT()
    attributes["value"] = x.zero if value is None else value
    case.model.operator(operator, 2, options, inputs, [y], attributes)
    return case


def reshape(shape, new, operator="RESHAPE", axis=None, with_tensor=True):
    """RESHAPE, SQUEEZE (`axis`: dimensions dropped) and EXPAND_DIMS (`axis`: the dimension made), all of them copies."""
    case, (x,), (y,) = moved(operator, join(operator.lower(), text(shape), "to", text(new), "" if with_tensor else "option_only"),
                             [[1, *shape]], [[1, *new]])
    if operator == "RESHAPE":
        options, inputs = schema.ReshapeOptionsT(), [x]
        options.newShape = [1, *new]
        if with_tensor:
            inputs.append(case.model.parameter("shape", [1, *new]))
        case.model.operator(operator, 1, options, inputs, [y], {"shape": list(new)})
    elif operator == "SQUEEZE":
        options = schema.SqueezeOptionsT()
        options.squeezeDims = list(axis)
        case.model.operator(operator, 1, options, [x], [y], {"axis": [a - 1 for a in axis]})
    else:
        case.model.operator(operator, 1, schema.ExpandDimsOptionsT(), [x, case.model.parameter("axis", axis)], [y], {"axis": axis - 1})
    return case


def concatenation(shapes, axis=2, zero=None, tag=""):
    """`axis` counts without batch."""
    out = list(shapes[0])
    out[axis] = sum(s[axis] for s in shapes)
    case, xs, (y,) = moved("CONCATENATION", join("concatenation", *(text(s) for s in shapes), f"axis{axis}", tag),
                           [[1, *s] for s in shapes], [[1, *out]], zero=zero)
    options = schema.ConcatenationOptionsT()
    options.axis, options.fusedActivationFunction = axis + 1, ACTIVATIONS["NONE"]
    case.model.operator("CONCATENATION", 2, options, xs, [y], {"axis": axis, "activation": "NONE"})
    return case


def split(shape, parts, axis=2):
    part = list(shape)
    part[axis] //= parts
    case, (x,), ys = moved("SPLIT", join("split", text(shape), f"axis{axis}", f"in{parts}"), [[1, *shape]], [[1, *part]] * parts)
    options = schema.SplitOptionsT()
    options.numSplits = parts
    case.model.operator("SPLIT", 2, options, [case.model.parameter("axis", axis + 1), x], ys, {"axis": axis, "num_splits": parts})
    return case


def split_v(shape, sizes, axis=2):
    parts = [[n if i != axis else size for i, n in enumerate(shape)] for size in sizes]
    case, (x,), ys = moved("SPLIT_V", join("split_v", text(shape), f"axis{axis}", "in", *sizes), [[1, *shape]], [[1, *p] for p in parts])
    options = schema.SplitVOptionsT()
    options.numSplits = len(sizes)
    inputs = [x, case.model.parameter("sizes", sizes), case.model.parameter("axis", axis + 1)]
    case.model.operator("SPLIT_V", 2, options, inputs, ys, {"axis": axis, "num_splits": len(sizes)})
    return case


def pack(shape, count, axis):
    """`axis` counts without batch, in the output."""
    new = [*shape[:axis], count, *shape[axis:]]
    case, xs, (y,) = moved("PACK", join("pack", text(shape), f"axis{axis}", f"of{count}"), [[1, *shape]] * count, [[1, *new]])
    options = schema.PackOptionsT()
    options.valuesCount, options.axis = count, axis + 1
    case.model.operator("PACK", 2, options, xs, [y], {"axis": axis})
    return case


def unpack(shape, axis):
    new = [n for i, n in enumerate(shape) if i != axis]
    case, (x,), ys = moved("UNPACK", join("unpack", text(shape), f"axis{axis}"), [[1, *shape]], [[1, *new]] * shape[axis])
    options = schema.UnpackOptionsT()
    options.num, options.axis = shape[axis], axis + 1
    case.model.operator("UNPACK", 2, options, [x], ys, {"axis": axis})
    return case


def slice_(shape, begin, size):
    new = [n - b if s < 0 else s for n, b, s in zip(shape, begin, size, strict=True)]
    case, (x,), (y,) = moved("SLICE", join("slice", text(shape), "to", text(new)), [[1, *shape]], [[1, *new]])
    inputs = [x, case.model.parameter("begin", [0, *begin]), case.model.parameter("size", [1, *size])]
    case.model.operator("SLICE", 2, schema.SliceOptionsT(), inputs, [y], {"begin": list(begin)})
    return case


def strided_slice(shape, begin, end, strides, begin_mask=0, end_mask=0, shrink_mask=0, tag=""):
    """Indices and masks count without batch; the file gets the batch's 0, 1, 1 and masks shifted by one bit."""
    slices = []
    for i in range(len(shape)):
        first = None if begin_mask >> i & 1 else begin[i]
        last = None if end_mask >> i & 1 else end[i]
        start, stop, step = slice(first, last, strides[i]).indices(shape[i])
        slices.append((start, start + 1, 1) if shrink_mask >> i & 1 else (start, stop, step))
    new = [len(range(*s)) for i, s in enumerate(slices) if not shrink_mask >> i & 1]
    case, (x,), (y,) = moved("STRIDED_SLICE", join("strided_slice", text(shape), "to", text(new), tag), [[1, *shape]], [[1, *new]])
    options = schema.StridedSliceOptionsT()
    options.beginMask, options.endMask, options.shrinkAxisMask = begin_mask << 1, end_mask << 1, shrink_mask << 1
    inputs = [x, *(case.model.parameter(n, [b, *v]) for n, b, v in
                   [("begin", 0, begin), ("end", 1, end), ("strides", 1, strides)])]
    case.model.operator("STRIDED_SLICE", 2, options, inputs, [y], {
        "begin": [s[0] for s in slices], "end": [s[1] for s in slices], "strides": [s[2] for s in slices],
        "shrink_axis": [i for i in range(len(shape)) if shrink_mask >> i & 1]})
    return case


def transpose(shape, perm):
    """`perm` counts without batch."""
    new = [shape[p] for p in perm]
    case, (x,), (y,) = moved("TRANSPOSE", join("transpose", text(shape), "perm", text(perm)), [[1, *shape]], [[1, *new]])
    inputs = [x, case.model.parameter("perm", [0, *(p + 1 for p in perm)])]
    case.model.operator("TRANSPOSE", 4 if len(shape) > 3 else 2, schema.TransposeOptionsT(), inputs, [y], {"perm": list(perm)})
    return case


def tile(shape, multiples):
    """TensorFlow Lite Micro has no such operator."""
    new = [n * m for n, m in zip(shape, multiples, strict=True)]
    case, (x,), (y,) = moved("TILE", join("tile", text(shape), "by", text(multiples)), [[1, *shape]], [[1, *new]], by=LITERT)
    inputs = [x, case.model.parameter("multiples", [1, *multiples])]
    case.model.operator("TILE", 2, schema.TileOptionsT(), inputs, [y], {"multiples": list(multiples)})
    return case


def channel_shuffle(shape, groups):
    """Reshape to [h, w, groups, c / groups], swap the last two dimensions, reshape back: three operators."""
    case, (x,), (y,) = moved("CHANNEL_SHUFFLE", join("channel_shuffle", text(shape), f"g{groups}"), [[1, *shape]], [[1, *shape]])
    h, w, c = shape
    split_shape, swapped = [h, w, groups, c // groups], [h, w, c // groups, groups]
    a = case.model.activation("split", [1, *split_shape], x.scale[0], x.zero)
    b = case.model.activation("swapped", [1, *swapped], x.scale[0], x.zero)
    for source, target, shape_out in [(x, a, split_shape), (b, y, list(shape))]:
        options = schema.ReshapeOptionsT()
        options.newShape = [1, *shape_out]
        step = ("RESHAPE", 1, options, [source, case.model.parameter(f"{target.name}_shape", [1, *shape_out])], [target],
                {"shape": shape_out})
        if target is y:
            perm = case.model.parameter("perm", [0, 1, 2, 4, 3])
            case.model.operator("TRANSPOSE", 4, schema.TransposeOptionsT(), [a, perm], [b], {"perm": [0, 1, 3, 2]})
        case.model.operator(*step)
    return case


def resize(shape, size, align_corners=False, half_pixel_centers=False):
    tag = "align_corners" if align_corners else "half_pixel_centers" if half_pixel_centers else ""
    case, (x,), (y,) = moved("RESIZE_NEAREST_NEIGHBOR", join("resize_nearest_neighbor", text(shape), "to", text(size), tag),
                             [[1, *shape]], [[1, *size, shape[2]]])
    options = schema.ResizeNearestNeighborOptionsT()
    options.alignCorners, options.halfPixelCenters = align_corners, half_pixel_centers
    case.model.operator("RESIZE_NEAREST_NEIGHBOR", 3 if tag else 2, options, [x, case.model.parameter("size", size)], [y], {
        "size": list(size), "align_corners": align_corners, "half_pixel_centers": half_pixel_centers})
    return case


def cases():
    for operator in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        p = functools.partial(pool, operator)
        yield p((4, 4, 3), (2, 2), (2, 2), "VALID")
        yield p((5, 5, 2), (2, 2), (2, 2), "SAME", zero=-128)
        yield p((5, 7, 1), (3, 3), (2, 2), "SAME", zero=127)
        yield p((5, 4, 4), (3, 3), (1, 1), "SAME", activation="RELU", zero=-25)
        yield p((7, 5, 3), (3, 2), (2, 1), "VALID", activation="RELU6", scale=0.05, zero=-30)
        yield p((5, 5, 5), (5, 5), (5, 5), "VALID", tag="global")
        yield p((3, 4, 17), (3, 4), (1, 1), "VALID", zero=-128, tag="global")
        yield p((7, 8, 2), (3, 3), (3, 3), "SAME", activation="RELU_N1_TO_1", scale=0.01, zero=10)
        yield p((3, 3, 6), (5, 5), (1, 1), "SAME", tag="larger_than_input")
        yield p((6, 6, 1), (1, 1), (2, 3), "VALID")
        yield p((6, 1, 7), (4, 1), (2, 1), "SAME")
    m = mean
    yield m((4, 5, 3), (1, 2))
    yield m((3, 3, 17), (1, 2), in_zero=-128)
    yield m((7, 7, 2), (1, 2), in_zero=127)
    yield m((5, 5, 4), (1, 2), out="same")
    yield m((4, 6, 5), (1, 2), keep=False)
    yield m((5, 4, 6), (1, 2), in_zero=0, out=(0.003, -20), tag="cut")
    yield m((1, 1, 9), (1, 2), out=(0.083, 17))
    yield m((5, 3, 4), (1,))
    yield m((5, 3, 4), (2,), keep=False)
    yield m((4, 3, 7), (3,))
    yield pad((3, 4, 2), [(1, 1), (1, 1), (0, 0)])
    yield pad((4, 3, 3), [(0, 1), (0, 1), (0, 0)], zero=-128)
    yield pad((3, 3, 2), [(2, 0), (1, 3), (0, 0)], zero=127)
    yield pad((3, 2, 5), [(0, 0), (0, 0), (1, 2)])
    yield pad((2, 3, 4), [(1, 0), (0, 1), (2, 1)])
    yield pad((3, 4, 2), [(1, 1), (1, 1), (0, 0)], value=-128)
    yield pad((4, 3, 3), [(0, 1), (0, 1), (0, 0)], value=127, zero=-128)
    yield pad((2, 3, 4), [(1, 0), (0, 1), (2, 1)], value=7)
    yield pad((3, 3, 1), [(2, 2), (2, 2), (0, 0)], value=-33, zero=127)
    r = reshape
    yield r((3, 4, 5), (60,))
    yield r((24,), (2, 3, 4))
    yield r((4, 3, 6), (4, 9, 2))
    yield r((2, 5, 3), (30,), with_tensor=False)
    yield r((1, 1, 7), (7,), "SQUEEZE", axis=(1, 2))
    yield r((5, 1, 3), (5, 3), "SQUEEZE", axis=(2,))
    yield r((1, 4, 1), (4,), "SQUEEZE", axis=(1, 3))
    yield r((9,), (1, 9), "EXPAND_DIMS", axis=1)
    yield r((3, 5), (3, 5, 1), "EXPAND_DIMS", axis=3)
    c = concatenation
    yield c([(3, 4, 2), (3, 4, 5)])
    yield c([(3, 3, 1), (3, 3, 2), (3, 3, 3)], zero=-128)
    yield c([(2, 3, 8), (2, 3, 8)], zero=127)
    yield c([(5, 4, 3), (5, 4, 1), (5, 4, 7)])
    yield c([(2, 3, 4), (3, 3, 4)], axis=0)
    yield c([(3, 2, 4), (3, 1, 4)], axis=1)
    yield c([(7,), (5,)], axis=0)
    yield c([(2, 3, n) for n in (1, 2, 3, 1, 2, 3, 1, 2, 3, 4)])
    yield split((3, 4, 6), 2)
    yield split((3, 3, 9), 3)
    yield split((4, 3, 5), 2, axis=0)
    yield split((2, 5, 8), 4)
    yield split_v((3, 4, 7), (1, 4, 2))
    yield split_v((5, 3, 2), (3, 2), axis=0)
    yield pack((3, 4), 3, 0)
    yield pack((3, 4), 2, 1)
    yield pack((5,), 4, 1)
    yield unpack((3, 2, 5), 0)
    yield unpack((2, 4, 3), 2)
    yield unpack((4, 6), 0)
    yield slice_((5, 6, 4), (1, 0, 2), (3, -1, 2))
    yield slice_((9, 3), (4, 0), (-1, 2))
    s = strided_slice
    yield s((5, 6, 4), (1, 2, 0), (4, 6, 4), (1, 1, 1))
    yield s((5, 6, 4), (0, 0, 1), (0, 0, 3), (1, 1, 1), begin_mask=3, end_mask=3, tag="masks")
    yield s((7, 7, 3), (0, 0, 0), (7, 7, 3), (2, 3, 1), tag="stride")
    yield s((4, 5, 6), (-3, 1, -2), (-1, 4, 6), (1, 2, 1), tag="negative_indices")
    yield s((5, 4, 3), (4, 0, 0), (0, 4, 3), (-2, 1, 1), end_mask=1, tag="negative_stride")
    yield s((4, 5, 6), (2, 0, 0), (3, 5, 6), (1, 1, 1), shrink_mask=1, tag="shrink")
    yield s((9,), (2,), (8,), (3,))
    t = transpose
    yield t((3, 4, 5), (1, 0, 2))
    yield t((3, 4, 5), (2, 0, 1))
    yield t((4, 2, 7), (0, 2, 1))
    yield t((5, 6), (1, 0))
    yield t((2, 3, 2, 4), (0, 1, 3, 2))
    yield tile((3, 4, 2), (1, 3, 1))
    yield tile((4, 1, 3, 2), (1, 3, 1, 1))
    yield tile((2, 3, 5), (2, 3, 1))
    yield tile((3, 2, 4), (1, 1, 3))
    yield tile((2, 3), (2, 2))
    yield channel_shuffle((3, 4, 6), 2)
    yield channel_shuffle((3, 3, 12), 3)
    yield channel_shuffle((2, 3, 16), 4)
    yield channel_shuffle((4, 3, 10), 5)
    z = resize
    yield z((3, 4, 2), (6, 8))
    yield z((2, 3, 5), (6, 9))
    yield z((3, 5, 3), (5, 7))
    yield z((7, 6, 2), (3, 4))
    yield z((3, 4, 2), (6, 8), half_pixel_centers=True)
    yield z((3, 4, 3), (7, 6), align_corners=True)
    yield z((5, 5, 2), (3, 8), half_pixel_centers=True)
