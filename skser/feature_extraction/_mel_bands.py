"""Mel bands on Slaney's scale: triangles that overlap by half, in the frequency domain."""

import numpy as np

# The scale is linear below 1 kHz and logarithmic above it.
_HZ_PER_MEL = 200.0 / 3
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0  # per mel


def mel_filters(sampling_rate, n_fft, n_mels, fmin, fmax):
    """Compute triangular filters whose centers are equally spaced in mel.

    They equal those of ``librosa.filters.mel``, which takes a second to import.

    Parameters
    ----------
    sampling_rate : float
        Sampling rate, in Hz.
    n_fft : int
        Length of the Fourier transform, in samples.
    n_mels : int
        Number of bands.
    fmin, fmax : float
        Lower edge of the lowest band and upper edge of the highest, in Hz.

    Returns
    -------
    filters : ndarray of shape (n_mels, n_fft // 2 + 1), float32
        Weight of each frequency bin in each band, in 1 / Hz: each triangle has an area of 1. A
        band narrower than the distance of two bins may have no weight at all.
    centers : ndarray of shape (n_mels,), float64
        Frequency of the peak of each band, in Hz.

    References
    ----------
    Slaney, M. (1998). Auditory Toolbox, version 2. Interval Research Corporation, Technical
    Report 1998-010.
    """
    edges = _to_hertz(np.linspace(_to_mel(fmin), _to_mel(fmax), n_mels + 2))
    widths = np.diff(edges)
    distances = np.subtract.outer(edges, np.fft.rfftfreq(n_fft, 1 / sampling_rate))
    rising = -distances[:-2] / widths[:-1, None]
    falling = distances[2:] / widths[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    filters *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return filters, edges[1:-1]


def _to_mel(hertz):
    if hertz < _BREAK_HZ:
        return hertz / _HZ_PER_MEL
    return _BREAK_MEL + np.log(hertz / _BREAK_HZ) / _LOG_STEP


def _to_hertz(mels):
    logarithmic = _BREAK_HZ * np.exp(_LOG_STEP * (mels - _BREAK_MEL))
    return np.where(mels < _BREAK_MEL, _HZ_PER_MEL * mels, logarithmic)
