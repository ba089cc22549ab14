"""The model that a name on the command line means."""

import os
from pathlib import Path


def open_model(name):
    """A saved model, an exported one, or one that comes with the package."""
    from skser.export import load_onnx
    from skser.persistence import list_pretrained, load, load_pretrained

    if name in list_pretrained():
        return load_pretrained(name)
    _require(name)
    return load_onnx(name) if is_onnx(name) else load(name)


def describe_model(name):
    """What the file of a model says of it, as a dict for JSON."""
    from skser.export import load_onnx
    from skser.persistence import list_pretrained, path_of, read_info

    if name in list_pretrained():
        return read_info(path_of(name))
    _require(name)
    return load_onnx(name).description if is_onnx(name) else read_info(name)


def is_onnx(path):
    """Whether a file is ONNX by its name."""
    return Path(path).suffix.lower() == ".onnx"


def _require(name):
    from skser.persistence import list_pretrained

    if not os.path.lexists(name):
        raise FileNotFoundError(
            f"There is no file {name}, and no model of that name comes along; those that do: "
            f"{', '.join(list_pretrained())}."
        )
