"""Channels that cancel or only carry an offset, and streams of wrong type or layout."""

import itertools

import numpy as np
import pytest

from skser.audio import (
    AudioReadError,
    Utterance,
    Waveform,
    load_audio,
    read_utterance,
    stream_audio,
    stream_blocks,
)

RATE = 16000
SPEECH = (np.random.RandomState(0).randn(3 * RATE) / 10).astype(np.float32)


def blocks_of(samples, size=1600):
    return [samples[i : i + size] for i in range(0, len(samples), size)]


def readers(wav, channels):
    """Return functions that read stereo samples from a file, an array and two streams."""
    path = wav(channels, subtype="FLOAT")
    return [
        lambda: load_audio(path),
        lambda: list(stream_audio(path)),
        lambda: read_utterance(Waveform(channels, RATE), 0, None, RATE),
        lambda: list(stream_blocks(blocks_of(channels), RATE)),
    ]


class TestOffsets:
    @pytest.mark.parametrize("offset", [0.1, -0.5])
    def test_channels_that_cancel_warn_despite_an_offset(self, wav, offset):
        channels = np.stack([SPEECH + np.float32(offset), np.float32(offset) - SPEECH], axis=1)
        for read in readers(wav, channels):
            with pytest.warns(UserWarning, match="2 channels cancel when averaged"):
                read()

    def test_opposite_offsets_do_not_warn(self, wav):
        channels = np.stack([SPEECH + np.float32(0.5), SPEECH - np.float32(0.5)], axis=1)
        for read in readers(wav, channels):
            read()

    def test_channels_of_constants_do_not_warn(self, wav):
        channels = np.tile(np.array([0.3, -0.1], np.float32), (RATE, 1))
        for read in readers(wav, channels):
            read()

    @pytest.mark.parametrize("first", [0.7, 0.0])
    def test_the_loudest_channel_is_not_one_with_only_an_offset(self, wav, first):
        offset = np.full_like(SPEECH, 0.7)
        offset[0] = first
        channels = np.stack([offset, SPEECH], axis=1)
        path = wav(channels, subtype="FLOAT")
        np.testing.assert_array_equal(load_audio(path, channel="loudest")[0], SPEECH)
        part = Utterance(Waveform(channels, RATE), channel="loudest")
        np.testing.assert_array_equal(read_utterance(part, 0, None, RATE), SPEECH)


class TestStreams:
    def test_channels_that_cancel_warn_while_the_stream_goes_on(self):
        quiet = np.zeros((RATE, 2), np.float32)
        loud = np.stack([SPEECH, -SPEECH], axis=1)
        stream = stream_blocks(blocks_of(np.concatenate([quiet, loud, loud])), RATE)
        first_second_of_sound = itertools.islice(stream, 20)
        with pytest.warns(UserWarning, match="2 channels cancel when averaged") as caught:
            assert len(list(first_second_of_sound)) == 20
        assert len(caught) == 1
        list(stream)  # does not warn again, because warnings are errors in tests

    @pytest.mark.parametrize(
        "block",
        [
            np.arange(-800, 800),
            np.arange(1600, dtype=np.uint64),
            list(range(1600)),
            [[1, 2]] * 10,
        ],
    )
    def test_integers_of_64_bits_are_rejected(self, block):
        with pytest.raises(AudioReadError, match="block 0: holds integers of 64 bits.* int16"):
            list(stream_blocks([block], RATE))

    def test_blocks_with_the_channels_first_are_rejected(self):
        blocks = [np.zeros((1, 320), np.float32)]
        remedy = (
            r"block 0: has the shape \(1, 320\).*64 channels: pass .* \(n_samples, n_channels\)"
        )
        with pytest.raises(AudioReadError, match=remedy):
            list(stream_blocks(blocks, RATE))

    def test_a_waveform_of_another_rate_is_rejected(self):
        samples = SPEECH[:1600]
        stream = stream_blocks([Waveform(samples, RATE), Waveform(samples, 8000)], RATE)
        np.testing.assert_array_equal(next(stream)[0], samples)
        with pytest.raises(ValueError, match="block 1 is a Waveform of 8000 Hz.* has 16000 Hz"):
            next(stream)
