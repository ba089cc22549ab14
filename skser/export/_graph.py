"""Graph of ONNX operators, written by arithmetic on its values."""

import numpy as np

from skser._optional import import_optional

# The first with LayerNormalization, and the formats of its time: older runtimes read them too.
_OPSET, _IR_VERSION = 17, 8


class Value:
    """Value in a graph. Arithmetic on it appends operators.

    Parameters
    ----------
    graph : Graph
    name : str
    """

    __slots__ = ("graph", "name")
    __array_ufunc__ = None  # so that an array on the left leaves the operation to this class

    def __init__(self, graph, name):
        self.graph, self.name = graph, name

    def then(self, operator, *others, **attributes):
        """Append an operator whose first input is this value, as `Graph.add` does."""
        return self.graph.add(operator, self, *others, **attributes)

    def __add__(self, other):
        return self.then("Add", other)

    def __sub__(self, other):
        return self.then("Sub", other)

    def __rsub__(self, other):
        return self.graph.add("Sub", other, self)

    def __mul__(self, other):
        return self.then("Mul", other)

    def __truediv__(self, other):
        return self.then("Div", other)

    def __floordiv__(self, other):
        return self.then("Div", other)

    def __matmul__(self, other):
        return self.then("MatMul", other)

    def __rmatmul__(self, other):
        return self.graph.add("MatMul", other, self)

    def reshape(self, *shape):
        """Reshape; 0 keeps the length of an axis."""
        return self.then("Reshape", np.array(shape))

    def transpose(self, *perm):
        """Reorder the axes."""
        return self.then("Transpose", perm=list(perm))

    def unsqueeze(self, *axes):
        """Insert axes of length 1."""
        return self.then("Unsqueeze", np.array(axes))

    def squeeze(self, *axes):
        """Remove axes of length 1."""
        return self.then("Squeeze", np.array(axes))

    def cut(self, axis, start, stop):
        """Return the part of an axis from `start` to `stop`: ints, or values of shape (1,)."""
        ends = [n if isinstance(n, Value) else np.array([n]) for n in (start, stop)]
        return self.then("Slice", *ends, np.array([axis]))

    def sum(self, *axes, keepdims=1):
        """Sum over axes."""
        return self.then("ReduceSum", np.array(axes), keepdims=keepdims)

    def as_float(self):
        """Convert to float32."""
        return self.then("Cast", to=1)

    def length(self, axis):
        """Return the length of an axis, int64 of shape (1,)."""
        return self.then("Shape", start=axis, end=axis + 1)

    def positions(self, axis):
        """Return the indices 0, 1, ... along an axis, int64 of shape (length,)."""
        return self.graph.indices(self.length(axis).squeeze(0))

    def inside(self, axis, lengths):
        """Return a mask (batch, length of an axis) of the places inside each utterance."""
        return self.positions(axis).then("Less", lengths.unsqueeze(1))


class Graph:
    """Operators, constants, inputs and outputs of a model.

    Parameters
    ----------
    stored : list of StoredWeights, default=()
        Files beside the model, whose tensors `weight` refers to.
    """

    def __init__(self, stored=()):
        self._onnx = import_optional("onnx", extra="onnx", purpose="export_onnx")
        self._stored = stored
        self._inputs, self._outputs, self._nodes, self._constants = [], [], [], {}
        self._known = {}  # outputs of the operators, by all that they are made of

    def input(self, name, dtype, shape):
        """Declare an input; a str in its shape is a length that varies. Return its value."""
        self._inputs.append(self._described(name, dtype, shape))
        return Value(self, name)

    def output(self, name, value, n_columns):
        """Declare a float32 output of shape (batch, n_columns)."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [value.name], [name], name))
        self._outputs.append(self._described(name, np.float32, ["batch", n_columns]))

    def _described(self, name, dtype, shape):
        helper = self._onnx.helper
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return helper.make_tensor_value_info(name, kind, shape)

    def add(self, operator, *inputs, **attributes):
        """Append an operator, or find the same one, and return its output.

        Parameters
        ----------
        operator : str
            Name of an operator of the default domain.
        *inputs : Value, None, or array-like
            None leaves an optional input out. Anything but a value becomes a constant of float32,
            int64 or bool.
        **attributes : int, float, str, or list of int
        """
        names = ["" if x is None else self.constant(x).name for x in inputs]
        key = operator, *names, str(attributes)
        if key not in self._known:
            output = self._known[key] = f"{operator}_{len(self._nodes)}"
            make_node = self._onnx.helper.make_node
            # The node has a name, since onnxruntime 1.20 gives the same one to all that it fuses.
            self._nodes.append(make_node(operator, names, [output], output, **attributes))
        return Value(self, self._known[key])

    def indices(self, n):
        """Return 0, 1, ... n - 1, int64."""
        n = n if isinstance(n, Value) else np.int64(n)
        return self.add("Range", np.int64(0), n, np.int64(1))

    def constant(self, value, dtype=np.float32):
        """Return a value, or the constant that an array becomes."""
        if isinstance(value, Value):
            return value
        array = np.asarray(value)
        array = np.ascontiguousarray(array, dtype if array.dtype.kind == "f" else array.dtype)
        array = array.reshape(np.shape(value))  # ascontiguousarray has made a scalar 1-D
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = self._onnx.numpy_helper.from_array(array, name)
        return Value(self, self._constants[key].name)

    def weight(self, array, name):
        """Return a large constant, which may lie in the file beside the model.

        Half precision suffices where it loses nothing, as in checkpoints that were saved in it.

        Parameters
        ----------
        array : ndarray of float32
        name : str
            Name of the tensor in its checkpoint.
        """
        if name in self._constants:
            return Value(self, name).as_float()
        places = (stored.find(name, array) for stored in self._stored)
        place = next((place for place in places if place is not None), None)
        if place is not None:
            tensor = self._onnx.TensorProto(name=name, dims=array.shape, data_location=1)
            tensor.data_type = place.pop("type")
            for key, value in place.items():
                tensor.external_data.add(key=key, value=str(value))
            self._constants[name] = tensor
            return Value(self, name).as_float()
        with np.errstate(over="ignore"):
            half = array.astype(np.float16)
        if (half == array).all():
            return self.constant(half, np.float16).as_float()
        return self.constant(array)

    def serialized(self, metadata):
        """Return the bytes of the ONNX model, with a dict of str as metadata."""
        helper = self._onnx.helper
        constants = list(self._constants.values())
        graph = helper.make_graph(self._nodes, "skser", self._inputs, self._outputs, constants)
        model = helper.make_model(
            graph,
            producer_name="skser",
            ir_version=_IR_VERSION,
            opset_imports=[helper.make_opsetid("", _OPSET)],
        )
        helper.set_model_props(model, metadata)
        return model.SerializeToString(deterministic=True)
