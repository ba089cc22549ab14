"""Channels between a speaker and a model: microphones, telephones, bands and codecs."""

import io

import numpy as np
import scipy.fft
import scipy.signal

from skser._docstrings import insert_descriptions
from skser.audio import resample
from skser.augmentation._parameters import DESCRIPTIONS

# Formats of `encode` as libsndfile names them, and the rates in Hz that they support, if not all.
_MPEG_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_CODECS = {
    "MP3": ("MP3", "MPEG_LAYER_III", _MPEG_RATES),
    "OGG": ("OGG", "VORBIS", _MPEG_RATES),
    "OPUS": ("OGG", "OPUS", (8000, 12000, 16000, 24000, 48000)),
    "ULAW": ("WAV", "ULAW", (8000,)),
    "ALAW": ("WAV", "ALAW", (8000,)),
}
_BLOCK = 2**20  # samples; libsndfile crashes on much longer blocks of Ogg


@insert_descriptions(DESCRIPTIONS)
def telephone(samples, sampling_rate, random_state, *, band=(300, 3400)):
    """Simulate a telephone: a narrow band at 8 kHz with 8-bit mu-law companding (ITU-T G.711).

    Parameters
    ----------
    {given}
    band : (float, float), default=(300, 3400)
        Lowest and highest frequency in Hz.

    Returns
    -------
    ndarray of shape (n_samples,), float32

    Examples
    --------
    >>> import numpy as np
    >>> from skser.augmentation import telephone
    >>> from skser.datasets import make_emotional_speech
    >>> speech = make_emotional_speech(1, 5, random_state=0).data[0]
    >>> call = telephone(speech, 16000, np.random.RandomState(0))
    >>> power = np.abs(np.fft.rfft(call)) ** 2
    >>> above = np.fft.rfftfreq(len(call), 1 / 16000) > 4000
    >>> bool(power[above].sum() < 0.001 * power.sum())
    True
    """

    def companded(narrow):
        filters = scipy.signal.butter(4, band, "bandpass", fs=8000, output="sos")
        narrow = scipy.signal.sosfilt(filters, narrow)
        peak = np.abs(narrow).max() or 1.0  # avoids a division by 0 for silence
        mu = 255
        codes = np.sign(narrow) * np.log1p(mu * np.abs(narrow) / peak) / np.log1p(mu)
        codes = np.round(codes * 127) / 127
        return peak * np.sign(codes) * np.expm1(np.abs(codes) * np.log1p(mu)) / mu

    return _at_rate(samples, sampling_rate, 8000, companded)


def _at_rate(samples, sampling_rate, rate, change):
    """Apply a change at another rate, without changing the number of samples."""
    narrow = resample(samples, sampling_rate, rate)
    if not len(narrow):  # samples too few to have any at that rate
        return samples
    changed = resample(change(narrow).astype(np.float32), rate, sampling_rate)[: len(samples)]
    return np.concatenate([changed, np.zeros(len(samples) - len(changed), np.float32)])


@insert_descriptions(DESCRIPTIONS)
def limit_band(samples, sampling_rate, random_state, *, low=None, high=None):
    """Remove frequencies below `low` and above `high`, as loudspeakers and narrow channels do.

    Parameters
    ----------
    {given}
    low, high : float or None, default=None
        Frequencies in Hz at which the level is 3 dB lower. Beyond them, it falls by 48 dB per
        octave. None does not limit the band on that side, and neither does a `high` of half the
        sampling rate or more.

    Returns
    -------
    ndarray of shape (n_samples,), float64

    Raises
    ------
    ValueError
        If `low` is not below `high` and half the sampling rate.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.augmentation import limit_band
    >>> from skser.datasets import make_emotional_speech
    >>> speech = make_emotional_speech(1, 5, random_state=0).data[0]
    >>> narrow = limit_band(speech, 16000, np.random.RandomState(0), low=200, high=5000)
    >>> narrow.shape == speech.shape
    True
    """
    if low is not None and low >= min(high or np.inf, sampling_rate / 2):
        raise ValueError(
            f"low={low} Hz must be below high={high} and half the sampling rate of "
            f"{sampling_rate:g} Hz."
        )
    for frequency, kind in ((low, "highpass"), (high, "lowpass")):
        if frequency is not None and frequency < sampling_rate / 2:
            filters = scipy.signal.butter(8, frequency, kind, fs=sampling_rate, output="sos")
            samples = scipy.signal.sosfilt(filters, samples)
    return samples


