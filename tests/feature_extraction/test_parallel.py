import os
import threading

import numpy as np
import pytest
from joblib import parallel_config

from skser.feature_extraction import MFCC, FrameFeatures, MelSpectrogram, Spectrogram
from skser.feature_extraction._engine import FrameBuffer
from skser.preprocessing import VoiceActivityTrimmer
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

    def test_a_block_for_results_of_known_size_is_allocated_once_they_have_begun(self):
        frames = np.ones((100, 50), np.float32)
        buffer = FrameBuffer([7] * 1000)
        blocks = set()
        for _ in range(1000):
            buffer.append(frames)
            blocks.add(len(buffer._values))
        assert len(blocks) <= 3
        assert max(blocks) <= 1.2 * 100_000
        assert len(buffer.sequences(Layout.unnamed(50)).values) == 100_000

    def test_wrong_sizes_cost_room_but_no_frames(self):
        lengths = [900, 1, 1, 1, 5000]
        buffer = FrameBuffer([10**9, 1, 10**9, 0, 0])
        for i, n in enumerate(lengths):
            buffer.append(np.full((n, 2), i, np.float32))
        X = buffer.sequences(Layout.unnamed(2))
        assert [(len(part), part.min(), part.max()) for part in X] == [
            (n, i, i) for i, n in enumerate(lengths)
        ]

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


class Located(MelSpectrogram):
    """Mel spectrogram whose every value is the number of the process, with the thread's share."""

    def _extract(self, samples, prepared):
        frames = super()._extract(samples, prepared)
        own = threading.current_thread() is threading.main_thread()
        return np.full_like(frames, os.getpid() + 0.5 * own)


class TestWorkers:
    @pytest.fixture
    def X(self):
        noise = (np.random.RandomState(i).randn(6000 + i) / 9 for i in range(9))
        return [np.concatenate([np.zeros(6000), samples]) for samples in noise]

    def places(self, X, **parameters):
        return set(np.unique(Located(input_sampling_rate=16000, **parameters).transform(X).values))

    def test_one_job_is_the_calling_thread(self, X):
        assert self.places(X) == {os.getpid() + 0.5}

    def test_spectra_are_computed_in_threads(self, X):
        assert self.places(X, n_jobs=2) == {os.getpid()}
        with parallel_config(n_jobs=2):
            assert self.places(X) == {os.getpid()}

    def test_another_backend_can_be_chosen(self, X):
        with parallel_config(backend="loky"):
            places = self.places(X, n_jobs=2)
        assert os.getpid() not in {int(place) for place in places}

    def test_other_features_are_computed_in_processes(self):
        assert FrameFeatures._prefer == "processes"
        assert VoiceActivityTrimmer()._prefer == "threads"
        assert VoiceActivityTrimmer("silero")._prefer == "processes"

    def test_threads_share_a_cache(self, X, tmp_path):
        expected = MelSpectrogram(input_sampling_rate=16000).transform(4 * X[:3])
        mel = MelSpectrogram(input_sampling_rate=16000, n_jobs=2, memory=tmp_path)
        for _ in range(2):
            np.testing.assert_array_equal(mel.transform(4 * X[:3]).frames(), expected.frames())
        assert len(list(tmp_path.rglob("*.npy"))) == 3

    @pytest.mark.parametrize("cls", [MFCC, MelSpectrogram, Spectrogram, VoiceActivityTrimmer])
    def test_threads_change_no_value(self, cls, X):
        transformer = cls(input_sampling_rate=16000)
        one, two = transformer.transform(X), transformer.set_params(n_jobs=2).transform(X)
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(getattr(a, "samples", a), getattr(b, "samples", b))


@pytest.mark.parametrize("cls", [FrameFeatures, MelSpectrogram, Spectrogram])
def test_the_layout_states_the_hop_rounded_to_samples(cls):
    samples = np.random.RandomState(0).randn(20 * 22050) / 10
    X = cls(sampling_rate=22050, input_sampling_rate=22050).transform([samples])
    assert X.layout.hop == 220 / 22050
    assert (len(X[0]) - 1) * X.layout.hop == pytest.approx(20, abs=0.01)
