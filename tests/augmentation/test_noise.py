"""Noise of each kind: spectrum, level, and independence of other properties of the input."""

import numpy as np
import pytest
import scipy.signal

from skser.audio import AudioReadError, Utterance, Waveform, resample
from skser.augmentation import add_babble, add_noise, add_recording
from skser.datasets import make_emotional_speech

RATE = 16000
RANDOM = np.random.RandomState


@pytest.fixture(scope="module")
def speech():
    return make_emotional_speech(2, 5, random_state=0).data


def decibels(signal, noise):
    return 10 * np.log10(np.mean(np.square(signal, dtype=float)) / np.mean(np.square(noise)))


def hum(seconds=1.0, rate=RATE, frequency=300):
    return Waveform(np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate), rate)


@pytest.mark.parametrize(("color", "slope"), [("white", 0), ("pink", -3.01), ("brown", -6.02)])
def test_the_power_of_colored_noise_falls_as_named(color, slope):
    tone = np.ones(20 * RATE, np.float32)
    noise = add_noise(tone, RATE, RANDOM(0), snr=0, color=color) - tone
    frequencies, power = scipy.signal.welch(noise, RATE, nperseg=4096)
    octaves = [
        10 * np.log10(power[(frequencies >= f) & (frequencies < 1.1 * f)].mean())
        for f in (100, 400, 1600, 6400)
    ]
    np.testing.assert_allclose(np.diff(octaves) / 2, slope, atol=0.5)


@pytest.mark.parametrize("color", ["white", "pink", "brown"])
@pytest.mark.parametrize("rate", [RATE, 48000])
def test_the_ratio_of_colored_noise_is_that_below_8_khz(speech, color, rate):
    samples = resample(speech[0], RATE, rate)
    noise = add_noise(samples, rate, RANDOM(0), snr=5, color=color) - samples
    heard, heard_noise = (resample(x.astype(np.float32), rate, RATE) for x in (samples, noise))
    assert decibels(heard, heard_noise) == pytest.approx(5, abs=0.01)


def test_an_unknown_color_raises(speech):
    with pytest.raises(ValueError, match="color must be 'white', 'pink' or 'brown', not 'red'"):
        add_noise(speech[0], RATE, RANDOM(0), color="red")


@pytest.mark.parametrize("snr", [20, 0])
def test_a_recording_is_added_at_the_requested_ratio(speech, snr):
    samples = speech[0]
    noise = add_recording(samples, RATE, RANDOM(0), recordings=[hum(10, 44100)], snr=snr) - samples
    assert decibels(samples, noise) == pytest.approx(snr, abs=0.01)
    peak = np.abs(np.fft.rfft(noise)).argmax() * RATE / len(noise)
    assert peak == pytest.approx(300, abs=2)


def test_a_short_recording_is_repeated_and_a_long_one_cut_at_random():
    samples = np.ones(1000, np.float32)
    short = Waveform(np.array([1.0, -1.0, 3.0, -3.0]), RATE)
    noise = add_recording(samples, RATE, RANDOM(0), recordings=[short], snr=0) - samples
    np.testing.assert_allclose(noise[:-4], noise[4:], atol=1e-12)
    assert sorted(noise[:4] / np.abs(noise).max() * 3) == pytest.approx([-3, -1, 1, 3])
    ramp = Waveform(np.arange(-5000.0, 5000.0) / 5000, RATE)
    noises = [
        add_recording(samples, RATE, RANDOM(seed), recordings=[ramp], snr=0) - samples
        for seed in (0, 1)
    ]
    assert np.abs(noises[0] - noises[1]).max() > 0.1
    np.testing.assert_allclose(np.diff(noises[0]), np.diff(noises[0])[0], atol=1e-6)


def test_digital_silence_and_offset_of_a_recording_do_not_count():
    samples = np.ones(800, np.float32)
    click = np.zeros(4 * RATE)
    click[30000:30100] = [0.5, -0.5] * 50
    gap = np.zeros(4 * RATE)
    gap[[0, 1, -2, -1]] = 0.5, -0.5, 0.5, -0.5
    for recording in (click, gap, click + 0.25):
        for seed in range(5):
            given = {"recordings": [Waveform(recording, RATE)], "snr": 10}
            noise = add_recording(samples, RATE, RANDOM(seed), **given) - samples
            assert decibels(samples, noise) == pytest.approx(10, abs=0.01)


