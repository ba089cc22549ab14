"""Distortions of recordings: noise, rooms, telephones, codecs, levels and speeds.

Each is a function ``(samples, sampling_rate, random_state)`` -> samples on mono float32 samples.
"""

import functools
import io

import numpy as np
import scipy.signal

from skser.audio import resample

# Sampling rates in Hz that MPEG audio supports.
_CODEC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def add_noise(samples, sampling_rate, random_state, *, snr=10):
    """Add white noise at a signal-to-noise ratio in dB, measured over the whole utterance."""
    noise = random_state.standard_normal(len(samples))
    level = np.sqrt(np.mean(samples.astype(np.float64) ** 2)) * 10 ** (-snr / 20)
    return samples + level * noise


def clip(samples, sampling_rate, random_state, *, share=0.05):
    """Clip the largest `share` of the samples that are not 0, like an overdriven microphone."""
    heard = np.abs(samples[samples != 0])
    if not len(heard):
        return samples
    peak = np.quantile(heard, 1 - share)
    return np.clip(samples, -peak, peak)


def change_gain(samples, sampling_rate, random_state, *, decibels=-20):
    """Change the level of an utterance by a gain in dB, without clipping."""
    return samples * 10 ** (decibels / 20)


def telephone(samples, sampling_rate, random_state, *, band=(300, 3400)):
    """Simulate a telephone: a narrow band at 8 kHz with 8-bit mu-law companding (ITU-T G.711).

    The band is given in Hz.
    """
    narrow = resample(samples, sampling_rate, 8000)
    filters = scipy.signal.butter(4, band, "bandpass", fs=8000, output="sos")
    narrow = scipy.signal.sosfilt(filters, narrow)
    peak = np.abs(narrow).max() or 1.0  # avoids a division by 0 for silence
    mu = 255
    companded = np.sign(narrow) * np.log1p(mu * np.abs(narrow) / peak) / np.log1p(mu)
    companded = np.round(companded * 127) / 127
    narrow = peak * np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(mu)) / mu
    return resample(narrow.astype(np.float32), 8000, sampling_rate)


def encode(samples, sampling_rate, random_state, *, format="MP3", compression=0.9):
    """Encode with a lossy codec and decode again; `compression` ranges from 0 (good) to 1 (small).

    The format is "MP3" or "OGG" (Vorbis).
    """
    import soundfile

    subtype = {"MP3": "MPEG_LAYER_III", "OGG": "VORBIS"}[format]
    # Samples beyond full scale would be clipped, which is a different distortion.
    peak = max(float(np.abs(samples).max()), 1.0)
    rate = sampling_rate if sampling_rate in _CODEC_RATES else 48000
    file = io.BytesIO()
    soundfile.write(
        file,
        resample(samples / peak, sampling_rate, rate),
        int(rate),
        format=format,
        subtype=subtype,
        compression_level=compression,
    )
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return resample(decoded, rate, sampling_rate)[: len(samples)] * peak


def reverberate(samples, sampling_rate, random_state, *, seconds=0.5):
    """Convolve with a direct sound followed by noise that decays by 60 dB in `seconds`."""
    times = np.arange(1, round(seconds * sampling_rate)) / sampling_rate
    tail = random_state.standard_normal(len(times)) * 10 ** (-3 * times / seconds)
    # The reverberation has as much energy as the direct sound.
    response = np.concatenate([[1.0], tail / np.sqrt(np.sum(tail**2))])
    return scipy.signal.fftconvolve(samples, response)[: len(samples)]


def change_speed(samples, sampling_rate, random_state, *, factor=1.1):
    """Play faster (`factor` above 1) or slower, which also shifts pitch and formants."""
    return resample(samples, sampling_rate * factor, sampling_rate)


def resample_badly(samples, sampling_rate, random_state, *, rate=8000):
    """Resample to `rate` in Hz and back by linear interpolation, without a filter."""
    times = np.arange(len(samples)) / sampling_rate
    coarse = np.arange(max(2, round(len(samples) * rate / sampling_rate))) / rate
    return np.interp(times, coarse, np.interp(coarse, times, samples))


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
