import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import make_emotional_speech
from skser.feature_extraction import Functionals, MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler


class Spoken:
    """Synthetic files of two emotions by four speakers, with labels and a split by speaker."""

    def __init__(self, folder):
        corpus = make_emotional_speech(
            4, 8, ("anger", "sadness"), random_state=0, output_dir=folder
        )
        self.frame = corpus.frame
        self.files = np.array([str(path) for path in corpus.data], dtype=object)
        self.y = np.asarray(corpus.target).astype(str)
        self.codes = (self.y == "anger").astype(int)
        self.speakers = np.asarray(corpus.speakers)
        self.train = np.flatnonzero(np.isin(self.speakers, ["01", "02"]))
        self.test = np.flatnonzero(~np.isin(self.speakers, ["01", "02"]))


@pytest.fixture(scope="session")
def spoken(tmp_path_factory):
    return Spoken(tmp_path_factory.mktemp("spoken"))


@pytest.fixture
def features():
    return Functionals(MelSpectrogram(n_mels=8, deltas=0), statistics=("moments",))


@pytest.fixture
def linear(features):
    return make_pipeline(features, StandardScaler(), LogisticRegression(max_iter=1000))


@pytest.fixture
def network():
    net = AttentionFCNClassifier(
        filters=(8, 8, 8, 8), max_epochs=12, learning_rate=0.01, device="cpu", random_state=0
    )
    return make_pipeline(MelSpectrogram(n_mels=16, deltas=0), SequenceScaler(), net)
