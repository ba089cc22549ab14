"""Formants by linear prediction of the band that contains them."""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numba import njit

_BAND = 5500.0  # in Hz; contains five formants of most adult voices
_ORDER = 10  # two poles for each of these formants
_PRE_EMPHASIS_FROM = 50.0  # in Hz
_MARGIN = 50.0  # in Hz; poles this close to an end of the band are not formants
_WIDEST = 1500.0  # in Hz; wider poles only shape the spectral slope
N_FORMANTS = 3


@dataclass(frozen=True)
class FormantFinder:
    """Settings of selective linear prediction (Makhoul 1975, section V.B).

    Parameters
    ----------
    cosines : ndarray of shape (11, n_bins), float64
        Weights of the bins of the band in the autocorrelation at each lag. They contain the
        power response of the pre-emphasis.
    band : float
        Upper end of the band, in Hz.
    """

    cosines: np.ndarray
    band: float

    @classmethod
    def from_hertz(cls, sampling_rate, n_fft):
        """Create the settings for power spectra of `n_fft` samples."""
        wanted = int(min(_BAND, sampling_rate / 2) * n_fft / sampling_rate)
        n_bins = 1 + min(scipy.fft.next_fast_len(2 * wanted, real=True) // 2, n_fft // 2)
        angles = 2 * np.pi * np.arange(n_bins) / n_fft
        pole = np.exp(-2 * np.pi * _PRE_EMPHASIS_FROM / sampling_rate)
        emphasis = np.abs(1 - pole * np.exp(-1j * angles)) ** 2
        # The inverse Fourier transform of a power spectrum, whose other half is its mirror image.
        phases = np.pi * np.outer(np.arange(_ORDER + 1), np.arange(n_bins)) / (n_bins - 1)
        cosines = np.cos(phases) / (n_bins - 1)
        cosines[:, [0, -1]] /= 2
        return cls(cosines * emphasis, (n_bins - 1) * sampling_rate / n_fft)

    def formants(self, power):
        """Compute the formants of each frame.

        Parameters
        ----------
        power : ndarray of shape (n_frames, n_bins), float32
            Power spectra.

        Returns
        -------
        ndarray of shape (n_frames, 6), float32
            Frequency and bandwidth of the lowest three formants, in Hz. Missing ones are 0.
        """
        return _lowest_resonances(_weighted_sums(power, self.cosines), self.band)


@njit(cache=True, nogil=True, fastmath=True)  # fastmath lets sums use vector registers
def _weighted_sums(power, weights):
    n_sums, n_bins = weights.shape
    sums = np.empty((len(power), n_sums))
    for t in range(len(power)):
        for k in range(n_sums):
            total = 0.0  # rounded to float32, it would move the formants of some voiced frames
            for j in range(n_bins):
                total += power[t, j] * weights[k, j]
            sums[t, k] = total
    return sums


@njit(cache=True, nogil=True)
def _lowest_resonances(correlation, band):
    n_frames = len(correlation)
    found = np.zeros((n_frames, 2 * N_FORMANTS), np.float32)
    # Successive frames have similar roots, so those of the last frame are where to start.
    roots = np.full(_ORDER, 0.5 + 0.5j)
    for t in range(n_frames):
        if correlation[t, 0] < 1e-20:  # silent, since the peak of the utterance is 1
            continue
        _find_roots(_predictor(correlation[t]), roots)
        kept = 0
        frequencies = np.empty(len(roots))
        bandwidths = np.empty(len(roots))
        for root in roots:
            if root.imag <= 0 or abs(root) >= 1:
                continue
            frequency = np.arctan2(root.imag, root.real) / np.pi * band
            bandwidth = -2 * np.log(abs(root)) / np.pi * band
            if _MARGIN < frequency < band - _MARGIN and bandwidth < _WIDEST:
                frequencies[kept], bandwidths[kept] = frequency, bandwidth
                kept += 1
        order = np.argsort(frequencies[:kept])
        for i in range(min(kept, N_FORMANTS)):
            found[t, 2 * i] = frequencies[order[i]]
            found[t, 2 * i + 1] = bandwidths[order[i]]
    return found


@njit(cache=True, nogil=True)
def _predictor(correlation):
    """Compute the inverse filter 1, a1, ..., ap by the Levinson-Durbin recursion."""
    order = len(correlation) - 1
    a = np.zeros(order + 1)
    a[0] = 1.0
    # A noise floor of -60 dB, above the rounding of float32, keeps the recursion stable on tones.
    floor = 1 + 1e-6
    error = correlation[0] * floor
    for i in range(1, order + 1):
        total = 0.0
        for j in range(i):
            total += a[j] * correlation[i - j]
        reflection = -total / error
        for j in range(1, i // 2 + 1):
            low, high = a[j], a[i - j]
            a[j] = low + reflection * high
            a[i - j] = high + reflection * low
        a[i] = reflection
        error *= 1 - reflection * reflection
        if error <= 0:
            break
    return a


@njit(cache=True, nogil=True)
def _find_roots(coefficients, roots):
    """Replace approximate roots of a real polynomial, highest power first, by its roots.

    Each root found by Laguerre's method is divided out of the polynomial, together with its
    conjugate.
    """
    p = coefficients.copy()
    n = len(p) - 1
    i = 0
    while n > 0:
        x = _one_root(p, n, roots[i])
        # Refined on the original polynomial, since division accumulates rounding errors.
        x = _one_root(coefficients, len(coefficients) - 1, x)
        if abs(x.imag) < 1e-9 or n == 1:
            roots[i] = complex(x.real, 0.0)
            for k in range(1, n):
                p[k] += x.real * p[k - 1]
            n -= 1
            i += 1
            continue
        roots[i], roots[i + 1] = x, x.conjugate()
        twice, square = 2 * x.real, x.real * x.real + x.imag * x.imag
        p[1] += twice * p[0]
        for k in range(2, n - 1):
            p[k] += twice * p[k - 1] - square * p[k - 2]
        n -= 2
        i += 2


@njit(cache=True, nogil=True)
def _one_root(p, n, x):
    """Find a root of the polynomial of degree n whose coefficients come first in p."""
    for _ in range(40):
        value, slope, bend = complex(p[0], 0.0), 0j, 0j
        for k in range(1, n + 1):
            bend = bend * x + slope
            slope = slope * x + value
            value = value * x + p[k]
        spread = _square_root((n - 1) * ((n - 1) * slope * slope - 2 * n * bend * value))
        if slope.real * spread.real + slope.imag * spread.imag < 0:
            spread = -spread  # the larger denominator gives the nearer root
        denominator = slope + spread
        square = denominator.real * denominator.real + denominator.imag * denominator.imag
        if square == 0:
            break
        step = value * denominator.conjugate() * (n / square)
        x = x - step
        if step.real * step.real + step.imag * step.imag < 1e-20:
            break
    return x


@njit(cache=True, nogil=True)
def _square_root(z):
    # np.sqrt also guards against overflow, which takes most of its time.
    size = np.sqrt(z.real * z.real + z.imag * z.imag)
    real = np.sqrt(max(0.5 * (size + z.real), 0.0))
    imag = np.sqrt(max(0.5 * (size - z.real), 0.0))
    return complex(real, imag if z.imag >= 0 else -imag)
