"""Additive noise at a given signal-to-noise ratio: colored noise, recordings, babble."""

import numpy as np
import scipy.fft

from skser._docstrings import insert_descriptions
from skser.audio import resample
from skser.augmentation._recordings import excerpt, listed, read, voices_of

# Exponent of the frequency that the power of each noise is divided by.
_COLORS = {"white": 0, "pink": 1, "brown": 2}
_LOWEST = 20.0  # Hz; power that no one hears must not count as noise

# Parameter descriptions of all functions here, for `insert_descriptions`.
_DESCRIPTIONS = {
    "samples": """samples : ndarray of shape (n_samples,), float32
    Mono samples.
sampling_rate : float
    Sampling rate in Hz.
random_state : numpy.random.RandomState
    Generator of the noise.""",
    "ratio": """snr : float, default=10
    Signal-to-noise ratio in dB. A constant offset of the signal counts as signal.
band : float, default=8000
    Highest frequency in Hz of the band in which the ratio is measured: half the sampling rate
    of the model.
over : {"utterance", "speech"}, default="utterance"
    Part of the utterance over which the level of the signal is measured: all of it, or frames
    of 20 ms whose level is at most 30 dB below that of the loudest one, so that pauses do not
    count.""",
}


@insert_descriptions(_DESCRIPTIONS)
def add_noise(
    samples, sampling_rate, random_state, *, snr=10, band=8000, over="utterance", color="white"
):
    """Add colored noise at a signal-to-noise ratio within the band that models analyze.

    Speech has little power above 8 kHz, but white noise has as much there as below. At a higher
    sampling rate, a ratio over the whole spectrum would therefore be a weaker noise for a model
    at 16 kHz.

    Parameters
    ----------
    {samples}
    {ratio}
    color : {"white", "pink", "brown"}, default="white"
        Spectrum of the noise: power independent of the frequency, inversely proportional to it,
        or to its square. Below 20 Hz all spectra are flat.

    Returns
    -------
    ndarray of shape (n_samples,), float64

    Raises
    ------
    ValueError
        If `color` or `over` is not one of the above.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.augmentation import add_noise
    >>> from skser.datasets import make_emotional_speech
    >>> speech = make_emotional_speech(1, 5, random_state=0).data[0]
    >>> noisy = add_noise(speech, 16000, np.random.RandomState(0), snr=10, color="pink")
    >>> round(10 * np.log10(np.mean(speech**2) / np.mean((noisy - speech) ** 2)))
    10
    """
    if color not in _COLORS:
        raise ValueError(f"color must be 'white', 'pink' or 'brown', not {color!r}.")
    noise = random_state.standard_normal(len(samples))
    if color != "white":
        n_fft = scipy.fft.next_fast_len(len(noise), real=True)
        spectrum = scipy.fft.rfft(noise, n_fft)
        frequencies = np.maximum(scipy.fft.rfftfreq(n_fft, 1 / sampling_rate), _LOWEST)
        spectrum *= (frequencies / _LOWEST) ** (-_COLORS[color] / 2)
        noise = scipy.fft.irfft(spectrum, n_fft)[: len(samples)]
    return _mixed(samples, noise, sampling_rate, snr, band, over)


