"""Fixtures that tests of several rooms share."""

import os
from pathlib import Path

# Must be set before scipy is imported, or scikit-learn skips its array API checks.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import numpy as np
import pytest
import soundfile

from skser.datasets import make_emotional_speech
from skser.feature_extraction import MelSpectrogram
from skser.sequences import Layout, Sequences


def _real_data(folder):
    root = os.environ.get("SKSER_DATA")
    if not root:
        pytest.skip("SKSER_DATA is not set, so real speech is missing")
    path = Path(root) / folder
    if not path.is_dir():
        pytest.skip(f"SKSER_DATA holds no {folder}/")
    return path


@pytest.fixture(scope="session")
def emodb_path():
    return _real_data("emodb")


@pytest.fixture(scope="session")
def esc10_path():
    return _real_data("esc10")


@pytest.fixture(scope="session")
def ravdess_path():
    return _real_data("ravdess")


@pytest.fixture(scope="session")
def ravdess_originals_path():
    return _real_data("ravdess_originals")


@pytest.fixture(scope="session")
def whisper_tiny():
    root = os.environ.get("SKSER_MODELS")
    if not root:
        pytest.skip("SKSER_MODELS is not set, so a real encoder is missing")
    path = Path(root) / "whisper-tiny-encoder"
    if not path.is_dir():
        pytest.skip("SKSER_MODELS holds no whisper-tiny-encoder/")
    return path


@pytest.fixture(scope="session")
def corpus():
    """Synthetic corpus of four speakers with ten utterances each, as arrays."""
    return make_emotional_speech(n_speakers=4, n_utterances_per_speaker=10, random_state=0)


@pytest.fixture(scope="session")
def mels(corpus):
    """Mel spectrograms of the synthetic corpus, with two channels of 16 bands."""
    mel = MelSpectrogram(n_mels=16, deltas=1, input_sampling_rate=corpus.sampling_rate)
    return mel.transform(corpus.data)


@pytest.fixture
def sequences():
    """Six utterances of 3 to 40 frames, with two channels of four bands."""
    random = np.random.RandomState(0)
    layout = Layout(
        tuple(f"f{i}" for i in range(8)),
        hop=0.01,
        frequencies=(100.0, 200.0, 400.0, 800.0),
        n_channels=2,
    )
    return Sequences.from_list([random.randn(n, 8) for n in (12, 3, 40, 7, 25, 18)], layout)


@pytest.fixture
def wav(tmp_path):
    """Function that writes samples to an audio file and returns its path."""

    def write(samples, rate=16000, name="a.wav", **kwargs):
        path = tmp_path / name
        soundfile.write(path, samples, rate, **kwargs)
        return str(path)

    return write


@pytest.fixture
def computed(tmp_path, monkeypatch):
    """Function that lists the lengths of the utterances a SlowMelSpectrogram has computed."""
    log = tmp_path / "computed.log"
    monkeypatch.setenv("SKSER_TEST_LOG", str(log))
    return lambda: [int(line) for line in log.read_text().split()] if log.exists() else []
