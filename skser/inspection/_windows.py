"""Windows of audio that arrives piece by piece."""

from numbers import Real

import numpy as np

from skser.audio import Waveform, printable


def working_rate(model):
    """Return the highest `sampling_rate` in an estimator and all that it contains, or None."""
    rates, parts, seen = [], [model], set()
    while parts:
        part = parts.pop()
        if id(part) in seen:  # estimators may share parts or refer to each other
            continue
        seen.add(id(part))
        if part is model or (hasattr(part, "get_params") and not isinstance(part, type)):
            rate = getattr(part, "sampling_rate", None)
            if isinstance(rate, Real):
                rates.append(rate)
            parts += vars(part).values()
        elif isinstance(part, dict):
            parts += part.values()
        elif isinstance(part, list | tuple):
            parts += part
    return max(rates, default=None)


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
