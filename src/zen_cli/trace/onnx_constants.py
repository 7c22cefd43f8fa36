"""Small numbers that an ONNX graph computes from constants, such as the margins of a padding."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from .onnx_graph import MOST_FOLDED, Operator, Reader

if TYPE_CHECKING:
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"


def fold(reader: Reader, operator: Operator) -> None:
    """Remembers the result of an operator on small constants, if there is a rule for it; else does nothing."""
    rule = _RULES.get(operator.name)
    if operator.name == "Shape":
        shape = reader.value(operator.inputs[0]).shape or reader.shape(operator.inputs[0], ())
        if shape and not operator.attributes:
            import numpy as np

            reader.keep(operator.outputs[0], np.asarray(shape, dtype=np.int64))
        return
    arrays = [reader.array(name) if name else None for name in operator.inputs]
    if rule is None or not arrays or any(array is None for array, name in zip(arrays, operator.inputs) if name):  # noqa: B905
        return
    try:
        result = rule(operator, [array for array in arrays if array is not None])
    except (IndexError, ValueError, TypeError):
        return  # whoever needs it says that it is missing
    if result.size <= MOST_FOLDED:
        reader.keep(operator.outputs[0], result)


def _constant_of_shape(operator: Operator, given: list[Array]) -> Array:
    import numpy as np
    from onnx import numpy_helper

    shape = tuple(int(size) for size in given[0])
    if math.prod(shape) > MOST_FOLDED or min(shape, default=0) < 0:
        raise ValueError("too large")
    value = operator.attributes.get("value")
    return np.full(shape, 0 if value is None else numpy_helper.to_array(value).flatten()[0])


def _slice(_: Operator, given: list[Array]) -> Array:
    data, starts, ends, *more = given
    axes = more[0] if more else range(len(starts))
    steps = more[1] if len(more) > 1 else [1] * len(starts)
    cuts = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        last = None if step < 0 and end < -data.shape[int(axis)] else int(end)
        cuts[int(axis)] = slice(int(start), last, int(step))
    return data[tuple(cuts)]


def _concat(operator: Operator, given: list[Array]) -> Array:
    import numpy as np

    return np.concatenate(given, axis=operator.number("axis", 0))


def _gather(operator: Operator, given: list[Array]) -> Array:
    import numpy as np

    return np.take(given[0], given[1].astype(np.int64), axis=operator.number("axis", 0))


def _unsqueeze(operator: Operator, given: list[Array]) -> Array:
    import numpy as np

    axes = operator.numbers("axes") or tuple(int(axis) for axis in given[1])
    return np.expand_dims(given[0], axes)


def _squeeze(operator: Operator, given: list[Array]) -> Array:
    axes = operator.numbers("axes") or tuple(int(axis) for axis in (given[1] if len(given) > 1 else ()))
    return given[0].squeeze(axes or None)


def _reshape(_: Operator, given: list[Array]) -> Array:
    return given[0].reshape(tuple(int(size) for size in given[1]))


def _transpose(operator: Operator, given: list[Array]) -> Array:
    result: Array = given[0].transpose(operator.numbers("perm") or None)
    return result


def _cast(operator: Operator, given: list[Array]) -> Array:
    """To a whole number by cutting off, as ONNX says."""
    return given[0].astype("int64" if operator.number("to", _INT64) in (_INT32, _INT64) else "float64")


def _quotient(_: Operator, given: list[Array]) -> Array:
    import numpy as np

    exact: Array = given[0] / given[1]
    return np.trunc(exact).astype(np.int64) if all(array.dtype.kind in "iu" for array in given) else exact


def _clip(operator: Operator, given: list[Array]) -> Array:
    import numpy as np

    bounds = iter(given[1:])
    low, high = (next(bounds, None) if name else None for name in (*operator.inputs[1:], "", "")[:2])
    return given[0] if low is None and high is None else np.clip(given[0], low, high)


def _ceil(_: Operator, given: list[Array]) -> Array:
    import numpy as np

    return np.ceil(given[0])


_INT32, _INT64 = 6, 7  # of ONNX's `TensorProto.DataType`
_RULES: dict[str, Callable[[Operator, list[Array]], Array]] = {
    "Identity": lambda _, given: given[0],
    "Cast": _cast,
    "Ceil": _ceil,
    "Clip": _clip,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Div": _quotient,
    "Gather": _gather,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Add": lambda _, given: given[0] + given[1],
    "Sub": lambda _, given: given[0] - given[1],
    "Mul": lambda _, given: given[0] * given[1],
}
