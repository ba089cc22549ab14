"""The test signal by which changed features are told from those of training."""

import numpy as np
import pytest

from skser.feature_extraction import (
    MFCC,
    FrameFeatures,
    Functionals,
    LevelContour,
    MelSpectrogram,
    OpenSmile,
    Spectrogram,
    SpeechEmbedding,
)
from skser.persistence import SavedModelError, _test_signal
from skser.persistence._test_signal import digest, require_same
from skser.preprocessing import VoiceActivityTrimmer

TRANSFORMERS = [
    Spectrogram(),
    Spectrogram(scale="power"),
    MelSpectrogram(),
    MelSpectrogram(sampling_rate=22050),
    MFCC(deltas=2),
    LevelContour(deltas=1),
    FrameFeatures(),
    FrameFeatures(deltas=2),
    FrameFeatures(sampling_rate=8000),
    VoiceActivityTrimmer(),
    Functionals(FrameFeatures()),
    Functionals(statistics=("moments",), active_only=False),
]


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda t: repr(t)[:40])
def test_last_digits_of_other_processors_are_no_difference(transformer, monkeypatch):
    expected, speech = digest(transformer), _test_signal._speech()
    for seed in range(5):
        noise = np.random.RandomState(seed).standard_normal(len(speech))
        other = (speech * (1 + 2e-7 * noise)).astype(np.float32)
        assert not np.array_equal(other, speech)
        monkeypatch.setattr(_test_signal, "_speech", lambda other=other: other)
        require_same(expected, digest(transformer), "it")


@pytest.mark.parametrize(
    ("transformer", "changed"),
    [
        (MelSpectrogram(), MelSpectrogram(window_type="hann")),
        (MelSpectrogram(), MelSpectrogram(fmax=7900)),
        (MelSpectrogram(top_db=60), MelSpectrogram(top_db=61)),
        (MFCC(), MFCC(top_db=70)),
        (Spectrogram(), Spectrogram(window_type="hann")),
        (FrameFeatures(), FrameFeatures(window=0.021)),
        (FrameFeatures(("pitch",)), FrameFeatures(("pitch",), pitch_range=(170, 600))),
        (VoiceActivityTrimmer(), VoiceActivityTrimmer(margin=0.04)),
        (Functionals(), Functionals(active_only=False)),
    ],
    ids=lambda t: repr(t)[:40],
)
def test_small_changes_of_the_algorithm_are_seen(transformer, changed):
    with pytest.raises(SavedModelError, match="features of it differ from those it was trained on"):
        require_same(digest(transformer), digest(changed), "it")


def test_devices_workers_and_rates_of_arrays_are_no_part_of_it(tmp_path):
    plain = digest(MelSpectrogram())
    given = {"n_jobs": 2, "memory": tmp_path / "kept", "input_sampling_rate": 8000}
    assert digest(MelSpectrogram(device="cuda:9", verbose=True, **given)) == plain
    assert not (tmp_path / "kept").exists()


def test_what_needs_a_download_or_a_library_is_not_tried():
    for transformer in (
        SpeechEmbedding("owner/name"),
        OpenSmile(),
        VoiceActivityTrimmer("silero"),
        MelSpectrogram(window=0.6),  # longer than the signal
    ):
        assert digest(transformer) is None
    require_same(None, None, "it")
