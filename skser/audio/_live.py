"""Conversion of audio that arrives in blocks to mono samples at one rate."""

from collections.abc import Iterable

import numpy as np

from skser._wording import counted
from skser.audio._arrays import (
    Energy,
    check_full_scale,
    check_layout,
    scaled,
    warn_if_cancelled,
)
from skser.audio._checks import check_amplitude, check_rates, check_values
from skser.audio._utterance import MAX_AMPLITUDE
from skser.audio._waveform import Waveform, check_sampling_rate, detached

_AUDIBLE = 1e-6  # mean square of sound at -60 dB of full scale


def stream_blocks(blocks, from_rate, sampling_rate=None, name="the stream"):
    """Convert blocks of samples to mono float32 at one sampling rate, as they arrive.

    Parameters
    ----------
    blocks : iterable of array-like of shape (n_samples,) or (n_samples, n_channels)
        Blocks of any size, including empty ones, all with the same type and number of channels.
        Integers of up to 32 bits are divided by the full scale of their type, and channels are
        averaged.
    from_rate : float
        Sampling rate of the blocks in Hz.
    sampling_rate : float or None, default=None
        Sampling rate of the result in Hz; None keeps `from_rate`.
    name : str, default="the stream"
        Name of the stream in messages.

    Yields
    ------
    samples : ndarray of shape (n_samples,), float32
        Successive pieces. Concatenated, they equal what `load_audio` returns for a file of the
        same samples.
    sampling_rate : float
        Sampling rate of `samples` in Hz.

    Raises
    ------
    TypeError
        If `blocks` is a single array, a block is not an array of numbers, or the type changes.
    ValueError
        If the number of channels changes, or a block is a `Waveform` of another rate.
    AudioReadError
        If samples are not finite, far beyond full scale or integers of 64 bits, if there are more
        than 64 channels, or if the rates are too far apart.

    Warns
    -----
    UserWarning
        If the channels cancel when averaged, as soon as a second of sound has arrived.

    Notes
    -----
    Exceptions of the iterator are passed on unchanged, with a note that names the block.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.audio import stream_blocks
    >>> blocks = [np.zeros(800, np.int16)] * 10
    >>> sum(len(samples) for samples, rate in stream_blocks(blocks, 8000, 16000))
    16000
    """
    if isinstance(blocks, np.ndarray | bytes) or not isinstance(blocks, Iterable):
        raise TypeError(
            f"blocks is of type {type(blocks).__name__}, not an iterable of arrays: pass "
            "[samples] or a generator."
        )
    rate, resampler = from_rate, None
    check_sampling_rate(rate)
    if sampling_rate not in (None, rate):
        check_sampling_rate(sampling_rate)
        import soxr

        check_rates(rate, sampling_rate, name)
        resampler = soxr.ResampleStream(rate, sampling_rate, 1, dtype="float32")
    of_mean, of_channels, has_warned = Energy(), Energy(), False
    for block in _alike(_numbered(blocks, name), rate, name):
        samples = scaled(block)
        if samples.ndim == 2:
            of_channels.add(samples)
            samples = samples.mean(axis=1)
            of_mean.add(samples[:, None])
            if not has_warned and _is_enough(of_channels, rate):
                has_warned = warn_if_cancelled(of_mean, of_channels, name)
        check_values(samples, name)
        if block.dtype.kind == "f":
            check_amplitude(samples, MAX_AMPLITUDE, name)
        yield (
            (samples, rate)
            if resampler is None
            else (
                resampler.resample_chunk(samples),
                sampling_rate,
            )
        )
    if resampler is not None:
        yield resampler.resample_chunk(np.empty(0, np.float32), last=True), sampling_rate
    if of_channels.n_samples and not has_warned:
        warn_if_cancelled(of_mean, of_channels, name)


def _is_enough(energy, rate):
    """Return True after a second that is audible, because a live stream may never end."""
    return energy.n_samples >= rate and energy.of_channels().sum() > _AUDIBLE * rate


def _numbered(blocks, name):
    """Yield each block with its number, and add the number to an exception of the iterator."""
    iterator, i = iter(blocks), 0
    while True:
        try:
            block = next(iterator)
        except StopIteration:
            return
        except Exception as error:
            error.add_note(f"raised by the iterator of {name} when block {i} was requested")
            raise
        yield i, block
        i += 1


def _alike(numbered, rate, name):
    """Yield non-empty blocks as arrays; raise if their type, channels or rate differ."""
    first = None
    for i, block in numbered:
        if isinstance(block, bytes | bytearray | memoryview):
            raise TypeError(
                f"{name}: block {i} is bytes, so its sample type is unknown: pass an array, for "
                "example numpy.frombuffer(block, numpy.int16)."
            )
        try:
            array = np.asarray(detached(block))
        except ValueError:
            array = np.empty(0, object)
        if array.dtype.kind not in "fiu" or array.ndim not in (1, 2):
            raise TypeError(
                f"{name}: block {i} is not an array of numbers of shape (n_samples,) or "
                f"(n_samples, n_channels), but {type(block).__name__} of "
                f"{array.dtype} and shape {array.shape}."
            )
        own_rate = block.sampling_rate if isinstance(block, Waveform) else None
        if own_rate not in (None, rate):
            raise ValueError(
                f"{name}: block {i} is a Waveform of {own_rate:g} Hz, but the stream has {rate:g} "
                "Hz: pass the rate of the blocks."
            )
        check_full_scale(array, f"{name}: block {i}")
        if array.ndim == 2:
            check_layout(array, f"{name}: block {i}")
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        kind = array.dtype, array.shape[1:]
        first = first or (i, kind)
        if kind[0] != first[1][0]:
            raise TypeError(
                f"{name}: block {i} has type {kind[0]}, but the blocks before have type "
                f"{first[1][0]}: convert all blocks to one type."
            )
        if kind[1] != first[1][1]:
            counts = [(shape or (1,))[0] for shape in (kind[1], first[1][1])]
            raise ValueError(
                f"{name}: block {i} has {counted(counts[0], 'channel')}, but the blocks before "
                f"have {counts[1]}: pass the same channels in all blocks."
            )
        if array.size:
            yield array