@insert_descriptions(DESCRIPTIONS)
def tilt_spectrum(samples, sampling_rate, random_state, *, slope=3.0):
    """Tilt the spectrum, as microphones do, at an unchanged mean level.

    Parameters
    ----------
    {given}
    slope : float, default=3.0
        Gain in dB per octave, from 50 Hz to 8 kHz. Below and above, it stays the same.

    Returns
    -------
    ndarray of shape (n_samples,), float64

    Examples
    --------
    >>> import numpy as np
    >>> from skser.augmentation import tilt_spectrum
    >>> from skser.datasets import make_emotional_speech
    >>> speech = make_emotional_speech(1, 5, random_state=0).data[0]
    >>> brighter = tilt_spectrum(speech, 16000, np.random.RandomState(0), slope=6)
    >>> bool(np.isclose(np.mean(brighter**2), np.mean(speech**2), rtol=0.01))
    True
    """
    # Padding keeps the filter from wrapping the end around to the start.
    n_fft = scipy.fft.next_fast_len(len(samples) + round(0.05 * sampling_rate), real=True)
    octaves = np.log2(np.clip(scipy.fft.rfftfreq(n_fft, 1 / sampling_rate), 50, 8000) / 1000)
    spectrum = scipy.fft.rfft(samples.astype(np.float64), n_fft) * 10 ** (slope * octaves / 20)
    tilted = scipy.fft.irfft(spectrum, n_fft)[: len(samples)]
    power = np.sum(tilted**2)
    return tilted * np.sqrt(np.sum(samples.astype(np.float64) ** 2) / power) if power else tilted


@insert_descriptions(DESCRIPTIONS)
def encode(samples, sampling_rate, random_state, *, format="MP3", compression=0.9):
    """Encode with a lossy codec and decode again.

    Parameters
    ----------
    {given}
    format : {"MP3", "OGG", "OPUS", "ULAW", "ALAW"}, default="MP3"
        Codec. "OGG" is Vorbis; "ULAW" and "ALAW" are those of ITU-T G.711 at 8 kHz, whose bit rate
        is fixed.
    compression : float, default=0.9
        From 0 (good) to 1 (small).

    Returns
    -------
    ndarray of shape (n_samples,)
        Decoded samples. Samples beyond full scale are encoded at a lower level.

    Raises
    ------
    ValueError
        If `format` is not one of the above, or `compression` is not between 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.augmentation import encode
    >>> from skser.datasets import make_emotional_speech
    >>> speech = make_emotional_speech(1, 5, random_state=0).data[0]
    >>> decoded = encode(speech, 16000, np.random.RandomState(0), format="OPUS")
    >>> decoded.shape == speech.shape
    True
    """
    if format not in _CODECS:
        raise ValueError(f"format must be one of {', '.join(_CODECS)}, not {format!r}.")
    if not 0 <= compression <= 1:
        raise ValueError(f"compression must be between 0 and 1, not {compression}.")
    container, subtype, rates = _CODECS[format]
    # Samples beyond full scale would be clipped, which is a different distortion.
    peak = max(float(np.abs(samples).max()), 1.0)
    rate = sampling_rate if sampling_rate in rates else rates[-1]
    most = 0.99 if format == "MP3" else 1.0  # libsndfile refuses to make the smallest MP3
    settings = {} if container == "WAV" else {"compression_level": min(compression, most)}

    def coded(narrow):
        import soundfile

        file = io.BytesIO()
        with soundfile.SoundFile(
            file, "w", int(rate), 1, subtype, format=container, **settings
        ) as opened:
            for start in range(0, len(narrow), _BLOCK):
                opened.write(narrow[start : start + _BLOCK])
        file.seek(0)
        return soundfile.read(file, dtype="float32")[0]

    return _at_rate(samples / peak, sampling_rate, rate, coded) * peak


@insert_descriptions(DESCRIPTIONS)
def resample_badly(samples, sampling_rate, random_state, *, rate=8000):
    """Resample and back by linear interpolation, without a filter.

    Parameters
    ----------
    {given}
    rate : float, default=8000
        Rate in between, in Hz.

    Returns
    -------
    ndarray of shape (n_samples,), float64

    Examples
    --------
    >>> import numpy as np
    >>> from skser.augmentation import resample_badly
    >>> from skser.datasets import make_emotional_speech
    >>> speech = make_emotional_speech(1, 5, random_state=0).data[0]
    >>> coarse = resample_badly(speech, 16000, np.random.RandomState(0), rate=8000)
    >>> coarse.shape == speech.shape
    True
    """
    times = np.arange(len(samples)) / sampling_rate
    coarse = np.arange(max(2, round(len(samples) * rate / sampling_rate))) / rate
    return np.interp(times, coarse, np.interp(coarse, times, samples))
