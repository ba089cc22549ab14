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
    emphasis : ndarray of shape (n_bins,), float32
        Power response of the pre-emphasis, for the bins of the band.
    band : float
        Upper end of the band, in Hz.
    """

    emphasis: np.ndarray
    band: float

    @classmethod
    def from_hertz(cls, sampling_rate, n_fft):
        """Create the settings for power spectra of `n_fft` samples."""
        wanted = int(min(_BAND, sampling_rate / 2) * n_fft / sampling_rate)
        # Extended to the next length for which the inverse transform is fast.
        n_bins = 1 + min(scipy.fft.next_fast_len(2 * wanted, real=True) // 2, n_fft // 2)
        angles = 2 * np.pi * np.arange(n_bins) / n_fft
        pole = np.exp(-2 * np.pi * _PRE_EMPHASIS_FROM / sampling_rate)
        emphasis = np.abs(1 - pole * np.exp(-1j * angles)) ** 2
        return cls(emphasis.astype(np.float32), (n_bins - 1) * sampling_rate / n_fft)

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
        band = power[:, : len(self.emphasis)] * self.emphasis
        correlation = scipy.fft.irfft(band, axis=1)[:, : _ORDER + 1]
        return _lowest_resonances(correlation, self.band)


@njit(cache=True, nogil=True)
def _lowest_resonances(correlation, band):
    n_frames = len(correlation)
    found = np.zeros((n_frames, 2 * N_FORMANTS), np.float32)
    for t in range(n_frames):
        if correlation[t, 0] < 1e-20:  # silent, since the peak of the utterance is 1
            continue
        roots = _roots(_predictor(correlation[t]))
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
def _roots(coefficients):
    """Find the roots of a real polynomial, highest power first, by Laguerre's method.

    Each root found is divided out of the polynomial, together with its conjugate.
    """
    p = coefficients.astype(np.complex128)
    degree = len(p) - 1
    roots = np.zeros(degree, np.complex128)
    n = degree
    while n > 0:
        x = _one_root(p[: n + 1], 0.5 + 0.5j)
        # Refined on the original polynomial, since deflation accumulates rounding errors.
        x = _one_root(coefficients.astype(np.complex128), x)
        if abs(x.imag) < 1e-9:
            x = complex(x.real, 0.0)
        roots[degree - n] = x
        for k in range(1, n):
            p[k] += x * p[k - 1]
        n -= 1
        if x.imag != 0 and n > 0:
            conjugate = x.conjugate()
            roots[degree - n] = conjugate
            for k in range(1, n):
                p[k] += conjugate * p[k - 1]
            n -= 1
    return roots


@njit(cache=True, nogil=True)
def _one_root(p, x):
    n = len(p) - 1
    for _ in range(40):
        value, slope, bend = p[0], 0j, 0j
        for k in range(1, n + 1):
            bend = bend * x + slope
            slope = slope * x + value
            value = value * x + p[k]
        if abs(value) < 1e-12:
            break
        g = slope / value
        h = g * g - 2 * bend / value
        root = np.sqrt((n - 1) * (n * h - g * g))
        plus, minus = g + root, g - root
        denominator = plus if abs(plus) > abs(minus) else minus
        if denominator == 0:
            break
        step = n / denominator
        x = x - step
        if abs(step) < 1e-10:
            break
    return x
