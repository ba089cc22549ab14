"""The recommended linear systems: on Whisper's hidden states, and on utterance vectors."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline

import skser
from skser.augmentation import Conditions
from skser.datasets import make_emotional_speech
from skser.pipelines import functionals, whisper_linear
from tests.support.checkpoints import save_speech_checkpoint


@pytest.fixture(scope="module")
def corpus():
    corpus = make_emotional_speech(4, 5, random_state=0)
    return corpus.select(emotions=["anger", "neutral", "sadness"])


@pytest.fixture(scope="module")
def build(corpus, tmp_path_factory):
    """Return a function that builds a system by name; Whisper's is a small random one."""
    folder = tmp_path_factory.mktemp("pipelines")
    checkpoint = save_speech_checkpoint("whisper", folder / "whisper")

    def built(name, **settings):
        given = {"random_state": 0, "memory": folder / "memory"}
        given["input_sampling_rate"] = corpus.sampling_rate
        if name == "functionals":
            return functionals(**given | settings)
        return whisper_linear(checkpoint, device="cpu", **given | settings)

    return built


systems = pytest.mark.parametrize("name", ["functionals", "whisper_linear"])


def test_whisper_linear_reads_two_layers_of_the_shipped_encoder():
    model = whisper_linear()
    features = model.estimator["features"]
    assert (features.checkpoint, features.layers) == ("whisper-tiny-lower", (2, 3))
    assert features.pooling == "mean+std"
    assert model.augment.snr == (-5, 20)
    assert functionals().augment.snr == (0, 20)


@systems
def test_conditions_are_the_default_and_can_be_replaced(build, name):
    model = build(name)
    assert isinstance(model.augment, Conditions)
    assert (model.n_copies, model.random_state) == (4, 0)
    scaler = "ranks" if name == "functionals" else "scaler"
    assert list(model.estimator.named_steps) == ["features", scaler, "classifier"]
    own = Conditions({"white": 1.0})
    assert build(name, conditions=own).augment is own
    assert isinstance(build(name, conditions=False), Pipeline)


@systems
def test_a_fitted_system_is_cloned_pickled_and_saved(build, corpus, tmp_path, name):
    model = build(name).fit(corpus.data, corpus.target, groups=corpus.speakers)
    expected = model.predict_proba(corpus.data[:4])
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-6)
    assert np.mean(model.predict(corpus.data) == corpus.target) > 0.7
    again = clone(model).fit(corpus.data, corpus.target, groups=corpus.speakers)
    np.testing.assert_array_equal(again.predict_proba(corpus.data[:4]), expected)
    unpickled = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(unpickled.predict_proba(corpus.data[:4]), expected)
    skser.save(model, tmp_path / "model.skser")
    loaded = skser.load(tmp_path / "model.skser", trusted=name == "whisper_linear")
    np.testing.assert_array_equal(loaded.predict_proba(corpus.data[:4]), expected)


@systems
def test_a_search_reaches_the_penalty(build, corpus, name):
    grid = {"n_copies": [1], "estimator__classifier__shrinkage": [0.01, 0.6]}
    search = GridSearchCV(build(name), grid, cv=GroupKFold(2), n_jobs=2)
    search.fit(corpus.data, corpus.target, groups=corpus.speakers)
    assert search.cv_results_["mean_test_score"].shape == (2,)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_the_probabilities_of_functionals_are_softened(build, corpus):
    model = build("functionals", conditions=False).fit(corpus.data, corpus.target)
    hot = clone(model).set_params(classifier__temperature=1).fit(corpus.data, corpus.target)
    softened, decided = (each.decision_function(corpus.data) for each in (model, hot))
    np.testing.assert_allclose(6 * softened, decided)


def test_the_classifier_of_functionals_has_no_rotation_and_is_small(build, corpus, tmp_path):
    model = build("functionals").fit(corpus.data, corpus.target)
    assert model.estimator_["classifier"].coef_.shape == (3, 5191)
    skser.save(model, tmp_path / "model.skser")
    assert (tmp_path / "model.skser").stat().st_size < 1e6
