"""Build the objects of an archive that need no trust, within one budget.

The archive has skops' format, and skops reads it too. It is built here because what is checked
must be what is built, and because importing skops takes longer than loading a model.
"""

import io
import json
import math
import warnings

import numpy as np
from numpy.lib import format as npy

from skser.persistence._allowed import check_attributes, class_of
from skser.persistence._archive import SCHEMA, parsed
from skser.persistence._errors import SavedModelError
from skser.persistence._schema import DEEPEST

_PROTOCOL = 2  # of skops, whose nodes are the ones below
# What an object takes besides its content, in bytes: an estimator is also validated and shown.
_NODE, _OBJECT = 64, 1024
_LONGEST_TEXT = 1000  # characters, except for the texts that networks and layouts are kept in
_PARSED_TEXT = 16  # bytes per character of those
_TEXTS = ("fields", "history")
_KINDS = "biufU"  # of arrays: booleans, numbers and text


class Builder:
    """Builds what a schema describes.

    Each byte, node and character counts as often as it is used: an object that stands in a
    thousand places counts a thousand times, although it is built once. So whatever walks over
    the model later takes no longer than the file's size allows.

    Parameters
    ----------
    members : dict of bytes
        Members of the archive.
    """

    def __init__(self, members):
        self._members = members
        self._budget = 16 * sum(map(len, members.values())) + 2**22
        self._depth = self._spent = 0
        self._built = {}  # by skops' number, with the budget that each took

    def model(self):
        """Return the object that the archive holds.

        Raises
        ------
        SavedModelError
            If a part is not allowed, or the budget does not suffice.
        """
        schema = parsed(self._members, SCHEMA)
        if schema.get("protocol") != _PROTOCOL:
            raise SavedModelError(
                f"It has protocol {schema.get('protocol')!r} of skops, and protocol {_PROTOCOL} "
                "alone is read without trust."
            )
        with warnings.catch_warnings():
            # `load` warns of versions once for all parts.
            from sklearn.exceptions import InconsistentVersionWarning

            warnings.simplefilter("ignore", InconsistentVersionWarning)
            return self._build(schema, "model")

    def _build(self, node, name):
        number = node.get("__id__")
        if number in self._built:
            value, cost = self._built[number]
            self._spend(cost)
            return value
        before = self._spent
        self._spend(_NODE)
        self._depth += 1
        if self._depth > DEEPEST:
            raise SavedModelError(f"It is more than {DEEPEST} objects deep.")
        make = getattr(self, f"_make_{node['__loader__']}", None)
        if make is None:
            raise SavedModelError(f"It has a {node['__loader__']}, which needs trust.")
        value = make(node, name)
        self._depth -= 1
        if number is not None:
            self._built[number] = value, self._spent - before
        return value

    def _spend(self, cost):
        self._spent += cost
        if self._spent > self._budget:
            raise SavedModelError(
                f"It takes more than {self._budget} bytes of memory, which a file of its size "
                "never does."
            )

    def _make_JsonNode(self, node, name):
        text = node["content"]
        is_state = name in _TEXTS
        self._spend(len(text) * (_PARSED_TEXT if is_state else 1))
        value = json.loads(text)
        if not isinstance(value, bool | int | float | str | None):
            raise SavedModelError(f"It has {name} as JSON, which holds more than one value.")
        if len(text) > _LONGEST_TEXT and not is_state:
            raise SavedModelError(f"It has a text of {len(text)} characters as {name}.")
        return value

    def _make_ListNode(self, node, name):
        return [self._build(item, name) for item in node["content"]]

    def _make_TupleNode(self, node, name):
        return tuple(self._make_ListNode(node, name))

    def _make_DictNode(self, node, name):
        kinds = node["key_types"]["content"]
        content = {}
        for kind, (key, item) in zip(kinds, node["content"].items(), strict=True):
            self._spend(_NODE + len(key))
            content[_key(kind["__class__"], key)] = self._build(item, key)
        if node["__class__"] == "Bunch":
            from sklearn.utils import Bunch

            return Bunch(**content)
        return content

    def _make_SliceNode(self, node, name):
        ends = [node["content"][end] for end in ("start", "stop", "step")]
        if not all(end is None or type(end) is int for end in ends):
            raise SavedModelError(f"It has a slice as {name} whose ends are not numbers.")
        return slice(*ends)

    def _make_NdArrayNode(self, node, name):
        if node["type"] == "json":
            items = [self._build(item, name) for item in node["content"]]
            (length,) = self._build(node["shape"], name)
            if length != len(items) or not all(isinstance(i, str | None) for i in items):
                raise SavedModelError(f"It has an array of objects as {name} that are not text.")
            array = np.empty(length, dtype=object)
            array[:] = items
            return array
        data = self._members[node["file"]]
        _check_array(data, name)
        self._spend(len(data))
        array = np.load(io.BytesIO(data), allow_pickle=False)
        if node["__class__"] == "ndarray":
            return array
        if array.shape != () or array.dtype.type is not getattr(np, node["__class__"]):
            raise SavedModelError(f"It has {name} as numpy.{node['__class__']}, which it is not.")
        return array[()]

    def _make_RandomStateNode(self, node, name):
        state = self._build(node["content"], name)
        key, position = np.asarray(state["state"]["key"]), state["state"]["pos"]
        fits = state["bit_generator"] == "MT19937" and key.shape == (624,)
        if not fits or type(position) is not int or not 0 <= position <= 624:
            raise SavedModelError(f"It has a random generator as {name} with a wrong state.")
        random = np.random.RandomState(0)
        random.set_state(state)
        return random

    def _make_ObjectNode(self, node, name):
        self._spend(_OBJECT)
        cls = class_of(f"{node['__module__']}.{node['__class__']}")
        attributes = {} if node.get("content") is None else self._build(node["content"], name)
        if cls.__name__ == "Layout":
            layout = cls.__new__(cls)
            layout.__setstate__(attributes)
            if not all(isinstance(name, str) for name in layout.feature_names):
                raise SavedModelError("It has a layout whose names are not text.")
            return layout
        check_attributes(cls, attributes)
        thing = cls.__new__(cls)
        if hasattr(thing, "__setstate__"):
            thing.__setstate__(attributes)
        else:
            vars(thing).update(attributes)
        return thing


def _key(kind, text):
    if kind in ("str", "str_"):
        return text
    if kind in ("bool", "bool_"):
        return text == "true"
    return float(text) if kind.startswith("float") else int(text)


def _check_array(data, name):
    """Refuse an array whose header asks for another size than there is."""
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
    shape, _, dtype = read_header(stream)
    size = math.prod(shape) * dtype.itemsize
    if dtype.kind not in _KINDS or size != len(data) - stream.tell():
        raise SavedModelError(
            f"It has an array as {name} of {dtype} and shape {shape}, which does not fit its data."
        )
