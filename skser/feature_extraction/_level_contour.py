"""Level of speech over time: one value per frame."""

from numbers import Real

from sklearn.utils._param_validation import Interval

from skser._docstrings import insert_descriptions
from skser.feature_extraction._base import UtteranceTooShort
from skser.feature_extraction._mel import MEL_CONSTRAINTS, prepare_mel
from skser.feature_extraction._parameters import DESCRIPTIONS
from skser.feature_extraction._spectral import SpectralTransformer, delta_names
from skser.sequences import Layout


@insert_descriptions(DESCRIPTIONS)
class LevelContour(SpectralTransformer):
    """Level of each frame of an utterance: the mean over its mel bands, in decibels.

    Parameters
    ----------
    offset : float, default=0.0
        Time to skip at the start of an utterance, in seconds.
    duration : float or None, default=None
        Time to keep after that, in seconds. None keeps the rest; so does a `duration` longer
        than the rest.
    {n_mels}
    {window}
    {hop}
    {window_type}
    {n_fft}
    {mel_range}
    {deltas}
    top_db : float or None, default=60.0
        Range of levels to keep before averaging, in dB: bands are raised to `top_db` below the
        maximum of the kept part. None sets no such floor.
    {sampling_rate}
    {input_sampling_rate}
    {n_jobs}
    {verbose}
    {on_error}
    {memory}
    {device}

    Notes
    -----
    The level is that of the recording: the utterance's mean is not subtracted, so a louder
    recording has a higher level. Values agree within 0.01 dB with the mean over the mel axis of
    ``librosa.power_to_db(librosa.feature.melspectrogram(...), top_db=...)``.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.feature_extraction import LevelContour
    >>> noise = np.random.RandomState(0).randn(16000).astype(np.float32)
    >>> noise[8000:] = noise[:8000] / 10
    >>> X = LevelContour(offset=0.25, input_sampling_rate=16000).transform([noise])
    >>> X[0].shape, X.layout.offset
    ((76, 1), 0.25)
    >>> float((X[0][10, 0] - X[0][60, 0]).round())
    20.0
    """

    _parameter_constraints = {
        **MEL_CONSTRAINTS,
        "offset": [Interval(Real, 0, None, closed="left")],
        "duration": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        offset=0.0,
        duration=None,
        n_mels=64,
        window=0.025,
        hop=0.010,
        window_type="hamming",
        n_fft=None,
        fmin=50.0,
        fmax=8000.0,
        deltas=0,
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
        self.offset = offset
        self.duration = duration
        self.n_mels = n_mels
        self.deltas = deltas

    def _read(self, item, index):
        samples = super()._read(item, index)
        first = round(self.offset * self.sampling_rate)
        if first >= len(samples):
            raise UtteranceTooShort(
                f"lasts {len(samples) / self.sampling_rate:.3g} s, all of which "
                f"offset={self.offset} s skips: leave the utterance out or use a smaller offset="
            )
        if self.duration is None:
            return samples[first:]
        return samples[first : first + round(self.duration * self.sampling_rate)]

    _prepare = prepare_mel

    def _steps(self, frames):
        frames.to_decibels(self.top_db)
        frames.average_bands()
        frames.append_deltas(self.deltas)

    def _layout(self, prepared):
        return Layout(
            feature_names=delta_names(["level"], self.deltas),
            hop=prepared.fourier.hop / self.sampling_rate,
            offset=round(self.offset * self.sampling_rate) / self.sampling_rate,
            n_channels=1 + self.deltas,
        )
