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


def array_of(tensor):
    """Return a tensor of torch as an array of float64."""
    return tensor.detach().cpu().double().numpy()


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
    prepared = transformer._prepare()
    fourier = prepared.fourier
    if isinstance(transformer, LevelContour):
        waveform, lengths = _excerpt(transformer, waveform, lengths)
    lengths = lengths // np.int64(fourier.hop) + np.int64(1)
    if isinstance(transformer, Spectrogram):
        bins = slice(*prepared.bands.indices(fourier.n_fft // 2 + 1)[:2])
        n_bands, x = bins.stop - bins.start, power_spectra(waveform, fourier, bins)
    else:
        filters = prepared.bands.toarray()
        heard = np.flatnonzero(filters.any(axis=0))
        bins = slice(heard[0], heard[-1] + 1)
        n_bands, x = len(filters), filters[:, bins] @ power_spectra(waveform, fourier, bins)
    frames = _GraphFrames(x, lengths, n_bands)
    transformer._steps(frames)
    x = waveform.graph.add("Concat", *(x.unsqueeze(1) for x in frames.channels), axis=1)
    n_channels = len(frames.channels)
    return Frames(x.transpose(0, 1, 3, 2), lengths, frames.inside, n_channels, frames.n_bands)


class _GraphFrames:
    """Frames in a graph, with the operations that the backends of spectral transformers have.

    Parameters
    ----------
    x : Value
        Band powers (batch, bands, time).
    lengths : Value
        Number of frames of each utterance (batch,), int64.
    n_bands : int
    """

    def __init__(self, x, lengths, n_bands):
        self.channels, self.lengths, self.n_bands = [x], lengths, n_bands
        self.inside = x.inside(2, lengths)
        self._inside = self.inside.unsqueeze(1)

    def square_root(self):
        self.channels[0] = self.channels[0].then("Sqrt")

    def multiply(self, factor):
        self.channels[0] = self.channels[0] * factor

    def to_decibels(self, top_db):
        x = self.channels[0].then("Max", FLOOR).then("Log") * (10 / np.log(10))
        floor = None if top_db is None else highest(x, self._inside) - float(top_db)
        self.channels[0] = x if floor is None else x.then("Max", floor)

    def average_bands(self):
        self.channels[0], self.n_bands = self.channels[0].then("ReduceMean", axes=[1]), 1

    def subtract_mean(self):
        own = masked(self.channels[0].then("ReduceMean", axes=[1]), self._inside)
        mean = own.sum(2) / self.lengths.as_float().unsqueeze(1, 2)
        self.channels[0] = self.channels[0] - mean

    def cosine_transform(self, n_coefficients):
        import scipy.fft

        cosines = scipy.fft.dct(np.eye(self.n_bands), axis=0, norm="ortho")[:n_coefficients]
        self.channels[0], self.n_bands = cosines @ self.channels[0], n_coefficients

    def append_deltas(self, n_deltas):
        margins = np.array([0, 0, DELTA_REACH, 0, 0, DELTA_REACH])
        weights = np.arange(-DELTA_REACH, DELTA_REACH + 1.0)
        weights /= np.square(weights).sum()
        for _ in range(n_deltas):
            x = self.channels[-1]
            # The last frame of an utterance is repeated, wherever in the batch it is.
            last = (
                self.channels[0]
                .positions(2)
                .then("Equal", (self.lengths - np.int64(1)).unsqueeze(1, 2))
            )
            x = x.graph.add("Where", self._inside, x, masked(x, last).sum(2))
            x = x.then("Pad", margins, mode="edge").unsqueeze(1)
            self.channels.append(x.then("Conv", weights[None, None, None]).squeeze(1))


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
    times, steps = np.arange(n_parts), np.arange(bins.start, bins.stop)[:, None]
    angles = 2 * np.pi / n_fft * np.arange(n_fft)
    cosines, sines = np.cos(angles), np.sin(angles)

    def values(circle, times):
        places = graph.add("Mul", steps, times).then("Mod", np.int64(n_fft))
        return graph.add("Gather", circle, places, axis=1)

    rotations = np.array([np.stack([cosines, -sines], 1), np.stack([sines, cosines], 1)])
    coarse = values(rotations, n_parts * times)  # (2, n_bins, n_parts, 2)
    fine = values(np.stack([cosines, sines]), times).transpose(1, 0, 2)  # (n_bins, 2, n_parts)
    found = (coarse @ fine).reshape(-1, n_parts**2)
    return found if n_window == n_parts**2 else found.cut(1, 0, n_window)


def highest(x, inside):
    """Return the highest value of each utterance in ``x`` (batch, bands, time)."""
    return x.graph.add("Where", inside, x, -np.inf).then("ReduceMax", axes=[1, 2])
