"""Cases of MAXIMUM, MINIMUM, REDUCE_MAX and REDUCE_MIN, whose inputs and outputs share scale and zero point."""

import functools

import numpy as np

from author import schema
from spatial import join, moved, text


def pairwise(operator, shape, bound=None, first=False, zero=None):
    """Of two inputs, or of one and the constant int8 `bound`, which may come `first`."""
    full = [1, *shape]
    name = join(operator.lower(), text(shape), "" if bound is None else f"bound_{bound}", "first" if first else "")
    case, xs, (y,) = moved(operator, name, [full] * (2 if bound is None else 1), [full], zero=zero)
    if bound is not None:
        xs.append(case.model.constant("bound", np.array(bound, np.int8), xs[0].scale[0], xs[0].zero))
    case.model.operator(operator, 2, schema.MaximumMinimumOptionsT(), xs[::-1] if first else xs, [y], {})
    return case


def reduce(operator, shape, axes, keep=True, zero=None):
    """`axes` count dimensions with the batch, as in the file."""
    full = [1, *shape]
    after = [1 if i in axes else n for i, n in enumerate(full)] if keep else [n for i, n in enumerate(full) if i not in axes]
    name = join(operator.lower(), text(shape), "axis", "_".join(map(str, axes)), "" if keep else "drop")
    case, (x,), (y,) = moved(operator, name, [full], [after], zero=zero)
    options = schema.ReducerOptionsT()
    options.keepDims = keep
    case.model.operator(operator, 2, options, [x, case.model.parameter("axis", axes)], [y], {
        "axis": [a - 1 for a in axes], "keep_dims": keep})
    return case


def cases():
    for operator in ("MAXIMUM", "MINIMUM"):
        p = functools.partial(pairwise, operator)
        yield p((4, 5, 3))
        yield p((3, 3, 8), zero=-128)
        yield p((17,), zero=127)
        yield p((4, 4, 5), bound=20)
        yield p((3, 5, 4), bound=-77, first=True, zero=-128)
    for operator in ("REDUCE_MAX", "REDUCE_MIN"):
        r = functools.partial(reduce, operator)
        yield r((4, 5, 3), (1, 2), keep=False)
        yield r((7, 3, 8), (1, 2), zero=-128)
        yield r((9, 6), (1,), keep=False, zero=127)
        yield r((5, 3, 4), (1,))
        yield r((5, 3, 4), (2,), keep=False)
        yield r((4, 3, 7), (3,), keep=False)
        yield r((3, 4, 5), (2, 3))