@insert_descriptions(_DESCRIPTIONS)
def add_recording(
    samples, sampling_rate, random_state, *, recordings, snr=10, band=8000, over="utterance"
):
    """Add an excerpt of a recording of noise at a signal-to-noise ratio.

    One of the recordings is chosen at random. A longer one is cut at a random place; a shorter
    one is repeated. Its constant offset and the digital silence at its ends are removed.

    Parameters
    ----------
    {samples}
    recordings : path-like, or list of audio
        Folder, searched at any depth, or list of paths, waveforms or other forms of audio, as in
        `skser.feature_extraction.MelSpectrogram`. Arrays are given as `Waveform`.
    {ratio}

    Returns
    -------
    ndarray of shape (n_samples,), float64

    Raises
    ------
    AudioReadError
        If the chosen recording cannot be read, or is silent.
    ValueError
        If `recordings` is empty, or `over` is not one of the above.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.audio import Waveform
    >>> from skser.augmentation import add_recording
    >>> hum = Waveform(np.sin(2 * np.pi * 50 * np.arange(8000) / 8000), 8000)
    >>> speech = np.random.RandomState(0).randn(16000).astype(np.float32) / 10
    >>> noisy = add_recording(speech, 16000, np.random.RandomState(1), recordings=[hum], snr=6)
    >>> noise = noisy - speech
    >>> round(float(10 * np.log10(np.mean(speech**2) / np.mean(noise**2))), 2)
    6.0
    """
    recordings = listed(recordings, "recordings")
    i = random_state.randint(len(recordings))
    noise = excerpt(read(recordings, i, sampling_rate), len(samples), random_state)
    return _mixed(samples, noise, sampling_rate, snr, band, over)


@insert_descriptions(_DESCRIPTIONS)
def add_babble(
    samples,
    sampling_rate,
    random_state,
    *,
    voices,
    n_voices=6,
    snr=10,
    band=8000,
    over="utterance",
):
    """Add the sum of other utterances, as of people talking nearby, at a signal-to-noise ratio.

    The voices are drawn without replacement, have equal power, and begin at random places. An
    utterance is never added to itself.

    Parameters
    ----------
    {samples}
    voices : path-like, or list of audio
        Utterances, in the forms of `recordings` of `add_recording`.
    n_voices : int, default=6
        Number of voices that talk at once. If fewer are given, all of them talk.
    {ratio}

    Returns
    -------
    ndarray of shape (n_samples,), float64

    Raises
    ------
    AudioReadError
        If a drawn utterance cannot be read, or is silent.
    ValueError
        If all voices are the utterance itself, or `over` is not one of the above.

    Examples
    --------
    >>> import numpy as np
    >>> from skser.audio import Waveform
    >>> from skser.augmentation import add_babble
    >>> from skser.datasets import make_emotional_speech
    >>> corpus = make_emotional_speech(2, 5, random_state=0)
    >>> voices = [Waveform(samples, corpus.sampling_rate) for samples in corpus.data[5:]]
    >>> noisy = add_babble(
    ...     corpus.data[0], 16000, np.random.RandomState(0), voices=voices, snr=5
    ... )
    >>> noisy.shape == corpus.data[0].shape
    True
    """
    seed = random_state.randint(2**31 - 1)
    lines = voices_of(voices, samples, seed, n_voices, sampling_rate)
    return add_voices(samples, sampling_rate, random_state, lines, snr, band, over)


def add_voices(samples, sampling_rate, random_state, lines, snr, band=8000, over="utterance"):
    """Add the sum of the given voices, each of the same power, at a signal-to-noise ratio."""
    babble = np.zeros(len(samples))
    for line in lines:
        part = excerpt(line, len(samples), random_state)
        babble += part / (np.sqrt(_mean_square(part)) or 1.0)
    return _mixed(samples, babble, sampling_rate, snr, band, over)


def _mixed(samples, noise, sampling_rate, snr, band, over):
    """Add noise at a ratio that is measured below `band`, over the utterance or its speech."""
    if over not in ("utterance", "speech"):
        raise ValueError(f"over must be 'utterance' or 'speech', not {over!r}.")
    heard, heard_noise, rate = samples, noise, sampling_rate
    # Resampling leaves nothing of one or two samples, whose spectrum says nothing anyway.
    if sampling_rate > 2 * band and len(samples) * 2 * band >= 8 * sampling_rate:
        rate = 2 * band
        heard, heard_noise = (
            resample(x.astype(np.float32), sampling_rate, rate) for x in (samples, noise)
        )
    power = _mean_square(heard) if over == "utterance" else _speech_power(heard, rate)
    # The noise that was drawn counts, not its expectation: it varies in short utterances.
    noise_power = _mean_square(heard_noise) or np.inf  # noise above the band is not heard
    return samples + np.sqrt(power / noise_power) * 10 ** (-snr / 20) * noise


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
