"""Cases of the operators that work on single values: ADD, SUB, MUL, the activations, PRELU, SOFTMAX, QUANTIZE."""

import numpy as np

from author import ACTIVATIONS, float32, schema
from case import Case, fit
from interpret import LITERT, MICRO

BINARY = {"ADD": np.add, "SUB": np.subtract, "MUL": np.multiply}
# A shape of 256 elements: its random sample holds every int8 value once, so that the two outputs are the operator's whole table.
TABLE = (8, 8, 4)
MICRO_RELU6 = ("TensorFlow Lite Micro clamps to the integers that mean 0 and 6 in the input's scale and never looks at the output's:"
               " read in the output's scale these are other real values")


def binary(operator, shape, other=None, activation="NONE", zeros=(None, None), scales=(None, None), out_zero=None, tail=2.0, same=False,
           constant=False, swapped=False, tag=""):
    """`other` is the second input's shape with its batch, `same` feeds the first tensor twice, `constant` stores the second input."""
    full = [1, *shape]
    other = full if other is None else list(other)
    case = Case("_".join(filter(None, [
        operator.lower(), "x".join(map(str, shape)), "" if other == full else "with_" + "x".join(map(str, other)),
        activation.lower() if activation != "NONE" else "", "same_tensor" if same else "", "constant" if constant else "",
        "swapped" if swapped else "", tag])), operator)
    zero = [case.zero() if z is None else z for z in zeros]
    scale = [case.scale(0.01, 0.06) if s is None else s for s in scales]
    a, qa = case.model.input("a", full, scale[0], zero[0]), case.full_range(full)
    qb = qa if same else case.full_range(other)
    if same:
        b = a
    elif constant:
        b = case.model.constant("b", qb, scale[1], zero[1])
    else:
        b = case.model.input("b", other, scale[1], zero[1])
    real = BINARY[operator](a.real(qa), b.real(qb))
    gain = {"RELU6": 4.0, "RELU_N1_TO_1": 1.2}.get(activation)
    if gain is not None:  # the activation's bounds lie inside the range of the sums
        factor = gain / max(float(np.std(real)), 1e-6)
        factor = factor**0.5 if operator == "MUL" and not same else factor
        factor = factor**0.5 if operator == "MUL" and same else factor
        for t in {id(a): a, id(b): b}.values():
            t.scale = [float32(t.scale[0] * factor)]
        real = BINARY[operator](a.real(qa), b.real(qb))
        real = np.clip(real, *((0, 6) if activation == "RELU6" else (-1, 1)))
        tail = 0.0
    out_scale, z = fit(real, out_zero, tail, activation)
    y = case.model.output("output", full, out_scale, z)
    options = {"ADD": schema.AddOptionsT, "SUB": schema.SubOptionsT, "MUL": schema.MulOptionsT}[operator]()
    options.fusedActivationFunction = ACTIVATIONS[activation]
    version = 3 if operator == "MUL" and a.scale[0] * b.scale[0] / out_scale >= 1.0 else 2
    case.model.operator(operator, version, options, [b, a] if swapped else [a, b], [y], {"activation": activation})
    one_input = same or constant
    case.sample("random", *([qa] if one_input else [qa, qb]))
    ends = [case.extreme(full)] if one_input else [case.extreme(full), case.extreme(other)]
    case.sample("extreme", *ends)
    return case


def unary(operator, in_scale, in_zero, out_scale=None, out_zero=None, shape=TABLE, version=2, options=None, attributes=None, function=None,
          by=MICRO, note=None, tag=""):
    """`function` maps real inputs to real outputs; it chooses the output's scale where that is free."""
    case = Case("_".join(filter(None, [operator.lower(), tag])), operator, by, note=note)
    full = [1, *shape]
    x, q = case.model.input("input", full, in_scale, in_zero), case.full_range(full)
    if out_scale is None:
        out_scale, out_zero = fit(function(x.real(q)), out_zero)
    y = case.model.output("output", full, out_scale, out_zero)
    case.model.operator(operator, version, options, [x], [y], attributes or {})
    case.sample("random", q)
    case.sample("extreme", case.extreme(full))
    return case


