"""The one way audio comes in: a file or an array becomes mono float32 at a stated rate."""

import math
import os
from numbers import Real

import numpy as np

from skser._audio_file import AudioReadError, mono_blocks

_MOST_ENERGY = 1e28  # beyond, powers leave the range of float32
# A header may claim any rate; 128 times the samples is what resampling may make of a file.
_MOST_RESAMPLING = 128


class Waveform(np.ndarray):
    """Samples that state their own sampling rate, as a file does.

    A list of them is taken wherever a list of paths is, whatever `input_sampling_rate` says.
    What is derived from one, a slice say, is an ordinary array of samples in this respect;
    `copy.copy`, `copy.deepcopy` and pickle keep the rate.

    Parameters
    ----------
    samples : array-like of shape (n_samples,)
        Not copied where it is an array.
    sampling_rate : float
        In Hz.
    name : str or None, default=None
        What errors call it.

    Raises
    ------
    ValueError
        If `sampling_rate` is no positive, finite number.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.audio import Waveform
    >>> from skser.feature_extraction import MelSpectrogram
    >>> noise = np.random.RandomState(0).randn(48000)
    >>> MelSpectrogram().transform([Waveform(noise, 48000), Waveform(noise, 16000)]).lengths
    array([101, 301])
    """

    sampling_rate = None
    name = None

    def __new__(cls, samples, sampling_rate, name=None):
        """View `samples`."""
        if not (isinstance(sampling_rate, Real) and 0 < sampling_rate < math.inf):
            raise ValueError(f"sampling_rate={sampling_rate!r} is no positive number of Hz.")
        waveform = np.asarray(samples).view(cls)
        waveform.sampling_rate = sampling_rate
        waveform.name = name
        return waveform

    def __reduce__(self):
        if self.sampling_rate is None:
            return super().__reduce__()
        return type(self), (np.asarray(self), self.sampling_rate, self.name)

    def __copy__(self):
        duplicate = self.copy()
        duplicate.sampling_rate, duplicate.name = self.sampling_rate, self.name
        return duplicate

    def __deepcopy__(self, memo):
        return self.__copy__()


def load_audio(path, sampling_rate=None):
    """Read an audio file as mono float32.

    Channels are averaged; other rates are resampled (soxr, high quality).

    Parameters
    ----------
    path : str or path-like
        WAV (8 to 32 bits or float), FLAC, OGG, MP3, AIFF or whatever else libsndfile knows by
        its header. The content decides, not the file's name.
    sampling_rate : float or None, default=None
        Rate of the result in Hz; None keeps the file's own.

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32
        Full scale is 1.
    sampling_rate : float
        In Hz.

    Raises
    ------
    AudioReadError
        If the file is missing, a directory, a pipe or a device, empty, not audio, of zero
        length, holds values that are not finite, or states a rate that is more than 128 times
        above or below `sampling_rate`.

    Notes
    -----
    Memory follows what the file holds, not what its header claims.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "tone.wav")
    >>> soundfile.write(path, np.sin(np.arange(8000) / 10), 8000)
    >>> samples, rate = load_audio(path, sampling_rate=16000)
    >>> samples.shape, samples.dtype, rate
    ((16000,), dtype('float32'), 16000)
    """
    name = os.fsdecode(path)
    blocks, rates = zip(*mono_blocks(name), strict=True)
    samples = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    _check_values(samples, name)
    return _resampled(samples, rates[0], sampling_rate, name), sampling_rate or rates[0]


def stream_audio(path, sampling_rate=None):
    """Read an audio file as `load_audio` does, in pieces and in bounded memory.

    Parameters
    ----------
    path : str or path-like
    sampling_rate : float or None, default=None
        Rate of the result in Hz; None keeps the file's own.

    Yields
    ------
    samples : ndarray of shape (n_samples,), float32
        Joined, the pieces are what `load_audio` gives; the resampler goes on from one to the
        next.
    sampling_rate : float
        In Hz.

    Raises
    ------
    AudioReadError
        As `load_audio`, when the piece concerned is asked for.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "tone.wav")
    >>> soundfile.write(path, np.sin(np.arange(8000) / 10), 8000)
    >>> sum(len(samples) for samples, rate in stream_audio(path, sampling_rate=16000))
    16000
    """
    import soxr

    name = os.fsdecode(path)
    resampler, n_samples = None, 0
    for samples, file_rate in mono_blocks(name):
        _check_values(samples, name)
        if sampling_rate in (None, file_rate):
            yield samples, file_rate
            continue
        if resampler is None:
            _check_rates(file_rate, sampling_rate, name)
            resampler = soxr.ResampleStream(file_rate, sampling_rate, 1, dtype="float32")
        resampled = resampler.resample_chunk(samples)
        n_samples += len(resampled)
        yield resampled, sampling_rate
    if resampler is not None:
        resampled = resampler.resample_chunk(np.empty(0, np.float32), last=True)
        _check_length(n_samples + len(resampled), sampling_rate, name)
        yield resampled, sampling_rate


def _check_values(samples, name):
    # A finite sum of squares has finite terms, and is found in one quick pass.
    with np.errstate(over="ignore", invalid="ignore"):
        energy = np.dot(samples, samples)
    if energy < _MOST_ENERGY:
        return
    if not np.isfinite(samples).all():
        raise AudioReadError([(name, "holds samples that are NaN or infinite")])
    raise AudioReadError([(name, "holds samples far beyond full scale, which is 1")])


def _check_rates(from_rate, to_rate, name):
    if not 1 / _MOST_RESAMPLING <= to_rate / from_rate <= _MOST_RESAMPLING:
        reason = (
            f"states a rate of {from_rate:g} Hz, which is more than {_MOST_RESAMPLING} times "
            f"{'above' if from_rate > to_rate else 'below'} the {to_rate:g} Hz that are needed"
        )
        raise AudioReadError([(name, reason)])


def _check_length(n_samples, rate, name):
    if n_samples == 0:
        raise AudioReadError([(name, f"is shorter than one sample at {rate:g} Hz")])


def _resampled(samples, from_rate, to_rate, name):
    if to_rate is None:
        return samples
    _check_rates(from_rate, to_rate, name)
    samples = resample(samples, from_rate, to_rate)
    _check_length(len(samples), to_rate, name)
    return samples


def resample(samples, from_rate, to_rate):
    """Resample mono float32 `samples` between rates in Hz; `to_rate` None changes nothing."""
    if to_rate is None or to_rate == from_rate:
        return samples
    import soxr

    return soxr.resample(samples, from_rate, to_rate)


def audio_inputs(X, input_sampling_rate=None):
    """Check that X is a form of audio and return it as a list.

    Parameters
    ----------
    X : list or 1-D array of paths, list or object array of 1-D arrays, 2-D float array, or \
            DataFrame with a column ``audio``
    input_sampling_rate : float or None, default=None
        Rate of arrays in Hz; paths and `Waveform` state their own.

    Returns
    -------
    list of str or list of ndarray
        Paths, or arrays as given.

    Raises
    ------
    TypeError
        If X is a single path, or mixes paths and arrays.
    ValueError
        If X is empty, or holds arrays and `input_sampling_rate` is None.
    """
    if hasattr(X, "columns"):
        if "audio" not in X.columns:
            raise ValueError(
                f"The utterance table has no column 'audio'; its columns are {list(X.columns)}."
            )
        X = X["audio"]
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
    _check_values(samples, name)
    return _resampled(samples, rate_of(item, input_sampling_rate), sampling_rate, name)
