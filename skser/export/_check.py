"""Check of a graph before onnxruntime sees it: known operators, and shapes within a budget.

The shapes of all values are inferred for a usual input, for an endless utterance and for endlessly
many utterances. Values that grow faster than the input exceed the budget of the latter two, and
values that are large by themselves exceed that of the first. The walk is linear in the number of
operators.
"""

import math
from itertools import zip_longest

import numpy as np

from skser.export._description import METADATA, from_json, shapes_of
from skser.export._file import parsed
from skser.export._weights import read_outside

_MOST_NODES = 5000
# Numbers in all values of a graph: at all, and for each sample, frame and column of the input.
_MOST_VALUES, _PER_SAMPLE, _PER_FRAME, _PER_COLUMN = 2**24, 2**10, 2**17, 2**8
_ENDLESS = 2**40
_MOST_NEIGHBORS = 1024  # of local response normalization

# Operators that `Graph` writes, and the attributes of each.
_ELEMENTWISE = ("Add", "Equal", "Less", "Max", "Min", "Mul", "Sub", "Where")
_UNCHANGED = (
    "Abs", "Cast", "Cos", "Erf", "Exp", "Identity", "LayerNormalization", "LRN", "Log", "Relu",
    "Sigmoid", "Sin", "Softmax", "Sqrt", "Tanh",
)  # fmt: skip
_ATTRIBUTES = {
    "Cast": {"to"},
    "Concat": {"axis"},
    "Conv": {"pads", "strides"},
    "Gather": {"axis"},
    "GatherElements": {"axis"},
    "GRU": {"direction", "hidden_size", "linear_before_reset"},
    "LRN": {"alpha", "beta", "bias", "size"},
    "LSTM": {"direction", "hidden_size"},
    "LayerNormalization": {"epsilon"},
    "MaxPool": {"kernel_shape", "pads", "strides"},
    "Pad": {"mode"},
    "ReduceMax": {"axes"},
    "ReduceMean": {"axes"},
    "ReduceSum": {"keepdims"},
    "Shape": {"end", "start"},
    "Softmax": {"axis"},
    "Transpose": {"perm"},
}


def check_model(model, path):
    """Check the bytes of a model before onnxruntime sees them.

    Parameters
    ----------
    model : bytes
    path : path-like
        Path of the model, below which files of weights lie.

    Returns
    -------
    description : dict
    outside : dict of ndarray
        Constants in files of weights.

    Raises
    ------
    ValueError
        If it is not what `export_onnx` writes, or takes too much memory.
    """
    nodes, constants, inputs, metadata = parsed(model)
    description = from_json(metadata.get(METADATA, "null"))
    shapes = shapes_of(description)
    if inputs != list(shapes):
        raise ValueError("its operators are not what it describes")
    outside = read_outside(constants, description["weights"], path)
    limits = [given["longest"] for given in description["inputs"] if given["longest"]]
    check_graph(nodes, constants | outside, shapes, min(limits, default=None))
    return description, outside


def check_graph(nodes, constants, inputs, longest=None):
    """Raise ValueError if a graph has unknown operators, or values larger than any real ones.

    Parameters
    ----------
    nodes : list of Node
    constants : dict of ndarray
    inputs : dict of tuple
        Shape of each input, in which -1 stands for the length of an utterance.
    longest : int or None, default=None
        Largest length of an utterance.
    """
    _check_operators(nodes, {*constants, *inputs})
    fixed = {
        name: _Value(array.shape, array.dtype.kind, array) for name, array in constants.items()
    }
    for n, is_endless in ((1, False), (1, True), (_ENDLESS, False)):
        values, limit = dict(fixed), _MOST_VALUES
        for name, given in inputs.items():
            usual, most = (2**14, _PER_SAMPLE) if given == (1, -1) else (2**6, _PER_FRAME)
            length = min(longest or _ENDLESS, _ENDLESS if is_endless else usual)
            shape = n, *(length if m == -1 else m for m in given[1:])
            values[name] = _Value(shape, "f" if len(given) > 1 else "i")
            if len(given) > 1:
                most += _PER_COLUMN * max(given[-1], 0)
                limit += n * (length if -1 in given else 1) * most
        _infer_shapes(nodes, values, limit)


