"""Mel spectrogram and mel-frequency cepstral coefficients."""

import functools
from numbers import Integral

import numpy as np
import scipy.sparse
from sklearn.utils._param_validation import Interval, StrOptions

from skser._docstrings import insert_descriptions
from skser.feature_extraction._mel_bands import mel_filters
from skser.feature_extraction._parameters import DESCRIPTIONS
from skser.feature_extraction._spectral import (
    PreparedSpectra,
    ShortTimeFourier,
    SpectralTransformer,
    delta_names,
    hashable,
)
from skser.sequences import Layout


# Cached, since building it takes longer than the features of one utterance.
@functools.lru_cache(maxsize=32)
def _filterbank(sampling_rate, n_fft, n_mels, fmin, fmax):
    """Return mel filters, a csr_array (n_mels, n_fft // 2 + 1), and their centers in Hz."""
    filters, centers = mel_filters(sampling_rate, n_fft, n_mels, fmin, fmax)
    empty = np.flatnonzero(~filters.any(axis=1))
    if empty.size:
        raise ValueError(
            f"n_mels={n_mels} is too many for n_fft={n_fft}: mel band {empty[0]} covers no "
            "frequency bin. Use a smaller n_mels= or a longer n_fft=."
        )
    # Sparse, since each bin belongs to at most two bands. Besides, the sums of a sparse product
    # never depend on the number of threads, unlike those of a dense one.
    return scipy.sparse.csr_array(filters), tuple(centers.tolist())


@functools.lru_cache(maxsize=32)
def _mel_layout(n_mels, deltas, hop, frequencies):
    return Layout(
        feature_names=delta_names([f"mel{i}" for i in range(n_mels)], deltas),
        hop=hop,
        frequencies=frequencies,
        n_channels=1 + deltas,
    )


# Shared by all transformers that start from mel bands.
MEL_CONSTRAINTS = {
    **SpectralTransformer._parameter_constraints,
    "n_mels": [Interval(Integral, 1, None, closed="left")],
    "deltas": [Interval(Integral, 0, 2, closed="both")],
}


def prepare_mel(transformer):
    """Check the mel bands of a transformer and return its `PreparedSpectra`."""
    rate, window_type = transformer.sampling_rate, transformer.window_type
    if not isinstance(window_type, str):
        window_type = hashable(window_type)
    fourier = ShortTimeFourier.from_seconds(
        rate, transformer.window, transformer.hop, transformer.n_fft, window_type
    )
    fmin, fmax = transformer.fmin, min(rate / 2, transformer.fmax or rate / 2)
    if fmin >= fmax:
        raise ValueError(
            f"fmin={fmin} Hz must lie below fmax={fmax} Hz (at most half the sampling rate of "
            f"{rate} Hz)."
        )
    filters, frequencies = _filterbank(rate, fourier.n_fft, transformer.n_mels, fmin, fmax)
    return PreparedSpectra(fourier, filters, frequencies, transformer.device)