def test_recordings_may_be_a_folder_files_bytes_or_parts(speech, wav, tmp_path):
    path = wav(np.asarray(hum()) / 2, name="hum.wav", subtype="FLOAT")
    (tmp_path / "notes.txt").write_text("no audio")
    (tmp_path / ".hidden.wav").write_bytes(b"")
    content = (tmp_path / "hum.wav").read_bytes()
    expected = add_recording(speech[0], RATE, RANDOM(0), recordings=[path])
    for recordings in (tmp_path, str(tmp_path), path, [content], [Utterance(path, 0, 1)]):
        np.testing.assert_array_equal(
            add_recording(speech[0], RATE, RANDOM(0), recordings=recordings), expected
        )


def test_bad_recordings_are_named(speech, wav, tmp_path):
    def add(recordings):
        add_recording(speech[0], RATE, RANDOM(0), recordings=recordings)

    with pytest.raises(FileNotFoundError, match="recordings='/no/such' does not exist"):
        add("/no/such")
    with pytest.raises(ValueError, match="holds no audio files"):
        add(tmp_path)
    with pytest.raises(ValueError, match="recordings must be .*Waveform"):
        add([np.ones(10)])
    with pytest.raises(ValueError, match="recordings must be .*empty"):
        add([])
    with pytest.raises(TypeError, match="recordings must be a folder or a list of audio"):
        add(3)
    silent = wav(np.zeros(100), name="silent.wav")
    with pytest.raises(AudioReadError, match=r"silent\.wav: is silent: remove it"):
        add(silent)
    with pytest.raises(AudioReadError, match="utterance 0.*is silent"):
        add([Waveform(np.full(100, 0.1), RATE)])


def test_babble_is_the_sum_of_voices_of_equal_power(speech):
    samples = np.ones(8 * RATE, np.float32)
    low, high = hum(8, frequency=200), hum(8, frequency=900)
    noise = add_babble(samples, RATE, RANDOM(0), voices=[low, Waveform(high / 50, RATE)], snr=3)
    noise = noise - samples
    assert decibels(samples, noise) == pytest.approx(3, abs=0.01)
    power = np.abs(np.fft.rfft(noise * np.hanning(len(noise)))) ** 2
    shares = [power[round(8 * f) - 20 : round(8 * f) + 21].sum() for f in (200, 900)]
    assert shares[0] / shares[1] == pytest.approx(1, abs=0.02)


def test_babble_never_holds_the_utterance_itself(speech):
    voices = [Waveform(speech[0], RATE), hum(5, frequency=777)]
    for seed in range(4):
        noise = add_babble(speech[0], RATE, RANDOM(seed), voices=voices, snr=0) - speech[0]
        spectrum = np.abs(np.fft.rfft(noise * np.hanning(len(noise)))) ** 2
        center = round(777 * len(noise) / RATE)
        assert spectrum[center - 10 : center + 11].sum() > 0.999 * spectrum.sum()
    with pytest.raises(ValueError, match="needs a voice other than the utterance"):
        add_babble(speech[0], RATE, RANDOM(0), voices=voices[:1])


@pytest.mark.parametrize("rate", [8000, RATE, 48000])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_noise_is_added_to_the_shortest_utterances(speech, n, rate):
    samples = np.linspace(0.5, -0.5, n).astype(np.float32)
    voices = [Waveform(x, RATE) for x in speech]
    for noisy in (
        *(add_noise(samples, rate, RANDOM(0), color=c) for c in ("white", "pink", "brown")),
        add_recording(samples, rate, RANDOM(0), recordings=voices),
        add_babble(samples, rate, RANDOM(0), voices=voices, n_voices=1),
    ):
        assert noisy.shape == (n,)
        assert decibels(samples, noisy - samples) == pytest.approx(10, abs=0.01)
