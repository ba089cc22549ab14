"""Low-level descriptors of 20-ms frames."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval

from skser.feature_extraction._base import AudioTransformer
from skser.feature_extraction._short_time import (
    ShortTimeFourier,
    delta_names,
    to_decibels,
    with_deltas,
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
_LOWEST_NOTE = 27.5  # in Hz, where semitones are counted from
_MOST_HARMONIC = 40.0  # in dB


@dataclass(frozen=True)
class _Prepared:
    fourier: ShortTimeFourier
    shape: SpectralShape
    tracker: object
    formants: object
    hop: int


class FrameFeatures(AudioTransformer):
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
        self.descriptors = descriptors
        self.window = window
        self.hop = hop
        self.pitch_range = pitch_range
        self.deltas = deltas
        self.sampling_rate = sampling_rate
        self.input_sampling_rate = input_sampling_rate
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.on_error = on_error
        self.memory = memory

    def _prepare(self):
        # Here, so that numba is loaded by those who need it.
        from skser.feature_extraction._formants import FormantFinder
        from skser.feature_extraction._pitch import PitchTracker

        fourier = ShortTimeFourier.from_seconds(
            self.sampling_rate, self.window, self.hop, None, "hamming"
        )
        tracker = PitchTracker.from_hertz(self.sampling_rate, fourier.hop, self.pitch_range)
        return _Prepared(
            fourier,
            SpectralShape(self.sampling_rate, fourier.n_fft),
            tracker,
            FormantFinder.from_hertz(self.sampling_rate, tracker.fourier.n_fft),
            fourier.hop,
        )

    def _extract(self, samples, prepared):
        wanted = set(self.descriptors)
        samples = samples - samples.mean(dtype=np.float64).astype(np.float32)
        groups = {}
        if wanted & {"energy", "spectral", "mfcc", "mel"}:
            groups |= self._spectral(samples, prepared)
        if wanted & {"pitch", "quality", "formants"}:
            groups |= self._voice(samples, prepared, wanted)
        columns = [groups[name] for name in COLUMNS if name in wanted]
        return with_deltas(np.concatenate(columns, axis=1), self.deltas)

    def _spectral(self, samples, prepared):
        shape = prepared.shape
        described = prepared.fourier.magnitude_squared(samples, shape.describe)
        n_shape = len(NAMES) - 1
        mels = described[:, n_shape:]
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
            "mfcc": cepstrum(mels),
            "mel": to_decibels(mels, None),
        }

    def _voice(self, samples, prepared, wanted):
        from skser.feature_extraction._periods import perturbations

        tracker = prepared.tracker
        n_formants = len(COLUMNS["formants"])

        def project(power):
            return np.concatenate(
                [prepared.formants.formants(power), tracker.candidates(power)], axis=1
            )

        short = len(tracker.fourier.window) - len(samples)
        padded = np.pad(samples, (0, short)) if short > 0 else samples
        described = tracker.fourier.magnitude_squared(padded, project)
        described = described[: 1 + len(samples) // prepared.hop]
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
            irregular = perturbations(samples, pitch, prepared.hop, self.sampling_rate, window)
            groups["quality"] = np.column_stack([harmonic, irregular])
        return groups

    def _layout(self, prepared):
        names = [
            name for group, names in COLUMNS.items() if group in self.descriptors for name in names
        ]
        return Layout(
            feature_names=delta_names(names, self.deltas),
            hop=float(self.hop),
            n_channels=1 + self.deltas,
        )


def _zero_crossings(samples, prepared):
    """Share of neighbouring samples in a frame whose signs differ."""
    crossings = np.zeros(len(samples), np.float32)
    crossings[1:] = np.signbit(samples[1:]) != np.signbit(samples[:-1])
    return prepared.fourier.frames(crossings).mean(axis=1)