@insert_descriptions(DESCRIPTIONS)
class MelSpectrogram(SpectralTransformer):
    """Mel spectrogram of each utterance in decibels, with its derivatives as channels.

    Parameters
    ----------
    {n_mels}
    {window}
    {hop}
    {window_type}
    {n_fft}
    {mel_range}
    deltas : {0, 1, 2}, default=2
        Number of derivatives to append as channels. Each is the slope, per frame, of a
        regression line over nine frames of the channel before it.
    normalize : {"utterance", None}, default="utterance"
        Normalization. "utterance" subtracts each utterance's mean over all frames and bands, in
        dB, so that the level of the recording has no effect. None keeps the level.
    top_db : float or None, default=60.0
        Range of levels to keep, in dB: lower values are raised to `top_db` below the utterance's
        maximum. None sets no such floor.
    {sampling_rate}
    {input_sampling_rate}
    {n_jobs}
    {verbose}
    {on_error}
    {memory}
    {device}

    Notes
    -----
    The static channel agrees with ``librosa.power_to_db(librosa.feature.melspectrogram(...))``
    (Slaney's mel scale and area normalization) within 0.01 dB over the top 60 dB. Values
    computed on a `device` agree with those of NumPy equally well (within 0.0005 dB with torch on
    a CPU). They do not depend on the other utterances.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.feature_extraction import MelSpectrogram
    >>> noise = np.random.RandomState(0).randn(16000)
    >>> X = MelSpectrogram(input_sampling_rate=16000).transform([noise])
    >>> X, X.layout.n_channels, X.layout.n_bands, X.layout.hop
    (Sequences(1 utterance, 101 frames, 192 columns), 3, 64, 0.01)
    """

    _parameter_constraints = {
        **MEL_CONSTRAINTS,
        "normalize": [StrOptions({"utterance"}), None],
    }

    def __init__(
        self,
        n_mels=64,
        window=0.025,
        hop=0.010,
        window_type="hamming",
        n_fft=None,
        fmin=50.0,
        fmax=8000.0,
        deltas=2,
        normalize="utterance",
        top_db=60.0,
        *,
        sampling_rate=16000,
        input_sampling_rate=None,
        n_jobs=None,
        verbose=False,
        on_error="raise",
        memory=None,
        device=None,
    ):
        super().__init__(
            window, hop, window_type, n_fft, fmin, fmax, top_db,
            sampling_rate, input_sampling_rate, n_jobs, verbose, on_error, memory, device,
        )  # fmt: skip
        self.n_mels = n_mels
        self.deltas = deltas
        self.normalize = normalize

    _prepare = prepare_mel

    def _steps(self, frames):
        frames.to_decibels(self.top_db)
        if self.normalize == "utterance":
            frames.subtract_mean()
        frames.append_deltas(self.deltas)

    def _layout(self, prepared):
        hop = prepared.fourier.hop / self.sampling_rate
        return _mel_layout(self.n_mels, self.deltas, hop, prepared.frequencies)


@insert_descriptions(DESCRIPTIONS)
class MFCC(SpectralTransformer):
    """Mel-frequency cepstral coefficients of each utterance.

    They are the orthonormal discrete cosine transform (type II) of the mel spectrogram in
    decibels.

    Parameters
    ----------
    n_mfcc : int, default=20
        Number of coefficients to keep, including the zeroth (the level).
    {n_mels}
    {window}
    {hop}
    {window_type}
    {n_fft}
    {mel_range}
    {deltas}
    top_db : float or None, default=80.0
        Range of levels to keep before the transform, in dB: lower values are raised to `top_db`
        below the utterance's maximum. None sets no such floor.
    {sampling_rate}
    {input_sampling_rate}
    {n_jobs}
    {verbose}
    {on_error}
    {memory}
    {device}

    Notes
    -----
    With `top_db` at most 60, values computed on a `device` agree with those of NumPy within 0.01
    (within 0.0005 with torch on a CPU). They do not depend on the other utterances.

    References
    ----------
    Davis, S. and Mermelstein, P. (1980). Comparison of parametric representations for
    monosyllabic word recognition in continuously spoken sentences. IEEE TASSP 28(4).

    Examples
    --------
    >>> import numpy as np
    >>> from skser.feature_extraction import MFCC
    >>> noise = np.random.RandomState(0).randn(16000)
    >>> MFCC(input_sampling_rate=16000).transform([noise])[0].shape
    (101, 20)
    """

    _parameter_constraints = {
        **MEL_CONSTRAINTS,
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_mfcc=20,
        n_mels=64,
        window=0.025,
        hop=0.010,
        window_type="hamming",
        n_fft=None,
        fmin=50.0,
        fmax=8000.0,
        deltas=0,
        top_db=80.0,
        *,
        sampling_rate=16000,
        input_sampling_rate=None,
        n_jobs=None,
        verbose=False,
        on_error="raise",
        memory=None,
        device=None,
    ):
        super().__init__(
            window, hop, window_type, n_fft, fmin, fmax, top_db,
            sampling_rate, input_sampling_rate, n_jobs, verbose, on_error, memory, device,
        )  # fmt: skip
        self.n_mfcc = n_mfcc
        self.n_mels = n_mels
        self.deltas = deltas

    def _prepare(self):
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"n_mfcc={self.n_mfcc} exceeds n_mels={self.n_mels}: use at most as many "
                "coefficients as mel bands."
            )
        return prepare_mel(self)

    def _steps(self, frames):
        frames.to_decibels(self.top_db)
        frames.cosine_transform(self.n_mfcc)
        frames.append_deltas(self.deltas)

    def _layout(self, prepared):
        return Layout(
            feature_names=delta_names([f"mfcc{i}" for i in range(self.n_mfcc)], self.deltas),
            hop=prepared.fourier.hop / self.sampling_rate,
            n_channels=1 + self.deltas,
        )
