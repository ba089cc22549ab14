"""Emotion over the time of a recording of any length."""

import os
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from skser.audio import (
    Utterance,
    Waveform,
    audio_inputs,
    printable,
    read_at_rate,
    stream_audio,
)

_SAMPLES_AT_ONCE = 2**21


@validate_params(
    {
        "model": [HasMethods("predict_proba")],
        "path": [str, os.PathLike, bytes, Utterance, Waveform, dict, tuple, HasMethods("read")],
        "window": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def emotion_timeline(model, path, window=2.0, hop=0.5):
    """Probabilities of the emotions in successive windows of a recording.

    The recording is read, cut and predicted piece by piece: memory does not grow with its
    length.

    Parameters
    ----------
    model : fitted estimator or OnnxModel
        Whatever takes audio and has `predict_proba`: a pipeline that begins with a transformer
        such as `MelSpectrogram`, or a search, a vote, a calibration of such pipelines. Its
        parameters are left as they are, and it may have been trained on paths or on arrays.
    path : str, path-like, bytes, binary file, Waveform, Utterance or another source of audio
        Any file that `skser.audio.load_audio` reads, of any rate, number of channels and length,
        samples with their rate, or an `skser.audio.Utterance` of either.
    window : float, default=2.0
        Length of a window in seconds. A recording that is shorter is one window as it is.
    hop : float, default=0.5
        From the start of one window to the start of the next, in seconds. If audio is left over
        at the end, a last window ends with the recording.

    Returns
    -------
    DataFrame of shape (n_windows, 2 + n_classes)
        Columns ``start`` and ``end`` of the window, in seconds from the start of the file, and
        one per class with its probability, in the order of ``model.classes_``.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    AudioReadError
        If the file cannot be read, or a window is too short for the model's features.
    ValueError
        If a parameter is out of range, or `window` or `hop` is less than one sample.

    See Also
    --------
    skser.compose.SegmentedClassifier : Training on windows, one prediction per utterance.

    Notes
    -----
    The recording is resampled as a whole, to the highest ``sampling_rate`` of the transformers
    in `model`, before it is cut; a window is then what slices of ``load_audio(path,
    sampling_rate)`` would be. It reaches the model as a `skser.audio.Waveform`, which states its
    own rate.

    A model hears each window as an utterance of its own. It should have been trained on
    utterances of about that length, if need be by a `SegmentedClassifier`.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np, soundfile
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skser.datasets import make_emotional_speech
    >>> from skser.feature_extraction import FrameFeatures, Functionals
    >>> from skser.inspection import emotion_timeline
    >>> corpus = make_emotional_speech(2, 10, random_state=0)
    >>> features = Functionals(FrameFeatures(("energy",), input_sampling_rate=16000))
    >>> model = make_pipeline(features, StandardScaler(), LogisticRegression())
    >>> model = model.fit(corpus.data, corpus.target)
    >>> path = os.path.join(tempfile.mkdtemp(), "call.wav")
    >>> soundfile.write(path, np.concatenate(corpus.data)[:72000], 16000)
    >>> timeline = emotion_timeline(model, path, window=2.0, hop=1.0)
    >>> timeline[["start", "end"]].to_numpy().tolist()
    [[0.0, 2.0], [1.0, 3.0], [2.0, 4.0], [2.5, 4.5]]
    >>> timeline.columns[2:].tolist() == model.classes_.tolist()
    True
    """
    if hasattr(model, "fit"):  # an OnnxModel is always fitted
        check_is_fitted(model)
    windows = _windows(path, max(_sampling_rates(model), default=None), window, hop)
    bounds, proba = [], []
    for batch in _batches(windows):
        bounds += [span for span, _ in batch]
        proba.append(model.predict_proba([waveform for _, waveform in batch]))
    # To the nanosecond, so that 0.15 s is not 0.15000000000000002 s.
    bounds = pd.DataFrame(np.round(bounds, 9), columns=["start", "end"])
    return pd.concat([bounds, pd.DataFrame(np.concatenate(proba), columns=model.classes_)], axis=1)


def _sampling_rates(model):
    """Rates in Hz that transformers work at, in an estimator or whatever it holds."""
    rates, parts, seen = [], [model], set()
    while parts:
        part = parts.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, BaseEstimator) or part is model:
            rate = getattr(part, "sampling_rate", None)
            if isinstance(rate, Real):
                rates.append(rate)
            parts += vars(part).values()
        elif isinstance(part, dict):
            parts += part.values()
        elif isinstance(part, list | tuple):
            parts += part
    return rates


def _windows(path, sampling_rate, window, hop):
    """Yield the bounds in seconds and the `Waveform` of every window."""
    (item,) = audio_inputs([path])
    part = item if isinstance(item, Utterance) else Utterance(item)
    part = Utterance(
        part.source, part.start, part.end, part.channel, name=part.name,
        max_duration=None, max_amplitude=part.max_amplitude,
    )  # fmt: skip
    path = part.name or (part.source if isinstance(part.source, str) else "the recording")
    if isinstance(part.source, str | bytes):
        pieces = stream_audio(part, sampling_rate)
    else:
        pieces = [read_at_rate(part, 0, None, sampling_rate)]
    pending, first = np.empty(0, np.float32), 0  # what is kept of the recording, and its place
    n_windows, start = 0, 0
    for samples, rate in pieces:
        length = _in_samples("window", window, rate, path)
        _in_samples("hop", hop, rate, path)
        pending = np.concatenate([pending, samples])
        while start + length <= first + len(pending):
            yield _window(path, pending[start - first :][:length], start, rate, part)
            n_windows += 1
            start = round(n_windows * hop * rate)
        # Kept for the next window, and for the last, which ends with the recording.
        n_done = max(0, min(start, first + len(pending) - length) - first)
        pending, first = pending[n_done:], first + n_done
    last = max(0, first + len(pending) - length)
    if n_windows == 0 or round((n_windows - 1) * hop * rate) < last:
        yield _window(path, pending[last - first :], last, rate, part)


def _in_samples(name, seconds, rate, path):
    n_samples = round(seconds * rate)
    if n_samples < 1:
        raise ValueError(
            f"{name}={seconds} s is less than one sample at {rate} Hz, for {printable(path)}."
        )
    return n_samples


def _window(path, samples, start, rate, part):
    before = part.start or 0.0  # seconds
    bounds = before + start / rate, before + (start + len(samples)) / rate
    name = f"{path} from {bounds[0]:g} to {bounds[1]:g} s"
    # A copy does not hold on to all that was read with it.
    return bounds, Waveform(samples.copy(), rate, name, part.max_amplitude)


def _batches(windows):
    """Lists of windows, of a bounded number of samples."""
    # The first window is alone: what is wrong with all of them is told once.
    batch, size = [], _SAMPLES_AT_ONCE
    for window in windows:
        batch.append(window)
        size += len(window[1])
        if size >= _SAMPLES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
