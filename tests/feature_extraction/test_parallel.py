import os

import numpy as np
import pytest

from skser.feature_extraction import FrameFeatures, MelSpectrogram, Spectrogram
from skser.feature_extraction._engine import FrameBuffer
from skser.feature_extraction._parallel import SharedArrayFile
from skser.sequences import Layout


@pytest.fixture
def result():
    random = np.random.RandomState(0)
    return [
        random.randn(5, 3).astype(np.float32),
        ("a.wav", "no such file"),
        random.randn(4, 6)[:, ::2],
        None,
        np.empty((0, 3), np.float32),
        random.randn(7),
    ]


def assert_same(given, expected):
    assert len(given) == len(expected)
    for a, b in zip(given, expected, strict=True):
        if isinstance(b, np.ndarray):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        else:
            assert a == b


class TestSharedArrayFile:
    @pytest.fixture
    def shared(self):
        shared = SharedArrayFile()
        yield shared
        shared.remove()
        assert not os.path.exists(shared.folder)

    def test_take_returns_the_result_that_was_put(self, shared, result):
        assert_same(shared.take(3, shared.put(3, result)), result)

    def test_a_place_can_be_overwritten(self, shared, result):
        long, short = [np.ones(1000)], [np.arange(10.0)]
        shared.put(0, long)
        assert_same(shared.take(0, shared.put(0, short)), short)
        assert_same(shared.take(0, shared.put(0, result)), result)

    def test_arrays_do_not_go_through_the_pipe(self, shared, result):
        left = shared.put(0, result)
        assert not any(isinstance(part, np.ndarray) and part.size for part in left)

    def test_a_full_disk_sends_arrays_through_the_pipe(self, shared, result, monkeypatch):
        def full(*args, **kwargs):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "open", full)
        assert_same(shared.take(0, shared.put(0, result)), result)

    def test_results_other_than_lists_are_returned_unchanged(self, shared):
        assert shared.take(0, shared.put(0, 5)) == 5


class TestFrameBuffer:
    def test_frames_become_one_block_without_another_copy(self):
        random = np.random.RandomState(0)
        frames = [random.randn(n, 2).astype(np.float32) for n in (3, 20_000, 0, 40_000, 5)]
        buffer = FrameBuffer()
        for part in frames:
            buffer.append(part)
        X = buffer.sequences(Layout(("a", "b")))
        assert X.lengths.tolist() == [3, 20_000, 0, 40_000, 5]
        for given, expected in zip(X, frames, strict=True):
            np.testing.assert_array_equal(given, expected)
        assert len(X.values) == 60_008
        assert np.shares_memory(X.frames(), X.values)

    def test_arrays_are_copied(self):
        lent = np.ones((2, 2), np.float32)
        buffer = FrameBuffer()
        buffer.append(lent)
        lent[:] = 0
        assert (buffer[0] == 1).all()

    def test_other_results_are_returned_unchanged(self, result):
        buffer = FrameBuffer()
        for part in result:
            buffer.append(part)
        assert_same(list(buffer), result)

    def test_a_late_result_takes_its_place_in_the_sequences(self):
        buffer = FrameBuffer()
        for part in (np.zeros((2, 1), np.float32), None, np.full((1, 1), 2, np.float32)):
            buffer.append(part)
        buffer[1] = np.ones((3, 1), np.float32)
        X = buffer.sequences(Layout(("a",)))
        assert X.values.ravel().tolist() == [0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize("cls", [FrameFeatures, MelSpectrogram, Spectrogram])
def test_the_layout_states_the_hop_rounded_to_samples(cls):
    samples = np.random.RandomState(0).randn(20 * 22050) / 10
    X = cls(sampling_rate=22050, input_sampling_rate=22050).transform([samples])
    assert X.layout.hop == 220 / 22050
    assert (len(X[0]) - 1) * X.layout.hop == pytest.approx(20, abs=0.01)
