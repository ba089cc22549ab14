"""The package's own systems, trained in recording conditions."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold

import skser
from skser.augmentation import Conditions
from skser.compose import AugmentedClassifier
from skser.datasets import make_emotional_speech
from skser.pipelines import attention_fcn, fcn_and_functionals, functionals, whisper_linear

# Networks train for an epoch or two here, and predict one class.
pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)
systems = pytest.mark.parametrize("system", [attention_fcn, fcn_and_functionals])


@pytest.fixture(scope="module")
def corpus():
    corpus = make_emotional_speech(4, 5, random_state=0)
    # One emotion less makes every class known to each half of the speakers.
    return corpus.select(emotions=["anger", "neutral", "sadness"])


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    return tmp_path_factory.mktemp("memory")


def small(system, corpus, **settings):
    settings = {"conditions": True, "random_state": 0, "max_epochs": 1, **settings}
    return system(input_sampling_rate=corpus.sampling_rate, device="cpu", n_threads=1, **settings)


@systems
def test_conditions_wrap_the_model(system, corpus):
    plain = small(system, corpus, conditions=False)
    assert not isinstance(plain, AugmentedClassifier)
    model = small(system, corpus, n_jobs=2)
    assert isinstance(model.augment, Conditions)
    assert (model.n_copies, model.n_jobs, model.random_state) == (4, 2, 0)
    assert type(model.estimator) is type(plain)
    own = Conditions({"white": 1.0})
    assert small(system, corpus, conditions=own).augment is own


@systems
def test_a_model_trained_in_conditions_is_cloned_pickled_and_saved(
    system, corpus, memory, tmp_path
):
    model = small(system, corpus, memory=memory)
    model.fit(corpus.data, corpus.target, groups=corpus.speakers)
    expected = model.predict_proba(corpus.data[:4])
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-6)
    again = clone(model).fit(corpus.data, corpus.target, groups=corpus.speakers)
    np.testing.assert_array_equal(again.predict_proba(corpus.data[:4]), expected)
    unpickled = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(unpickled.predict_proba(corpus.data[:4]), expected)
    skser.save(model, tmp_path / "model.skser")
    loaded = skser.load(tmp_path / "model.skser")
    np.testing.assert_array_equal(loaded.predict_proba(corpus.data[:4]), expected)


@systems
def test_processes_change_nothing(system, corpus, memory):
    one, two = (
        small(system, corpus, n_jobs=n).fit(corpus.data[:6], corpus.target[:6]) for n in (None, 2)
    )
    np.testing.assert_array_equal(
        one.predict_proba(corpus.data[:4]), two.predict_proba(corpus.data[:4])
    )


@pytest.mark.parametrize(
    ("system", "place"),
    [(attention_fcn, "estimator"), (fcn_and_functionals, "estimator__network")],
)
def test_a_search_over_speakers_sets_parameters_inside(system, place, corpus, memory):
    grid = {"n_copies": [1], f"{place}__classifier__dropout": [0.0, 0.5]}
    search = GridSearchCV(
        small(system, corpus, memory=memory), grid, cv=GroupKFold(2), n_jobs=2, error_score="raise"
    ).fit(corpus.data, corpus.target, groups=corpus.speakers)
    assert len(search.cv_results_["params"]) == 2
    assert (search.cv_results_["mean_test_score"] >= 0).all()
    inner = search.best_estimator_.estimator_
    network = inner if system is attention_fcn else inner.named_estimators_["network"]
    assert network["classifier"].dropout == search.best_params_[f"{place}__classifier__dropout"]


def test_string_and_integer_classes_are_the_same(corpus, memory):
    model = small(fcn_and_functionals, corpus, memory=memory)
    names, codes = np.unique(corpus.target, return_inverse=True)
    words = clone(model).fit(corpus.data, corpus.target)
    numbers = clone(model).fit(corpus.data, codes)
    assert numbers.classes_.tolist() == [0, 1, 2]
    assert words.classes_.tolist() == names.tolist()
    np.testing.assert_array_equal(words.predict(corpus.data), names[numbers.predict(corpus.data)])


def test_the_rate_of_features_in_a_vote_is_checked(corpus):
    model = small(fcn_and_functionals, corpus, memory=None)
    model.set_params(estimator__network__features__sampling_rate=44100)
    with pytest.raises(ValueError, match="MelSpectrogram works at sampling_rate=44100 Hz, but"):
        model.fit(corpus.data, corpus.target)


def test_encoders_have_stronger_but_less_frequent_noise():
    assert fcn_and_functionals().augment.snr == (0, 20)
    assert functionals().augment.snr == (0, 20)
    assert attention_fcn(conditions=True).augment.snr == (0, 20)
    encoder = whisper_linear().augment
    assert encoder.snr == (-5, 20)
    assert encoder.probabilities == "milder"
    assert encoder.speed == (0.88, 1.14)
