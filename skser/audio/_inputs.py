"""Accepted forms of audio input, and reading of a single utterance."""

import os
from collections.abc import Mapping
from numbers import Real

import numpy as np

from skser.audio._arrays import array_samples
from skser.audio._checks import check_length, check_rates
from skser.audio._errors import printable
from skser.audio._file import WHOLE, load_part, resample
from skser.audio._opening import file_source
from skser.audio._tables import is_utterance_index, table_rows, warn_of_unused_times
from skser.audio._utterance import Utterance
from skser.audio._waveform import Waveform

_REMEDY = "give a path, or Waveform(samples, rate)"


def audio_inputs(X, input_sampling_rate=None):
    """Check that X is a form of audio and return it as a list.

    Parameters
    ----------
    X : list or 1-D array of sources, 2-D float array, DataFrame or audformat index
        Utterances. A source is a path, an `Utterance`, a `Waveform`, the content of a file as
        bytes or as a binary file, a 1-D array of samples, a dict with "array" and
        "sampling_rate" or with "bytes" and "path", or a pair of samples and sampling rate. A
        DataFrame holds the sources in its column ``audio``, and optionally ``start``, ``end``
        and ``channel``. A 2-D array with a single column of objects or strings, as a
        `ColumnTransformer` or a sampler returns it, is treated as that column.
    input_sampling_rate : float or None, default=None
        Sampling rate in Hz of bare arrays; all other sources state their own.

    Returns
    -------
    list of str, Utterance, Waveform or array
        One element per utterance; whole files are paths of type str.

    Raises
    ------
    TypeError
        If X is a single source instead of a list, has no order or no length, mixes paths and
        bare arrays, or holds an object that is not audio; the object is named.
    ValueError
        If X is empty, or holds bare arrays and `input_sampling_rate` is None.
    """
    if type(X) is list:
        items = X
    elif hasattr(X, "columns") or (hasattr(X, "names") and is_utterance_index(X)):
        items = table_rows(X)
        warn_of_unused_times(X)
    else:
        X = as_one_column(X)
        _check_is_list(X)
        items = list(X)
    if not items:
        raise ValueError("X is empty: 0 utterances, at least 1 is required.")
    if all(isinstance(item, str | os.PathLike) for item in items):
        return [os.fspath(item) for item in items]
    contents = {}  # caches open files, so that one with many utterances is read once
    items = [_source(item, i, contents) for i, item in enumerate(items)]
    _check_mixture(items, input_sampling_rate)
    return items


def _check_is_list(X):
    if isinstance(X, set | frozenset):
        raise TypeError("X is a set, which has no order: pass a list.")
    if isinstance(X, str | os.PathLike):
        path = printable(os.fspath(X))
        raise TypeError(f"X is a single path ({path!r}); pass a list: [path].")
    single = {Utterance: "Utterance", Waveform: "Waveform", bytes: "file's content (bytes)"}
    for kind, word in single.items():
        if isinstance(X, kind):
            raise TypeError(f"X is a single {word}; pass a list: [utterance].")
    if hasattr(X, "read"):
        raise TypeError(f"X is a single open file ({type(X).__name__}); pass a list: [file].")
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "fiu":
        raise TypeError("X is a single 1-D array of samples; pass a list: [samples].")
    is_array = isinstance(X, np.ndarray)
    if (
        not hasattr(X, "__len__")
        or hasattr(X, "toarray")  # sparse matrices
        or isinstance(X, dict)
        or (is_array and (X.ndim == 0 or (X.ndim > 1 and X.dtype.kind not in "fiu")))
    ):
        remedy = ""
        if hasattr(X, "__next__"):
            remedy = ": pass list(X)"
        elif hasattr(X, "frame") and hasattr(X, "target_names"):
            remedy = ": pass its data or its frame"
        elif isinstance(X, Mapping):
            remedy = ": pass [X]"
        raise TypeError(f"X must be a list of paths or 1-D arrays, not {type(X).__name__}{remedy}.")


def _source(item, index, contents):
    """Convert an element of X to a path, an `Utterance`, a `Waveform` or an array."""
    if isinstance(item, Utterance):
        source = _source(item.source, index, contents)
        if isinstance(source, Utterance):
            return item.with_source(source.source, source.name)
        return item.with_source(source) if source is not item.source else item
    if isinstance(item, str | os.PathLike):
        return os.fspath(item)
    if isinstance(item, bytes | bytearray | memoryview) or hasattr(item, "read"):
        if id(item) not in contents:
            contents[id(item)] = file_source(item, f"Utterance {index}")
        name = getattr(item, "name", None)  # the path of an open file, or its descriptor
        return Utterance(contents[id(item)], name=name if isinstance(name, str) else None)
    if isinstance(item, Mapping):
        return _of_dict(item, index, contents)
    if hasattr(item, "get_all_samples"):  # torchcodec's AudioDecoder, as in rows of `datasets`
        decoded = item.get_all_samples()
        return Waveform(decoded.data, float(decoded.sample_rate))
    if isinstance(item, Waveform) and item.sampling_rate is None:
        raise TypeError(
            f"Utterance {index} was derived from a Waveform, such as by slicing, and lost its "
            "sampling rate. Wrap it again: Waveform(samples, sampling_rate)."
        )
    pair = _pair(item)
    if pair is not None:
        return _waveform(*pair, index)
    if item is None or isinstance(item, Real | set) or not hasattr(item, "__len__"):
        import pandas as pd

        kind = "missing" if pd.isna(item) is True else f"of type {type(item).__name__}"
        raise TypeError(f"Utterance {index} is {kind}, not audio: {_REMEDY}.")
    return item


