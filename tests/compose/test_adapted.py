"""Estimators that adapt to the settings of the utterances that they predict."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.linalg import sqrtm
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import skser
from skser.compose import (
    AdaptedClassifier,
    AdaptedRegressor,
    RejectingClassifier,
    SegmentedClassifier,
    adapt,
)
from skser.feature_extraction import MelSpectrogram
from skser.neural_network import AttentionFCNClassifier
from skser.preprocessing import SequenceScaler

pytestmark = pytest.mark.filterwarnings(
    "ignore:In its last epoch:sklearn.exceptions.ConvergenceWarning"
)


def logistic():
    return make_pipeline(StandardScaler(), LogisticRegression())


def table_of(n_speakers, seed, n=30, offset=6):
    """Return vectors of speakers who differ by an offset, with the column ``who``, and labels."""
    rng = np.random.default_rng(seed)
    y = np.tile(["a", "b", "c"], n_speakers * n // 3)
    X = rng.standard_normal((len(y), 3)) + 2.5 * (y[:, None] == ["a", "b", "c"])
    speakers = np.repeat(np.arange(n_speakers), n)
    X += offset * rng.standard_normal((n_speakers, 3))[speakers]
    table = pd.DataFrame(X, columns=["f0", "f1", "f2"], index=np.arange(100, 100 + len(y)))
    return table.assign(who=[f"s{i}" for i in speakers]), y


@pytest.fixture
def train():
    table, y = table_of(1, seed=0)
    return table, y


@pytest.fixture
def test():
    return table_of(4, seed=1)


class TestAdapt:
    """Adaptation to given recordings."""

    def test_predictions_are_those_of_an_adapted_copy(self, train, test):
        X, recordings = train[0].drop(columns="who"), test[0].drop(columns="who")
        model = AdaptedClassifier(logistic(), prior_weight=2).fit(X, train[1])
        plain = clone(logistic()).fit(X, train[1])
        np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
        assert model.adapt(recordings[:30]) is model
        expected = adapt(plain, recordings[:30], prior_weight=2).predict_proba(recordings)
        np.testing.assert_array_equal(model.predict_proba(recordings), expected)

    def test_each_call_starts_from_the_trained_statistics(self, train, test):
        X = train[0].drop(columns="who")
        model = AdaptedClassifier(logistic()).fit(X, train[1])
        first = model.adapt(X[:10]).predict_proba(X)
        model.adapt(test[0].drop(columns="who"))
        np.testing.assert_array_equal(model.adapt(X[:10]).predict_proba(X), first)

    def test_fit_forgets_the_recordings(self, train):
        X = train[0].drop(columns="who")
        model = AdaptedClassifier(logistic()).fit(X, train[1]).adapt(X + 9)
        model.fit(X, train[1])
        assert not hasattr(model, "adapted_")
        np.testing.assert_array_equal(model.predict(X), model.estimator_.predict(X))

    def test_an_estimator_without_statistics_is_refused(self, train):
        X = train[0].drop(columns="who")
        model = AdaptedClassifier(LogisticRegression()).fit(X, train[1])
        with pytest.raises(ValueError, match="LogisticRegression has nothing to adapt"):
            model.adapt(X)

    def test_it_must_be_fitted(self, train):
        with pytest.raises(NotFittedError):
            AdaptedClassifier(logistic()).adapt(train[0])


class TestSettings:
    """Adaptation to each setting of a table."""

    def test_each_setting_is_predicted_by_a_model_adapted_to_it(self, train, test):
        table, y = test
        model = AdaptedClassifier(logistic(), setting="who").fit(*train)
        shuffled = table.sample(frac=1, random_state=0)
        proba = model.predict_proba(shuffled)
        for who in ("s0", "s1", "s2", "s3"):
            rows = (shuffled["who"] == who).to_numpy()
            X = shuffled[rows].drop(columns="who")
            expected = adapt(model.estimator_, X).predict_proba(X)
            np.testing.assert_array_equal(proba[rows], expected)
        assert model.score(table, y) > model.estimator_.score(table.drop(columns="who"), y) + 0.2

    def test_one_utterance_and_a_missing_setting_are_predicted_without_adaptation(
        self, train, test
    ):
        table = test[0].copy()
        table["who"] = [None, "alone", np.nan, "", ""] + ["together"] * (len(table) - 5)
        model = AdaptedClassifier(logistic(), setting="who").fit(*train)
        plain = model.estimator_.predict_proba(table.drop(columns="who"))
        proba = model.predict_proba(table)
        np.testing.assert_allclose(proba[:5], plain[:5], rtol=1e-12)
        assert np.abs(proba[5:] - plain[5:]).max() > 0.5

    def test_settings_start_from_the_recordings_given_to_adapt(self, train, test):
        table = test[0].assign(who="one")
        model = AdaptedClassifier(logistic(), setting="who").fit(*train).adapt(test[0])
        X = table.drop(columns="who")
        expected = adapt(model.adapted_, X).predict_proba(X)
        np.testing.assert_array_equal(model.predict_proba(table), expected)
        alone = model.predict_proba(table[:1])
        np.testing.assert_array_equal(alone, model.adapted_.predict_proba(X[:1]))

    def test_the_column_is_no_feature(self, train, test):
        numbers = [table.assign(who=table["who"].str[1:].astype(int)) for table, _ in (train, test)]
        model = AdaptedClassifier(logistic(), setting="who").fit(numbers[0], train[1])
        assert list(model.feature_names_in_) == ["f0", "f1", "f2"]
        texts = AdaptedClassifier(logistic(), setting="who").fit(*train)
        np.testing.assert_array_equal(model.predict(numbers[1]), texts.predict(test[0]))

    def test_polars_tables_are_taken(self, train, test):
        polars = pytest.importorskip("polars")
        model = AdaptedClassifier(logistic(), setting="who").fit(*train)
        table = polars.DataFrame({name: test[0][name].to_list() for name in test[0]})
        np.testing.assert_allclose(model.predict_proba(table), model.predict_proba(test[0]))

    def test_tables_without_the_column_and_arrays_are_refused(self, train):
        model = AdaptedClassifier(logistic(), setting="who").fit(*train)
        with pytest.raises(ValueError, match="no column 'who'; its columns are .'f0', 'f1', 'f2'"):
            model.predict(train[0].drop(columns="who"))
        with pytest.raises(TypeError, match="setting='who' is a column of .* X is a ndarray"):
            model.predict(train[0].drop(columns="who").to_numpy())

    def test_a_model_without_statistics_is_refused(self, train):
        inner = make_pipeline(FunctionTransformer(), LogisticRegression())
        model = AdaptedClassifier(inner, setting="who").fit(*train)
        with pytest.raises(ValueError, match="has nothing to adapt"):
            model.predict(train[0])

    def test_decision_values_and_regressors(self, train, test):
        table, y = test
        X = table.drop(columns="who")
        classifier = AdaptedClassifier(make_pipeline(StandardScaler(), LinearSVC()), "who")
        values = classifier.fit(*train).decision_function(table)
        assert not hasattr(classifier, "predict_proba")
        rows = (table["who"] == "s1").to_numpy()
        expected = adapt(classifier.estimator_, X[rows]).decision_function(X[rows])
        np.testing.assert_allclose(values[rows], expected)
        targets = np.column_stack([y == "a", y == "b"]).astype(float)
        regressor = AdaptedRegressor(make_pipeline(StandardScaler(), Ridge()), "who")
        regressor.fit(train[0], targets[: len(train[1])])
        assert regressor.predict(table).shape == (len(y), 2)
        assert regressor.score(table, targets) > regressor.estimator_.score(X, targets) + 0.5

    def test_features_are_computed_once(self, train, test):
        n_rows = []

        def count(X):
            n_rows.append(len(X))
            return X

        inner = make_pipeline(FunctionTransformer(count), "passthrough", *logistic())
        model = AdaptedClassifier(inner, setting="who").fit(*train)
        n_rows.clear()
        model.predict(test[0])
        assert n_rows == [len(test[0])]


class TestCovariance:
    """Correlation alignment."""

    def test_vectors_are_whitened_and_colored_before_the_linear_model(self, train):
        X, y = train[0].drop(columns="who").to_numpy(), train[1]
        model = AdaptedClassifier(logistic(), method="coral", prior_weight=3).fit(X, y)
        mixing = np.array([[1, 0.9, 0], [0, 1, 0.9], [0.9, 0, 1]])
        new = X[:15] @ mixing
        statistics = adapt(model.estimator_, new, prior_weight=3)
        Z, Z_new = model.estimator_[0].transform(X), statistics[0].transform(new)
        trained, found = np.cov(Z.T), np.cov(Z_new.T)
        n_directions = np.trace(trained) ** 2 / (trained**2).sum()
        share = 14 / (14 + 3 + n_directions)
        found = share * found + (1 - share) * trained
        ridge = [np.trace(c) / 3 * np.eye(3) for c in (found, trained)]
        aligned = Z_new @ np.linalg.inv(sqrtm(found + ridge[0])) @ sqrtm(trained + ridge[1])
        expected = model.estimator_[1].decision_function(aligned)
        np.testing.assert_allclose(model.adapt(new).decision_function(new), expected, rtol=1e-5)

    def test_recordings_of_the_training_set_change_nothing(self, train):
        X = train[0].drop(columns="who")
        for kind, inner, y in (
            (AdaptedClassifier, make_pipeline(StandardScaler(), LinearSVC()), train[1]),
            (AdaptedRegressor, make_pipeline(StandardScaler(), Ridge()), X.to_numpy()[:, :2]),
        ):
            model = kind(inner, method="coral").fit(X, y)
            values = getattr(model, "decision_function", model.predict)
            before = values(X)
            assert np.abs(before).max() > 1
            model.adapt(X)
            np.testing.assert_allclose(values(X), before, atol=1e-5)

    def test_one_recording_changes_nothing(self, train):
        X = train[0].drop(columns="who")
        model = AdaptedClassifier(logistic(), method="coral").fit(X, train[1])
        before = model.predict_proba(X)
        np.testing.assert_array_equal(model.adapt(X[:1] + 9).predict_proba(X), before)

    def test_every_setting_has_its_own_covariance(self, train, test):
        model = AdaptedClassifier(logistic(), "who", method="coral").fit(*train)
        alone = clone(model).set_params(setting=None)
        alone.fit(train[0].drop(columns="who"), train[1])
        rows = (test[0]["who"] == "s2").to_numpy()
        X = test[0][rows].drop(columns="who")
        expected = alone.adapt(X).predict_proba(X)
        np.testing.assert_allclose(model.predict_proba(test[0])[rows], expected)

    def test_files_hold_the_covariance(self, train, tmp_path):
        X = train[0].drop(columns="who")
        vote = VotingClassifier([("a", logistic()), ("b", logistic())], voting="soft")
        model = AdaptedClassifier(vote, method="coral").fit(X, train[1])
        assert [c.shape for c in model.linear_covariances_] == [(3, 3), (3, 3)]
        skser.save(model, tmp_path / "model.skser")
        loaded = skser.load(tmp_path / "model.skser").adapt(2 * X[:9])
        expected = model.adapt(2 * X[:9]).predict_proba(X)
        np.testing.assert_array_equal(loaded.predict_proba(X), expected)

    def test_what_it_needs_is_said(self, train):
        X, y = train[0].drop(columns="who"), train[1]
        trees = make_pipeline(StandardScaler(), DecisionTreeClassifier())
        with pytest.raises(ValueError, match="method='coral' .* linear model, but Pipeline cont"):
            AdaptedClassifier(trees, method="coral").fit(X, y)
        model = AdaptedClassifier(logistic()).fit(X, y).set_params(method="coral")
        with pytest.raises(ValueError, match="call fit again after setting the method"):
            model.adapt(X)
        model = AdaptedClassifier(logistic(), "who", method="coral").fit(*train)
        with pytest.raises(ValueError, match="setting='who' or to recordings, not to both"):
            model.adapt(X)


class TestAmongOthers:
    """Cross-validation, searches, copies and files."""

    def test_cross_validation_and_searches_see_settings(self):
        table, y = table_of(4, seed=1, offset=2)
        model = AdaptedClassifier(logistic(), setting="who")
        folds = {"groups": table["who"], "cv": GroupKFold(4)}
        assert cross_val_score(model, table, y, **folds).mean() > 0.8
        assert cross_val_score(logistic(), table.drop(columns="who"), y, **folds).mean() < 0.5
        search = GridSearchCV(model, {"prior_weight": [0.0, 1e6]}, cv=GroupKFold(4), n_jobs=2).fit(
            table, y, groups=table["who"]
        )
        assert search.best_params_ == {"prior_weight": 0.0}
        assert search.best_estimator_.prior_weight == 0.0

    def test_copies_and_files_predict_the_same(self, train, test, tmp_path):
        model = AdaptedClassifier(logistic(), setting="who").fit(*train).adapt(test[0])
        skser.save(model, tmp_path / "model.skser")
        for copy in (pickle.loads(pickle.dumps(model)), skser.load(tmp_path / "model.skser")):
            np.testing.assert_array_equal(copy.predict_proba(test[0]), model.predict_proba(test[0]))
            copy.adapt(train[0])
            expected = clone(model).fit(*train).adapt(train[0]).predict_proba(test[0])
            np.testing.assert_array_equal(copy.predict_proba(test[0]), expected)

    def test_numeric_classes_keep_their_type(self, train, test):
        y = np.searchsorted(["a", "b", "c"], train[1]) * 10
        model = AdaptedClassifier(logistic(), setting="who").fit(train[0], y)
        predicted = model.predict(test[0])
        assert predicted.dtype == y.dtype
        assert set(predicted) == {0, 10, 20}

    def test_groups_and_soft_targets_reach_the_estimator(self, mels, corpus):
        class Remembers(AttentionFCNClassifier):
            def fit(self, X, y, *, groups=None, soft_targets=None):
                self.given = groups, soft_targets
                return super().fit(X, y, groups=groups, soft_targets=soft_targets)

        network = Remembers((4,), strides=2, pool_sizes=1, max_epochs=1, device="cpu")
        shares = (corpus.target[:, None] == np.unique(corpus.target)).astype(float)
        model = AdaptedClassifier(make_pipeline(SequenceScaler(), network))
        model.fit(mels, corpus.target, groups=corpus.speakers, soft_targets=shares)
        groups, soft_targets = model.estimator_[-1].given
        np.testing.assert_array_equal(groups, corpus.speakers)
        np.testing.assert_array_equal(soft_targets, shares)

    def test_longer_labels_of_a_later_setting_are_not_cut_off(self, train, test):
        class SaysElsewhere(ClassifierMixin, BaseEstimator):
            def fit(self, X, y):
                self.classes_ = np.unique(y)
                return self

            def predict(self, X):
                return np.where(X[:, 0].mean() > 1, "elsewhere", "a") + np.zeros(len(X), "U1")

        inner = make_pipeline(StandardScaler(), SaysElsewhere())
        model = AdaptedClassifier(inner, setting="who", prior_weight=1e9).fit(*train)
        table = pd.concat(
            [train[0].assign(who="1"), (train[0].drop(columns="who") + 99).assign(who="2")]
        )
        assert list(model.predict(table)) == ["a"] * 30 + ["elsewhere"] * 30

    def test_rejecting_classifiers_are_adapted(self, train):
        X, y = train[0].drop(columns="who").to_numpy(), train[1]
        model = RejectingClassifier(logistic(), coverage=0.9).fit(X, y)
        there = 40 + 3 * X
        assert set(model.predict(there)) == {"unknown"}
        adapted = adapt(model, there, prior_weight=0)
        np.testing.assert_array_equal(adapted.predict(there), model.predict(X))
        assert (model.predict(X) == y).mean() > 0.7

    def test_routing_passes_groups_on(self, mels, corpus):
        with sklearn.config_context(enable_metadata_routing=True):
            network = AttentionFCNClassifier((4,), strides=2, pool_sizes=1, max_epochs=1)
            network.set_fit_request(groups=True, soft_targets=False)
            model = AdaptedClassifier(make_pipeline(SequenceScaler(), network))
            predicted = cross_val_predict(
                model, mels, corpus.target, params={"groups": corpus.speakers}, cv=GroupKFold(2)
            )
        assert predicted.shape == (len(corpus.target),)

    def test_audio_tables_of_several_speakers(self, corpus):
        mel = MelSpectrogram(n_mels=8, input_sampling_rate=corpus.sampling_rate)
        network = AttentionFCNClassifier(
            (4,), strides=2, pool_sizes=1, max_epochs=2, device="cpu", random_state=0
        )
        inner = make_pipeline(mel, SequenceScaler(), SegmentedClassifier(network, 0.3, 0.3))
        model = AdaptedClassifier(inner, setting="speaker").fit(corpus.frame, corpus.target)
        proba = model.predict_proba(corpus.frame)
        of_first = corpus.frame[corpus.speakers == "01"]
        expected = adapt(model.estimator_, of_first).predict_proba(of_first)
        np.testing.assert_allclose(proba[corpus.speakers == "01"], expected, atol=1e-6)
