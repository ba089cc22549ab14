"""Adaptation of fitted models to recordings without labels."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.signal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

from skser.audio import AudioReadError, Waveform
from skser.compose import (
    AdaptedClassifier,
    AugmentedClassifier,
    FrameUnion,
    SegmentedClassifier,
    TransferClassifier,
    adapt,
)
from skser.feature_extraction import MFCC, FrameFeatures, Functionals, MelSpectrogram
from skser.neural_network import (
    AttentionFCNClassifier,
    AttentionRNNClassifier,
    normalization_statistics,
)
from skser.preprocessing import SequenceScaler
from skser.sequences import Sequences
from tests.support.estimators import add_noise

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)
TINY = {"max_epochs": 2, "device": "cpu", "n_threads": 1, "random_state": 0}
SMALL = {"strides": 2, "pool_sizes": 1, **TINY}


@pytest.fixture
def X():
    return np.random.default_rng(0).standard_normal((60, 4)) * [1, 2, 3, 4]


@pytest.fixture
def y():
    return np.tile(["a", "b", "c"], 20)


def elsewhere(X):
    return 5 + 3 * X


def fully_adapted(model, X):
    return adapt(model, X, prior_weight=0)


SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    MinMaxScaler((-1, 1)),
    RobustScaler(),
    RobustScaler(with_centering=False, quantile_range=(10, 90)),
    QuantileTransformer(n_quantiles=10),
    QuantileTransformer(n_quantiles=30, output_distribution="normal"),
    SequenceScaler(),
    SequenceScaler(with_std=False),
    MaxAbsScaler(),
]


@pytest.mark.parametrize("scaler", SCALERS, ids=repr)
class TestScalers:
    """Each scaler alone."""

    def test_without_a_prior_statistics_are_those_of_the_recordings(self, scaler, X):
        fitted, new = clone(scaler).fit(X), elsewhere(X[:40])
        expected = clone(scaler).fit(new).transform(new)
        np.testing.assert_allclose(fully_adapted(fitted, new).transform(new), expected, rtol=1e-6)

    def test_the_model_itself_does_not_change(self, scaler, X):
        fitted = clone(scaler).fit(X)
        before = pickle.dumps(fitted)
        adapt(fitted, elsewhere(X))
        assert pickle.dumps(fitted) == before

    def test_one_recording_changes_nothing(self, scaler, X):
        fitted = clone(scaler).fit(X)
        same = adapt(fitted, elsewhere(X[:1]), prior_weight=0)
        np.testing.assert_array_equal(same.transform(X), fitted.transform(X))
        assert same is not fitted

    def test_recordings_of_the_training_set_change_nothing(self, scaler, X):
        fitted = clone(scaler).fit(X)
        np.testing.assert_allclose(adapt(fitted, X).transform(X), fitted.transform(X), atol=1e-6)

    def test_columns_that_are_constant_among_the_recordings_keep_their_spread(self, scaler, X):
        if isinstance(scaler, MaxAbsScaler | SequenceScaler):
            pytest.skip("a constant column has a largest value, and frames share one column here")
        fitted, new = clone(scaler).fit(X), X + 100
        new[:, 1] = 7.0
        adapted = fully_adapted(fitted, new)
        apart = np.array([[0, 7.0, 0, 0], [0, 9, 0, 0]])
        values = adapted.transform(apart)[:, 1]
        if isinstance(scaler, QuantileTransformer):
            median = np.median(X[:, 1])
            apart[:, 1] += median - 7
            np.testing.assert_allclose(values, fitted.transform(apart)[:, 1], atol=0.1)
        else:
            expected = np.diff(fitted.transform(apart)[:, 1])
            np.testing.assert_allclose(np.diff(values), expected)


def test_the_share_of_n_recordings_is_n_minus_1_over_n_minus_1_plus_the_prior_weight(X):
    fitted, new = StandardScaler().fit(X), elsewhere(X[:7])
    adapted = adapt(fitted, new, prior_weight=4)
    share = 6 / (6 + 4)
    mean = (1 - share) * X.mean(axis=0) + share * new.mean(axis=0)
    variance = (1 - share) * X.var(axis=0) + share * new.var(axis=0)
    np.testing.assert_allclose(adapted.mean_, mean)
    np.testing.assert_allclose(adapted.var_, variance)
    np.testing.assert_allclose(adapted.scale_, np.sqrt(variance))
    np.testing.assert_allclose(adapt(fitted, new).mean_, mean)


def test_quantiles_are_interpolated_one_by_one(X):
    fitted = QuantileTransformer(n_quantiles=5).fit(X)
    new = elsewhere(X[:11])
    quartiles = np.percentile(new, [0, 25, 50, 75, 100], axis=0)
    adapted = adapt(fitted, new, prior_weight=10)
    np.testing.assert_allclose(adapted.quantiles_, (fitted.quantiles_ + quartiles) / 2)


def test_fewer_recordings_than_quantiles_are_interpolated(X):
    fitted = QuantileTransformer(n_quantiles=5).fit(X)
    adapted = fully_adapted(fitted, [[0.0] * 4, [4.0] * 4])
    np.testing.assert_allclose(adapted.quantiles_[:, 0], [0, 1, 2, 3, 4])


def test_the_scale_behind_a_power_transform_is_adapted_and_its_exponent_is_not(X):
    positive = np.exp(X / 4)
    fitted = PowerTransformer().fit(positive)
    adapted = fully_adapted(fitted, 2 * positive)
    np.testing.assert_array_equal(adapted.lambdas_, fitted.lambdas_)
    values = adapted.transform(2 * positive)
    np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(values.std(axis=0), 1)


def test_the_share_counts_utterances_and_not_frames(sequences):
    fitted = SequenceScaler().fit(sequences)
    new = sequences[:3].map_values(lambda frames: frames + 10)
    adapted = adapt(fitted, new, prior_weight=2)
    mean = (sequences.frames().mean(axis=0) + new.frames().mean(axis=0)) / 2
    np.testing.assert_allclose(adapted.mean_, mean, rtol=1e-5)
    same = adapt(fitted, new[:1], prior_weight=2)
    np.testing.assert_array_equal(same.mean_, fitted.mean_)


def logistic():
    return make_pipeline(StandardScaler(), LogisticRegression())


NESTED = {
    "pipeline": logistic(),
    "chain of scalers": make_pipeline(
        RobustScaler(), "passthrough", PCA(3), StandardScaler(), LogisticRegression()
    ),
    "pipeline in a pipeline": make_pipeline(make_pipeline(StandardScaler()), LogisticRegression()),
    "union": make_pipeline(
        FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler())]), LogisticRegression()
    ),
    "columns": make_pipeline(
        ColumnTransformer([("a", StandardScaler(), [0, 2]), ("b", RobustScaler(), [1, 3])]),
        LogisticRegression(),
    ),
    "vote": VotingClassifier([("a", logistic()), ("b", logistic())], voting="soft"),
    "stack": StackingClassifier([("a", logistic())], logistic()),
    "bagging": BaggingClassifier(logistic(), 3, max_features=2, random_state=0),
    "calibrated": CalibratedClassifierCV(logistic(), ensemble=True),
    "calibrated frozen": CalibratedClassifierCV(logistic(), ensemble=False),
    "one against rest": OneVsRestClassifier(logistic()),
    "search": GridSearchCV(logistic(), {"logisticregression__C": [0.1, 1]}),
    "network in a pipeline": make_pipeline(
        SequenceScaler(),
        AttentionFCNClassifier((4,), strides=1, pool_sizes=1, **{**TINY, "max_epochs": 20}),
    ),
}


@pytest.mark.parametrize("model", NESTED.values(), ids=NESTED)
def test_an_adapted_model_predicts_elsewhere_what_it_predicted_at_home(model, X, y):
    # Statistics of the new setting undo its gain and offset exactly, whatever holds the scalers.
    model = clone(model).fit(X, y)
    at_home = fully_adapted(model, X).predict_proba(X)
    there = fully_adapted(model, elsewhere(X)).predict_proba(elsewhere(X))
    np.testing.assert_allclose(there, at_home, atol=2e-6)
    assert np.abs(model.predict_proba(elsewhere(X)) - at_home).max() > 0.05


def test_frozen_and_nested_models_are_adapted(X, y):
    model = FrozenEstimator(logistic().fit(X, y))
    there = fully_adapted(model, elsewhere(X)).predict_proba(elsewhere(X))
    np.testing.assert_allclose(there, model.predict_proba(X))


def test_a_statistic_after_another_is_not_corrected_twice(X, y):
    # Both scalers see the shift. Half of each would leave a quarter of it instead of a half.
    model = make_pipeline(StandardScaler(with_std=False), StandardScaler(with_std=False)).fit(X)
    adapted = adapt(model, X[:21] + 8, prior_weight=20)
    moved = adapted.transform(X) - model.transform(X)
    np.testing.assert_allclose(moved[0], -(X[:21].mean(axis=0) + 8 - X.mean(axis=0)) / 2)


class TestNetworks:
    """Normalization layers of networks."""

    def test_a_layer_has_the_statistics_of_the_frames_that_reach_it(self, mels, corpus):
        model = AttentionFCNClassifier((4, 8), **SMALL).fit(mels, corpus.target)
        new = mels[:6].map_values(lambda frames: 3 * frames + 1)
        adapted = fully_adapted(model, new)
        seen = {}

        def keep(layer, inputs):
            x, padding = inputs[:2]
            rows = x.permute(0, 2, 3, 1)[padding.mask].reshape(-1, x.shape[1]).double()
            seen[layer] = rows.mean(0), rows.var(0, correction=0)

        layers = [m for m in adapted.net_.module_.modules() if hasattr(m, "running_mean")]
        handles = [layer.register_forward_pre_hook(keep) for layer in layers]
        adapted.set_params(batch_size=6).predict(new)  # one batch
        for handle in handles:
            handle.remove()
        assert len(seen) == 2
        for layer, (mean, variance) in seen.items():
            np.testing.assert_allclose(layer.running_mean, mean, atol=1e-4)
            np.testing.assert_allclose(layer.running_var, variance, rtol=1e-4)

    def test_statistics_do_not_depend_on_the_batches(self, mels, corpus):
        model = AttentionFCNClassifier((4, 8), **SMALL).fit(mels, corpus.target)
        a, b = (adapt(model.set_params(batch_size=n), mels[:20]) for n in (3, 20))
        for name, values in normalization_statistics(a).items():
            np.testing.assert_allclose(values, normalization_statistics(b)[name], rtol=2e-5)

    def test_they_are_mixed_by_the_share(self, mels, corpus):
        model = AttentionFCNClassifier((4, 8), **SMALL).fit(mels, corpus.target)
        trained, full, half = (
            normalization_statistics(m)
            for m in (model, fully_adapted(model, mels[:5]), adapt(model, mels[:5]))
        )
        assert len(trained) == 4
        for name in trained:
            assert np.abs(full[name] - trained[name]).max() > 0
            np.testing.assert_allclose(half[name], (trained[name] + full[name]) / 2, rtol=1e-5)

    @pytest.mark.parametrize("cell", ["gru", None])
    def test_recurrent_networks_adapt_the_scale_of_their_input(self, cell, mels, corpus):
        model = AttentionRNNClassifier(cell=cell, n_hidden=8, **TINY).fit(mels, corpus.target)
        if cell is None:
            adapted = fully_adapted(model, mels)
            names = normalization_statistics(adapted)
            assert {name.rpartition(".")[2] for name in names} == {"running_mean", "running_var"}
            return
        new = mels.map_values(lambda frames: 5 + 3 * frames)
        adapted = fully_adapted(model, new)
        np.testing.assert_allclose(adapted.predict_proba(new), model.predict_proba(mels), atol=1e-4)

    def test_a_network_without_normalization_is_refused(self, mels, corpus):
        network = AttentionFCNClassifier((4,), normalization="none", **SMALL)
        network.fit(mels, corpus.target)
        with pytest.raises(ValueError, match="AttentionFCNClassifier has nothing to adapt"):
            adapt(network, mels)

    def test_the_network_itself_does_not_change(self, mels, corpus):
        model = AttentionFCNClassifier((4,), **SMALL).fit(mels, corpus.target)
        before = model.predict_proba(mels)
        adapt(model, mels[:10].map_values(lambda frames: frames * 9))
        np.testing.assert_array_equal(model.predict_proba(mels), before)

    def test_windows_and_transferred_networks_are_adapted(self, mels, corpus):
        network = AttentionFCNClassifier((4,), **SMALL)
        source = clone(network).fit(mels, corpus.target)
        frames = 5 + 3 * mels.frames()
        new = Sequences(frames, mels.lengths, layout=mels.layout)
        for inner in (
            SegmentedClassifier(make_pipeline(SequenceScaler(), network), 0.3, 0.3),
            make_pipeline(SequenceScaler(), TransferClassifier(network, source)),
        ):
            model = inner.fit(mels, corpus.target)
            at_home = fully_adapted(model, mels).predict_proba(mels)
            there = fully_adapted(model, new).predict_proba(new)
            np.testing.assert_allclose(there, at_home, atol=1e-4)
            assert np.abs(model.predict_proba(new) - at_home).max() > 0.02


class TestAudio:
    """Whole systems from audio."""

    @pytest.fixture
    def dull(self, corpus):
        """The corpus through a microphone that weakens high frequencies."""
        filtered = [scipy.signal.lfilter([0.3], [1, -0.7], samples) for samples in corpus.data]
        return [Waveform(samples, corpus.sampling_rate) for samples in filtered]

    @pytest.mark.parametrize("augmented", [False, True])
    def test_another_microphone_is_mostly_undone(self, augmented, corpus, dull):
        rate = {} if augmented else {"input_sampling_rate": corpus.sampling_rate}
        model = make_pipeline(
            Functionals(MelSpectrogram(n_mels=8, deltas=0, **rate)),
            StandardScaler(),
            LogisticRegression(),
        )
        if augmented:
            model = AugmentedClassifier(
                model, add_noise, input_sampling_rate=corpus.sampling_rate, random_state=0
            )
        model.fit(corpus.data, corpus.target)
        at_home = fully_adapted(model, corpus.data).predict_proba(corpus.data)
        there = fully_adapted(model, dull).predict_proba(dull)
        unadapted = model.predict_proba(dull)
        assert np.abs(there - at_home).mean() < 0.04
        assert np.abs(unadapted - at_home).mean() > 0.1

    def test_tables_and_unions_of_frames_are_taken(self, corpus):
        rate = {"input_sampling_rate": corpus.sampling_rate}
        mel = MelSpectrogram(n_mels=8, deltas=0, **rate)
        frames = FrameUnion([("mel", mel), ("mfcc", MFCC(deltas=0, **rate))])
        model = make_pipeline(frames, SequenceScaler(), AttentionFCNClassifier((4,), **SMALL)).fit(
            corpus.frame, corpus.target
        )
        from_table = adapt(model, corpus.frame[:9]).predict_proba(corpus.frame)
        from_list = adapt(model, corpus.data[:9]).predict_proba(corpus.data)
        np.testing.assert_array_equal(from_table, from_list)

    def test_an_unreadable_recording_is_named(self, corpus, tmp_path):
        rate = {"input_sampling_rate": corpus.sampling_rate}
        model = make_pipeline(Functionals(FrameFeatures(**rate)), StandardScaler())
        model.fit(corpus.data[:5])
        with pytest.raises(AudioReadError, match="missing.wav: no such file"):
            adapt(model, [tmp_path / "missing.wav", tmp_path / "too.wav"])


class TestRefusals:
    """Models and recordings that cannot be used."""

    def test_a_model_without_statistics(self, X, y):
        model = make_pipeline(PCA(2), LogisticRegression()).fit(X, y)
        with pytest.raises(ValueError, match="Pipeline has nothing to adapt: it contains no fit"):
            adapt(model, X)

    def test_no_recordings(self, X, y):
        with pytest.raises(ValueError, match="recordings is empty: give at least 2"):
            adapt(logistic().fit(X, y), X[:0])

    def test_a_model_that_is_not_fitted(self, X):
        with pytest.raises(NotFittedError):
            adapt(logistic(), X)

    def test_recordings_of_another_width(self, X, y):
        with pytest.raises(ValueError, match="X has 3 features"):
            adapt(logistic().fit(X, y), X[:, :3])

    def test_a_negative_prior_weight(self, X, y):
        with pytest.raises(ValueError, match="'prior_weight' parameter of adapt must be a float"):
            adapt(logistic().fit(X, y), X, prior_weight=-1)

    def test_a_chain_whose_members_receive_other_inputs(self, X):
        y = np.tile([[0, 1], [1, 0], [1, 1], [0, 0]], (15, 1))
        model = ClassifierChain(logistic()).fit(X, y)
        with pytest.raises(TypeError, match="ClassifierChain contains a fitted Pipeline in estim"):
            adapt(model, X)

    def test_estimators_around_estimators_of_others_are_taken(self, X, y):
        class Rejecting(ClassifierMixin, BaseEstimator):
            def __init__(self, estimator):
                self.estimator = estimator

            def fit(self, X, y):
                self.estimator_ = clone(self.estimator).fit(X, y)
                return self

            def predict_proba(self, X):
                return self.estimator_.predict_proba(X)

        model = Rejecting(logistic()).fit(X, y)
        there = fully_adapted(model, elsewhere(X)).predict_proba(elsewhere(X))
        np.testing.assert_allclose(there, model.predict_proba(X))


def test_an_adapted_classifier_adapts_further():
    X = np.random.RandomState(0).randn(60, 3)
    model = AdaptedClassifier(make_pipeline(StandardScaler(), LogisticRegression()))
    model.fit(X, np.arange(60) % 2).adapt(X[:20] + 3)
    further = adapt(model, X[:20] - 8)
    expected = adapt(model.adapted_, X[:20] - 8)
    np.testing.assert_array_equal(further.predict_proba(X), expected.predict_proba(X))
    assert np.abs(further.predict_proba(X) - model.predict_proba(X)).max() > 0.01


def test_a_scaler_that_models_share_is_adapted_once():
    X = np.random.RandomState(0).randn(50, 2)
    scaler, new = StandardScaler().fit(X), X[:5] + 10
    members = [(n, make_pipeline(FrozenEstimator(scaler), LogisticRegression())) for n in "ab"]
    vote = VotingClassifier(members, voting="soft").fit(X, X[:, 0] > 0)
    found = adapt(vote, new).estimators_[0][0].estimator
    np.testing.assert_allclose(found.mean_, adapt(scaler, new).mean_)


@pytest.mark.parametrize("unit_variance", [False, True])
def test_robust_scales_of_constant_columns_stay(unit_variance):
    X = np.random.RandomState(0).randn(50, 3) * 3
    scaler = RobustScaler(unit_variance=unit_variance).fit(X)
    # The second column has a range of exactly 1 between its quartiles.
    new = np.column_stack([np.full(9, 2.0), np.arange(9) / 4, np.linspace(-3, 3, 9)])
    found = adapt(scaler, new, prior_weight=0).scale_
    expected = RobustScaler(unit_variance=unit_variance).fit(new).scale_
    np.testing.assert_allclose(found, [scaler.scale_[0], *expected[1:]])


def test_a_column_given_by_its_name_alone_is_one_dimensional():
    words = ["good day", "bad night", "good night", "so so", "day day day"] * 8
    table = pd.DataFrame({"transcript": words})
    y = np.resize(["x", "x", "y", "y", "y"], 40)
    dense = FunctionTransformer(lambda counts: counts.toarray())
    text = make_pipeline(CountVectorizer(), dense, StandardScaler())
    model = make_pipeline(ColumnTransformer([("t", text, "transcript")]), LogisticRegression())
    new = pd.DataFrame({"transcript": ["bad day bad", "bad bad", "so bad so", "bad night"] * 5})
    adapted = adapt(model.fit(table, y), new, prior_weight=0)
    counts = text[:2].fit(table["transcript"]).transform(new["transcript"])
    found = adapted[0].named_transformers_["t"][-1].mean_
    np.testing.assert_allclose(found, counts.mean(axis=0))
