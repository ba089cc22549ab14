"""Fingerprints of transformers notice a changed algorithm, and nothing else."""

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
    SpeechProbability,
)
from skser.persistence import SavedModelError, _test_signal
from skser.persistence._test_signal import fingerprint, require_same
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
    VoiceActivityTrimmer("silero"),
    SpeechProbability(),
    Functionals(FrameFeatures()),
    Functionals(statistics=("moments",), active_only=False),
]


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda t: repr(t)[:40])
def test_last_digits_of_other_processors_change_nothing(transformer, monkeypatch):
    expected, speech = fingerprint(transformer), _test_signal._speech()
    for seed in range(5):
        noise = np.random.RandomState(seed).standard_normal(len(speech))
        other = (speech * (1 + 2e-7 * noise)).astype(np.float32)
        assert not np.array_equal(other, speech)
        monkeypatch.setattr(_test_signal, "_speech", lambda other=other: other)
        require_same(expected, fingerprint(transformer), "it")


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
def test_small_changes_of_the_algorithm_are_noticed(transformer, changed):
    with pytest.raises(SavedModelError, match="features of it are not those that the model was"):
        require_same(fingerprint(transformer), fingerprint(changed), "it")


def test_devices_workers_and_rates_of_arrays_change_nothing(tmp_path):
    plain = fingerprint(MelSpectrogram())
    given = {"n_jobs": 2, "memory": tmp_path / "kept", "input_sampling_rate": 8000}
    assert fingerprint(MelSpectrogram(device="cuda:9", verbose=True, **given)) == plain
    assert not (tmp_path / "kept").exists()


def test_transformers_that_need_a_download_or_a_library_have_none():
    for transformer in (
        SpeechEmbedding("owner/name"),
        OpenSmile(),
        MelSpectrogram(window=0.6),  # longer than the signal
    ):
        assert fingerprint(transformer) is None
    require_same(None, None, "it")


@pytest.mark.parametrize(
    ("theirs", "ours", "reason"),
    [
        ([48, 8, 1.0], None, "their fingerprints are missing"),
        ([48, 8, 1.0], [47, 8, 1.0], "gave 48 x 8 values, now 47 x 8"),
        ([48, 8, 1.0], [48, 8, 1.0, 2.0], "gave 48 x 8 values"),
        ([48, 8, 1.0, 2.0], [48, 8, 1.0, 2.03], "largest difference 0.03"),
        ([48, 8, float("nan")], [48, 8, 1.0], "largest difference nan"),
    ],
)
def test_differing_fingerprints_are_refused(theirs, ours, reason):
    with pytest.raises(SavedModelError, match=reason):
        require_same(theirs, ours, "it")
