"""All public estimators of the package, as small instances that common tests can fit."""

import atexit
import functools
import importlib
import inspect
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import SVR

import skser
from skser.compose import (
    AdaptedClassifier,
    AdaptedRegressor,
    AugmentedClassifier,
    AugmentedRegressor,
    FrameUnion,
    GeometricVotingClassifier,
    RejectingClassifier,
    SegmentedClassifier,
    SegmentedRegressor,
    TransferClassifier,
    TransferRegressor,
)
from skser.feature_extraction import (
    MFCC,
    AudioTransformer,
    MelSpectrogram,
    OpenSmile,
    SpeechEmbedding,
    TextEmbedding,
)
from skser.neural_network import AttentionFCNClassifier, AttentionFCNRegressor, NeuralEstimator
from skser.preprocessing import SpeakerScaler
from tests.support.checkpoints import save_speech_checkpoint, save_text_checkpoint


def all_estimators():
    for name in skser._SUBMODULES:
        module = importlib.import_module(f"skser.{name}")
        for public in getattr(module, "__all__", ()):
            cls = getattr(module, public)
            if cls in (AudioTransformer, NeuralEstimator):  # abstract base classes
                continue
            if inspect.isclass(cls) and issubclass(cls, BaseEstimator) and hasattr(cls, "fit"):
                yield cls


ALL = list(all_estimators())
AUDIO = [cls for cls in ALL if issubclass(cls, AudioTransformer | FrameUnion)]
TABLES = [SpeakerScaler]
TEXTS = [TextEmbedding]
EMBEDDINGS = [SpeechEmbedding, TextEmbedding]
TRANSFERS = {
    TransferClassifier: AttentionFCNClassifier,
    TransferRegressor: AttentionFCNRegressor,
}
MOST_PARAMETERS = 36
NETWORKS = [cls for cls in ALL if issubclass(cls, NeuralEstimator)]


def add_noise(samples, sampling_rate, random_state):
    return samples + 1e-3 * random_state.standard_normal(len(samples))


@functools.cache
def small_checkpoint(cls):
    pytest.importorskip("transformers")
    folder = Path(tempfile.mkdtemp()) / "checkpoint"
    atexit.register(shutil.rmtree, folder.parent)
    if cls in TEXTS:
        return save_text_checkpoint(folder)
    return save_speech_checkpoint("whisper", folder)


def seeded(cls):
    # The checks seed only the outer estimator, not the one inside.
    return instance(cls).set_params(random_state=0)


@functools.cache
def fitted_source(cls):
    """Fit a network to one-channel sequences, so that its layers fit 2-D arrays of any width."""
    X, y = np.random.RandomState(0).randn(20, 10), np.arange(20) % 2
    return seeded(cls).fit(X, y)


def instance(cls):
    if cls in TRANSFERS:
        return cls(seeded(TRANSFERS[cls]), fitted_source(TRANSFERS[cls]))
    if cls is FrameUnion:
        return cls([("mel", MelSpectrogram()), ("mfcc", MFCC())])
    if cls is GeometricVotingClassifier:
        return cls([("strong", LogisticRegression(C=0.1)), ("weak", LogisticRegression())])
    if cls is RejectingClassifier:
        # Nothing is refused, since some of the checks have numbers as classes and others text.
        return cls(LogisticRegression(), novelty=None)
    if cls is SegmentedClassifier:
        return cls(LogisticRegression())
    if cls is SegmentedRegressor:
        # One window covers the columns of the checks, and SVR computes in float64, in any order.
        return cls(SVR(kernel="linear"), window=10)
    if cls in EMBEDDINGS:
        return cls(small_checkpoint(cls))
    if cls is OpenSmile:
        pytest.importorskip("opensmile")
    if cls is AdaptedClassifier:
        return cls(LogisticRegression())
    if cls is AdaptedRegressor:
        return cls(Ridge())
    if cls is AugmentedClassifier:
        return cls(LogisticRegression(), add_noise, input_sampling_rate=16000)
    if cls is AugmentedRegressor:
        return cls(Ridge(), add_noise, input_sampling_rate=16000)
    if issubclass(cls, SpeakerScaler):
        return cls(MelSpectrogram())
    if issubclass(cls, NeuralEstimator):
        return cls(max_epochs=2, device="cpu", n_threads=1)
    return cls()


def by_name(cls):
    return cls.__name__
