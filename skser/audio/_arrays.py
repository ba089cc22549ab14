"""Cutting, scaling and mixing down of samples that are given as arrays."""

import warnings

import numpy as np

from skser.audio._checks import check_amplitude, check_duration, check_values, span
from skser.audio._errors import AudioReadError
from skser.audio._waveform import Waveform, detached

_MOST_CHANNELS = 64
# Channels cancel if their mean has less than this share of the energy that the mean of
# independent channels would have.
_CANCELLED = 0.1
_ROWS_AT_ONCE = 2**14
_FULL_SCALE_16 = 2**15


def array_samples(source, name, rate, utterance):
    """Cut the part of an utterance out of an array and return it as mono float32.

    Parameters
    ----------
    source : array-like of shape (n_samples,), or `Waveform` with or without channels
        Samples of the whole recording. Integers are divided by the full scale of their type.
    name : str
        Name of the utterance in messages.
    rate : float
        Sampling rate of `source` in Hz.
    utterance : Utterance
        Times, channel and limits to apply; its own source is not used.

    Returns
    -------
    ndarray of shape (n_samples,), float32

    Raises
    ------
    AudioReadError
        Under the conditions of `skser.audio.load_audio`, or if `source` is not an array of
        numbers of a suitable shape and type.

    Warns
    -----
    UserWarning
        If channels cancel when averaged, or an array of int32 seems to hold 16-bit samples.
    """
    try:
        samples = np.asarray(detached(source))
    except ValueError as error:
        raise AudioReadError([(name, f"is not a 1-D array of numbers ({error})")]) from error
    has_channels = samples.ndim == 2 and isinstance(source, Waveform)
    if samples.dtype.kind not in "fiu" or not (samples.ndim == 1 or has_channels):
        reason = f"must be a 1-D array of numbers, not {samples.dtype} of shape {samples.shape}"
        if samples.ndim == 2:
            reason += ": pass Waveform(samples, rate), which accepts several channels"
        raise AudioReadError([(name, reason)])
    check_full_scale(samples, name)
    if samples.size == 0:
        raise AudioReadError([(name, "holds no samples (zero length)")])
    if samples.ndim == 1:
        samples = samples[:, None]
    elif samples.shape[0] < samples.shape[1]:  # (n_channels, n_samples), the order of torchaudio
        samples = samples.T
    check_layout(samples, name)
    first, last = span(utterance, rate, len(samples), name)
    samples = samples[first:last]
    check_duration(len(samples), rate, utterance.max_duration, name)
    is_float = samples.dtype.kind == "f"
    _warn_of_16_bits(samples, name)
    samples = mixed(scaled(samples), utterance.channel, name)
    energy = check_values(samples, name)
    if is_float:
        check_amplitude(samples, utterance.max_amplitude, name, energy)
    return samples


def check_full_scale(samples, name):
    """Raise AudioReadError if `samples` are integers of 64 bits."""
    if samples.dtype.kind in "iu" and samples.dtype.itemsize > 4:
        reason = (
            f"holds integers of {8 * samples.dtype.itemsize} bits, whose full scale is unknown: "
            "convert them to int16 or int32, or to floats with a full scale of 1"
        )
        raise AudioReadError([(name, reason)])


def _warn_of_16_bits(samples, name):
    """Warn of 16-bit samples in an int32 array, which would be read as silence."""
    if samples.dtype == np.int32 and samples.any():
        peak = max(int(samples.max()), -int(samples.min()))
        if peak <= _FULL_SCALE_16:
            warnings.warn(
                f"{name}: its int32 samples reach {peak} of a full scale of 2147483648, which is "
                "nearly silent. If they are 16-bit samples, convert them to int16.",
                stacklevel=2,
            )


def check_layout(samples, name):
    """Raise AudioReadError if an array (n_samples, n_channels) has far too many channels."""
    if samples.shape[1] > _MOST_CHANNELS:
        reason = (
            f"has the shape {samples.shape}, but a recording has at most {_MOST_CHANNELS} "
            "channels: pass an array of shape (n_samples, n_channels)"
        )
        raise AudioReadError([(name, reason)])


