"""ONNX files that carry the digest of their own bytes, and hold nothing but plain operators."""

import hashlib

from skser._whole_file import whole_file
from skser.persistence import SavedModelError, require_folder

MOST_BYTES = 2**29

# The digest is a last entry of the model's metadata: what precedes it is what it is of.
_KEY = b"skser.sha256"
_N_DIGITS = 64
_ENTRY = b"\x0a" + bytes([len(_KEY)]) + _KEY + b"\x12" + bytes([_N_DIGITS])
_SEAL = b"\x72" + bytes([len(_ENTRY) + _N_DIGITS]) + _ENTRY
_N_SEAL = len(_SEAL) + _N_DIGITS

# Fields of ONNX's protocol buffers that `Graph` writes, and the kind of message in them. Tensors
# elsewhere on the disk, functions and graphs inside operators (loops) are other fields.
_FIELDS = {
    "model": {1: None, 2: None, 7: "graph", 8: "operators", 14: None},
    "operators": {1: None, 2: None},
    "graph": {1: "node", 2: None, 5: "tensor", 11: None, 12: None},
    "node": {1: None, 2: None, 3: None, 4: None, 5: "attribute"},
    "attribute": {1: None, 2: None, 3: None, 4: None, 7: None, 8: None, 20: None},
    "tensor": {1: None, 2: None, 8: None, 9: None},
}


def write_sealed(model, path):
    """Write the bytes of a model and their digest, whole or not at all.

    Raises
    ------
    ValueError
        If there are more than `MOST_BYTES`, or if there is no folder for the file.
    """
    require_folder(path)
    sealed = model + _SEAL + hashlib.sha256(model).hexdigest().encode()
    if len(sealed) > MOST_BYTES:
        raise ValueError(f"The model takes {len(sealed)} bytes; at most {MOST_BYTES} are written.")
    with whole_file(path) as file:
        file.write(sealed)


def read_sealed(path):
    """The bytes of a file that `write_sealed` has written.

    Raises
    ------
    SavedModelError
        If the file is something else, has changed, or holds more than plain operators.
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        sealed = file.read(MOST_BYTES + 1)
    if len(sealed) > MOST_BYTES:
        raise SavedModelError(f"{path} is larger than {MOST_BYTES} bytes, which no model here is.")
    model, seal = sealed[:-_N_SEAL], sealed[-_N_SEAL:]
    if not seal.startswith(_SEAL):
        raise SavedModelError(
            f"{path} is no model that skser.export_onnx has written, or is not whole: export it "
            "again, or use onnxruntime itself."
        )
    if seal[len(_SEAL) :] != hashlib.sha256(model).hexdigest().encode():
        raise SavedModelError(f"{path} has changed since skser.export_onnx wrote it: export again.")
    try:
        _check_fields(memoryview(model), "model")
    except ValueError as error:
        raise SavedModelError(f"{path} is refused: {error}.") from error
    return model


def _check_fields(message, kind):
    """Raise ValueError unless a protocol buffer holds the fields of its kind alone."""
    known = _FIELDS[kind]
    for number, content in _fields(message):
        if number not in known:
            what = "data outside the file" if (kind, number) in _OUTSIDE else f"field {number}"
            raise ValueError(f"a {kind} in it has {what}, which export_onnx never writes")
        if known[number] is not None:
            if content is None:
                raise ValueError(f"field {number} of a {kind} in it is no message")
            _check_fields(content, known[number])


_OUTSIDE = {("tensor", 13), ("tensor", 14)}


def _fields(message):
    """Yield the number of each field, and its bytes if it has a length, else None."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        wire = tag & 7
        content = None
        if wire == 0:
            _, place = _varint(message, place)
        elif wire in (1, 5):
            place += 8 if wire == 1 else 4
        elif wire == 2:
            length, place = _varint(message, place)
            content = message[place : place + length]
            place += length
        else:
            raise ValueError(f"it holds a wire type {wire}")
        if place > len(message):
            raise ValueError("a field reaches beyond its end")
        yield tag >> 3, content


def _varint(message, place):
    value = shift = 0
    while True:
        if place >= len(message) or shift > 63:
            raise ValueError("a number in it has no end")
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
