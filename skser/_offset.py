"""Removal of the constant offset that some recording hardware adds to its samples."""

import numpy as np

# Offsets are removed if their power exceeds this share of that of the samples, that is, if they
# exceed 5 % of the root mean square. Speech recorded without an offset stays below.
NOTICEABLE = 1 / 400


def without_offset(samples):
    """Subtract the mean of an utterance from it, if the mean is noticeable.

    An offset fills the lowest bands of short-term spectra, which are otherwise nearly silent, so
    a small one changes them more than loud noise does.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32

    Returns
    -------
    ndarray of shape (n_samples,), float32
        `samples` itself without a noticeable offset.
    """
    if not len(samples):
        return samples
    mean = samples.mean(dtype=np.float64)
    power = float(samples @ samples) / len(samples)
    return samples - np.float32(mean) if mean**2 > NOTICEABLE * power else samples
