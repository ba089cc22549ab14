"""Impulse responses that are given and simulated."""

import numpy as np
import pytest

from skser.audio import AudioReadError, Waveform
from skser.augmentation import apply_room, reverberate, simulate_rooms

RATE = 16000
RANDOM = np.random.RandomState


def test_a_room_is_a_convolution_without_delay_at_the_same_level():
    samples = RANDOM(0).randn(1000).astype(np.float32)
    response = Waveform(np.r_[np.zeros(50), 0.01, 4.0, 0.0, -2.0], RATE, max_amplitude=None)
    heard = apply_room(samples, RATE, RANDOM(0), impulse_responses=[response])
    expected = samples.astype(float)
    expected[2:] -= 0.5 * samples[:-2]
    expected *= np.sqrt(np.mean(samples.astype(float) ** 2) / np.mean(expected**2))
    np.testing.assert_allclose(heard, expected, atol=1e-6)
    assert np.mean(heard**2) == pytest.approx(np.mean(samples**2), rel=1e-6)


def test_responses_are_resampled_and_drawn_at_random():
    samples = RANDOM(0).randn(2000).astype(np.float32)
    echo = np.zeros(9900)
    echo[0], echo[9600] = 1, 1
    responses = [Waveform(echo, 3 * RATE), Waveform(np.ones(1), RATE)]
    heard = [
        apply_room(samples, RATE, RANDOM(seed), impulse_responses=responses) for seed in range(8)
    ]
    changed = [np.abs(x - samples).max() > 0.1 for x in heard]
    assert 0 < sum(changed) < 8
    click = np.zeros(8000, np.float32)
    click[0] = 1
    late = apply_room(click, RATE, RANDOM(0), impulse_responses=responses[:1])
    assert np.flatnonzero(np.abs(late) > 0.4).tolist() == [0, 3200]


def test_silence_and_single_samples_stay(wav):
    room = [Waveform([1.0, 0.5], RATE)]
    assert not apply_room(np.zeros(80, np.float32), RATE, RANDOM(0), impulse_responses=room).any()
    one = np.full(1, 0.5, np.float32)
    assert apply_room(one, RATE, RANDOM(0), impulse_responses=room).tolist() == [0.5]
    assert reverberate(one, RATE, RANDOM(0)).tolist() == [0.5]
    silent = wav(np.zeros(100), name="dead.wav")
    with pytest.raises(AudioReadError, match="dead.wav: is silent: remove it"):
        apply_room(one, RATE, RANDOM(0), impulse_responses=silent)


def test_the_ratio_of_direct_sound_to_reverberation_is_given():
    click = np.zeros(2 * RATE, np.float32)
    click[0] = 1
    heard = reverberate(click, RATE, RANDOM(0), seconds=0.4, ratio=10)
    assert heard[0] == pytest.approx(1)
    assert np.sum(heard[1:] ** 2) == pytest.approx(0.1, rel=1e-3)


def test_simulated_rooms_decay_in_their_reverberation_time():
    pytest.importorskip("pyroomacoustics")
    rooms = simulate_rooms(4, seconds=(0.3, 0.6), random_state=0)
    for room in rooms:
        stated = float(room.name.split()[-2])
        samples = np.asarray(room, dtype=float)
        remaining = 10 * np.log10(np.cumsum(samples[::-1] ** 2)[::-1] / np.sum(samples**2))
        early, late = (np.flatnonzero(remaining < x)[0] / RATE for x in (-5, -25))
        assert 3 * (late - early) == pytest.approx(stated, rel=0.35)
    again = simulate_rooms(4, seconds=(0.3, 0.6), random_state=0)
    for room, same in zip(rooms, again, strict=True):
        np.testing.assert_array_equal(room, same)
        assert room.sampling_rate == RATE
    assert len({room.name for room in rooms}) == 4
