"""Makes of a model with an open batch one that TensorFlow Lite Micro runs, which knows shapes but from the file.

Shapes and the integers that go into them are LiteRT's, with a batch of 1. What TensorFlow Lite Micro has not, or has otherwise, becomes
what it has: TILE of one element is RESIZE_NEAREST_NEIGHBOR; SPACE_TO_BATCH_ND, which it pads with 0 in place of the zero point, has a
PAD before it. No number of an activation is computed here.
"""

import flatbuffers
import numpy as np
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

OPERATORS = schema.BuiltinOperator


class Settled:
    """A model in hand: `packed` is its bytes."""

    def __init__(self, packed):
        self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(packed, 0))
        self.graph = self.model.subgraphs[0]
        self.codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in self.model.operatorCodes]

    def shape(self, tensor):
        return list(self.graph.tensors[tensor].shape)

    def values(self, tensor):
        """The integers of a constant."""
        return np.frombuffer(bytes(self.model.buffers[self.graph.tensors[tensor].buffer].data), np.int32)

    def constant(self, values, tensor=None):
        """Puts int32s into the file: as a new tensor, or as the data of one that is there. Returns its index."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values, np.int32).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        if tensor is None:
            tensor = self.tensor("constant", np.shape(values), schema.TensorType.INT32)
        self.graph.tensors[tensor].buffer = len(self.model.buffers) - 1
        return tensor

    def tensor(self, name, shape, kind, quantization=None):
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer, made.quantization = name, list(shape), kind, 0, quantization
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def become(self, operator, name, version, options, inputs):
        """Makes an operator another."""
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = getattr(OPERATORS, name), version
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        self.model.operatorCodes.append(code)
        self.codes.append(code.builtinCode)
        operator.opcodeIndex, operator.inputs, operator.builtinOptions = len(self.codes) - 1, inputs, options
        operator.builtinOptionsType = 0 if options is None else getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        return operator

    def padded(self, spread):
        """The PAD before a SPACE_TO_BATCH_ND."""
        x, _, pads = spread.inputs
        pads, shape, t = self.values(pads).reshape(-1, 2), self.shape(x), self.graph.tensors[x]
        whole = np.zeros((len(shape), 2), np.int32)
        whole[1 : 1 + len(pads)] = pads
        wider = self.tensor("padded", np.add(shape, whole.sum(1)), t.type, t.quantization)
        pad = self.become(schema.OperatorT(), "PAD", 2, schema.PadOptionsT(), [x, self.constant(whole)])
        pad.outputs = [wider]
        spread.inputs = [wider, spread.inputs[1], self.constant(np.zeros_like(pads))]
        return pad

    def resized(self, tile, expand):
        """Makes a TILE of an axis that `expand` made a resizing of [outer, 1, inner] to [outer, n, inner]."""
        shape, times = self.shape(tile.inputs[0]), self.values(tile.inputs[1])
        (axis,) = np.flatnonzero(times > 1)
        assert shape[axis] == 1
        outer, inner, n = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :])), int(times[axis])
        self.become(expand, "RESHAPE", 1, None, expand.inputs[:1])
        self.graph.tensors[tile.inputs[0]].shape = [1, outer, 1, inner]
        self.graph.tensors[tile.outputs[0]].shape = [1, outer, n, inner]
        options = schema.ResizeNearestNeighborOptionsT()
        self.become(tile, "RESIZE_NEAREST_NEIGHBOR", 2, options, [tile.inputs[0], self.constant([outer, n])])

    def packed(self):
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def settle(packed):
    """The bytes of a model that computes the same for a batch of 1."""
    from ai_edge_litert import interpreter as litert

    resolver = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = litert.Interpreter(model_content=packed, experimental_op_resolver_type=resolver, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    interpreter.set_tensor(entry["index"], np.zeros(entry["shape"], entry["dtype"]))
    interpreter.invoke()
    settled = Settled(packed)
    graph = settled.graph
    for detail in interpreter.get_tensor_details():
        if detail["index"] < len(graph.tensors):
            tensor = graph.tensors[detail["index"]]
            tensor.shape, tensor.shapeSignature = [int(n) for n in detail["shape"]], None
    kept = []
    for operator in graph.operators:
        if all(graph.tensors[t].type == schema.TensorType.INT32 for t in operator.outputs):
            for t in operator.outputs:
                settled.constant(interpreter.get_tensor(t), t)
            continue
        if settled.codes[operator.opcodeIndex] == OPERATORS.SPACE_TO_BATCH_ND:
            kept.append(settled.padded(operator))
        if settled.codes[operator.opcodeIndex] == OPERATORS.TILE:
            settled.resized(operator, next(o for o in kept if operator.inputs[0] in o.outputs))
        kept.append(operator)
    graph.operators = kept
    return settled.packed()
