"""Samples that state their own sampling rate."""

import math
from numbers import Real

import numpy as np


class Waveform(np.ndarray):
    """Samples that state their own sampling rate, as a file does.

    A list of them is taken wherever a list of paths is, whatever `input_sampling_rate` says.
    What is derived from one, a slice say, is an ordinary array of samples in this respect;
    `copy.copy`, `copy.deepcopy` and pickle keep the rate.

    Parameters
    ----------
    samples : array-like of shape (n_samples,)
        Not copied where it is an array.
    sampling_rate : float
        In Hz.
    name : str or None, default=None
        What errors call it.

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

    def __new__(cls, samples, sampling_rate, name=None):
        """View `samples`."""
        if not (isinstance(sampling_rate, Real) and 0 < sampling_rate < math.inf):
            raise ValueError(f"sampling_rate={sampling_rate!r} is no positive number of Hz.")
        waveform = np.asarray(samples).view(cls)
        waveform.sampling_rate = sampling_rate
        waveform.name = name
        return waveform

    def __reduce__(self):
        if self.sampling_rate is None:
            return super().__reduce__()
        return type(self), (np.asarray(self), self.sampling_rate, self.name)

    def __copy__(self):
        duplicate = self.copy()
        duplicate.sampling_rate, duplicate.name = self.sampling_rate, self.name
        return duplicate

    def __deepcopy__(self, memo):
        return self.__copy__()
