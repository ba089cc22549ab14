"""ONNX files that carry a digest of their bytes, read without a library of protocol buffers."""

import hashlib
import os
import struct
from dataclasses import dataclass, field

import numpy as np

from skser._whole_file import whole_file
from skser.persistence import SavedModelError, require_folder

MOST_BYTES = 2**29

# The digest is the last entry of the model's metadata, and covers all bytes before it.
_KEY = b"skser.sha256"
_N_DIGITS = 64
_ENTRY = b"\x0a" + bytes([len(_KEY)]) + _KEY + b"\x12" + bytes([_N_DIGITS])
_SEAL = b"\x72" + bytes([len(_ENTRY) + _N_DIGITS]) + _ENTRY
_N_SEAL = len(_SEAL) + _N_DIGITS

# Fields of the messages that `Graph` writes. Functions and graphs inside operators (loops) are
# other fields, and refused.
_FIELDS = {
    "model": {1: "ir_version", 2: "producer", 7: "graph", 8: "operators", 14: "metadata"},
    "operator set": {1: "domain", 2: "version"},
    "entry": {1: "key", 2: "value"},
    "graph": {1: "nodes", 2: "name", 5: "constants", 11: "inputs", 12: "outputs"},
    "node": {1: "inputs", 2: "outputs", 3: "name", 4: "operator", 5: "attributes"},
    "attribute": {1: "name", 2: "f", 3: "i", 4: "s", 8: "ints", 20: "type"},
    "tensor": {1: "shape", 2: "type", 8: "name", 9: "data", 13: "place", 14: "is_outside"},
}
_KINDS = {1: "f", 2: "i", 3: "s", 7: "ints"}  # of attributes
_TYPES = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16}


@dataclass
class Node:
    """One operator: names of its inputs and outputs, and plain attributes."""

    operator: str
    inputs: list
    outputs: list
    attributes: dict = field(default_factory=dict)


@dataclass
class Outside:
    """Constant in a file beside the model."""

    dtype: type
    shape: tuple
    size: int
    place: dict


def seal(model):
    """Return the bytes of the metadata entry with the digest of a model's bytes."""
    return _SEAL + hashlib.sha256(model).hexdigest().encode()


def write_sealed(model, path):
    """Write the bytes of a model and their digest, completely or not at all.

    Raises
    ------
    SavedModelError
        If there is no folder for the file.
    ValueError
        If there are more than `MOST_BYTES`.
    """
    require_folder(path)
    sealed = model + seal(model)
    if len(sealed) > MOST_BYTES:
        raise ValueError(f"The model takes {len(sealed)} bytes; at most {MOST_BYTES} are written.")
    with whole_file(os.path.realpath(path)) as file:  # a symbolic link stays one
        file.write(sealed)


