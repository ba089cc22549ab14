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


def add_noise(samples, sampling_rate, random_state, *, snr=10, band=8000, over="utterance"):
    """Add white noise at a signal-to-noise ratio within the band that models analyze.

    Speech has little power above 8 kHz, but white noise has as much there as below. At a higher
    sampling rate, a ratio over the whole spectrum would therefore be a weaker noise for a model
    at 16 kHz.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
        Mono samples.
    sampling_rate : float
        Sampling rate in Hz.
    random_state : numpy.random.RandomState
        Generator of the noise.
    snr : float, default=10
        Signal-to-noise ratio in dB.
    band : float, default=8000
        Highest frequency in Hz of the band in which the ratio is measured: half the sampling rate
        of the model.
    over : {"utterance", "speech"}, default="utterance"
        Part of the utterance over which the level of the signal is measured: all of it, or frames
        of 20 ms whose level is at most 30 dB below that of the loudest one, so that pauses do not
        count.

    Returns
    -------
    ndarray of shape (n_samples,), float64
    """
    if over not in ("utterance", "speech"):
        raise ValueError(f"over must be 'utterance' or 'speech', not {over!r}.")
    noise = random_state.standard_normal(len(samples))
    heard, heard_noise = samples, noise
    if sampling_rate > 2 * band:
        heard, heard_noise = (
            resample(x.astype(np.float32), sampling_rate, 2 * band) for x in (samples, noise)
        )
    power = _mean_square(heard)
    if over == "speech":
        power = _speech_power(heard, min(sampling_rate, 2 * band))
    # The noise that was drawn counts, not its expectation: it varies in short utterances.
    level = np.sqrt(power / _mean_square(heard_noise)) * 10 ** (-snr / 20)
    return samples + level * noise


def _mean_square(samples):
    """Return the mean power of samples."""
    return np.mean(samples.astype(np.float64) ** 2)


def _speech_power(samples, sampling_rate):
    """Return the mean power of the frames of 20 ms that are within 30 dB of the loudest one."""
    length = max(1, round(0.02 * sampling_rate))
    n_frames = max(1, len(samples) // length)
    frames = np.array_split(samples.astype(np.float64), n_frames)
    powers = np.array([np.mean(frame**2) for frame in frames])
    return powers[powers >= 1e-3 * powers.max()].mean()


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
