"""Arrays of samples that carry their own sampling rate."""

import base64
import io
import math
from numbers import Real

import numpy as np

MAX_AMPLITUDE = 8.0  # larger floating-point samples are most likely unscaled integers


def check_sampling_rate(sampling_rate):
    """Raise ValueError unless `sampling_rate` is a number that can be a rate in Hz."""
    if not (isinstance(sampling_rate, Real) and 0 < sampling_rate < math.inf):
        raise ValueError(
            f"sampling_rate={sampling_rate!r} must be a positive, finite number in Hz."
        )


def detached(samples):
    """Return a tensor, on any device, as one that NumPy can read; other objects as given."""
    if not hasattr(samples, "detach"):
        return samples
    samples = samples.detach().cpu()
    return samples.float() if str(samples.dtype) == "torch.bfloat16" else samples


class Waveform(np.ndarray):
    """Array of samples that carries its own sampling rate, as a file does.

    A list of waveforms is accepted wherever a list of paths is, and takes precedence over
    `input_sampling_rate`. Arrays derived from a waveform, such as slices, do not keep the rate, and
    are refused as audio until they are wrapped again; `copy.copy`, `copy.deepcopy` and pickle keep
    it. Notebooks show a waveform as a player.

    joblib, and thus the `memory` of scikit-learn's `Pipeline`, compares only the samples of
    waveforms, and not their rate. The `memory` of this package's transformers compares both.

    Parameters
    ----------
    samples : array-like of shape (n_samples,), (n_samples, n_channels) or (n_channels, n_samples)
        Samples, which are not copied if they are an array. The shorter of two axes holds the
        channels.
    sampling_rate : float
        Sampling rate of the samples in Hz.
    name : str or None, default=None
        Name of the waveform in messages; None uses its position in the list.
    max_amplitude : float or None, default=8.0
        Largest magnitude of floating-point samples, whose full scale is 1. Larger samples are
        rejected when the waveform is read, because they look like unscaled integers; None lifts
        the limit.

    Raises
    ------
    ValueError
        If `sampling_rate` is not a positive, finite number.

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
        """Create a waveform that views `samples`."""
        check_sampling_rate(sampling_rate)
        waveform = np.asarray(detached(samples)).view(cls)
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

    def _repr_html_(self):
        """Return a player for notebooks, or None for arrays without a rate or without samples."""
        if self.sampling_rate is None or not self.size or self.ndim not in (1, 2):
            return None
        import soundfile

        samples = np.asarray(self)
        if samples.ndim == 2 and samples.shape[0] < samples.shape[1]:
            samples = samples.T
        if samples.dtype.kind == "f":
            samples = samples / max(1.0, float(np.abs(samples).max()))
        elif samples.dtype not in (np.int16, np.int32):
            return None
        file = io.BytesIO()
        soundfile.write(file, samples, round(self.sampling_rate), format="WAV", subtype="PCM_16")
        content = base64.b64encode(file.getvalue()).decode()
        return f'<audio controls src="data:audio/wav;base64,{content}"></audio>'