def _check_operators(nodes, known):
    """Raise if an operator is unknown, has other attributes, or overwrites a value."""
    if len(nodes) > _MOST_NODES:
        raise ValueError(f"it has {len(nodes)} operators")
    for node in nodes:
        operator = node.operator
        if operator not in _INFER:
            raise ValueError(f"it has the operator {operator!r}, which export_onnx never writes")
        if unknown := node.attributes.keys() - _ATTRIBUTES.get(operator, set()):
            raise ValueError(f"its operator {operator} has the attributes {sorted(unknown)}")
        if len(node.outputs) != 1 or node.outputs[0] in known:
            raise ValueError(f"its operator {operator} has no output of its own")
        known.add(node.outputs[0])


def _infer_shapes(nodes, values, limit):
    """Add the outputs of all operators to `values`; raise if they exceed the limit."""
    total = 0
    for node in nodes:
        operator = node.operator
        try:
            given = [values[name] if name else None for name in node.inputs]
            found = _computed(operator, given)
            if found is None:
                found = _INFER[operator](node.attributes, *given)
            kind = _kind(operator, node.attributes, given)
        except (TypeError, IndexError, AttributeError, KeyError) as error:
            raise ValueError(f"its operator {operator} has wrong inputs ({error})") from error
        if isinstance(found, np.ndarray):
            value = _Value(found.shape, kind, found)
        else:
            value = _Value(tuple(found), kind)
        values[node.outputs[0]] = value
        total += math.prod(value.shape)
        if total > limit or min(value.shape, default=0) < 0:
            raise ValueError(f"its operator {operator} gives values of shape {value.shape}")


class _Value:
    """Shape and kind of a value, and the array itself if it is known."""

    __slots__ = ("array", "kind", "ndim", "shape")

    def __init__(self, shape, kind, array=None):
        self.shape, self.kind, self.array = shape, kind, array
        self.ndim = len(shape)

    def ints(self):
        """Return a known array of numbers that describe a shape."""
        if self.array is None or self.kind != "i" or self.array.size > 16:
            raise ValueError("a shape in it depends on data")
        return self.array.ravel().tolist()

    def axes(self, axes):
        """Return axes as numbers from 0."""
        axes = [axis + self.ndim if axis < 0 else axis for axis in axes]
        if any(not 0 <= axis < self.ndim for axis in axes):
            raise ValueError(f"an operator in it has an axis of {axes} in the shape {self.shape}")
        return axes


def _kind(operator, attributes, given):
    """Return whether an operator gives integers ("i"), floats ("f") or truth values ("b")."""
    if operator == "Cast":
        return "i" if attributes["to"] in (6, 7) else "f"
    if operator in ("Equal", "Less"):
        return "b"
    return "i" if operator == "Shape" else given[operator == "Where"].kind


# Arithmetic of lengths, from which other shapes follow.
_ARITHMETIC = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.floor_divide,
               "Max": np.maximum, "Min": np.minimum}  # fmt: skip


def _computed(operator, given):
    """Return the result of a known calculation with a few integers, otherwise None."""
    if operator != "Concat" and operator not in _ARITHMETIC:
        return None
    arrays = [value.array for value in given]
    if any(a is None or a.dtype.kind != "i" or a.size > 16 for a in arrays):
        return None
    if operator == "Concat":
        return np.concatenate(arrays) if all(a.ndim == 1 for a in arrays) else None
    if operator == "Div":
        _check_divisor(given[1])
    return _ARITHMETIC[operator](*arrays)


def _check_divisor(y):
    """Refuse integers that may be zero: version 1.20 of onnxruntime crashes when dividing by it."""
    if y.kind == "i" and (y.array is None or y.array.min(initial=1) < 1):
        raise ValueError("it divides by zero, or by a number that may be zero")


