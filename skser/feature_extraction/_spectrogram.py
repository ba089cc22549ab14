"""Linear-frequency spectrogram."""

import numpy as np
from sklearn.utils._param_validation import StrOptions

from skser._docstrings import insert_descriptions
from skser.feature_extraction._parameters import DESCRIPTIONS
from skser.feature_extraction._spectral import (
    PreparedSpectra,
    ShortTimeFourier,
    SpectralTransformer,
    hashable,
)
from skser.sequences import Layout


@insert_descriptions(DESCRIPTIONS)
class Spectrogram(SpectralTransformer):
    """Short-time spectrum of each utterance on a linear frequency axis.

    Parameters
    ----------
    window : float, default=0.040
        Length of the analysis window, in seconds.
    {hop}
    {window_type}
    {n_fft}
    fmin, fmax : float, default=0.0, None
        Frequency range in Hz, ``fmin <= f < fmax``. An `fmax` of None keeps everything up to
        and including half the sampling rate.
    scale : {"db", "log", "power", "linear"}, default="db"
        Scale of the values: ``10 log10`` of the power, natural logarithm of the magnitude,
        power, or magnitude.
    top_db : float or None, default=80.0
        Range of levels to keep, in dB, if `scale` is "db" or "log": lower values are raised to
        `top_db` below the utterance's maximum. None sets no such floor.
    {sampling_rate}
    {input_sampling_rate}
    {n_jobs}
    {verbose}
    {on_error}
    {memory}
    {device}

    Notes
    -----
    Frames are centered on multiples of `hop`, the first on time 0, and the signal continues
    as zeros on both sides. With the same window, `n_fft` and hop, the power equals
    ``numpy.abs(librosa.stft(...)) ** 2``.

    On a `device`, power differs from that of NumPy by less than 1e-4 of the utterance's
    maximum, and decibels by less than 0.01 over the top 60 dB (1e-6 and 0.002 with torch on a
    CPU). Values do not depend on the other utterances.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.feature_extraction import Spectrogram
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
    >>> X = Spectrogram(n_fft=800, fmax=4000, input_sampling_rate=16000).transform([tone])
    >>> X[0].shape
    (101, 200)
    >>> X.layout.frequencies[X[0][50].argmax()]
    1000.0
    """

    _parameter_constraints = {
        **SpectralTransformer._parameter_constraints,
        "scale": [StrOptions({"db", "log", "power", "linear"})],
    }

    def __init__(
        self,
        window=0.040,
        hop=0.010,
        window_type="hamming",
        n_fft=None,
        fmin=0.0,
        fmax=None,
        scale="db",
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
        self.scale = scale

    def _prepare(self):
        fourier = ShortTimeFourier.from_seconds(
            self.sampling_rate, self.window, self.hop, self.n_fft, hashable(self.window_type)
        )
        frequencies = np.arange(fourier.n_fft // 2 + 1) * (self.sampling_rate / fourier.n_fft)
        fmax = np.inf if self.fmax is None else self.fmax
        first, last = np.searchsorted(frequencies, (self.fmin, fmax))
        if first >= last:
            raise ValueError(
                f"No frequency bin lies between fmin={self.fmin} and fmax={self.fmax} Hz "
                f"at n_fft={fourier.n_fft}: widen the range or use a longer n_fft=."
            )
        bins = slice(int(first), int(last))
        return PreparedSpectra(fourier, bins, tuple(frequencies[bins].tolist()), self.device)

    def _steps(self, frames):
        if self.scale == "linear":
            frames.square_root()
        elif self.scale != "power":
            frames.to_decibels(self.top_db)
        if self.scale == "log":
            frames.multiply(np.log(10) / 20)

    def _layout(self, prepared):
        return Layout(
            feature_names=tuple(f"{f:g}Hz" for f in prepared.frequencies),
            hop=prepared.fourier.hop / self.sampling_rate,
            frequencies=prepared.frequencies,
        )
