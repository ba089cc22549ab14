"""Spectral features of a padded batch of waveforms, as ONNX operators."""

import math
from dataclasses import dataclass, replace

import numpy as np

from skser.export._graph import Value
from skser.feature_extraction import DELTA_REACH, MFCC, LevelContour, MelSpectrogram, Spectrogram

SPECTRAL = (LevelContour, MFCC, MelSpectrogram, Spectrogram)
FLOOR = 1e-10  # of powers, before their logarithm


@dataclass
class Frames:
    """Frame sequences in a graph.

    Parameters
    ----------
    x : Value
        Values (batch, channels, time, bands), undefined after each utterance.
    lengths : Value
        Number of frames of each utterance (batch,), int64.
    inside : Value
        Mask of the frames inside each utterance (batch, time), bool.
    n_channels, n_bands : int
    """

    x: Value
    lengths: Value
    inside: Value
    n_channels: int
    n_bands: int

    def split(self, n_channels):
        """Divide the columns of frames that have one channel into channels."""
        if n_channels == self.n_channels:
            return self
        n_bands = self.n_channels * self.n_bands // n_channels
        columns = self.x.transpose(0, 2, 1, 3).reshape(0, 0, n_channels, n_bands)
        return replace(
            self, x=columns.transpose(0, 2, 1, 3), n_channels=n_channels, n_bands=n_bands
        )

    def moments(self):
        """Return the means and the standard deviations of all columns (batch, 2 * n_columns)."""
        columns = self.x.transpose(0, 2, 1, 3).reshape(0, 0, self.n_channels * self.n_bands)
        mean, deviation = moments(columns, self.inside)
        return mean.then("Concat", deviation, axis=1)


def moments(x, inside):
    """Return means and standard deviations of ``x`` (batch, time, columns) over a mask of times."""
    n_frames = inside.as_float().sum(1)
    inside = inside.unsqueeze(2)
    mean = masked(x, inside).sum(1, keepdims=0) / n_frames
    apart = masked(x - mean.unsqueeze(1), inside)
    return mean, ((apart * apart).sum(1, keepdims=0) / n_frames).then("Sqrt")


def masked(x, inside):
    """Set values outside of utterances to zero, whatever they are."""
    return x.graph.add("Where", inside, x, 0.0)


def shortest(transformer):
    """Return the smallest number of samples that an utterance must have."""
    return _first(transformer) + len(transformer._prepare().fourier.window)


