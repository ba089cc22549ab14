"""Samples that state their own sampling rate."""

import math
from numbers import Real

import numpy as np

MAX_AMPLITUDE = 8.0  # of floating-point samples; what is louder was not scaled


class Waveform(np.ndarray):
    """Samples that state their own sampling rate, as a file does.

    A list of them is taken wherever a list of paths is, whatever `input_sampling_rate` says.
    What is derived from one, a slice say, is an ordinary array of samples in this respect;
    `copy.copy`, `copy.deepcopy` and pickle keep the rate.

    Parameters
    ----------
    samples : array-like of shape (n_samples,), (n_samples, n_channels) or (n_channels, n_samples)
        Not copied where it is an array. The shorter axis is that of the channels.
    sampling_rate : float
        In Hz.
    name : str or None, default=None
        Name in messages.
    max_amplitude : float or None, default=8.0
        Largest magnitude of floating-point samples, whose full scale is 1. Larger ones are
        taken for integers that were not scaled and refused where the samples are used; None
        lets them pass.

    Raises
    ------
    ValueError
        If `sampling_rate` is no positive, finite number.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.audio import Waveform
    >>> from skser.feature_extraction import MelSpectrogram
    >>> noise = np.random.RandomState(0).randn(48000)
    >>> MelSpectrogram().transform([Waveform(noise, 48000), Waveform(noise, 16000)]).lengths
    array([101, 301])
    """

    sampling_rate = None
    name = None
    max_amplitude = MAX_AMPLITUDE

    def __new__(cls, samples, sampling_rate, name=None, max_amplitude=MAX_AMPLITUDE):
        """View `samples`."""
        if not (isinstance(sampling_rate, Real) and 0 < sampling_rate < math.inf):
            raise ValueError(f"sampling_rate={sampling_rate!r} is no positive number of Hz.")
        waveform = np.asarray(samples).view(cls)
        waveform.sampling_rate = sampling_rate
        waveform.name = name
        waveform.max_amplitude = max_amplitude
        return waveform

    def __reduce__(self):
        if self.sampling_rate is None:
            return super().__reduce__()
        given = np.asarray(self), self.sampling_rate, self.name, self.max_amplitude
        return type(self), given

    def __copy__(self):
        duplicate = self.copy()
        duplicate.sampling_rate, duplicate.name = self.sampling_rate, self.name
        duplicate.max_amplitude = self.max_amplitude
        return duplicate

    def __deepcopy__(self, memo):
        return self.__copy__()
