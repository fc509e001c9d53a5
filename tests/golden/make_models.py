#!/usr/bin/env python3
"""Makes golden models of several operators, as TensorFlow's converter writes them: `models/*.tflite` and `models.json`.

Keras nets with random weights, quantised after training by the converter; the outputs are TensorFlow Lite Micro's
(`interpret.py`, `settle.py`). Another version of the converter may write other files: this runs when cases are added, not in CI.

    python3 -m venv /tmp/models && /tmp/models/bin/pip install tensorflow-cpu tflite-micro ai-edge-litert
    /tmp/models/bin/python tests/golden/make_models.py [NAME ...]
"""

import importlib.metadata
import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tensorflow.keras import Model, layers as L

from interpret import run_micro
from settle import settle

HERE = pathlib.Path(__file__).resolve().parent
SAMPLES = 3


def norm(x):
    return L.BatchNormalization()(x)


def separable(x, units, stride, kernel=3, activation="relu6"):
    x = L.Activation(activation)(norm(L.DepthwiseConv2D(kernel, stride, "same", use_bias=False)(x)))
    return L.Activation(activation)(norm(L.Conv2D(units, 1, use_bias=False)(x)))


def sine():
    x = y = L.Input((1,))
    for _ in range(2):
        y = L.Dense(16, "relu")(y)
    return Model(x, L.Dense(1)(y))


def wake_word():
    """Time along rows, one column: depthwise k x 1."""
    x = y = L.Input((30, 1, 10))
    y = L.Conv2D(12, (5, 1), activation="relu")(y)
    for kernel in (9, 5, 3):
        y = norm(L.DepthwiseConv2D((kernel, 1), padding="valid")(y))
        y = L.Conv2D(12, 1, activation="relu")(y)
    y = L.AveragePooling2D((y.shape[1], 1))(y)
    return Model(x, L.Softmax()(L.Dense(3)(L.Flatten()(y))))


def mobile_v1():
    x = y = L.Input((24, 24, 1))
    y = L.ReLU(6)(norm(L.Conv2D(8, 3, 2, "same", use_bias=False)(y)))
    for units, stride in ((16, 1), (16, 2), (24, 1), (24, 2)):
        y = separable(y, units, stride)
    y = L.GlobalAveragePooling2D(keepdims=True)(y)
    return Model(x, L.Softmax()(L.Flatten()(L.Conv2D(2, 1)(y))))


def mobile_v2():
    x = y = L.Input((16, 16, 3))
    y = L.ReLU(6)(norm(L.Conv2D(8, 3, 2, "same", use_bias=False)(y)))
    for stride in (1, 2, 1):
        skip, c = y, y.shape[-1]
        y = L.ReLU(6)(norm(L.Conv2D(3 * c, 1, use_bias=False)(y)))
        if stride == 2:
            y = L.ZeroPadding2D(((0, 1), (0, 1)))(y)
        y = L.ReLU(6)(norm(L.DepthwiseConv2D(3, stride, "same" if stride == 1 else "valid", use_bias=False)(y)))
        y = norm(L.Conv2D(c, 1, use_bias=False)(y))
        y = L.Add()([skip, y]) if stride == 1 else y
    return Model(x, L.Dense(4)(L.GlobalAveragePooling2D()(y)))


def mobile_v3():
    """Squeeze and excitation, hard swish, sigmoid."""
    x = y = L.Input((12, 12, 3))
    y = L.Activation("hard_swish")(norm(L.Conv2D(8, 3, 2, "same", use_bias=False)(y)))
    for _ in range(2):
        skip = y
        y = L.Activation("hard_swish")(norm(L.DepthwiseConv2D(5, 1, "same", use_bias=False)(y)))
        s = L.GlobalAveragePooling2D(keepdims=True)(y)
        s = L.Conv2D(8, 1, activation="sigmoid")(L.Conv2D(4, 1, activation="relu")(s))
        y = L.Add()([skip, norm(L.Conv2D(8, 1, use_bias=False)(L.Multiply()([y, s])))])
    return Model(x, L.Dense(3, "tanh")(L.Flatten()(L.MaxPooling2D(2)(y))))


def residual():
    x = y = L.Input((16, 16, 3), batch_size=1)
    y = L.ReLU()(norm(L.Conv2D(8, 3, padding="same")(y)))
    for units, stride in ((8, 1), (12, 2), (16, 2)):
        skip = y if stride == 1 else L.Conv2D(units, 1, stride, "same")(y)
        y = L.ReLU()(norm(L.Conv2D(units, 3, stride, "same")(y)))
        y = L.ReLU()(L.Add()([skip, norm(L.Conv2D(units, 3, padding="same")(y))]))
    y = L.AveragePooling2D(y.shape[1])(y)
    return Model(x, L.Dense(10, "softmax")(L.Flatten()(y)))