def softmax(shape, scale, zero=0, tag=""):
    case = Case("_".join(filter(None, ["softmax", "x".join(map(str, shape)), f"scale_{scale:g}", tag])), "SOFTMAX")
    full = [1, *shape]
    x = case.model.input("input", full, scale, zero)
    y = case.model.output("output", full, 1 / 256, -128)
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    case.model.operator("SOFTMAX", 2, options, [x], [y], {"beta": 1.0, "axis": len(shape) - 1})
    case.sample("random", case.full_range(full))
    close = np.clip(case.random.normal(90, 12, full), -128, 127)
    case.sample("close", close)
    case.sample("extreme", case.extreme(full))
    return case


def leaky(alpha, in_scale, in_zero, out_zero=None, out_scale=None, tag=""):
    options = schema.LeakyReluOptionsT()
    options.alpha = float32(alpha)
    return unary("LEAKY_RELU", in_scale, in_zero, out_scale, out_zero, version=1, options=options, attributes={"alpha": float32(alpha)},
                 function=lambda r: np.where(r < 0, alpha * r, r), tag=f"{alpha:g}" + tag)


def prelu(shape, alpha_shape, in_zero=None, alpha_zero=0, tag=""):
    case = Case("_".join(filter(None, ["prelu", "x".join(map(str, shape)), "alpha", "x".join(map(str, alpha_shape)), tag])), "PRELU")
    full = [1, *shape]
    x = case.model.input("input", full, case.scale(), case.zero() if in_zero is None else in_zero)
    alpha = case.model.constant("alpha", case.full_range(alpha_shape), case.scale(0.002, 0.01), alpha_zero)
    q = case.full_range(full)
    real, slope = x.real(q), np.broadcast_to(alpha.real(alpha.data), full)
    y = case.model.output("output", full, *fit(np.where(real < 0, real * slope, real)))
    case.model.operator("PRELU", 1, None, [x, alpha], [y], {})
    case.sample("random", q)
    case.sample("extreme", case.extreme(full))
    return case


def hard_swish(scale, zero, out_zero=None, tag=""):
    return unary("HARD_SWISH", scale, zero, out_zero=out_zero, version=1, options=schema.HardSwishOptionsT(),
                 function=lambda r: r * np.clip(r + 3, 0, 6) / 6, tag=f"scale_{scale:g}_zero_{zero}{tag}")


def quantize(in_scale, in_zero, out_scale, out_zero, tag):
    return unary("QUANTIZE", in_scale, in_zero, out_scale, out_zero, version=1, options=schema.QuantizeOptionsT(), tag=tag)


