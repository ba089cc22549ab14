"""Frames that mean something else than those of `fit` are refused by every estimator of frames."""

import dataclasses

import numpy as np
import pytest
from sklearn.base import clone

import skser
from skser.compose import SegmentedClassifier
from skser.feature_extraction import Functionals
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler
from skser.sequences import Layout, Sequences

pytestmark = pytest.mark.filterwarnings("ignore:In its last epoch")
BANDS = tuple(100.0 * np.arange(1, 13))
LAYOUT = Layout(tuple(f"mel{i}" for i in range(12)), hop=0.01, frequencies=BANDS)
Y = np.array(["anger", "fear"] * 3)
NETWORK = AttentionFCNClassifier(max_epochs=1, device="cpu", random_state=0)
ESTIMATORS = [
    SequenceScaler(),
    Functionals(statistics=["moments"]),
    NETWORK,
    SegmentedClassifier(NETWORK, window=0.2, hop=0.1),
]
OTHERS = [
    ({"feature_names": ("a", *LAYOUT.feature_names[1:])}, r"'mel0' in column 0, but X has 'a'"),
    ({"hop": 0.02}, r"frames 0\.01 s apart, but X has frames 0\.02 s apart"),
    ({"frequencies": (*BANDS[:-1], 9e3)}, "band 11 at 1200 Hz, but X has band 11 at 9000 Hz"),
]
SAME = [
    {"feature_names": tuple(f"x{i}" for i in range(12))},
    {"hop": None},
    {"frequencies": None},
    {"frequencies": tuple(np.nextafter(BANDS, 0))},  # rounded otherwise on another machine
]


def frames(**changes):
    values = np.random.RandomState(0).randn(6 * 40, 12).astype(np.float32)
    return Sequences(values, [40] * 6, layout=dataclasses.replace(LAYOUT, **changes))


def applied(estimator, X):
    return (estimator.predict if hasattr(estimator, "predict") else estimator.transform)(X)


@pytest.fixture(scope="module")
def fitted():
    return [clone(estimator).fit(frames(), Y) for estimator in ESTIMATORS]


@pytest.mark.parametrize(("changes", "message"), OTHERS)
def test_features_of_other_meaning_are_refused(fitted, tmp_path, changes, message):
    for estimator in fitted:
        skser.save(estimator, tmp_path / "model.skser")
        loaded = skser.load(tmp_path / "model.skser")
        for model in (estimator, loaded):
            with pytest.raises(ValueError, match=f"{type(model).__name__} was fitted.*{message}"):
                applied(model, frames(**changes))
        (tmp_path / "model.skser").unlink()


@pytest.mark.parametrize("changes", SAME)
def test_what_is_not_stated_is_not_compared(fitted, changes):
    for estimator in fitted:
        applied(estimator, frames(**changes))


@pytest.mark.parametrize(("changes", "message"), OTHERS)
def test_features_of_another_meaning_may_be_fitted_anew(changes, message):
    scaler = SequenceScaler().fit(frames())
    with pytest.raises(ValueError, match=message):
        scaler.partial_fit(frames(**changes))
    scaler.fit(frames(**changes)).transform(frames(**changes))