def spectral_frames(transformer, waveform, lengths):
    """Append the operators of a spectral transformer.

    The frames of an utterance do not depend on the batch: the transformer assumes zeros after an
    utterance, and frames that begin after its end are ignored.

    Parameters
    ----------
    transformer : transformer of audio
    waveform : Value
        Samples (batch, samples), float32, zero after each utterance.
    lengths : Value
        Number of samples of each utterance (batch,), int64.

    Returns
    -------
    Frames
    """
    import scipy.fft

    prepared = transformer._prepare()
    fourier, n_deltas = prepared.fourier, getattr(transformer, "deltas", 0)
    if isinstance(transformer, LevelContour):
        waveform, lengths = _excerpt(transformer, waveform, lengths)
    lengths = lengths // np.int64(fourier.hop) + np.int64(1)
    if isinstance(transformer, Spectrogram):
        n_bins = fourier.n_fft // 2 + 1
        bins = slice(*prepared.bands.indices(n_bins)[:2])
        x = power_spectra(waveform, fourier, bins)
    else:
        filters = prepared.bands.toarray()
        heard = np.flatnonzero(filters.any(axis=0))
        bins = slice(heard[0], heard[-1] + 1)
        x = filters[:, bins] @ power_spectra(waveform, fourier, bins)
    known = x.inside(2, lengths)
    inside = known.unsqueeze(1)  # (batch, 1, time)
    scale = getattr(transformer, "scale", "decibels")
    if scale == "linear":
        x = x.then("Sqrt")
    elif scale != "power":
        x = _decibels(x, inside, transformer.top_db)
    if scale == "log":
        x = x * (np.log(10) / 20)
    if isinstance(transformer, LevelContour):
        x = x.then("ReduceMean", axes=[1])
    if isinstance(transformer, MFCC):
        cosines = scipy.fft.dct(np.eye(transformer.n_mels), axis=0, norm="ortho")
        x = cosines[: transformer.n_mfcc] @ x
    if getattr(transformer, "normalize", None) == "utterance":
        own = masked(x.then("ReduceMean", axes=[1]), inside)
        x = x - own.sum(2) / lengths.as_float().unsqueeze(1, 2)
    channels = [x]
    if n_deltas:
        last = x.positions(2).then("Equal", (lengths - np.int64(1)).unsqueeze(1, 2))
    for _ in range(n_deltas):
        channels.append(_slopes(channels[-1], inside, last))
    x = x.graph.add("Concat", *(channel.unsqueeze(1) for channel in channels), axis=1)
    n_columns = len(transformer._layout(prepared).feature_names)
    n_channels = n_deltas + 1
    return Frames(x.transpose(0, 1, 3, 2), lengths, known, n_channels, n_columns // n_channels)


def _first(transformer):
    return round(getattr(transformer, "offset", 0) * transformer.sampling_rate)


def _excerpt(transformer, waveform, lengths):
    first = _first(transformer)
    lengths = lengths - np.int64(first)
    last = np.iinfo(np.int64).max
    if transformer.duration is not None:
        n_kept = round(transformer.duration * transformer.sampling_rate)
        last = first + n_kept
        lengths = lengths.then("Min", np.int64(n_kept))
    return waveform.cut(1, first, last), lengths


def power_spectra(waveform, fourier, bins):
    """Return power spectra (batch, bins, time) of samples (batch, samples).

    Parameters
    ----------
    waveform : Value
    fourier : object
        ``window``, ``n_fft``, ``hop``, and ``before``, the number of zeros before the samples.
    bins : slice
        Bins of the transform to return.
    """
    n_window = len(fourier.window)
    if fourier.before is not None:
        margins = np.array([0, fourier.before, 0, n_window - fourier.before])
        waveform = waveform.then("Pad", margins)
    # A convolution frames, tapers and transforms at once; onnxruntime's STFT takes 2 to 25 times
    # as long, and its transforms of other lengths than powers of two lose digits.
    kernels = waves(waveform.graph, bins, n_window, fourier.n_fft) * fourier.window
    parts = waveform.unsqueeze(1).then("Conv", kernels.unsqueeze(1), strides=[fourier.hop])
    squares, n_bins = parts * parts, bins.stop - bins.start
    return squares.cut(1, 0, n_bins) + squares.cut(1, n_bins, 2 * n_bins)


def waves(graph, bins, n_window, n_fft):
    """Return cosines and sines (2 * n_bins, n_window), computed since they would fill the file."""
    # Times are sums of two, each from a few values, and the angles add up as in a rotation: a
    # twentieth of the values to compute when the model is loaded.
    n_parts = math.ceil(math.sqrt(n_window))
    angles = 2 * np.pi / n_fft * np.arange(n_fft)
    cosines, sines = np.cos(angles), np.sin(angles)
    steps = (graph.indices(bins.stop - bins.start) + np.int64(bins.start)).unsqueeze(1)

    def values(circle, times):
        return graph.add("Gather", circle, (steps * times).then("Mod", np.int64(n_fft)), axis=-1)

    coarse = graph.indices(n_parts) * np.int64(n_parts)
    coarse = values(np.array([[cosines, -sines], [sines, cosines]]), coarse).transpose(0, 2, 3, 1)
    fine = values(np.array([cosines, sines]), graph.indices(n_parts)).transpose(1, 0, 2)
    found = (coarse @ fine).reshape(-1, n_parts**2)
    return found if n_window == n_parts**2 else found.cut(1, 0, n_window)


def _decibels(x, inside, top_db):
    x = x.then("Max", FLOOR).then("Log") * (10 / np.log(10))
    return x if top_db is None else x.then("Max", highest(x, inside) - top_db)


def highest(x, inside):
    """Return the highest value of each utterance in ``x`` (batch, bands, time)."""
    return x.graph.add("Where", inside, x, -np.inf).then("ReduceMax", axes=[1, 2])


def _slopes(x, inside, last):
    # The last frame of an utterance is repeated, wherever in the batch it is.
    x = x.graph.add("Where", inside, x, masked(x, last).sum(2))
    margins = np.array([0, 0, DELTA_REACH, 0, 0, DELTA_REACH])
    x = x.then("Pad", margins, mode="edge").unsqueeze(1)
    weights = np.arange(-DELTA_REACH, DELTA_REACH + 1.0)
    weights /= np.square(weights).sum()
    return x.then("Conv", weights[None, None, None]).squeeze(1)