def cases():
    b = binary
    yield b("ADD", (4, 5, 3))
    yield b("ADD", (3, 5, 7), zeros=(-128, -128), activation="RELU")
    yield b("ADD", (5, 3, 4), zeros=(127, -128), scales=(0.003, 0.11), tag="scales_far_apart")
    yield b("ADD", (3, 3, 11), zeros=(-40, 20), activation="RELU6")
    yield b("ADD", (5, 5, 2), activation="RELU_N1_TO_1", out_zero=0)
    yield b("ADD", (4, 4, 5), same=True, zeros=(-128, None))
    yield b("ADD", (3, 4, 5), other=(1, 1, 1, 1))
    yield b("ADD", (3, 4, 6), other=(1, 1, 1, 6))
    yield b("ADD", (4, 3, 5), other=(1, 1, 1, 5), constant=True, activation="RELU")
    yield b("ADD", (3, 3, 9), constant=True)
    yield b("ADD", (5, 3, 3), other=(1, 1, 1, 3), swapped=True)
    yield b("ADD", (17,), out_zero=-128)
    yield b("ADD", (5, 4, 4), tail=25.0, tag="half_cut")
    yield b("SUB", (4, 5, 3))
    yield b("SUB", (3, 5, 8), zeros=(-128, 127), activation="RELU")
    yield b("SUB", (5, 3, 5), zeros=(-70, -10), activation="RELU6")
    yield b("SUB", (3, 3, 7), zeros=(127, -128))
    yield b("SUB", (3, 5, 6), activation="RELU_N1_TO_1", out_zero=-3)
    yield b("SUB", (3, 4, 5), other=(1, 1, 1, 1))
    yield b("SUB", (3, 4, 6), other=(1, 1, 1, 6), constant=True)
    yield b("SUB", (3, 4, 7), other=(1, 1, 1, 7), constant=True, swapped=True)
    yield b("SUB", (4, 4, 3), same=True, out_zero=5)
    yield b("MUL", (4, 5, 3))
    yield b("MUL", (3, 5, 7), zeros=(-128, -128), activation="RELU")
    yield b("MUL", (5, 3, 4), zeros=(127, -128))
    yield b("MUL", (3, 3, 11), activation="RELU6")
    yield b("MUL", (5, 5, 2), activation="RELU_N1_TO_1", out_zero=0)
    yield b("MUL", (4, 4, 5), same=True)
    yield b("MUL", (3, 4, 5), other=(1, 1, 1, 1))
    yield b("MUL", (3, 4, 6), other=(1, 1, 1, 6))
    yield b("MUL", (4, 3, 5), other=(1, 1, 1, 5), constant=True, activation="RELU")
    yield b("MUL", (5, 3, 3), other=(1, 1, 1, 3), constant=True, swapped=True)
    yield b("MUL", (13,), zeros=(127, None), out_zero=127)

    def relu(r):
        return np.maximum(r, 0)

    yield unary("RELU", 0.05, -128, 0.05, -128, tag="same_scale")
    yield unary("RELU", 0.05, 3, function=relu, tag="free_scale")
    yield unary("RELU", 0.021, -70, 0.047, -31, tag="coarser_output")
    yield unary("RELU", 0.06, 100, 0.004, -128, tag="finer_output")
    yield unary("RELU6", 0.03, -128, 0.03, -128, tag="same_scale")
    yield unary("RELU6", 0.07, -31, 0.07, -31, tag="same_scale_inside")
    yield unary("RELU6", 0.047, 127, 0.047, 127, tag="same_scale_never_positive")
    for tag, *parameters in [("to_0_6", 0.05, -20, 6 / 255, -128), ("inside_output_range", 0.1, 5, 0.031, -100)]:
        yield unary("RELU6", *parameters, by=LITERT, tag=tag,
                    note=f"requantised to the output's scale, unlike the case relu6_{tag}_micro")
        yield unary("RELU6", *parameters, tag=tag + "_micro", note=MICRO_RELU6)
    for tag, scale, zero, out, out_zero in [("to_1_1", 0.02, 4, 2 / 255, -1), ("wide_output", 0.013, -30, 0.011, 20),
                                            ("same_scale", 0.009, 0, 0.009, 0)]:
        yield unary("RELU_N1_TO_1", scale, zero, out, out_zero, version=1, by=LITERT, tag=tag,
                    note="TensorFlow Lite Micro has no such operator")
    yield leaky(0.1, 0.05, 3)
    yield leaky(0.01, 0.07, -128, tag="_zero_-128")
    yield leaky(0.3, 0.03, 127, out_zero=127, tag="_zero_127")
    yield leaky(0.2, 0.04, -5, -5, 0.04, tag="_same_scale")
    yield leaky(1.5, 0.02, 30, tag="_steeper")
    yield prelu((4, 5, 3), (1, 1, 3))
    yield prelu((3, 3, 8), (1, 1, 8), in_zero=127, alpha_zero=9)
    yield prelu((3, 3, 5), (1, 1, 1), in_zero=-100)
    yield prelu((2, 3, 4), (2, 3, 4), alpha_zero=-60)
    for scale, zero in [(0.02, 0), (0.1, -7), (0.047, -128), (0.047, 127), (0.3, 11), (4 / 128, 0)]:
        tag = f"scale_{scale:g}_zero_{zero}"
        yield unary("LOGISTIC", scale, zero, 1 / 256, -128, tag=tag)
        yield unary("TANH", scale, zero, 1 / 128, 0, tag=tag)
    for scale, zero in [(0.03, 0), (0.05, -128), (0.05, 127), (0.1, -9), (0.012, 40)]:
        yield hard_swish(scale, zero)
    yield hard_swish(0.04, 2, -128, "_out_-128")
    for shape, scale, zero in [((10,), 0.1, 0), ((10,), 0.02, -128), ((2,), 0.06, 127), ((17,), 0.25, -3), ((5,), 1.0, 0), ((1,), 0.1, 5),
                               ((3, 4, 6), 0.05, 20), ((100,), 0.01, 0), ((10,), 0.0039, 0)]:
        yield softmax(shape, scale, zero)
    q = quantize
    yield q(0.05, 3, 0.05, 3, "identity")
    yield q(0.05, 0, 0.05, -128, "zero_only")
    yield q(0.05, -128, 0.07, -101, "coarser")
    yield q(0.05, 10, 0.02, -4, "finer")
    yield q(0.013, 127, 0.013, -20, "zero_127")
    yield q(0.5, 0, 0.011, 0, "much_finer")
    yield q(0.0041, -17, 0.31, 5, "much_coarser")
