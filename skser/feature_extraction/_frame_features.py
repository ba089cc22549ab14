"""Low-level descriptors of 20-ms frames."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval

from skser._docstrings import insert_descriptions
from skser.feature_extraction._base import AudioTransformer
from skser.feature_extraction._parameters import DESCRIPTIONS
from skser.feature_extraction._spectral import (
    NumpyFrames,
    ShortTimeFourier,
    delta_names,
)
from skser.feature_extraction._spectral_shape import (
    N_MELS,
    N_MFCC,
    NAMES,
    SpectralShape,
    cepstrum,
    flux,
    loudness,
)
from skser.sequences import Layout

COLUMNS = {
    "pitch": ("F0", "voicing"),
    "energy": ("loudness", "energy", "zero_crossings"),
    "spectral": NAMES,
    "quality": ("HNR", "jitter", "shimmer"),
    "formants": tuple(f"F{i}{what}" for i in (1, 2, 3) for what in ("", "_bandwidth")),
    "mfcc": tuple(f"mfcc{i}" for i in range(1, N_MFCC + 1)),
    "mel": tuple(f"mel{i}" for i in range(N_MELS)),
}
VOICED_COLUMNS = ("F0", *COLUMNS["quality"], *COLUMNS["formants"])
_LOWEST_NOTE = 27.5  # in Hz; 0 semitones
_MOST_HARMONIC = 40.0  # in dB
_LOWEST_RATE = 6000  # in Hz
# In Hz. The lowest pitch lies above 0 semitones, since F0 is 0 where a frame is unvoiced.
_LOWEST_PITCH, _HIGHEST_PITCH = 30.0, 1000.0


@dataclass(frozen=True)
class _Prepared:
    fourier: ShortTimeFourier
    shape: SpectralShape
    tracker: object
    formants: object


@insert_descriptions(DESCRIPTIONS)
class FrameFeatures(AudioTransformer):
    """Low-level descriptors of 20-ms frames: voice, loudness, spectrum.

    Parameters
    ----------
    descriptors : sequence of str, default=all of these
        Groups of columns to compute. P(f) stands for power spectra under a Hamming window.

        "pitch"
            ``F0``, the fundamental frequency in semitones above 27.5 Hz, 0 where unvoiced;
            ``voicing``, the autocorrelation at the period, from 0 to 1. The autocorrelation
            spans three periods of the lowest pitch, uses the band below 4 kHz and is divided by
            that of the window. The pitch is the path of least cost through eight candidates per
            frame [1]_.
        "energy"
            ``loudness``, the sum over 26 mel bands of the cube root of their power, weighted by
            the ear's sensitivity [2]_; ``energy``, 10 log10 of the mean square of the frame, in
            dB of full scale, at least -100; ``zero_crossings``, the share of neighboring
            samples with different signs.
        "spectral"
            ``centroid`` and ``bandwidth``, mean and standard deviation of f weighted by P, in
            Hz; ``rolloff25`` and ``rolloff85``, the lowest f below which 25 or 85 % of P lie, in
            Hz; ``flatness``, the geometric over the arithmetic mean of P; ``slope0-500`` and
            ``slope500-1500``, the regression of P in dB on f in these ranges, in dB per Hz;
            ``alpha_ratio``, P from 1 to 5 kHz over P from 50 Hz to 1 kHz, in dB;
            ``hammarberg``, the maximum of P up to 2 kHz over that from 2 to 5 kHz, in dB [3]_,
            [4]_; ``flux``, the Euclidean distance between successive 26-band magnitude spectra
            of sum 1, 0 for the first frame. The slopes, the alpha ratio and the Hammarberg index
            have the sign and unit of openSMILE's. The flux differs from openSMILE's
            ``spectralFlux``, which grows with the level of the recording.
        "quality"
            ``HNR``, 10 log10(r / (1 - r)) of the autocorrelation r at the period, in dB, at
            most 40 [1]_; ``jitter`` and ``shimmer``, the mean absolute difference between
            neighboring periods over their mean, of duration and of peak-to-peak amplitude,
            within three periods of the lowest pitch around the frame. Periods are found by
            matching waveforms. Amplitudes are those of samples, without interpolation: tones with
            much power near half the sampling rate have a shimmer above 0 although they are
            periodic. All are 0 where unvoiced.
        "formants"
            ``F1``, ``F2``, ``F3`` and ``F1_bandwidth`` to ``F3_bandwidth``, in Hz: poles of a
            linear prediction of order 10 of the band up to 5.5 kHz [5]_, pre-emphasized from
            50 Hz. Missing formants are 0.
        "mfcc"
            ``mfcc1`` to ``mfcc13``, orthonormal DCT-II of the mel bands in dB.
        "mel"
            ``mel0`` to ``mel25``, 26 mel bands from 20 Hz to 8 kHz (Slaney's scale), in dB.
    window : float, default=0.020
        Length of a frame, in seconds. Pitch, quality and formants use three periods of the
        lowest pitch around its center instead.
    {hop}
    pitch_range : (float, float), default=(60.0, 600.0)
        Lowest and highest fundamental frequency, in Hz.
    {deltas}
    {sampling_rate}
    {input_sampling_rate}
    {n_jobs}
    {verbose}
    {on_error}
    {memory}

    Notes
    -----
    Frames are centered on multiples of `hop`, the first on time 0, and the signal continues as
    zeros on both sides. The mean of each utterance is subtracted first, so a DC offset of the
    recording has no effect. All values are finite for any finite signal. Powers are floored
    at 1e-10 before logarithms.

    References
    ----------
    .. [1] Boersma, P. (1993). Accurate short-term analysis of the fundamental frequency and the
           harmonics-to-noise ratio of a sampled sound. Proc. Institute of Phonetic Sciences 17,
           97-110; equations 4, 9, 23, 24, 26.
    .. [2] Hermansky, H. (1990). Perceptual linear predictive (PLP) analysis of speech. JASA 87,
           1738-1752; equations 7 and 9.
    .. [3] Eyben, F. et al. (2016). The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for
           voice research and affective computing. IEEE Trans. Affective Computing 7, 190-202.
    .. [4] Hammarberg, B. et al. (1980). Perceptual and acoustic correlates of abnormal voice
           qualities. Acta Oto-Laryngologica 90, 441-451.
    .. [5] Makhoul, J. (1975). Linear prediction: a tutorial review. Proc. IEEE 63, 561-580;
           section on selective linear prediction.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.feature_extraction import FrameFeatures
    >>> time = np.arange(16000) / 16000
    >>> tone = sum(np.sin(2 * np.pi * 110 * k * time) / k for k in range(1, 20))
    >>> X = FrameFeatures(("pitch",), input_sampling_rate=16000).transform([tone])
    >>> X.layout.feature_names, X[0].shape
    (('F0', 'voicing'), (101, 2))
    >>> X[0][50].round(1)  # 110 Hz is two octaves above 27.5 Hz
    array([24.,  1.], dtype=float32)
    """

    _parameter_constraints = {
        **AudioTransformer._parameter_constraints,
        "descriptors": ["array-like"],
        "window": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither")],
        "pitch_range": ["array-like"],
        "deltas": [Interval(Integral, 0, 2, closed="both")],
    }

    def __init__(
        self,
        descriptors=("pitch", "energy", "spectral", "quality", "formants", "mfcc", "mel"),
        window=0.020,
        hop=0.010,
        pitch_range=(60.0, 600.0),
        deltas=0,
        *,
        sampling_rate=16000,
        input_sampling_rate=None,
        n_jobs=None,
        verbose=False,
        on_error="raise",
        memory=None,
    ):
        super().__init__(sampling_rate, input_sampling_rate, n_jobs, verbose, on_error, memory)
        self.descriptors = descriptors
        self.window = window
        self.hop = hop
        self.pitch_range = pitch_range
        self.deltas = deltas

    def _prepare(self):
        # Imported here, so that only users of this class load numba.
        from skser.feature_extraction._formants import FormantFinder
        from skser.feature_extraction._pitch import PitchTracker

        unknown = sorted(set(self.descriptors) - set(COLUMNS))
        if unknown or not len(self.descriptors):
            raise ValueError(
                f"descriptors={self.descriptors!r} holds {unknown or 'nothing'}, but needs one or "
                f"more of {tuple(COLUMNS)}."
            )
        if self.sampling_rate < _LOWEST_RATE:
            raise ValueError(
                f"sampling_rate={self.sampling_rate} Hz is too low: FrameFeatures needs at least "
                f"{_LOWEST_RATE} Hz."
            )
        pitches = np.asarray(self.pitch_range)
        if (
            pitches.shape != (2,)
            or pitches.dtype.kind not in "fiu"
            or not _LOWEST_PITCH <= pitches[0] < pitches[1] <= _HIGHEST_PITCH
        ):
            raise ValueError(
                f"pitch_range={self.pitch_range!r} must be two increasing frequencies, from at "
                f"least {_LOWEST_PITCH} to at most {_HIGHEST_PITCH} Hz."
            )
        fourier = ShortTimeFourier.from_seconds(
            self.sampling_rate, self.window, self.hop, None, "hamming"
        )
        shape = SpectralShape(self.sampling_rate, fourier.n_fft)
        tracker = PitchTracker.from_hertz(self.sampling_rate, fourier.hop, self.pitch_range)
        return _Prepared(
            fourier,
            shape,
            tracker,
            FormantFinder.from_hertz(self.sampling_rate, tracker.fourier.n_fft),
        )

    def _extract(self, samples, prepared):
        if len(samples) < len(prepared.fourier.window):
            raise prepared.fourier.too_short(samples)
        wanted = set(self.descriptors)
        samples = samples - samples.mean(dtype=np.float64).astype(np.float32)
        groups = {}
        if wanted & {"energy", "spectral", "mfcc", "mel"}:
            groups |= self._spectral(samples, prepared)
        if wanted & {"pitch", "quality", "formants"}:
            groups |= self._voice(samples, prepared, wanted)
        columns = [groups[name] for name in COLUMNS if name in wanted]
        frames = NumpyFrames(np.concatenate(columns, axis=1))
        frames.append_deltas(self.deltas)
        return frames.values

    def _spectral(self, samples, prepared):
        shape = prepared.shape
        described = prepared.fourier.magnitude_squared(samples, shape.describe)
        n_shape = len(NAMES) - 1
        mels = described[:, n_shape:]
        levels = NumpyFrames(mels)
        levels.to_decibels(None)
        decibels = levels.values
        frames = prepared.fourier.frames(samples)
        mean_square = np.einsum("ij,ij->i", frames, frames) / frames.shape[1]
        return {
            "energy": np.stack(
                [
                    loudness(mels, shape.equal_loudness),
                    10 * np.log10(mean_square + np.float32(1e-10)),
                    _zero_crossings(samples, prepared),
                ],
                axis=1,
            ),
            "spectral": np.column_stack([described[:, :n_shape], flux(mels)]),
            "mfcc": cepstrum(decibels),
            "mel": decibels,
        }

    def _voice(self, samples, prepared, wanted):
        from skser.feature_extraction._periods import perturbations

        # Voice descriptors do not depend on the level, and squares of extreme ones leave float32.
        peak = np.abs(samples).max()
        if peak > 0:
            samples = samples / peak
        tracker = prepared.tracker
        n_formants = len(COLUMNS["formants"])

        def project(power):
            return np.concatenate(
                [prepared.formants.formants(power), tracker.candidates(power)], axis=1
            )

        short = len(tracker.fourier.window) - len(samples)
        padded = np.pad(samples, (0, short)) if short > 0 else samples
        described = tracker.fourier.magnitude_squared(padded, project)
        described = described[: 1 + len(samples) // prepared.fourier.hop]
        pitch, periodicity = tracker.track(described[:, n_formants:])
        voiced = pitch > 0
        semitones = np.zeros_like(pitch)
        semitones[voiced] = 12 * np.log2(pitch[voiced] / np.float32(_LOWEST_NOTE))
        harmonic = np.zeros_like(pitch)
        highest = 1 / (1 + 10 ** (-_MOST_HARMONIC / 10))
        share = np.minimum(periodicity[voiced], np.float32(highest))
        harmonic[voiced] = 10 * np.log10(share / (1 - share))
        groups = {
            "pitch": np.stack([semitones, periodicity], axis=1),
            "formants": described[:, :n_formants],
        }
        if "quality" in wanted:
            window = len(tracker.fourier.window) / self.sampling_rate
            irregular = perturbations(
                samples, pitch, prepared.fourier.hop, self.sampling_rate, window
            )
            groups["quality"] = np.column_stack([harmonic, irregular * voiced[:, None]])
        return groups

    def _layout(self, prepared):
        names = [
            name for group, names in COLUMNS.items() if group in self.descriptors for name in names
        ]
        return Layout(
            feature_names=delta_names(names, self.deltas),
            hop=prepared.fourier.hop / self.sampling_rate,
            n_channels=1 + self.deltas,
        )


def _zero_crossings(samples, prepared):
    """Return the share of neighboring samples with different signs in each frame."""
    crossings = np.zeros(len(samples), np.float32)
    crossings[1:] = np.signbit(samples[1:]) != np.signbit(samples[:-1])
    return prepared.fourier.frames(crossings).mean(axis=1)
