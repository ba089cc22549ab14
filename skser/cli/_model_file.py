"""Models by the names that the command line accepts."""

import os
from pathlib import Path


def open_model(name, trusted):
    """Load a saved model, an ONNX model, or one that skser includes."""
    from skser.export import load_onnx
    from skser.persistence import list_pretrained, load, load_pretrained

    if name in list_pretrained():
        return load_pretrained(name)
    _require(name)
    return load_onnx(name) if is_onnx(name) else load(name, trusted=trusted)


def describe_model(name):
    """Return the description in the file of a model, as a dict for JSON."""
    from skser.export import load_onnx
    from skser.persistence import list_pretrained, path_of, read_info

    if name in list_pretrained():
        return read_info(path_of(name))
    _require(name)
    return load_onnx(name).description if is_onnx(name) else read_info(name)


def is_onnx(path):
    """Return True if the name of a file is that of an ONNX model."""
    return Path(path).suffix.lower() == ".onnx"


def _require(name):
    """Raise FileNotFoundError if there is no file with this name."""
    from skser.persistence import list_pretrained

    if not os.path.lexists(name):
        raise FileNotFoundError(
            f"There is no file {name}, and skser includes no model with that name. It includes: "
            f"{', '.join(list_pretrained())}."
        )
