"""Effects of each distortion on the signal."""

import numpy as np
import pytest
import scipy.signal

from skser import augmentation as distort
from skser.audio import resample
from skser.augmentation import default_distortions
from skser.datasets import make_emotional_speech

RATE = 16000
RANDOM = np.random.RandomState


@pytest.fixture(scope="module")
def speech():
    return make_emotional_speech(1, 5, random_state=0).data[0]


@pytest.mark.parametrize("snr", [20, 0, -5])
def test_noise_has_the_requested_ratio(speech, snr):
    noise = distort.add_noise(speech, RATE, RANDOM(0), snr=snr) - speech
    ratio = 10 * np.log10(np.mean(speech**2) / np.mean(noise**2))
    assert ratio == pytest.approx(snr, abs=0.2)


def decibels(signal, noise):
    return 10 * np.log10(np.mean(np.square(signal)) / np.mean(np.square(noise)))


def test_the_ratio_is_that_in_the_band_of_the_model(speech):
    high = resample(speech, RATE, 48000)
    noise = distort.add_noise(high, 48000, RANDOM(0), snr=10) - high
    heard, heard_noise = (resample(x.astype(np.float32), 48000, RATE) for x in (high, noise))
    assert decibels(heard, heard_noise) == pytest.approx(10, abs=1e-3)
    assert decibels(high, noise) == pytest.approx(10 - 10 * np.log10(3), abs=0.3)
    whole = distort.add_noise(high, 48000, RANDOM(0), snr=10, band=24000) - high
    assert decibels(high, whole) == pytest.approx(10, abs=1e-3)


def test_the_ratio_over_speech_ignores_pauses(speech):
    padded = np.concatenate([np.zeros(len(speech), np.float32), speech])
    over = {}
    for kind in ("utterance", "speech"):
        noise = distort.add_noise(padded, RATE, RANDOM(0), snr=10, over=kind) - padded
        over[kind] = decibels(speech, noise)
    assert over["utterance"] == pytest.approx(10 + 10 * np.log10(2), abs=0.01)
    loud = np.array_split(speech.astype(float), len(speech) // 320)
    powers = np.array([np.mean(frame**2) for frame in loud])
    in_speech = powers[powers >= powers.max() / 1000].mean()
    assert over["speech"] == pytest.approx(
        10 + 10 * np.log10(np.mean(speech**2) / in_speech), abs=0.05
    )
    with pytest.raises(ValueError, match="over must be 'utterance' or 'speech', not 'pause'"):
        distort.add_noise(speech, RATE, RANDOM(0), over="pause")


def test_silence_stays_silent():
    assert not distort.add_noise(np.zeros(800, np.float32), RATE, RANDOM(0), over="speech").any()


def test_clipping_changes_only_the_largest_samples(speech):
    clipped = distort.clip(speech, RATE, RANDOM(0), share=0.1)
    changed = clipped != speech
    assert changed.mean() == pytest.approx(0.1, abs=0.01)
    assert np.abs(clipped).max() == pytest.approx(np.quantile(np.abs(speech), 0.9))


def test_gain_is_a_factor(speech):
    np.testing.assert_allclose(
        distort.change_gain(speech, RATE, RANDOM(0), decibels=-20), speech / 10, rtol=1e-6
    )


def band_energy(samples, low, high):
    frequencies, power = scipy.signal.welch(samples, RATE, nperseg=1024)
    return power[(frequencies >= low) & (frequencies < high)].sum()


def test_a_telephone_removes_treble_and_bass():
    noise = RANDOM(0).randn(RATE).astype(np.float32)
    narrow = distort.telephone(noise, RATE, RANDOM(0))
    assert len(narrow) == len(noise)
    assert band_energy(narrow, 4200, 8000) < 1e-3 * band_energy(noise, 4200, 8000)
    assert band_energy(narrow, 0, 100) < 0.05 * band_energy(noise, 0, 100)
    assert band_energy(narrow, 800, 2500) == pytest.approx(band_energy(noise, 800, 2500), rel=0.2)
    assert not distort.telephone(np.zeros(800, np.float32), RATE, RANDOM(0)).any()


@pytest.mark.parametrize("format", ["MP3", "OGG"])
def test_codecs_change_samples_slightly(speech, format):
    decoded = distort.encode(speech, RATE, RANDOM(0), format=format)
    assert not np.array_equal(decoded, speech)
    n = min(len(decoded), len(speech))
    correlation = np.abs(scipy.signal.correlate(decoded[:n], speech[:n])).max()
    assert correlation / np.sqrt(np.sum(decoded**2) * np.sum(speech**2)) > 0.9


def test_reverberation_decays_at_the_requested_rate():
    click = np.zeros(2 * RATE, np.float32)
    click[0] = 1
    tail = distort.reverberate(click, RATE, RANDOM(0), seconds=0.5)
    early, late = (np.sqrt(np.mean(tail[a : a + 800] ** 2)) for a in (100, 100 + RATE // 4))
    assert 20 * np.log10(early / late) == pytest.approx(30, abs=2)  # half the time, half the dB
    assert np.abs(tail[RATE:]).max() < 1e-12


def test_speed_changes_duration_and_pitch():
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    fast = distort.change_speed(tone, RATE, RANDOM(0), factor=1.25)
    assert len(fast) == pytest.approx(RATE / 1.25, abs=2)
    peak = np.abs(np.fft.rfft(fast)).argmax() * RATE / len(fast)
    assert peak == pytest.approx(550, abs=2)


def test_a_bad_resampler_aliases_frequencies():
    tone = np.sin(2 * np.pi * 7000 * np.arange(RATE) / RATE).astype(np.float32)
    bad = distort.resample_badly(tone, RATE, RANDOM(0), rate=11025)
    assert len(bad) == len(tone)
    assert band_energy(bad, 3900, 4150) > 10 * band_energy(tone, 3900, 4150)  # 11025 - 7000


@pytest.mark.parametrize("rate", [10000, 96000, 22050.0])
@pytest.mark.parametrize("kind", list(default_distortions()))
def test_distortions_work_at_any_sampling_rate(rate, kind):
    samples = RANDOM(0).randn(int(rate) // 2).astype(np.float32) / 10
    distorted = default_distortions()[kind](samples, rate, RANDOM(0))
    assert np.isfinite(distorted).all()
    assert 0.8 < len(distorted) / len(samples) < 1.2


def test_clipping_ignores_digital_silence(speech):
    mostly_silent = np.concatenate([np.zeros(20 * len(speech), np.float32), speech])
    clipped = distort.clip(mostly_silent, RATE, RANDOM(0), share=0.1)
    assert np.abs(clipped).max() > 0.1 * np.abs(speech).max()
    assert not distort.clip(np.zeros(100, np.float32), RATE, RANDOM(0)).any()
