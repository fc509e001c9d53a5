"""Runs a packed model in one of two implementations, both written by others.

`tflite-micro` is TensorFlow Lite Micro with its reference kernels; `ai-edge-litert` is LiteRT with its reference operator resolver
(no delegate, no optimised kernel).
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

MICRO, LITERT = "tflite-micro", "ai-edge-litert"
ARENA_BYTES = 1 << 18


def run_micro(model, samples):
    """Outputs of TensorFlow Lite Micro: for each sample (a list of int8 arrays) a list of int8 arrays."""
    from tflite_micro.python.tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(model, arena_size=ARENA_BYTES)
    results = []
    for sample in samples:
        for i, value in enumerate(sample):
            interpreter.set_input(value, i)
        interpreter.invoke()
        results.append([np.array(interpreter.get_output(i)) for i in range(_outputs(model))])
    return results


def run_litert(model, samples):
    """Outputs of LiteRT's reference kernels, in the form of `run_micro`."""
    from ai_edge_litert import interpreter as litert

    interpreter = litert.Interpreter(model_content=model, experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    results = []
    for sample in samples:
        for detail, value in zip(inputs, sample, strict=True):
            interpreter.set_tensor(detail["index"], value)
        interpreter.invoke()
        results.append([np.array(interpreter.get_tensor(detail["index"])) for detail in outputs])
    return results


RUNNERS = {MICRO: run_micro, LITERT: run_litert}


def _outputs(model):
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    return schema.Model.GetRootAsModel(model, 0).Subgraphs(0).OutputsLength()
