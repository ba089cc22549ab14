"""Fundamental frequency by autocorrelation, after Boersma (1993)."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
import scipy.signal
from numba import njit

from skser.feature_extraction._spectral import ShortTimeFourier

_N_CANDIDATES = 8  # per frame, in addition to the unvoiced one
_BAND = 4000.0  # in Hz; above it noise outweighs harmonics

# Boersma's recommended settings. The costs of jumps are per 10 ms.
_SILENCE_THRESHOLD = 0.03
_VOICING_THRESHOLD = 0.45
_OCTAVE_COST = 0.01
_OCTAVE_JUMP_COST = 0.35
_VOICING_CHANGE_COST = 0.14

# Windowed sinc that interpolates half samples. A parabola alone fits the sharp peaks of the
# autocorrelation badly: it would prefer a multiple of a short period that falls on a sample.
_HALF_SAMPLE = (np.sinc(np.arange(-7.5, 8)) * np.cos(np.pi / 16 * np.arange(-7.5, 8)) ** 2).astype(
    np.float32
)


@dataclass(frozen=True)
class PitchTracker:
    """Settings of the autocorrelation method.

    Parameters
    ----------
    fourier : ShortTimeFourier
        Transform whose window spans three periods of the lowest pitch.
    window_correlation : ndarray of shape (n_lags,), float32
        Normalized autocorrelation of the window.
    shortest, longest : float
        Shortest and longest period, in samples.
    sampling_rate : float
        Sampling rate, in Hz.
    """

    fourier: ShortTimeFourier
    window_correlation: np.ndarray
    shortest: float
    longest: float
    sampling_rate: float

    @classmethod
    def from_hertz(cls, sampling_rate, hop, pitch_range):
        """Create the settings for a `pitch_range` (lowest, highest) in Hz and a hop in samples."""
        lowest, highest = pitch_range
        n_window = round(3 * sampling_rate / lowest)
        n_lags = int(sampling_rate / lowest) + 4 + len(_HALF_SAMPLE) // 2
        # Even, for the cosine transform of `candidates`.
        n_fft = 2 * scipy.fft.next_fast_len(-(-(n_window + n_lags) // 2), real=True)
        window = scipy.signal.get_window("hann", n_window).astype(np.float32)
        correlation = scipy.fft.irfft(np.abs(scipy.fft.rfft(window, n_fft)) ** 2, n_fft)
        return cls(
            ShortTimeFourier(window, hop, n_fft),
            correlation[:n_lags] / correlation[0],
            sampling_rate / highest,
            sampling_rate / lowest,
            sampling_rate,
        )

    def candidates(self, power):
        """Find the candidate periods of each frame.

        Parameters
        ----------
        power : ndarray of shape (n_frames, n_bins), float32
            Power spectra of `fourier`. Frequencies above 4 kHz are ignored.

        Returns
        -------
        ndarray of shape (n_frames, 1 + 2 * n_candidates), float32
            Amplitude of the frame; lags of the candidates in samples, 0 for missing ones;
            autocorrelation at these lags, divided by that of the window (Boersma's equation 9).
        """
        n_fft = self.fourier.n_fft
        band = power.copy()
        band[:, int(_BAND * n_fft / self.sampling_rate) + 1 :] = 0
        # The inverse Fourier transform of a power spectrum, whose other half is its mirror image.
        correlation = scipy.fft.dct(band, type=1, axis=1, norm="forward", overwrite_x=True)
        return _find_candidates(
            correlation[:, : len(self.window_correlation)],
            self.window_correlation,
            self.shortest,
            self.longest,
            _N_CANDIDATES,
            _VOICING_THRESHOLD,
        )

    def track(self, candidates):
        """Find the path of least cost through the candidates.

        Parameters
        ----------
        candidates : ndarray of shape (n_frames, 1 + 2 * n_candidates), float32
            Result of `candidates`.

        Returns
        -------
        pitch : ndarray of shape (n_frames,), float32
            Fundamental frequency in Hz, 0 where unvoiced.
        periodicity : ndarray of shape (n_frames,), float32
            Autocorrelation at the period, from 0 to 1. In an unvoiced frame, that of the best
            candidate.
        """
        amplitude = candidates[:, 0]
        lags, correlations = np.split(candidates[:, 1:], 2, axis=1)
        loudest = amplitude.max()
        relative = amplitude / loudest if loudest > 0 else np.zeros_like(amplitude)
        quietness = 2 - relative * ((1 + _VOICING_THRESHOLD) / _SILENCE_THRESHOLD)
        unvoiced = (_VOICING_THRESHOLD + np.maximum(quietness, 0)).astype(np.float32)
        steps = 0.01 * self.sampling_rate / self.fourier.hop
        chosen = _cheapest_path(
            lags,
            correlations - _octave_costs(lags, self.longest),
            unvoiced,
            steps * _OCTAVE_JUMP_COST,
            steps * _VOICING_CHANGE_COST,
        )
        frames = np.arange(len(lags))
        voiced = chosen >= 0
        pitch = np.zeros(len(lags), np.float32)
        pitch[voiced] = self.sampling_rate / lags[frames, chosen][voiced]
        periodicity = np.where(voiced, correlations[frames, chosen], correlations.max(axis=1))
        return pitch, np.clip(periodicity, 0, 1)


def _octave_costs(lags, longest):
    # Boersma's equation 24: of two lags that fit equally well, prefer the shorter one.
    return _OCTAVE_COST * np.log2(np.maximum(lags, 1) / np.float32(longest), dtype=np.float32)


@njit(cache=True, nogil=True)
def _find_candidates(
    correlation, window_correlation, shortest, longest, n_candidates, voicing_threshold
):
    n_frames, n_lags = correlation.shape
    found = np.zeros((n_frames, 1 + 2 * n_candidates), np.float32)
    normed = np.empty(n_lags, np.float32)
    for t in range(n_frames):
        energy = correlation[t, 0]
        if energy < np.float32(1e-20):  # silent, since the peak of the utterance is 1
            continue
        found[t, 0] = np.sqrt(energy)
        lags = found[t, 1 : 1 + n_candidates]
        heights = found[t, 1 + n_candidates :]
        for lag in range(n_lags):
            normed[lag] = correlation[t, lag] / (energy * window_correlation[lag])
        for lag in range(max(2, int(shortest)), int(longest) + 2):
            here = normed[lag]
            if here < 0.5 * voicing_threshold or here <= normed[lag - 1] or here < normed[lag + 1]:
                continue
            place, height = _peak(normed, lag)
            if place < shortest or place > longest:
                continue
            if height > 1:
                height = 1 / height
            weakest = np.argmin(heights)
            if height > heights[weakest]:
                heights[weakest] = height
                lags[weakest] = place
    return found


@njit(cache=True, nogil=True)
def _peak(values, lag):
    """Return the place and height of the maximum near `lag`, by a parabola on half samples."""
    before, here, after = _between(values, lag - 1), values[lag], _between(values, lag)
    place = float(lag)
    if before > here and before >= after:
        before, here, after = values[lag - 1], before, here
        place -= 0.5
    elif after > here:
        before, here, after = here, after, values[lag + 1]
        place += 0.5
    bend = 2 * here - before - after
    if bend <= 0:
        return place, here
    lean = 0.5 * (after - before)
    return place + 0.5 * lean / bend, here + 0.5 * lean * lean / bend


@njit(cache=True, nogil=True)
def _between(values, index):
    """Return the value halfway between `index` and the next one."""
    total = np.float32(0)
    for k in range(len(_HALF_SAMPLE)):
        i = abs(index + k + 1 - len(_HALF_SAMPLE) // 2)  # an autocorrelation is even
        total += values[i] * _HALF_SAMPLE[k]
    return total


@njit(cache=True, nogil=True)
def _cheapest_path(lags, strengths, unvoiced, jump_cost, voicing_cost):
    """Choose a candidate for each frame by Viterbi's algorithm; -1 is unvoiced."""
    n_frames, n_candidates = lags.shape
    came_from = np.zeros((n_frames, n_candidates + 1), np.int8)
    score = np.empty(n_candidates + 1)
    for t in range(n_frames):
        previous = score.copy()
        for i in range(n_candidates + 1):
            if i < n_candidates and lags[t, i] == 0:
                score[i] = -np.inf
                continue
            best, origin = 0.0, 0
            if t > 0:
                best = -np.inf
                for j in range(n_candidates + 1):
                    if previous[j] == -np.inf:
                        continue
                    cost = 0.0
                    if (i == n_candidates) != (j == n_candidates):
                        cost = voicing_cost
                    elif i < n_candidates:
                        cost = jump_cost * abs(np.log2(lags[t, i] / lags[t - 1, j]))
                    if previous[j] - cost > best:
                        best, origin = previous[j] - cost, j
            score[i] = best + (unvoiced[t] if i == n_candidates else strengths[t, i])
            came_from[t, i] = origin
    chosen = np.empty(n_frames, np.int64)
    state = np.argmax(score)
    for t in range(n_frames - 1, -1, -1):
        chosen[t] = -1 if state == n_candidates else state
        state = came_from[t, state]
    return chosen