def shuffle():
    """Channel shuffle spelled out, split and concatenated halves, grouped convolution."""
    x = y = L.Input((8, 8, 4))
    y = L.Conv2D(12, 3, padding="same", activation="relu")(y)
    for _ in range(2):
        a, b = tf.keras.ops.split(y, 2, axis=-1)
        a = L.Conv2D(6, 1, groups=3, activation="relu")(a)
        a = norm(L.DepthwiseConv2D(3, padding="same")(a))
        y = L.Concatenate()([a, b])
        h, w, c = y.shape[1:]
        y = L.Reshape((h, w, 3, c // 3))(y)
        y = L.Permute((1, 2, 4, 3))(y)
        y = L.Reshape((h, w, c))(y)
    return Model(x, L.Dense(5)(L.Flatten()(L.MaxPooling2D(4)(y))))


def upsample():
    """An encoder and a decoder with a skip, leaky and parametric relus, a softmax a pixel."""
    x = y = L.Input((8, 10, 2))
    y = skip = L.LeakyReLU(0.1)(L.Conv2D(6, 3, padding="same")(y))
    y = L.PReLU(shared_axes=[1, 2], alpha_initializer="random_uniform")(L.Conv2D(8, 3, 2, "same")(y))
    y = L.Resizing(8, 10, interpolation="nearest")(y)
    y = L.Concatenate()([y, skip])
    y = L.Conv2D(6, 3, padding="same", activation="relu")(y)
    return Model(x, L.Softmax()(L.Conv2D(3, 1)(y)))


def sequence():
    """One dimension: Conv1D (which becomes EXPAND_DIMS or RESHAPE), dense layers over time. A batch of 1, where the others
    leave it open, for which the converter computes shapes."""
    x = y = L.Input((20, 6), batch_size=1)
    y = L.Conv1D(8, 3, activation="relu")(y)
    y = L.Conv1D(8, 3, 2, dilation_rate=1, padding="same")(y)
    y = L.MaxPooling1D(3)(y)
    y = L.Dense(7, "relu")(y)
    y = L.Subtract()([y, L.Multiply()([y, y])])
    return Model(x, L.Dense(4)(L.Flatten()(y)))


def dilated():
    """Convolutions with holes, which the converter spells as SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND where the batch is open."""
    x = y = L.Input((11, 9, 3))
    y = L.Conv2D(6, 3, padding="same", dilation_rate=2, activation="relu")(y)
    y = L.DepthwiseConv2D(3, padding="same", dilation_rate=3)(y)
    y = L.Conv2D(5, 3, padding="valid", dilation_rate=(1, 2), activation="relu")(y)
    return Model(x, L.Conv2D(4, 1)(L.AveragePooling2D(3)(y)))


def autoencoder():
    x = y = L.Input((40,))
    for units in (16, 16, 4, 16, 16):
        y = L.ReLU()(norm(L.Dense(units)(y)))
    return Model(x, L.Dense(40)(y))


def temporal():
    """A temporal convolutional net: one dimension, dilated, causal and not, with residuals; the greatest over time."""
    x = y = L.Input((40, 5))
    for dilation in (1, 2, 4):
        skip = y if y.shape[-1] == 8 else L.Conv1D(8, 1)(y)
        y = L.Conv1D(8, 3, dilation_rate=dilation, padding="causal", activation="relu")(y)
        y = L.ReLU()(L.Add()([skip, norm(L.Conv1D(8, 2, dilation_rate=dilation, padding="same")(y))]))
    y = L.Concatenate()([L.GlobalMaxPooling1D()(y), L.GlobalAveragePooling1D()(y)])
    return Model(x, L.Dense(4, "softmax")(y))


def mixer():
    """Dense layers over time and over channels, which the converter spells with shapes that it computes at run time."""
    x = y = L.Input((12, 10))
    z = L.Permute((2, 1))(L.Dense(12, "relu")(L.Permute((2, 1))(y)))
    y = L.Add()([y, z])
    y = L.Add()([y, L.Dense(10, "relu")(y)])
    y = L.Minimum()([L.Maximum()([y, L.Dense(10)(y)]), L.ReLU(1.5)(y)])
    return Model(x, L.Dense(3)(L.GlobalMaxPooling1D()(y)))


def decoder():
    """Enlarged by repetition, which the converter spells as TILE, and by transposed convolutions, with a skip."""
    x = y = L.Input((9, 7, 2))
    y = skip = L.Conv2D(6, 3, padding="same", activation="relu")(y)
    y = L.Conv2D(8, 3, 3, activation="relu")(y)
    y = L.Conv2DTranspose(6, 3, 2, "same", activation="relu")(y)
    y = L.Conv2DTranspose(5, (3, 2), (1, 2), "valid")(y)
    y = L.UpSampling2D((2, 2))(y)
    y = L.Cropping2D(((3, 4), (4, 5)))(y)
    y = L.Concatenate()([y, skip])
    return Model(x, L.Conv2D(2, 3, padding="same")(y))


def recurrent():
    """Recurrent layers, unrolled."""
    x = y = L.Input((3, 3))
    y = L.LSTM(3, unroll=True, return_sequences=True)(y)
    y = L.GRU(4, unroll=True)(y)
    return Model(x, L.Dense(2)(y))


NETS = [sine, wake_word, mobile_v1, mobile_v2, mobile_v3, residual, shuffle, upsample, sequence, dilated, autoencoder, temporal,
        mixer, decoder, recurrent]
# A net of which the borders are of another type.
BORDERS = {"mobile_v1": ("uint8", "uint8"), "residual": ("float32", "float32"), "sequence": ("float32", "int8")}

# TensorFlow Lite Micro knows shapes but from the file, where an open batch counts as 1, and so does all that follows from it. It
# runs these once they are settled.
OPEN = {"dilated", "temporal", "mixer", "decoder", "recurrent"}


def convert(net, shape, rng, border):
    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type, converter.inference_output_type = (getattr(tf, name) for name in border)
    converter.representative_dataset = lambda: ([rng.normal(size=(1, *shape)).astype(np.float32)] for _ in range(64))
    return converter.convert()


def make(build):
    name = build.__name__
    rng = np.random.default_rng(sum(name.encode()))
    tf.keras.utils.set_random_seed(sum(name.encode()))
    net = build()
    for layer in net.layers:
        if isinstance(layer, L.BatchNormalization):
            gamma, beta, mean, variance = (w.shape for w in layer.get_weights())
            layer.set_weights([rng.uniform(0.5, 1.5, gamma), rng.normal(0, 0.3, beta), rng.normal(0, 0.3, mean),
                               rng.uniform(0.3, 1.2, variance)])
    shape = net.input_shape[1:]
    border = BORDERS.get(name, ("int8", "int8"))
    model = convert(net, shape, rng, border)
    interpreter = tf.lite.Interpreter(model_content=model)
    scale, zero = interpreter.get_input_details()[0]["quantization"]
    samples = []
    for _ in range(SAMPLES):
        value = rng.normal(size=(1, *shape)) * 1.3
        if border[0] == "float32":
            value = value.astype(np.float32)
        else:
            low, high = (0, 255) if border[0] == "uint8" else (-128, 127)
            value = np.clip(np.round(value / scale + zero), low, high).astype(border[0])
        samples.append([value])
    outputs = run_micro(settle(model) if name in OPEN else model, samples)
    flat = lambda value: [float(v) if value.dtype == np.float32 else int(v) for v in value.reshape(-1)]
    (HERE / "models" / f"{name}.tflite").write_bytes(model)
    operators = [op["op_name"] for op in interpreter._get_ops_details() if op["op_name"] != "DELEGATE"]
    print(f"{name:12} {len(model):6} bytes  {' '.join(sorted(set(operators)))}")
    return {"name": name, "borders": border,
            "samples": [{"input": flat(s[0]), "output": flat(o[0])} for s, o in zip(samples, outputs, strict=True)]}


def main():
    (HERE / "models").mkdir(exist_ok=True)
    path = HERE / "models.json"
    known = json.loads(path.read_text())["cases"] if path.exists() else []
    cases = {case["name"]: case for case in known}
    for build in NETS:
        if len(sys.argv) == 1 or build.__name__ in sys.argv[1:]:
            cases[build.__name__] = make(build)
    versions = {name: importlib.metadata.version(name) for name in ("tensorflow-cpu", "tflite-micro", "ai-edge-litert")}
    lines = ",\n".join(json.dumps(case) for case in cases.values())
    path.write_text(f'{{"about": "Made by make_models.py; inputs and outputs as the file has them.",\n'
                    f'"versions": {json.dumps(versions)},\n"cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
