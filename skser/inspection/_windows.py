"""Windows of a recording, or of audio that arrives piece by piece.

The command line imports this file, so it imports neither pandas nor scikit-learn.
"""

import math
from numbers import Real

import numpy as np

from skser._nested import estimators_in
from skser.audio import (
    Utterance,
    Waveform,
    audio_inputs,
    printable,
    read_at_rate,
    stream_audio,
    stream_blocks,
)

_SAMPLES_AT_ONCE = 2**21


def timeline_outputs(model, compute, path, window, hop):
    """Yield what a function returns for successive windows of a recording, in batches.

    Parameters
    ----------
    model : estimator or OnnxModel
        Model whose sampling rate the windows have.
    compute : callable
        Function of a list of `Waveform`, usually a method of `model`.
    path : source of audio
        Recording, as in `emotion_timeline`.
    window, hop : float
        Length of a window and time between the starts of windows, in seconds.

    Yields
    ------
    bounds : ndarray of shape (n_windows, 2)
        Start and end of each window, in seconds, rounded to nanoseconds, so that 0.15 s does not
        become 0.15000000000000002 s.
    outputs : object
        Returned value of `compute`.
    """
    part = recording(path)
    name = part.name or (part.source if isinstance(part.source, str) else "the recording")
    rate = working_rate(model)
    if isinstance(part.source, str | bytes):
        pieces = stream_audio(part, rate)
    else:
        pieces = [read_at_rate(part, 0, None, rate)]
    windows = cut_windows(pieces, window, hop, name, part.start or 0.0, part.max_amplitude)
    for batch in batches(windows):
        bounds = np.round([span for span, _ in batch], 9)
        yield bounds, compute([waveform for _, waveform in batch])


def stream_outputs(model, compute, blocks, sampling_rate, window, hop):
    """Yield what a function returns for each window of audio that arrives in blocks.

    Parameters
    ----------
    model, compute
        Parameters of `timeline_outputs`.
    blocks, sampling_rate, window, hop
        Parameters of `emotion_stream`.

    Yields
    ------
    start, end : float
        Bounds of the window in seconds, rounded as by `timeline_outputs`.
    output : object
        The only element of the returned value of `compute`.
    """
    pieces = stream_blocks(blocks, sampling_rate, working_rate(model))
    for bounds, waveform in cut_windows(pieces, window, hop, "the stream"):
        (output,) = compute([waveform])
        yield *np.round(bounds, 9).tolist(), output


def working_rate(model):
    """Return the highest `sampling_rate` in an estimator and all that it contains, or None."""
    rates = [getattr(part, "sampling_rate", None) for part in estimators_in(model)]
    return max((rate for rate in rates if isinstance(rate, Real)), default=None)


def cut_windows(pieces, window, hop, name, before=0.0, max_amplitude=None):
    """Yield the bounds in seconds and the `Waveform` of every window, as soon as it is full.

    Parameters
    ----------
    pieces : iterable of (ndarray of shape (n_samples,), float)
        Successive pieces of samples, each with its sampling rate in Hz.
    window, hop : float
        Length of a window and time between the starts of successive windows, in seconds.
    name : str
        Name of the recording in messages.
    before : float, default=0.0
        Time at which the pieces begin, in seconds.
    max_amplitude : float or None, default=None
        Largest magnitude that a model accepts, attached to each `Waveform`. The pieces must
        already have been checked against it.
    """
    # Pieces may be single samples, so they are collected here and joined only once per window.
    pending, first, kept = [], 0, 0
    n_windows, start, rate = 0, 0, None
    for samples, rate in pieces:
        length = _in_samples("window", window, rate, name)
        _in_samples("hop", hop, rate, name)
        pending.append(samples)
        kept += len(samples)
        # If the next window starts far ahead, join anyway, to drop the samples before it.
        if start + length > first + kept and kept <= 2 * length:
            continue
        joined = np.concatenate(pending)
        while start + length <= first + kept:
            yield _window(
                name, joined[start - first :][:length], start, rate, before, max_amplitude
            )
            n_windows += 1
            start = round(n_windows * hop * rate)
        # Keep the samples of the next window and of the last, which ends with the recording.
        n_done = max(0, min(start, first + kept - length) - first)
        pending, first, kept = [joined[n_done:].copy()], first + n_done, kept - n_done
    if kept == 0:
        return
    joined = np.concatenate(pending)
    last = max(0, first + kept - length)
    if n_windows == 0 or round((n_windows - 1) * hop * rate) < last:
        yield _window(name, joined[last - first :], last, rate, before, max_amplitude)


def _in_samples(name, seconds, rate, path):
    """Convert seconds to a whole number of samples, at least one."""
    if not math.isfinite(seconds):
        raise ValueError(f"{name}={seconds} must be a positive, finite number of seconds.")
    n_samples = round(seconds * rate)
    if n_samples < 1:
        raise ValueError(
            f"{name}={seconds} s is less than one sample at {rate} Hz, for {printable(path)}. Give "
            f"a larger {name}."
        )
    return n_samples


def _window(path, samples, start, rate, before, max_amplitude):
    bounds = before + start / rate, before + (start + len(samples)) / rate
    name = f"{path} from {bounds[0]:g} to {bounds[1]:g} s"
    # Without a copy, each window would keep the whole array it was cut from in memory.
    return bounds, Waveform(samples.copy(), rate, name, max_amplitude)


def recording(path):
    """Return a source of audio as an `Utterance` without a limit on its duration."""
    (item,) = audio_inputs([path])
    part = item if isinstance(item, Utterance) else Utterance(item)
    return Utterance(
        part.source, part.start, part.end, part.channel, name=part.name,
        max_duration=None, max_amplitude=part.max_amplitude,
    )  # fmt: skip


def batches(windows):
    """Yield lists of windows with a bounded total number of samples."""
    # The first window forms its own batch, so that an error in all windows is reported once.
    batch, size = [], _SAMPLES_AT_ONCE
    for window in windows:
        batch.append(window)
        size += len(window[1])
        if size >= _SAMPLES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
