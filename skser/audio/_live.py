"""Audio that arrives in blocks: of any size, from anywhere, as mono samples at one rate."""

from collections.abc import Iterable

import numpy as np

from skser.audio._arrays import scaled, warn_if_cancelled
from skser.audio._checks import check_amplitude, check_rates, check_values
from skser.audio._utterance import MAX_AMPLITUDE
from skser.audio._waveform import Waveform


def stream_blocks(blocks, from_rate, sampling_rate=None, name="the stream"):
    """Turn blocks of samples into mono float32 at one rate, as they come.

    Parameters
    ----------
    blocks : iterable of array-like of shape (n_samples,) or (n_samples, n_channels)
        Blocks of any size, empty ones included, of one type and number of channels. Integers are
        scaled by the full scale of their type; channels are averaged.
    from_rate : float
        Rate of the blocks in Hz.
    sampling_rate : float or None, default=None
        Rate of the result in Hz; None keeps `from_rate`.
    name : str, default="the stream"
        Name in messages.

    Yields
    ------
    samples : ndarray of shape (n_samples,), float32
        Joined, these are what `load_audio` gives of a file of the same samples.
    sampling_rate : float
        In Hz.

    Raises
    ------
    TypeError
        If `blocks` is one array, a block is not an array of numbers, or the type changes.
    ValueError
        If the number of channels changes.
    AudioReadError
        If samples are not finite or beyond full scale, or the rates are too far apart.

    Notes
    -----
    What the iterator raises passes through as it is, with a note that names the block.

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
            "[samples], or a generator."
        )
    rate = Waveform(np.empty(0), from_rate).sampling_rate  # which refuses anything but a rate
    resampler = None
    if sampling_rate not in (None, rate):
        import soxr

        check_rates(rate, sampling_rate, name)
        resampler = soxr.ResampleStream(rate, sampling_rate, 1, dtype="float32")
    energy, energy_of_channels, n_channels = 0.0, 0.0, 1
    for block in _alike(_numbered(blocks, name), name):
        samples = scaled(block)
        if samples.ndim == 2:
            n_channels = samples.shape[1]
            energy_of_channels += float(np.vdot(samples, samples))
            samples = samples.mean(axis=1)
            energy += float(np.dot(samples, samples))
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
    if n_channels > 1:
        warn_if_cancelled(energy, energy_of_channels, n_channels, name)


def _numbered(blocks, name):
    """Number and block; a note on an error of the iterator says at which block it came."""
    iterator, i = iter(blocks), 0
    while True:
        try:
            block = next(iterator)
        except StopIteration:
            return
        except Exception as error:
            error.add_note(f"raised by the iterator of {name}, in place of block {i}")
            raise
        yield i, block
        i += 1


def _alike(numbered, name):
    """Arrays that are not empty, all of one type and number of channels."""
    first = None
    for i, block in numbered:
        if isinstance(block, bytes | bytearray | memoryview):
            raise TypeError(
                f"{name}: block {i} is bytes, whose type of samples nobody states: give "
                "numpy.frombuffer(block, numpy.int16), say."
            )
        try:
            array = np.asarray(block.detach().cpu() if hasattr(block, "detach") else block)
        except ValueError:
            array = np.empty(0, object)
        if array.dtype.kind not in "fiu" or array.ndim not in (1, 2):
            raise TypeError(
                f"{name}: block {i} is not an array of numbers of shape (n_samples,) or "
                f"(n_samples, n_channels), but {type(block).__name__} of "
                f"{array.dtype} and shape {array.shape}."
            )
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        kind = array.dtype, array.shape[1:]
        first = first or (i, kind)
        if kind[0] != first[1][0]:
            raise TypeError(
                f"{name}: block {i} is of {kind[0]} after {first[1][0]}, whose full scale may "
                "differ: convert all blocks to one type."
            )
        if kind[1] != first[1][1]:
            counts = [(shape or (1,))[0] for shape in (kind[1], first[1][1])]
            raise ValueError(
                f"{name}: block {i} has {counts[0]} channels after {counts[1]}: give all blocks "
                "the same channels."
            )
        if array.size:
            yield array
