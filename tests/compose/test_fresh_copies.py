"""Networks that are trained on new copies in each epoch."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from skser.augmentation import Conditions
from skser.compose import AugmentedClassifier, AugmentedRegressor
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import (
    AdversarialAEClassifier,
    AttentionFCNClassifier,
    AttentionFCNRegressor,
)
from skser.preprocessing import SequenceScaler

RATE = 16000
pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)


class Watch(Callback):
    """Callback that stores what each epoch trains on."""

    def __init__(self):
        self.values, self.lengths = [], []

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        self.values.append(dataset_train.sequences.to_list())
        self.lengths.append(dataset_train.sequences.lengths.tolist())


def network(kind=AttentionFCNClassifier, **settings):
    settings = {"filters": (4, 4), "strides": 1, "pool_sizes": 1, "max_epochs": 3, **settings}
    return kind(device="cpu", n_threads=1, random_state=0, **settings)


def fresh(model=None, *, features=None, augment=None, kind=AugmentedClassifier, **settings):
    features = MelSpectrogram(n_mels=8, deltas=0) if features is None else features
    model = network() if model is None else model
    return kind(
        make_pipeline(features, SequenceScaler(), model),
        Conditions() if augment is None else augment,
        **{"n_copies": 1, "fresh_copies": True, "input_sampling_rate": RATE, **settings},
        random_state=0,
    )


@pytest.fixture
def speech(corpus):
    return corpus.data[:6], corpus.target[:6]


def test_each_epoch_has_the_utterances_and_other_copies(speech):
    watch = Watch()
    model = fresh(network(callbacks=[watch])).fit(*speech)
    first, second, third = watch.values
    for i in range(6):
        np.testing.assert_array_equal(first[i], second[i])
        np.testing.assert_array_equal(first[i], third[i])
    for a, b in ((first, second), (first, third), (second, third)):
        changed = [len(x) != len(y) or np.abs(x - y).max() > 0.1 for x, y in zip(a, b, strict=True)]
        assert changed == [False] * 6 + [True] * 6
    # The first epoch has the copies that every epoch has without this option.
    offline = Watch()
    clone(model).set_params(
        fresh_copies=False, estimator__attentionfcnclassifier__callbacks=[offline]
    ).fit(*speech)
    for a, b in zip(first, offline.values[0], strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_alteration_without_chance_gives_the_same_model_as_without_the_option(speech):
    def halve(samples, sampling_rate, random_state):
        return samples / 2

    predicted = [
        fresh(augment=halve, fresh_copies=each).fit(*speech).predict_proba(speech[0])
        for each in (False, True)
    ]
    np.testing.assert_array_equal(*predicted)


def test_lengths_of_copies_may_change_from_epoch_to_epoch(speech):
    watch = Watch()
    conditions = Conditions({"speed": 1.0}, speed=(0.5, 2.0))
    fresh(network(callbacks=[watch]), augment=conditions, n_copies=2).fit(*speech)
    lengths = np.array(watch.lengths)
    assert lengths.shape == (3, 18)
    assert (lengths[:, :6] == lengths[0, :6]).all()
    assert (lengths[0, 6:] != lengths[1, 6:]).sum() >= 10


def test_one_seed_gives_one_model_that_can_be_pickled_and_fitted_on(speech):
    model = fresh().fit(*speech)
    expected = model.predict_proba(speech[0])
    again = clone(model).set_params(n_jobs=2).fit(*speech)
    np.testing.assert_array_equal(again.predict_proba(speech[0]), expected)
    unpickled = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(unpickled.predict_proba(speech[0]), expected)
    inner = model.estimator_[-1]
    assert list(inner.callbacks) == []
    inner.partial_fit(model.estimator_[:-1].transform(speech[0]), speech[1])


def test_copies_after_the_first_epoch_are_not_cached(speech, tmp_path):
    features = MelSpectrogram(n_mels=8, deltas=0, memory=tmp_path)
    model = fresh(features=features).fit(*speech)
    assert len(list(tmp_path.rglob("*.npy"))) == 12
    assert model.estimator_[0].memory == tmp_path


def test_a_regressor_and_soft_targets_and_groups_are_passed_on(corpus):
    model = fresh(network(AttentionFCNRegressor), kind=AugmentedRegressor)
    model.fit(corpus.data[:6], corpus.valence[:6], groups=corpus.speakers[:6])
    assert np.isfinite(model.predict(corpus.data[:2])).all()
    shares = np.full((6, 2), 0.5)
    soft = fresh().fit(list(corpus.data[:6]), list("ababab"), soft_targets=shares)
    assert soft.predict_proba(corpus.data[:2]).shape == (2, 2)


def test_a_table_stays_a_table(corpus):
    table = corpus.frame[:6]
    assert fresh().fit(table, corpus.target[:6]).predict(table).shape == (6,)


def test_models_that_cannot_be_trained_this_way_are_refused(speech):
    with pytest.raises(ValueError, match="features and an attention FCN or RNN, not LogisticReg"):
        fresh(LogisticRegression()).fit(*speech)
    with pytest.raises(ValueError, match="not AdversarialAEClassifier. Set fresh_copies=False"):
        fresh(AdversarialAEClassifier()).fit(*speech)
    with pytest.raises(ValueError, match="cannot be combined with early_stopping=True"):
        fresh(network(early_stopping=True)).fit(*speech)
    alone = AugmentedClassifier(
        network(), Conditions(), fresh_copies=True, input_sampling_rate=RATE
    )
    with pytest.raises(ValueError, match="needs a pipeline of features"):
        alone.fit(*speech)
