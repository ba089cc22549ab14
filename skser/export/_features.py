"""Spectral features of a padded batch of waveforms, as ONNX operators."""

import numpy as np
import scipy.fft

from skser.feature_extraction import DELTA_REACH, MFCC, LevelContour, MelSpectrogram, Spectrogram

SPECTRAL = (LevelContour, MFCC, MelSpectrogram, Spectrogram)


def shortest(transformer):
    """Return the smallest number of samples that an utterance must have."""
    return _first(transformer) + len(transformer._prepare().fourier.window)


def add_features(graph, transformer, waveform, lengths):
    """Append the operators of a spectral transformer.

    The frames of an utterance do not depend on the batch: the transformer assumes zeros after an
    utterance, and frames that begin after its end are ignored.

    Parameters
    ----------
    graph : Graph
    transformer : transformer of audio
    waveform : str
        Value (batch, samples), float32, zero after each utterance.
    lengths : str
        Value (batch,), int64: number of samples of each utterance.

    Returns
    -------
    x : str
        Value (batch, channels, time, bands), undefined after each utterance.
    lengths : str
        Value (batch,), int64: number of frames of each utterance.
    """
    prepared = transformer._prepare()
    fourier = prepared.fourier
    if isinstance(transformer, LevelContour):
        waveform, lengths = _cut(graph, transformer, waveform, lengths)
    lengths = graph.add("Add", graph.add("Div", lengths, np.int64(fourier.hop)), np.int64(1))
    if isinstance(transformer, Spectrogram):
        power = _power(graph, fourier, waveform, prepared.bands)
    else:
        filters = prepared.bands.toarray()
        heard = np.flatnonzero(filters.any(axis=0))
        bins = slice(heard[0], heard[-1] + 1)
        power = graph.add("MatMul", filters[:, bins], _power(graph, fourier, waveform, bins))
    frames = _Frames(graph, power, lengths)
    if isinstance(transformer, Spectrogram):
        frames.apply_scale(transformer.scale, transformer.top_db)
    else:
        frames.to_decibels(transformer.top_db)
    if isinstance(transformer, LevelContour):
        frames.values = graph.add("ReduceMean", frames.values, axes=[1])
    if isinstance(transformer, MFCC):
        cosines = scipy.fft.dct(np.eye(transformer.n_mels), axis=0, norm="ortho")
        frames.values = graph.add("MatMul", cosines[: transformer.n_mfcc], frames.values)
    if getattr(transformer, "normalize", None) == "utterance":
        frames.subtract_means()
    return frames.with_deltas(getattr(transformer, "deltas", 0)), lengths


def _first(transformer):
    return round(getattr(transformer, "offset", 0) * transformer.sampling_rate)


def _cut(graph, transformer, waveform, lengths):
    first = _first(transformer)
    lengths = graph.add("Sub", lengths, np.int64(first))
    last = np.iinfo(np.int64).max
    if transformer.duration is not None:
        n_kept = round(transformer.duration * transformer.sampling_rate)
        last = first + n_kept
        lengths = graph.add("Min", lengths, np.int64(n_kept))
    return graph.add("Slice", waveform, *(np.array([n]) for n in (first, last, 1))), lengths


def _power(graph, fourier, waveform, bins):
    """Return power spectra (batch, bins, time)."""
    n_window = len(fourier.window)
    # A convolution frames, tapers and transforms at once; onnxruntime's STFT takes 2 to 25 times
    # as long, and its transforms of other lengths than powers of two lose digits.
    angles = np.outer(np.arange(fourier.n_fft // 2 + 1)[bins], np.arange(n_window))
    angles = (angles % fourier.n_fft) * (2 * np.pi / fourier.n_fft)
    waves = np.concatenate([np.cos(angles), np.sin(angles)]) * fourier.window.astype(np.float64)
    margins = np.array([0, fourier.before, 0, n_window - fourier.before])
    signal = graph.add("Unsqueeze", graph.add("Pad", waveform, margins), np.array([1]))
    parts = graph.add("Conv", signal, waves[:, None], strides=[fourier.hop])
    n_bins = len(angles)
    squares = graph.add("Mul", parts, parts)
    first, second = (
        graph.add("Slice", squares, *(np.array([n]) for n in (i * n_bins, (i + 1) * n_bins, 1)))
        for i in (0, 1)
    )
    return graph.add("Add", first, second)


class _Frames:
    """Values (batch, bands, time), and a mask of the frames inside each utterance."""

    def __init__(self, graph, values, lengths):
        self.graph, self.values, self.lengths = graph, values, lengths
        self.inside = graph.add(
            "Unsqueeze", graph.inside(values, 2, lengths), np.array([1])
        )  # (batch, 1, time)

    def apply_scale(self, scale, top_db):
        add = self.graph.add
        if scale == "linear":
            self.values = add("Sqrt", self.values)
        elif scale != "power":
            self.to_decibels(top_db)
        if scale == "log":
            self.values = add("Mul", self.values, np.log(10) / 20)

    def to_decibels(self, top_db):
        add = self.graph.add
        logarithm = add("Log", add("Max", self.values, 1e-10))
        self.values = add("Mul", logarithm, 10 / np.log(10))
        if top_db is not None:
            own = add("Where", self.inside, self.values, -np.inf)
            highest = add("ReduceMax", own, axes=[1, 2])
            self.values = add("Max", self.values, add("Sub", highest, top_db))

    def subtract_means(self):
        add = self.graph.add
        own = add("Where", self.inside, add("ReduceMean", self.values, axes=[1]), 0.0)
        n_frames = add("Unsqueeze", add("Cast", self.lengths, to=1), np.array([1, 2]))
        mean = add("Div", add("ReduceSum", own, np.array([2])), n_frames)
        self.values = add("Sub", self.values, mean)

    def with_deltas(self, n_deltas):
        """Return all channels, (batch, channels, time, bands)."""
        add = self.graph.add
        channels = [self.values]
        for _ in range(n_deltas):
            channels.append(self._slopes(channels[-1]))
        stacked = [add("Unsqueeze", channel, np.array([1])) for channel in channels]
        return add("Transpose", add("Concat", *stacked, axis=1), perm=[0, 1, 3, 2])

    def _slopes(self, x):
        add = self.graph.add
        # The last frame of an utterance is repeated, wherever in the batch it is.
        last = add(
            "Equal",
            self.graph.positions(x, 2),
            add("Unsqueeze", add("Sub", self.lengths, np.int64(1)), np.array([1, 2])),
        )
        last = add("ReduceSum", add("Where", last, x, 0.0), np.array([2]))
        x = add("Where", self.inside, x, last)
        margins = np.array([0, 0, DELTA_REACH, 0, 0, DELTA_REACH])
        x = add("Unsqueeze", add("Pad", x, margins, mode="edge"), np.array([1]))
        weights = np.arange(-DELTA_REACH, DELTA_REACH + 1.0)
        weights /= np.square(weights).sum()
        return add("Squeeze", add("Conv", x, weights[None, None, None]), np.array([1]))
