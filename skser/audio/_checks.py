"""Checks of times, lengths, sampling rates and magnitudes while audio is read."""

import math

import numpy as np

from skser.audio._errors import AudioReadError

_MOST_ENERGY = 1e28  # above this sum of squares, power spectra overflow float32
# The extremes for real audio are 8 kHz to 48 kHz and 384 kHz to 4 kHz; headers that lie about
# their rate go far beyond.
_MOST_UPSAMPLING, _MOST_DOWNSAMPLING = 16, 128
_ROUNDING = 0.01  # seconds by which an end may exceed the recording, because tables round times


def span(utterance, rate, n_samples, name):
    """Convert the times of an utterance to sample positions, clipped to the recording.

    Parameters
    ----------
    utterance : Utterance
        Part of a recording.
    rate : float
        Sampling rate of the recording in Hz.
    n_samples : int or None
        Length of the recording in samples; None if it is not known.
    name : str
        Name of the utterance in error messages.

    Returns
    -------
    first : int
        Position of the first sample.
    last : int or None
        Position after the last sample; None if neither the end nor the length is known.

    Raises
    ------
    AudioReadError
        If the times contradict each other or the recording.
    """
    start, end = utterance.start, utterance.end
    for word, time in (("starts", start), ("ends", end)):
        if time is not None and not math.isfinite(time):
            reason = f"{word} at {time} s: times must be finite, or None for the whole recording"
            raise AudioReadError([(name, reason)])
    if start is not None and start < 0:
        raise AudioReadError([(name, f"starts at {start:g} s: a start must be 0 s or later")])
    if end is not None and end <= (start or 0):
        relation = "at" if end == (start or 0) else "before"
        reason = f"ends at {end:g} s, {relation} its start at {start or 0:g} s: correct the times"
        raise AudioReadError([(name, reason)])
    first = 0 if start is None else round(start * rate)
    last = n_samples if end is None else round(end * rate)
    if end is not None and last == first:
        raise AudioReadError([(name, f"is shorter than one sample at {rate:g} Hz")])
    if n_samples is not None and not utterance.is_whole:
        check_reach(utterance, rate, n_samples, name)
        last = min(last, n_samples)
    return first, last


def check_reach(utterance, rate, n_samples, name):
    """Raise AudioReadError if a part starts or ends after a recording of `n_samples`."""
    duration = n_samples / rate
    for word, time, tolerated in (
        ("starts", utterance.start, 0),
        ("ends", utterance.end, _ROUNDING),
    ):
        beyond = time is not None and time > duration + tolerated + 0.5 / rate
        if beyond or (word == "starts" and time and round(time * rate) >= n_samples):
            reason = (
                f"{word} at {time:g} s, after the end of the recording, which is "
                f"{duration:g} s long: correct the times"
            )
            raise AudioReadError([(name, reason)])


def check_duration(n_samples, rate, max_duration, name):
    """Raise AudioReadError if `n_samples` last longer than `max_duration` seconds, if not None."""
    if max_duration is not None and n_samples > max_duration * rate:
        reason = (
            f"is more than {_in_words(max_duration)} long: cut it with start and end, process it "
            "with emotion_timeline, or lift the limit with Utterance(..., max_duration=None)"
        )
        raise AudioReadError([(name, reason)])


def _in_words(seconds):
    return f"{seconds / 3600:g} hours" if seconds >= 3600 else f"{seconds:g} s"


def check_values(samples, name):
    """Return the sum of squares; raise AudioReadError if samples are infinite or far too large."""
    # One fast pass suffices for good audio: a finite sum of squares has finite terms.
    with np.errstate(over="ignore", invalid="ignore"):
        energy = np.dot(samples, samples)
    if energy < _MOST_ENERGY:
        return energy
    if not np.isfinite(samples).all():
        raise AudioReadError([(name, "holds samples that are NaN or infinite")])
    raise AudioReadError([(name, "holds samples far beyond full scale, which is 1: rescale it")])


def check_amplitude(samples, max_amplitude, name, energy=None):
    """Raise AudioReadError if floating-point samples look like unscaled integers.

    `energy` is the sum of squares, if it is known.
    """
    if max_amplitude is None:
        return
    if (np.vdot(samples, samples) if energy is None else energy) <= max_amplitude**2:
        return  # the sum of squares bounds every sample, so none needs to be looked at
    largest = max(samples.max(initial=0.0), -samples.min(initial=0.0))
    if max_amplitude < largest < np.inf:
        reason = (
            f"holds floating-point samples up to {largest:g}, but full scale is 1: divide "
            "integers by their full scale, such as 32768, or allow these samples with "
            "Utterance(..., max_amplitude=None)"
        )
        raise AudioReadError([(name, reason)])


def check_rates(from_rate, to_rate, name):
    """Raise AudioReadError if resampling would turn a small file into gigabytes, or nothing."""
    factor = to_rate / from_rate
    if 1 / _MOST_DOWNSAMPLING <= factor <= _MOST_UPSAMPLING:
        return
    most, side = (_MOST_DOWNSAMPLING, "above") if factor < 1 else (_MOST_UPSAMPLING, "below")
    reason = (
        f"states a sampling rate of {from_rate:g} Hz, which is more than {most} times {side} the "
        f"requested {to_rate:g} Hz: correct the rate, or request another"
    )
    raise AudioReadError([(name, reason)])


def check_length(n_samples, rate, name):
    """Raise AudioReadError if no sample is left after resampling to `rate`."""
    if n_samples == 0:
        raise AudioReadError([(name, f"is shorter than one sample at {rate:g} Hz")])
