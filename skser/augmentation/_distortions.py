"""Distortions of level and speed, and the default distortions of tests of robustness.

Each is a function ``(samples, sampling_rate, random_state)`` -> samples on mono float32 samples.
"""

import functools

import numpy as np

from skser._docstrings import insert_descriptions
from skser.audio import resample
from skser.augmentation._channels import encode, resample_badly, telephone
from skser.augmentation._noise import add_noise
from skser.augmentation._parameters import DESCRIPTIONS
from skser.augmentation._rooms import reverberate


@insert_descriptions(DESCRIPTIONS)
def clip(samples, sampling_rate, random_state, *, share=0.05):
    """Clip the largest samples, like an overdriven microphone.

    Parameters
    ----------
    {given}
    share : float, default=0.05
        Share of the samples other than 0 that are clipped, from 0 to 1.

    Returns
    -------
    ndarray of shape (n_samples,)

    Examples
    --------
    >>> import numpy as np
    >>> from skser.augmentation import clip
    >>> from skser.datasets import make_emotional_speech
    >>> speech = make_emotional_speech(1, 5, random_state=0).data[0]
    >>> clipped = clip(speech, 16000, np.random.RandomState(0), share=0.1)
    >>> bool(np.abs(clipped).max() < np.abs(speech).max())
    True
    """
    heard = np.abs(samples[samples != 0])
    if not len(heard):
        return samples
    peak = np.quantile(heard, 1 - share)
    return np.clip(samples, -peak, peak)


@insert_descriptions(DESCRIPTIONS)
def change_gain(samples, sampling_rate, random_state, *, decibels=-20):
    """Change the level of an utterance, without clipping.

    Parameters
    ----------
    {given}
    decibels : float, default=-20
        Gain in dB.

    Returns
    -------
    ndarray of shape (n_samples,)

    Examples
    --------
    >>> import numpy as np
    >>> from skser.augmentation import change_gain
    >>> from skser.datasets import make_emotional_speech
    >>> speech = make_emotional_speech(1, 5, random_state=0).data[0]
    >>> softer = change_gain(speech, 16000, np.random.RandomState(0), decibels=-20)
    >>> bool(np.allclose(softer, speech / 10))
    True
    """
    return samples * 10 ** (decibels / 20)


@insert_descriptions(DESCRIPTIONS)
def change_speed(samples, sampling_rate, random_state, *, factor=1.1):
    """Play faster or slower, which also shifts pitch and formants.

    Parameters
    ----------
    {given}
    factor : float, default=1.1
        Speed; above 1 is faster.

    Returns
    -------
    ndarray of shape (n_samples / factor,), float32

    Examples
    --------
    >>> import numpy as np
    >>> from skser.augmentation import change_speed
    >>> from skser.datasets import make_emotional_speech
    >>> speech = make_emotional_speech(1, 5, random_state=0).data[0]
    >>> faster = change_speed(speech, 16000, np.random.RandomState(0), factor=1.25)
    >>> round(len(faster) / len(speech), 2)
    0.8
    """
    changed = resample(samples, sampling_rate * factor, sampling_rate)
    return changed if len(changed) else samples


_DEFAULT = {
    **{("noise", f"{snr} dB SNR"): functools.partial(add_noise, snr=snr) for snr in (20, 10, 0)},
    **{("clipping", f"{100 * x:g} %"): functools.partial(clip, share=x) for x in (0.01, 0.1)},
    **{("gain", f"{x:+} dB"): functools.partial(change_gain, decibels=x) for x in (20, -20, -40)},
    ("telephone", "8 kHz, 8 bit"): telephone,
    ("codec", "MP3"): functools.partial(encode, format="MP3"),
    ("codec", "Ogg Vorbis"): functools.partial(encode, format="OGG"),
    **{("reverberation", f"{x:g} s"): functools.partial(reverberate, seconds=x) for x in (0.3, 1)},
    **{("speed", f"{x:g}"): functools.partial(change_speed, factor=x) for x in (0.9, 1.1)},
    ("resampler", "linear, 11 kHz"): functools.partial(resample_badly, rate=11025),
}


def default_distortions():
    """Return the default distortions of `robustness_report`.

    Returns
    -------
    dict of callable
        Functions ``distortion(samples, sampling_rate, random_state)`` -> samples, by (kind,
        level). The dictionary is new in each call and can be modified.

    Examples
    --------
    >>> from skser.augmentation import default_distortions
    >>> list(default_distortions())[:3]
    [('noise', '20 dB SNR'), ('noise', '10 dB SNR'), ('noise', '0 dB SNR')]
    """
    return dict(_DEFAULT)
