"""Graph of ONNX operators, written node by node."""

import numpy as np

from skser._optional import import_optional

# The first with LayerNormalization, and the formats of its time: older runtimes read them too.
_OPSET, _IR_VERSION = 17, 8


class Graph:
    """Operators of one ONNX graph, whose values are referred to by name.

    Parameters
    ----------
    inputs : dict
        Name of each input, its dtype and its shape, in which a str is a length that varies.
    """

    def __init__(self, inputs):
        onnx = import_optional("onnx", extra="onnx", purpose="export_onnx")
        self._onnx = onnx
        self._inputs = [_value(onnx, name, *described) for name, described in inputs.items()]
        self._nodes = []
        self._constants = {}

    def add(self, operator, *inputs, **attributes):
        """Append an operator and return the name of its first output.

        Parameters
        ----------
        operator : str
            Name of an operator of the default domain.
        *inputs : str, None, or array-like
            Names of values. None leaves an optional input out. Anything else becomes a constant of
            float32, int64 or bool.
        **attributes : int, float, str, or list of int
        """
        names = [
            "" if x is None else x if isinstance(x, str) else self._constant(x) for x in inputs
        ]
        output = f"{operator}_{len(self._nodes)}"
        make_node = self._onnx.helper.make_node
        self._nodes.append(make_node(operator, names, [output], name=output, **attributes))
        return output

    def _constant(self, value):
        array = np.asarray(value)
        array = np.ascontiguousarray(array, np.float32 if array.dtype.kind == "f" else array.dtype)
        array = array.reshape(np.shape(value))  # ascontiguousarray has made a scalar 1-D
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = self._onnx.numpy_helper.from_array(array, name)
        return self._constants[key].name

    def length(self, value, axis):
        """Return the length of an axis, int64 of shape (1,)."""
        return self.add("Shape", value, start=axis, end=axis + 1)

    def reshape(self, value, *shape):
        """Reshape a value; 0 keeps the length of an axis."""
        return self.add("Reshape", value, np.array(shape))

    def positions(self, value, axis):
        """Return the indices 0, 1, ... along an axis, int64 of shape (length,)."""
        n = self.add("Squeeze", self.length(value, axis), np.array([0]))
        return self.add("Range", np.int64(0), n, np.int64(1))

    def inside(self, value, axis, lengths):
        """Return a mask (batch, length of an axis) of the places inside each utterance."""
        return self.add("Less", self.positions(value, axis), self.column(lengths))

    def column(self, lengths):
        """Return values (batch,) as (batch, 1)."""
        return self.add("Unsqueeze", lengths, np.array([1]))

    def serialized(self, outputs, metadata):
        """Return the bytes of an ONNX model.

        Parameters
        ----------
        outputs : dict
            Name of each output, the name of its value here, its dtype and its shape.
        metadata : dict of str
        """
        helper = self._onnx.helper
        named = []
        for name, (value, *described) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [value], [name], name=name))
            named.append(_value(self._onnx, name, *described))
        graph = helper.make_graph(
            self._nodes, "skser", self._inputs, named, initializer=list(self._constants.values())
        )
        model = helper.make_model(
            graph,
            producer_name="skser",
            ir_version=_IR_VERSION,
            opset_imports=[helper.make_opsetid("", _OPSET)],
        )
        helper.set_model_props(model, metadata)
        self._onnx.checker.check_model(model)
        return model.SerializeToString(deterministic=True)


def _value(onnx, name, dtype, shape):
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return onnx.helper.make_tensor_value_info(name, kind, shape)
