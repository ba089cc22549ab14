"""Bands, microphones and codecs."""

import numpy as np
import pytest
import scipy.signal

from skser import augmentation
from skser.augmentation import change_speed, encode, limit_band, telephone, tilt_spectrum
from skser.datasets import make_emotional_speech

RATE = 16000
RANDOM = np.random.RandomState


def level(samples, frequency):
    frequencies, power = scipy.signal.welch(samples, RATE, nperseg=2048)
    near = np.abs(frequencies - frequency) < 40
    return 10 * np.log10(power[near].mean())


@pytest.fixture(scope="module")
def white():
    return (RANDOM(0).randn(8 * RATE) / 10).astype(np.float32)


def test_a_limited_band_keeps_its_inside_and_removes_its_outside(white):
    narrow = limit_band(white, RATE, RANDOM(0), low=400, high=3000)
    assert level(narrow, 1000) == pytest.approx(level(white, 1000), abs=0.2)
    assert level(narrow, 400) == pytest.approx(level(white, 400) - 3, abs=1)
    assert level(narrow, 6000) < level(white, 6000) - 45
    assert level(narrow, 200) < level(white, 200) - 40
    np.testing.assert_array_equal(limit_band(white, RATE, RANDOM(0), high=8000), white)
    with pytest.raises(ValueError, match="low=9000 Hz must be below high=None and half"):
        limit_band(white, RATE, RANDOM(0), low=9000)


def test_a_tilt_is_a_slope_per_octave_at_the_same_level(white):
    tilted = tilt_spectrum(white, RATE, RANDOM(0), slope=3)
    gains = [level(tilted, f) - level(white, f) for f in (500, 1000, 2000, 4000)]
    np.testing.assert_allclose(np.diff(gains), 3, atol=0.3)
    assert np.mean(tilted**2) == pytest.approx(np.mean(white.astype(float) ** 2), rel=1e-6)


@pytest.mark.parametrize("format", ["MP3", "OGG", "OPUS", "ULAW", "ALAW"])
@pytest.mark.parametrize("compression", [0, 0.9, 1])
def test_all_codecs_change_samples_slightly(format, compression):
    speech = make_emotional_speech(1, 5, random_state=0).data[0]
    decoded = encode(speech, RATE, RANDOM(0), format=format, compression=compression)
    assert decoded.shape == speech.shape
    assert np.abs(decoded - speech).max() > 1e-4
    assert np.corrcoef(decoded, speech)[0, 1] > 0.9


def test_unknown_codecs_and_compressions_are_refused():
    speech = np.zeros(1600, np.float32)
    with pytest.raises(ValueError, match="format must be one of MP3, OGG, .*, not 'AAC'"):
        encode(speech, RATE, RANDOM(0), format="AAC")
    with pytest.raises(ValueError, match="compression must be between 0 and 1, not 9"):
        encode(speech, RATE, RANDOM(0), compression=9)


def test_samples_beyond_full_scale_are_not_clipped():
    tone = (3 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
    for format in ("MP3", "OPUS", "ULAW"):
        assert np.abs(encode(tone, RATE, RANDOM(0), format=format)).max() > 2.7


def test_long_recordings_are_encoded_in_blocks():
    long = np.zeros(2**20 + 5, np.float32)
    long[-2000:] = np.sin(np.arange(2000) / 3)
    decoded = encode(long, RATE, RANDOM(0), format="OGG")
    assert len(decoded) == len(long)
    assert np.abs(decoded[-1500:-500]).max() > 0.8


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("rate", [8000, RATE, 48000])
@pytest.mark.parametrize(
    ("alter", "settings"),
    [
        (telephone, {}),
        *((encode, {"format": f}) for f in ("MP3", "OGG", "OPUS", "ULAW", "ALAW")),
        (limit_band, {"low": 100, "high": 3000}),
        (tilt_spectrum, {}),
        (change_speed, {"factor": 1.5}),
        (augmentation.resample_badly, {}),
        (augmentation.clip, {}),
    ],
)
def test_silence_and_the_shortest_utterances_are_accepted(alter, settings, rate, n):
    for samples in (np.zeros(n, np.float32), np.linspace(0.1, 0.3, n).astype(np.float32)):
        altered = alter(samples, rate, RANDOM(0), **settings)
        assert altered.ndim == 1
        assert len(altered) >= 1
        assert np.isfinite(altered).all()
