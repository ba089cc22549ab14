"""Descriptors of the shape of short-time spectra: centroid, slopes, flux and others."""

import numpy as np
import scipy.fft
import scipy.sparse

from skser.feature_extraction._mel_bands import mel_filters

NAMES = (
    "centroid",
    "bandwidth",
    "rolloff25",
    "rolloff85",
    "flatness",
    "slope0-500",
    "slope500-1500",
    "alpha_ratio",
    "hammarberg",
    "flux",
)
N_MFCC = 13
N_MELS = 26
_FMIN, _FMAX = 20.0, 8000.0
_FLOOR = np.float32(1e-10)


class SpectralShape:
    """Descriptors of power spectra that share one frequency axis.

    Parameters
    ----------
    sampling_rate : float
        Sampling rate, in Hz.
    n_fft : int
        Length of the Fourier transform, in samples.

    Attributes
    ----------
    equal_loudness : ndarray of shape (26,), float32
        Sensitivity of the ear at the center of each mel band (Hermansky 1990, equation 7).
    """

    def __init__(self, sampling_rate, n_fft):
        nyquist = sampling_rate / 2
        fmax = min(_FMAX, nyquist)
        self.frequencies = (np.arange(n_fft // 2 + 1) * sampling_rate / n_fft).astype(np.float32)
        f = self.frequencies
        filters, centers = mel_filters(sampling_rate, n_fft, N_MELS, _FMIN, fmax)
        if not filters.any(axis=1).all():
            raise ValueError(
                f"A Fourier transform of {n_fft} samples is too short for {N_MELS} mel bands: use "
                "a longer window=, in seconds."
            )
        kilohertz = f / 1000
        sums = [np.ones_like(f), kilohertz, kilohertz**2, _within(f, 50, 1000)]
        sums.append(_within(f, 1000, 5000))
        # One sparse product gives every weighted sum over bins.
        self._of_power = scipy.sparse.csr_array(np.vstack([*sums, filters]).astype(np.float32))
        slopes = [_slope_weights(f, 0, 500), _slope_weights(f, 500, 1500)]
        self._of_decibels = scipy.sparse.csr_array(np.vstack([*slopes, np.ones_like(f) / len(f)]))
        self._below_2k = slice(0, np.searchsorted(f, 2000, "right"))
        self._above_2k = slice(np.searchsorted(f, 2000, "right"), np.searchsorted(f, 5000, "right"))
        self.equal_loudness = _equal_loudness(centers).astype(np.float32)

    def describe(self, power):
        """Compute all descriptors except the flux, and the mel bands.

        Parameters
        ----------
        power : ndarray of shape (n_frames, n_fft // 2 + 1), float32
            Power spectra.

        Returns
        -------
        ndarray of shape (n_frames, 9 + 26), float32
            The descriptors, in the order of `NAMES`, followed by the powers of the mel bands.
        """
        total, first, second, low, high, *mels = self._of_power @ power.T
        decibels = np.maximum(power, _FLOOR)
        np.log10(decibels, out=decibels)
        decibels *= 10
        slope_low, slope_high, mean_decibels = self._of_decibels @ decibels.T
        safe = total + _FLOOR
        centroid = first / safe
        spread = np.sqrt(np.maximum(second / safe - centroid**2, 0))
        cumulated = np.cumsum(power, axis=1)
        step = self.frequencies[1]
        rolloffs = [
            step * (cumulated < (share * cumulated[:, -1:])).sum(axis=1, dtype=np.float32)
            for share in (0.25, 0.85)
        ]
        mean = np.maximum(total / len(self.frequencies), _FLOOR)
        peaks = [decibels[:, band].max(axis=1) for band in (self._below_2k, self._above_2k)]
        return np.stack(
            [
                1000 * centroid,
                1000 * spread,
                *rolloffs,
                np.minimum(10 ** (mean_decibels / 10) / mean, 1),
                slope_low,
                slope_high,
                10 * np.log10((high + _FLOOR) / (low + _FLOOR)),
                peaks[0] - peaks[1],
                *mels,
            ],
            axis=1,
        )


def loudness(mels, equal_loudness):
    """Sum the auditory spectrum, the cube root of weighted band powers (Hermansky 1990)."""
    return np.cbrt(mels * equal_loudness).sum(axis=1)


def flux(mels):
    """Compute the distance of successive magnitude spectra of sum 1; 0 for the first frame."""
    shape = np.sqrt(mels)
    shape /= shape.sum(axis=1, keepdims=True) + _FLOOR
    result = np.zeros(len(mels), np.float32)
    result[1:] = np.sqrt(np.square(np.diff(shape, axis=0)).sum(axis=1))
    return result


def cepstrum(decibels):
    """Compute cepstral coefficients 1 to 13 of mel bands in dB."""
    return scipy.fft.dct(decibels, axis=1, norm="ortho")[:, 1 : N_MFCC + 1]


def _within(frequencies, low, high):
    return ((frequencies >= low) & (frequencies < high)).astype(np.float32)


def _slope_weights(frequencies, low, high):
    """Return weights such that the weighted sum of decibels is their slope, in dB per Hz."""
    inside = (frequencies >= low) & (frequencies <= high)
    centered = np.where(inside, frequencies - frequencies[inside].mean(), 0)
    return (centered / np.square(centered).sum()).astype(np.float32)


def _equal_loudness(frequencies):
    w2 = (2 * np.pi * np.asarray(frequencies)) ** 2
    weight = (w2 + 56.8e6) * w2**2 / ((w2 + 6.3e6) ** 2 * (w2 + 0.38e9))
    return weight / weight.max()