def _broadcast(*shapes):
    """As `numpy.broadcast_shapes`, for lengths that no array has."""
    found = []
    for lengths in zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1):
        longer = {n for n in lengths if n != 1}
        if len(longer) > 1:
            raise ValueError(f"an operator in it joins values of the shapes {shapes}")
        found.append(longer.pop() if longer else 1)
    return found[::-1]


def _elementwise(attributes, *values):
    return _broadcast(*(value.shape for value in values))


def _divided(attributes, x, y):
    _check_divisor(y)
    return _broadcast(x.shape, y.shape)


def _unchanged(attributes, x, *weights):
    if (
        attributes.get("to", 1) not in (1, 6, 7, 10)
        or not -x.ndim <= attributes.get("axis", -1) < x.ndim
    ):
        raise ValueError("an operator in it has a wrong axis or type")
    if not 1 <= attributes.get("size", 1) <= _MOST_NEIGHBORS:
        raise ValueError("local response normalization in it spans too many channels")
    if any(weight.shape not in (x.shape[-1:], ()) for weight in weights):
        raise ValueError("a normalization in it has weights that do not fit")
    return x.shape


def _matmul(attributes, x, y):
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-2]:
        raise ValueError(f"a product in it has the shapes {x.shape} and {y.shape}")
    return (*_broadcast(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1])


def _reduced(attributes, x, axes=None):
    axes = x.axes(attributes["axes"] if axes is None else axes.ints())
    keep = attributes.get("keepdims", 1)
    return [1 if i in axes else n for i, n in enumerate(x.shape) if keep or i not in axes]