def read_sealed(path):
    """Return the bytes of a file that `write_sealed` has written.

    Raises
    ------
    SavedModelError
        If the file is something else or has changed.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        sealed = file.read(MOST_BYTES + 1)
    if len(sealed) > MOST_BYTES:
        raise SavedModelError(f"{path} is larger than {MOST_BYTES} bytes, the limit for models.")
    model, end = sealed[:-_N_SEAL], sealed[-_N_SEAL:]
    if not end.startswith(_SEAL):
        raise SavedModelError(
            f"{path} is not a model that skser.export_onnx has written, or not complete: export "
            "it again, or use onnxruntime itself."
        )
    if end != seal(model):
        raise SavedModelError(f"{path} has changed since skser.export_onnx wrote it: export again.")
    return model


def parsed(model):
    """Return what the bytes of a model hold.

    Returns
    -------
    nodes : list of Node
        Operators in the order of the file.
    constants : dict of ndarray or Outside
        Views on the bytes, by name, and places in the file beside the model.
    inputs : list of str
    metadata : dict of str

    Raises
    ------
    ValueError
        If a message has a field that `Graph` never writes, or a constant does not fit its data.
    """
    content = _message(memoryview(model), "model")
    for message in content["operators"]:
        if bytes(_last(_message(message, "operator set"), "domain", b"")):
            raise ValueError("it has operators of another domain")
    if len(content["graph"]) != 1:  # others would be merged
        raise ValueError("it does not have one graph")
    graph = _message(content["graph"][0], "graph")
    constants = dict(map(_constant, graph["constants"]))
    if len(constants) < len(graph["constants"]):
        raise ValueError("it has two constants of one name")
    # Names, types and shapes of the inputs; onnxruntime compares types and shapes with the data.
    inputs = [
        _text(value) for message in graph["inputs"] for n, value in _fields(message) if n == 1
    ]
    entries = [_message(message, "entry") for message in content["metadata"]]
    metadata = {_text(_last(entry, "key")): _text(_last(entry, "value")) for entry in entries}
    return [_node(message) for message in graph["nodes"]], constants, inputs, metadata


def _node(message):
    content = _message(message, "node")
    attributes = {}
    for part in content["attributes"]:
        values = _message(part, "attribute")
        name = _text(_last(values, "name"))
        kind = _KINDS.get(_last(values, "type"))
        if kind is None or values.keys() - {"name", "type", kind} or name in attributes:
            raise ValueError(f"the attribute {name!r} of an operator in it has a wrong type")
        if kind == "ints":
            attributes[name] = _numbers(values.get(kind, []))
        elif kind == "f":
            attributes[name] = struct.unpack("<f", _last(values, "f"))[0]
        else:
            value = _last(values, kind)
            attributes[name] = _signed(value) if kind == "i" else bytes(value)
    names = [[_text(name) for name in content[key]] for key in ("inputs", "outputs")]
    return Node(_text(_last(content, "operator")), *names, attributes)


def _constant(message):
    content = _message(message, "tensor")
    name, dtype = _text(_last(content, "name")), _TYPES.get(_last(content, "type"))
    if dtype is None:
        raise ValueError(f"the constant {name!r} has type {_last(content, 'type')}")
    shape, size = _numbers(content["shape"]), np.dtype(dtype).itemsize
    for length in shape:
        size *= length
    if content["is_outside"]:
        entries = [_message(entry, "entry") for entry in content["place"]]
        place = {_text(_last(entry, "key")): _text(_last(entry, "value")) for entry in entries}
        return name, Outside(dtype, tuple(shape), size, place)
    data = _last(content, "data", b"")
    if min(shape, default=0) < 0 or size != len(data):
        raise ValueError(f"the constant {name!r} has shape {shape}, which does not fit its data")
    return name, np.frombuffer(data, dtype).reshape(shape)


def _message(data, kind):
    """Return the values of each known field, by its name."""
    names = _FIELDS[kind]
    content = {name: [] for name in names.values()} if kind != "attribute" else {}
    for number, value in _fields(data):
        if number not in names:
            raise ValueError(f"a {kind} in it has field {number}, which export_onnx never writes")
        content.setdefault(names[number], []).append(value)
    return content


def _last(content, name, *default):
    values = content[name]
    if not values and not default:
        raise ValueError(f"a message in it has no {name}")
    return values[-1] if values else default[0]


def _text(value):
    return bytes(value).decode()


def _numbers(values):
    """Return repeated integers, which may be packed into one value."""
    found = []
    for value in values:
        if isinstance(value, int):
            found.append(_signed(value))
            continue
        place = 0
        while place < len(value):
            number, place = _varint(value, place)
            found.append(_signed(number))
    return found


def _signed(number):
    return number - 2**64 if number >= 2**63 else number


def _fields(message):
    """Yield the number and the value of each field: an int, or the bytes."""
    place, end = 0, len(message)
    while place < end:
        tag, place = _varint(message, place)
        wire = tag & 7
        if wire == 0:
            value, place = _varint(message, place)
        elif wire == 2:
            length, place = _varint(message, place)
            value = message[place : (place := place + length)]
        elif wire in (1, 5):
            value = message[place : (place := place + (8 if wire == 1 else 4))]
        else:
            raise ValueError(f"it holds a wire type {wire}")
        if place > end:
            raise ValueError("a field reaches beyond its end")
        yield tag >> 3, value


def _varint(message, place):
    if place < len(message) and message[place] < 128:  # nearly all of them
        return message[place], place + 1
    value = shift = 0
    while True:
        if place >= len(message) or shift > 63:
            raise ValueError("a number in it has no end")
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