def _of_dict(item, index, contents):
    rate = item.get("sampling_rate")
    name = item.get("path") or None
    has_array = item.get("array") is not None
    if has_array and rate is not None:
        return _waveform(item["array"], rate, index, name)
    if item.get("bytes") is not None and not has_array:
        return Utterance(file_source(item["bytes"], f"Utterance {index}"), name=name)
    if name is not None and not has_array:
        return _source(name, index, contents)
    raise TypeError(
        f"Utterance {index} is a dict with the keys {list(item)}, but needs 'array' and "
        f"'sampling_rate', or 'bytes' and 'path': {_REMEDY}."
    )


def _pair(item):
    """Return (samples, rate) if the item is a pair of them in either order, otherwise None."""
    if not isinstance(item, tuple | list) or len(item) != 2:
        return None
    for samples, rate in (item, item[::-1]):
        if getattr(rate, "ndim", None) == 0:  # an array or a tensor of one number
            rate = rate.item()
        is_list = isinstance(samples, list | tuple) and isinstance(rate, Real)
        if is_list or (getattr(samples, "ndim", 0) and isinstance(rate, Real | str)):
            return samples, rate
    return None


def _waveform(samples, rate, index, name=None):
    try:
        return Waveform(samples, rate, name)
    except ValueError as error:
        raise ValueError(f"Utterance {index}: {error}") from None


def _check_mixture(items, input_sampling_rate):
    is_path = [isinstance(item, str) for item in items]
    is_bare = [not isinstance(item, str | Utterance | Waveform) for item in items]
    if any(is_path) and any(is_bare):
        path, array = is_path.index(True), is_bare.index(True)
        kinds = [(path, "a path"), (array, "an array")]
        (i, first), (j, other) = sorted(kinds)
        raise TypeError(
            f"X mixes paths and arrays: utterance {i} is {first}, utterance {j} is {other}. "
            "Pass arrays as Waveform(samples, rate)."
        )
    for i, item in enumerate(items):
        if not is_path[i] and not _is_file(item) and rate_of(item, input_sampling_rate) is None:
            raise ValueError(
                f"X holds arrays of samples without their sampling rate, the first at {i}: pass "
                "Waveform(samples, rate), or set input_sampling_rate= (in Hz) for all of them."
            )


def _is_file(item):
    source = item.source if isinstance(item, Utterance) else item
    return isinstance(source, str | bytes)


def as_one_column(X):
    """Return the column of an array (n_rows, 1) of objects or strings, and any other X as given."""
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind in "OUT":
        return X[:, 0]
    return X


def rate_of(item, input_sampling_rate):
    """Return the rate in Hz of an array in `audio_inputs`: its own, or `input_sampling_rate`."""
    source = item.source if isinstance(item, Utterance) else item
    own = source.sampling_rate if isinstance(source, Waveform) else None
    return own or input_sampling_rate


def utterance_name(item, index):
    """Return the name in messages of the element of `audio_inputs` at position `index`."""
    if isinstance(item, str):
        return item
    own = item.name if isinstance(item, Waveform) else None
    if isinstance(item, Utterance):
        own = item.name or (item.source if isinstance(item.source, str) else None)
        own = own or getattr(item.source, "name", None)
        if item.part:
            return (
                f"{own}, utterance {index} {item.part}" if own else f"utterance {index} {item.part}"
            )
    return own or f"utterance {index}"


def read_utterance(item, index, input_sampling_rate, sampling_rate):
    """Read one element of `audio_inputs` as mono float32 samples.

    Parameters
    ----------
    item : str, Utterance, Waveform or array-like of shape (n_samples,)
        Utterance to read. Integer samples are divided by the full scale of their type.
    index : int
        Position of the utterance in X, for error messages.
    input_sampling_rate : float or None
        Sampling rate in Hz of arrays that do not state their own.
    sampling_rate : float or None
        Sampling rate of the result in Hz; None keeps the utterance's own rate.

    Returns
    -------
    ndarray of shape (n_samples,), float32

    Raises
    ------
    AudioReadError
        Under the conditions of `load_audio`, also for arrays.
    """
    if isinstance(item, str):
        return load_part(item, item, WHOLE, sampling_rate)[0]
    return read_at_rate(item, index, input_sampling_rate, sampling_rate)[0]


def read_at_rate(item, index, input_sampling_rate, sampling_rate=None):
    """Read one element of `audio_inputs` as mono float32 samples, and return their rate too.

    Parameters
    ----------
    item, index, input_sampling_rate
        Parameters of `read_utterance`.
    sampling_rate : float or None, default=None
        Sampling rate of the result in Hz; None keeps the utterance's own rate.

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32
        Samples whose full scale is 1.
    sampling_rate : float
        Sampling rate of `samples` in Hz.
    """
    if isinstance(item, str):
        return load_part(item, item, WHOLE, sampling_rate)
    name = utterance_name(item, index)
    utterance = item
    if not isinstance(item, Utterance):
        limit = getattr(item, "max_amplitude", Waveform.max_amplitude)
        utterance = Utterance(item, max_amplitude=limit)
    if _is_file(utterance):
        return load_part(utterance.source, name, utterance, sampling_rate)
    rate = rate_of(item, input_sampling_rate)
    samples = array_samples(utterance.source, name, rate, utterance)
    if sampling_rate in (None, rate):
        return samples, rate
    check_rates(rate, sampling_rate, name)
    samples = resample(samples, rate, sampling_rate)
    check_length(len(samples), sampling_rate, name)
    return samples, sampling_rate