def _reshaped(attributes, x, shape):
    wanted = [x.shape[i] if n == 0 else n for i, n in enumerate(shape.ints())]
    size = math.prod(x.shape)
    rest = math.prod(n for n in wanted if n != -1)
    if wanted.count(-1) == 1 and rest > 0:
        wanted = [size // rest if n == -1 else n for n in wanted]
    if min(wanted, default=0) < 0 or math.prod(wanted) != size:
        raise ValueError(f"it gives {x.shape} the shape {wanted}")
    return wanted


def _transposed(attributes, x):
    if sorted(attributes["perm"]) != list(range(x.ndim)):
        raise ValueError(f"it orders the axes of {x.shape} as {attributes['perm']}")
    return [x.shape[i] for i in attributes["perm"]]


def _unsqueezed(attributes, x, axes):
    axes = axes.ints()
    if x.array is not None:
        return np.expand_dims(x.array, tuple(axes))
    shape = list(x.shape)
    for axis in sorted(axes):
        if not 0 <= axis <= len(shape):
            raise ValueError(f"it adds the axes {axes} to {x.shape}")
        shape.insert(axis, 1)
    return shape


def _squeezed(attributes, x, axes):
    axes = x.axes(axes.ints())
    if any(x.shape[i] != 1 for i in axes):
        raise ValueError(f"it removes the axes {axes} of {x.shape}")
    if x.array is not None:
        return np.squeeze(x.array, tuple(axes))
    return [n for i, n in enumerate(x.shape) if i not in axes]


def _shape(attributes, x):
    return np.array(x.shape[attributes.get("start", 0) : attributes.get("end", x.ndim)], np.int64)


def _range(attributes, start, limit, step):
    (start,), (limit,), (step,) = start.ints(), limit.ints(), step.ints()
    if (start, step) != (0, 1):
        raise ValueError("a range in it is not that of an axis")
    return (limit,)


def _expanded(attributes, x, shape):
    return _broadcast(x.shape, tuple(shape.ints()))


def _gathered(attributes, x, places):
    (axis,) = x.axes([attributes["axis"]])
    fits = [n == m for i, (n, m) in enumerate(zip(x.shape, places.shape, strict=True)) if i != axis]
    if not all(fits):
        raise ValueError(f"it takes {places.shape} places of {x.shape}")
    return places.shape


def _taken(attributes, x, places):
    (axis,) = x.axes([attributes["axis"]])
    return (*x.shape[:axis], *places.shape, *x.shape[axis + 1 :])


def _concatenated(attributes, *parts):
    (axis,) = parts[0].axes([attributes["axis"]])
    shapes = {(*part.shape[:axis], *part.shape[axis + 1 :]) for part in parts}
    if len(shapes) != 1:
        raise ValueError("it joins values that do not fit")
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    return shape


def _sliced(attributes, x, starts, ends, axes):
    shape = list(x.shape)
    for start, end, axis in zip(starts.ints(), ends.ints(), x.axes(axes.ints()), strict=True):
        shape[axis] = len(range(*slice(start, end).indices(shape[axis])))
    return shape


def _padded(attributes, x, margins):
    margins = margins.ints()
    if len(margins) != 2 * x.ndim or min(margins) < 0 or attributes.get("mode", b"edge") != b"edge":
        raise ValueError(f"it pads {x.shape} by {margins}")
    return [n + a + b for n, a, b in zip(x.shape, margins, margins[x.ndim :], strict=False)]


def _windows(x, kernel, attributes):
    """Return the shape over time and bands of the outputs of windows that slide over `x`."""
    n, strides = x.ndim - 2, attributes.get("strides")
    pads = attributes.get("pads", [0] * 2 * n)
    strides = [1] * n if strides is None else strides
    fits = len(kernel) == len(strides) == n and len(pads) == 2 * n
    if not fits or min(*kernel, *strides) < 1 or not all(0 <= p <= max(kernel) for p in pads):
        raise ValueError(f"windows of {kernel} in it slide by {strides} over {x.shape}")
    return [
        (length + pads[i] + pads[n + i] - kernel[i]) // strides[i] + 1
        for i, length in enumerate(x.shape[2:])
    ]


def _convolved(attributes, x, weight, bias=None):
    fits = x.ndim == weight.ndim >= 3 and x.shape[1] == weight.shape[1]
    if not fits or (bias is not None and bias.shape != weight.shape[:1]):
        raise ValueError(f"a convolution in it has weights of {weight.shape} for {x.shape}")
    return (x.shape[0], weight.shape[0], *_windows(x, weight.shape[2:], attributes))


def _pooled(attributes, x):
    return (*x.shape[:2], *_windows(x, attributes["kernel_shape"], attributes))


def _recurrent(n_gates):
    def infer(attributes, x, inputs, hidden, bias, lengths):
        n_hidden = attributes["hidden_size"]
        n = {b"bidirectional": 2, b"forward": 1}.get(attributes["direction"], 0)
        rows = n_gates * n_hidden
        shapes = (n, rows, x.shape[2]), (n, rows, n_hidden), (n, 2 * rows), (x.shape[1],)
        given = tuple(tuple(value.shape) for value in (inputs, hidden, bias, lengths))
        if shapes != given or n_hidden < 1 or n < 1:
            raise ValueError(f"a recurrent layer in it has weights of {given}")
        return (x.shape[0], n, x.shape[1], n_hidden)

    return infer


_INFER = {
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
    **dict.fromkeys(_UNCHANGED, _unchanged),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceSum"), _reduced),
    "Concat": _concatenated,
    "Conv": _convolved,
    "Div": _divided,
    "Expand": _expanded,
    "Gather": _taken,
    "GatherElements": _gathered,
    "GRU": _recurrent(3),
    "LSTM": _recurrent(4),
    "MatMul": _matmul,
    "MaxPool": _pooled,
    "Mod": _divided,
    "Pad": _padded,
    "Range": _range,
    "Reshape": _reshaped,
    "Shape": _shape,
    "Slice": _sliced,
    "Squeeze": _squeezed,
    "Transpose": _transposed,
    "Unsqueeze": _unsqueezed,
}
