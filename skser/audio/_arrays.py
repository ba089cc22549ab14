"""Samples that come as arrays: cut, mixed down and scaled."""

import warnings

import numpy as np

from skser.audio._checks import check_amplitude, check_duration, check_values, span
from skser.audio._errors import AudioReadError
from skser.audio._waveform import Waveform

_MOST_CHANNELS = 64
_CANCELLED = 0.1  # of the energy that independent channels leave


def array_samples(source, name, rate, utterance):
    """Cut an array and mix it down.

    Parameters
    ----------
    source : array-like of shape (n_samples,), or `Waveform`, which may have channels too
        Integer samples are scaled by their type's full scale.
    name : str
        For messages.
    rate : float
        In Hz.
    utterance : Utterance
        Of which times, channel and limits count.

    Returns
    -------
    ndarray of shape (n_samples,), float32

    Raises
    ------
    AudioReadError
        As `skser.audio.load_audio`.
    """
    if hasattr(source, "detach"):  # a tensor, wherever it lies
        source = source.detach().cpu()
    try:
        samples = np.asarray(source)
    except ValueError as error:
        raise AudioReadError([(name, f"is no 1-D array of numbers ({error})")]) from error
    has_channels = samples.ndim == 2 and isinstance(source, Waveform)
    if samples.dtype.kind not in "fiu" or not (samples.ndim == 1 or has_channels):
        reason = f"must be a 1-D array of numbers, not {samples.dtype} of shape {samples.shape}"
        if samples.ndim == 2:
            reason += ": give Waveform(samples, rate), which may have channels"
        raise AudioReadError([(name, reason)])
    if samples.dtype.kind in "iu" and samples.dtype.itemsize > 4:
        reason = (
            f"holds whole numbers of {8 * samples.dtype.itemsize} bits, whose full scale nobody "
            "knows: give them as int16, say, or as floats with a full scale of 1"
        )
        raise AudioReadError([(name, reason)])
    if samples.size == 0:
        raise AudioReadError([(name, "holds no samples (zero length)")])
    if samples.ndim == 1:
        samples = samples[:, None]
    elif samples.shape[0] < samples.shape[1]:  # (n_channels, n_samples), as torchaudio has it
        samples = samples.T
    if samples.shape[1] > _MOST_CHANNELS:
        reason = (
            f"has the shape {samples.shape}, which is no recording of up to {_MOST_CHANNELS} "
            "channels: give its samples by channels"
        )
        raise AudioReadError([(name, reason)])
    first, last = span(utterance, rate, len(samples), name)
    samples = samples[first:last]
    check_duration(len(samples), rate, utterance.max_duration, name)
    is_float = samples.dtype.kind == "f"
    samples = mixed(scaled(samples), utterance.channel, name)
    check_values(samples, name)
    if is_float:
        check_amplitude(samples, utterance.max_amplitude, name)
    return samples


def scaled(samples):
    """Samples as float32; integers divided by the full scale of their type."""
    if samples.dtype.kind in "iu":
        info = np.iinfo(samples.dtype)
        middle = 0 if info.min < 0 else (info.max + 1) / 2
        samples = (samples.astype(np.float64) - middle) / (info.max + 1 - middle)
    with np.errstate(over="ignore"):  # to infinity, which is refused later
        return samples.astype(np.float32, copy=False)


def mixed(block, channel, name):
    """One channel, or the mean, of float32 samples of shape (n_samples, n_channels).

    Raises
    ------
    AudioReadError
        If there is no such channel.

    Warns
    -----
    UserWarning
        If averaging cancels the channels.
    """
    n_channels = block.shape[1]
    if channel == "loudest":
        channel = int(np.einsum("ij,ij->j", block, block).argmax())
    if channel is not None:
        check_channel(channel, n_channels, name)
        return np.ascontiguousarray(block[:, channel])
    if n_channels == 1:
        return block[:, 0]
    with np.errstate(over="ignore", invalid="ignore"):  # to values that are refused
        samples = block.mean(axis=1)
        warn_if_cancelled(float(np.dot(samples, samples)), float(np.vdot(block, block)),
                          n_channels, name)  # fmt: skip
    return samples


def check_channel(channel, n_channels, name):
    """Raise AudioReadError if there is no channel of this index."""
    if not 0 <= channel < n_channels:
        there = "one channel, 0" if n_channels == 1 else f"channels 0 to {n_channels - 1}"
        reason = f"has no channel {channel}: choose among its {there}"
        raise AudioReadError([(name, reason)])


def warn_if_cancelled(energy, energy_of_channels, n_channels, name):
    """Warn if the mean has far less energy than the mean of independent channels.

    Parameters
    ----------
    energy : float
        Sum of squares of the mean.
    energy_of_channels : float
        Sum of squares of all channels.
    n_channels : int
    name : str
    """
    independent = energy_of_channels / n_channels**2
    if energy < _CANCELLED * independent:
        share = 100 * energy / (energy_of_channels / n_channels)
        warnings.warn(
            f"{name}: its {n_channels} channels cancel, their mean keeps {share:.2g} % of their "
            "energy: choose one with channel=0, or channel='loudest'.",
            stacklevel=2,
        )
