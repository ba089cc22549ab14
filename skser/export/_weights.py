"""Weights of encoders in files beside the model, which several models may share."""

import hashlib
import json
import math
import os
import struct
from pathlib import Path, PurePosixPath

import numpy as np

from skser.export._file import MOST_BYTES, Outside

_TYPES = {"F16": (np.float16, 10), "F32": (np.float32, 1)}  # with ONNX's number of each


class StoredWeights:
    """Tensors of a safetensors file that a new model refers to.

    Parameters
    ----------
    path : path-like
    folder : path-like
        Folder of the model; the file must lie in it or below it.

    Raises
    ------
    ValueError
        If the file lies elsewhere or is of another format.
    """

    def __init__(self, path, folder):
        path, folder = Path(path).resolve(), Path(folder or ".").resolve()
        if not path.is_relative_to(folder):
            raise ValueError(f"weights={path} must lie in {folder}, where the model is written.")
        self._path, self._location = path, path.relative_to(folder).as_posix()
        self._data = path.read_bytes()
        try:
            (length,) = struct.unpack_from("<Q", self._data)
            self._tensors = json.loads(self._data[8 : 8 + length])
        except (struct.error, ValueError) as error:
            raise ValueError(f"weights={path} is not a file of safetensors.") from error
        self._start = 8 + length

    def find(self, name, array):
        """Return where a tensor lies and ONNX's number of its type, or None if it is not there.

        Raises
        ------
        ValueError
            If the tensor has other values than the array.
        """
        tensor = self._tensors.get(name, self._tensors.get(f"model.{name}"))
        if tensor is None:
            return None
        dtype, number = _TYPES.get(tensor["dtype"], (None, 0))
        first, last = tensor["data_offsets"]
        first, length = self._start + first, last - first
        if dtype is not None and tensor["shape"] == list(array.shape):
            values = np.frombuffer(self._data, dtype, array.size, first).reshape(array.shape)
            if (values == array).all():
                place = {"location": self._location, "offset": first, "length": length}
                return place | {"type": number}
        raise ValueError(f"The model has another {name} than {self._path}.")

    def described(self):
        """Return the location and the SHA-256 of the file."""
        return {"location": self._location, "sha256": hashlib.sha256(self._data).hexdigest()}


def read_outside(constants, weights, path):
    """Return the constants that lie in files beside a model.

    Parameters
    ----------
    constants : dict of ndarray or Outside
    weights : list of dict
        What `StoredWeights.described` returned, for each file.
    path : path-like
        Path of the model.

    Returns
    -------
    dict of ndarray

    Raises
    ------
    ValueError
        If the model refers to another file, one has changed, or a constant does not fit.
    """
    found = {name: value for name, value in constants.items() if isinstance(value, Outside)}
    locations = [given.get("location") for given in weights if isinstance(given, dict)]
    if any(value.place.get("location") not in locations for value in found.values()):
        raise ValueError("a tensor in it has data outside the file")
    files = {}
    for given, location in zip(weights, locations, strict=True):
        files[location] = _content(location, given.get("sha256"), Path(path).parent)
    return {
        name: _placed(files[value.place["location"]], name, value) for name, value in found.items()
    }


def _content(location, digest, folder):
    parts = PurePosixPath(location).parts if isinstance(location, str) else ()
    if not parts or ".." in parts or parts[0] == "/" or "\\" in location or ":" in location:
        raise ValueError(f"its weights have the location {location!r}, which is not below it")
    file = folder.joinpath(*parts)
    if not file.is_file() or file.stat().st_size > MOST_BYTES:
        raise ValueError(f"its weights are missing: {os.fspath(file)!r} is no file of weights")
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"the weights in {os.fspath(file)!r} are not those that it was made with")
    return data


def _placed(data, name, value):
    try:
        offset = int(value.place.get("offset", "0"))
        length = int(value.place.get("length", "-1"))
    except ValueError:
        offset = length = -1
    fits = min(value.shape, default=0) >= 0 and 0 <= offset <= len(data) - length
    if not fits or length != value.size:
        raise ValueError(f"the constant {name!r} does not fit the data of its weights")
    return np.frombuffer(data, value.dtype, math.prod(value.shape), offset).reshape(value.shape)
