"""The forms that audio may come in, and one utterance of them as samples."""

import os

import numpy as np

from skser.audio._errors import AudioReadError
from skser.audio._file import check_values, load_audio, resampled
from skser.audio._waveform import Waveform


def audio_inputs(X, input_sampling_rate=None):
    """Check that X is a form of audio and return it as a list.

    Parameters
    ----------
    X : list or 1-D array of paths, list or object array of 1-D arrays, 2-D float array, or \
            DataFrame with a column ``audio``
        An array of one column of objects or strings, as a `ColumnTransformer` or a sampler makes
        it, is taken as that column.
    input_sampling_rate : float or None, default=None
        Rate of arrays in Hz; paths and `Waveform` state their own.

    Returns
    -------
    list of str or list of ndarray
        Paths, or arrays as given.

    Raises
    ------
    TypeError
        If X is a single path, has no order or no length, or mixes paths and arrays.
    ValueError
        If X is empty, or holds arrays and `input_sampling_rate` is None.
    """
    if hasattr(X, "columns"):
        if "audio" not in X.columns:
            raise ValueError(
                f"The utterance table has no column 'audio'; its columns are {list(X.columns)}."
            )
        X = X["audio"]
    if not isinstance(X, list):
        X = as_one_column(X)
    if isinstance(X, set | frozenset):
        raise TypeError("X is a set, whose order means nothing: pass a list.")
    if isinstance(X, str | os.PathLike):
        raise TypeError(f"X is a single path ({os.fspath(X)!r}); pass a list: [path].")
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "fiu":
        raise TypeError("X is a single 1-D array of samples; pass a list: [samples].")
    is_array = isinstance(X, np.ndarray)
    if (
        not hasattr(X, "__len__")
        or hasattr(X, "toarray")  # sparse matrices
        or isinstance(X, dict)
        or (is_array and (X.ndim == 0 or (X.ndim > 1 and X.dtype.kind not in "fiu")))
    ):
        raise TypeError(f"X must be a list of paths or of 1-D arrays, not {type(X).__name__}.")
    items = list(X)
    if not items:
        raise ValueError("X is empty: 0 utterances, at least 1 is required.")
    is_path = [isinstance(item, str | os.PathLike) for item in items]
    if all(is_path):
        return [os.fspath(item) for item in items]
    if any(is_path):
        first_other = is_path.index(not is_path[0])
        kinds = ("a path", "an array") if is_path[0] else ("an array", "a path")
        raise TypeError(
            f"X mixes paths and arrays: utterance 0 is {kinds[0]}, utterance {first_other} is "
            f"{kinds[1]}. Read the files with load_audio, or write the arrays to files."
        )
    if any(rate_of(item, input_sampling_rate) is None for item in items):
        raise ValueError(
            "X holds arrays of samples, whose sampling rate nobody can guess: "
            "set input_sampling_rate= (in Hz)."
        )
    return items


def as_one_column(X):
    """The column of an array of objects or strings (n_rows, 1); anything else as it is."""
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind in "OUT":
        return X[:, 0]
    return X


def rate_of(item, input_sampling_rate):
    """Rate in Hz of an element of `audio_inputs` that is no path: its own, if it states one."""
    own = item.sampling_rate if isinstance(item, Waveform) else None
    return own or input_sampling_rate


def utterance_name(item, index):
    """What errors call an element of `audio_inputs`, at `index` in X."""
    if isinstance(item, str):
        return item
    own = item.name if isinstance(item, Waveform) else None
    return own or f"utterance {index}"


def read_utterance(item, index, input_sampling_rate, sampling_rate):
    """Turn one element of `audio_inputs` into mono float32 at `sampling_rate`.

    Parameters
    ----------
    item : str or array-like of shape (n_samples,)
        Integer samples are scaled by their type's full scale.
    index : int
        Position in X, to name an array in errors.
    input_sampling_rate, sampling_rate : float
        In Hz; the former is that of arrays.

    Raises
    ------
    AudioReadError
        As `load_audio`, for arrays too.
    """
    if isinstance(item, str):
        return load_audio(item, sampling_rate)[0]
    name = utterance_name(item, index)
    try:
        samples = np.asarray(item)
    except ValueError as error:  # (samples, rate), say
        raise AudioReadError([(name, f"is no 1-D array of numbers ({error})")]) from error
    if samples.ndim != 1 or samples.dtype.kind not in "fiu":
        reason = f"must be a 1-D array of numbers, not {samples.dtype} of shape {samples.shape}"
        if samples.ndim == 2:
            reason += " (average channels first)"
        raise AudioReadError([(name, reason)])
    if samples.size == 0:
        raise AudioReadError([(name, "holds no samples (zero length)")])
    if samples.dtype.kind in "iu":
        info = np.iinfo(samples.dtype)
        middle = 0 if info.min < 0 else (info.max + 1) / 2
        full_scale = info.max + 1 - middle
        samples = (samples.astype(np.float64) - middle) / full_scale
    with np.errstate(over="ignore"):  # to infinity, which is refused below
        samples = samples.astype(np.float32, copy=False)
    check_values(samples, name)
    return resampled(samples, rate_of(item, input_sampling_rate), sampling_rate, name)