def scaled(samples):
    """Convert samples to float32, dividing integers by the full scale of their type."""
    if samples.dtype.kind in "iu":
        info = np.iinfo(samples.dtype)
        middle = 0 if info.min < 0 else (info.max + 1) / 2
        samples = (samples.astype(np.float64) - middle) / (info.max + 1 - middle)
    with np.errstate(over="ignore"):  # overflow gives infinity, which `check_values` rejects
        return samples.astype(np.float32, copy=False)


def mixed(block, channel, name):
    """Select one channel, or average all of them.

    Parameters
    ----------
    block : ndarray of shape (n_samples, n_channels), float32
        Samples of all channels.
    channel : int, "loudest" or None
        Index of the channel; "loudest" selects the one with the most energy; None averages.
    name : str
        Name of the utterance in messages.

    Returns
    -------
    ndarray of shape (n_samples,), float32

    Raises
    ------
    AudioReadError
        If the recording lacks this channel.

    Warns
    -----
    UserWarning
        If the channels cancel when averaged.
    """
    n_channels = block.shape[1]
    if channel == "loudest":
        channel = Energy().add(block).loudest()
    if channel is not None:
        check_channel(channel, n_channels, name)
        return np.ascontiguousarray(block[:, channel])
    if n_channels == 1:
        return block[:, 0]
    # Infinite and NaN samples are rejected later, with a message that names the utterance.
    with np.errstate(over="ignore", invalid="ignore"):
        samples = block.mean(axis=1)
    warn_if_cancelled(Energy().add(samples[:, None]), Energy().add(block), name)
    return samples


def check_channel(channel, n_channels, name):
    """Raise AudioReadError unless `channel` is an index of one of `n_channels` channels."""
    if not 0 <= channel < n_channels:
        available = "the only one is 0" if n_channels == 1 else f"it has 0 to {n_channels - 1}"
        reason = f"has no channel {channel}: choose one that exists ({available})"
        raise AudioReadError([(name, reason)])


class Energy:
    """Energy of each channel without its mean, because a constant offset is not heard.

    Blocks are added as they arrive.
    """

    def __init__(self):
        self.n_samples, self._first, self._sums, self._squares = 0, None, 0.0, 0.0

    def add(self, block):
        """Add a block (n_samples, n_channels) and return the object itself."""
        if self._first is None:
            self._first = block[0].copy()
        self.n_samples += len(block)
        sums, squares = np.zeros((2, block.shape[1]))
        # Infinite and NaN samples are rejected later, with a message that names the utterance.
        with np.errstate(over="ignore", invalid="ignore"):
            for i in range(0, len(block), _ROWS_AT_ONCE):
                for channel, first in enumerate(self._first):
                    # Relative to its first sample, a constant channel has no energy at all.
                    column = block[i : i + _ROWS_AT_ONCE, channel] - first
                    sums[channel] += column.sum()
                    squares[channel] += np.dot(column, column)
            self._sums, self._squares = self._sums + sums, self._squares + squares
        return self

    def of_channels(self):
        """Return the sum of squares of each channel, ndarray of shape (n_channels,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.maximum(self._squares - self._sums**2 / max(self.n_samples, 1), 0.0)

    def loudest(self):
        """Return the index of the channel with the most energy."""
        return int(np.argmax(self.of_channels()))


def warn_if_cancelled(of_mean, of_channels, name):
    """Warn if the mean of the channels has far less energy than independent channels would leave.

    Parameters
    ----------
    of_mean : Energy
        Energy of the mean of the channels.
    of_channels : Energy
        Energy of the channels.
    name : str
        Name of the utterance in the warning.

    Returns
    -------
    bool
        Whether the channels cancel.
    """
    (energy,), energies = of_mean.of_channels(), of_channels.of_channels()
    n_channels, independent = len(energies), energies.sum() / len(energies) ** 2
    if not energy < _CANCELLED * independent:
        return False
    share = 100 * energy / (independent * n_channels)
    warnings.warn(
        f"{name}: its {n_channels} channels cancel when averaged; the mean keeps {share:.2g} % "
        "of their energy. Choose one with channel=0 or channel='loudest'.",
        stacklevel=2,
    )
    return True
