"""Tests of the evaluation of dimensions and of shares of votes."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import VotingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVR

from skser.datasets import SpeechCorpus
from skser.evaluation import compare, cross_validate_speakers, jackknife_by_speaker
from skser.metrics import (
    concordance_correlation_coefficient,
    vote_cross_entropy,
    vote_divergence,
)
from skser.neural_network import AdversarialAERegressor, AttentionFCNClassifier
from tests.support.estimators import NETWORKS, by_name, instance

REGRESSORS = [cls for cls in NETWORKS if issubclass(cls, RegressorMixin)]
SPEAKERS = ["a", "b", "c", "d"]
RANDOM = np.random.RandomState(0)
N = 48
VALENCE, ACTIVATION = RANDOM.uniform(-1, 1, (2, N)).round(3)
FEATURES = np.column_stack([VALENCE, ACTIVATION, RANDOM.randn(N)])
FEATURES += 0.3 * RANDOM.randn(*FEATURES.shape)


def made_up(valence=VALENCE, votes=None):
    frame = pd.DataFrame(
        {
            "audio": [FEATURES[i] for i in range(N)],
            "emotion": np.where(VALENCE > 0, "happiness", "sadness"),
            "speaker": SPEAKERS * (N // 4),
            "valence": valence,
            "activation": ACTIVATION,
        }
    )
    return SpeechCorpus(frame, "made-up", {}, votes=votes)


def of_features(model):
    return make_pipeline(FunctionTransformer(np.stack), model)


def votes_of(n_utterances=N):
    """Let 2 of 3 raters name the emotion of the utterance."""
    emotions = made_up().target[:n_utterances]
    other = {"happiness": "sadness", "sadness": "happiness"}
    return pd.DataFrame(
        [
            {"utterance": i, "rater": str(r), "emotion": emotion if r < 2 else other[emotion]}
            for i, emotion in enumerate(emotions)
            for r in range(3)
        ]
    )


class Soft(ClassifierMixin, BaseEstimator):
    """Classifier that predicts the mean share of each class in training."""

    def fit(self, X, y, soft_targets=None):
        self.classes_ = np.unique(y)
        self.mean_ = soft_targets.mean(axis=0)
        return self

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))

    def predict_proba(self, X):
        return np.tile(self.mean_, (len(X), 1))


class TestDimensions:
    def test_scores_of_a_dimension_equal_their_formulas(self):
        found = cross_validate_speakers(of_features(Ridge()), made_up(), target="valence", cv=2)
        rows = found.predictions["utterance"]
        assert found.target == "valence"
        np.testing.assert_array_equal(found.y_true, VALENCE[rows])
        summary = found.summary()
        assert summary.index.tolist() == ["ccc", "pearson", "rmse"]
        true, predicted = found.y_true, found.y_pred
        pooled = summary["pooled"]
        assert pooled["ccc"] == pytest.approx(concordance_correlation_coefficient(true, predicted))
        assert pooled["pearson"] == pytest.approx(np.corrcoef(true, predicted)[0, 1])
        assert pooled["rmse"] == pytest.approx(np.sqrt(np.mean((true - predicted) ** 2)))
        assert pooled["ccc"] > 0.7
        folds = found.fold_results
        assert summary.loc["ccc", "worst_fold"] == folds["ccc"].min()
        assert summary.loc["rmse", "worst_fold"] == folds["rmse"].max()
        assert str(found).startswith("2 speaker-disjoint folds, 1 seed, valence")

    def test_scores_of_a_speaker_are_those_of_their_utterances(self):
        found = cross_validate_speakers(of_features(Ridge()), made_up(), target="valence", cv=2)
        by_speaker, rows = found.by_speaker(), found.predictions["speaker"] == "b"
        assert by_speaker.index.tolist() == SPEAKERS
        assert by_speaker["b"] == pytest.approx(
            concordance_correlation_coefficient(found.y_true[rows], found.y_pred[rows])
        )
        low, high = found.interval()
        assert low < found.summary().loc["ccc", "pooled"] < high

    @pytest.mark.parametrize("model", [Ridge(), MultiOutputRegressor(SVR())])
    def test_several_dimensions_have_mean_and_single_scores(self, model):
        names = ["activation", "valence"]
        found = cross_validate_speakers(of_features(model), made_up(), target=names, cv=2)
        assert found.target == names
        columns = ["true_activation", "true_valence", "predicted_activation", "predicted_valence"]
        assert found.predictions.columns[4:].tolist() == columns
        pooled = found.summary()["pooled"]
        assert pooled["ccc"] == pytest.approx(pooled[["ccc_activation", "ccc_valence"]].mean())
        alone = cross_validate_speakers(of_features(Ridge()), made_up(), target="valence", cv=2)
        if isinstance(model, Ridge):
            assert pooled["ccc_valence"] == pytest.approx(alone.summary().loc["ccc", "pooled"])

    def test_a_search_and_a_vote_of_regressors_are_evaluated(self):
        search = GridSearchCV(of_features(Ridge()), {"ridge__alpha": [0.1, 1e6]}, cv=2)
        models = [of_features(Ridge()), of_features(LinearRegression())]
        vote = VotingRegressor(list(zip("ab", models, strict=True)))
        found = cross_validate_speakers(search, made_up(), target="valence", cv=2)
        assert all("0.1" in fitted["best_params_"] for fitted in found.fold_results["fitted"])
        voted = cross_validate_speakers(vote, made_up(), target="valence", cv=2)
        assert voted.summary().loc["ccc", "pooled"] > 0.7

    def test_utterances_without_any_rating_are_left_out_and_counted(self):
        valence = np.where(np.arange(N) < 6, np.nan, VALENCE)
        found = cross_validate_speakers(
            of_features(Ridge()), made_up(valence), target="valence", cv=2
        )
        assert sorted(found.predictions["utterance"]) == list(range(6, N))
        assert found.protocol["unrated"] == {"n": 6, "n_utterances": N, "trained_on": 0}
        assert (found.fold_results["n_train"] + found.fold_results["n_test"] == N - 6).all()
        assert "6 of 48 utterances (12.5 %) lack valence: left out." in str(found)
        assert "n" not in found.summary()

    def test_each_dimension_is_scored_over_the_utterances_with_a_rating_of_it(self):
        missing = {"valence": np.arange(N) < 6, "activation": (np.arange(N) % 16) < 2}
        truth = {"valence": VALENCE, "activation": ACTIVATION}
        frame = made_up().frame.assign(
            **{name: np.where(missing[name], np.nan, truth[name]) for name in truth}
        )
        names = list(truth)
        found = cross_validate_speakers(
            of_features(Ridge()), SpeechCorpus(frame, "partly", {}), target=names, cv=2
        )
        # Rows 0 and 1 lack both; a further 4 lack valence and a further 4 activation.
        assert sorted(found.predictions["utterance"]) == list(range(2, N))
        assert found.fold_results["n_train"].sum() == N - 10
        assert found.protocol["unrated"] == {
            "n": 10, "n_utterances": N, "trained_on": 0,
            "tested_on": {"valence": 42, "activation": 42},
        }  # fmt: skip
        summary = found.summary()
        assert summary["n"].tolist() == [46] * 3 + [42] * 6
        rows = found.predictions["utterance"]
        for i, (name, y) in enumerate(truth.items()):
            rated = ~missing[name][rows]
            y, predicted = y[rows[rated]], found.y_pred[rated, i]
            pooled = summary["pooled"]
            assert pooled[f"ccc_{name}"] == pytest.approx(
                concordance_correlation_coefficient(y, predicted)
            )
            assert pooled[f"rmse_{name}"] == pytest.approx(np.sqrt(np.mean((y - predicted) ** 2)))
            of_fold = found.predictions["fold"].to_numpy()[rated] == 1
            assert found.fold_results.loc[1, f"pearson_{name}"] == pytest.approx(
                np.corrcoef(y[of_fold], predicted[of_fold])[0, 1]
            )
        for name in ("ccc", "pearson", "rmse"):
            mean = pooled[[f"{name}_valence", f"{name}_activation"]].mean()
            assert pooled[name] == pytest.approx(mean)
        said = str(found).splitlines()[-2:]
        assert said == [
            "10 of 48 utterances (20.8 %) lack valence or activation: left out of training.",
            "Each dimension is scored over the utterances with a rating: 42 of valence, 42 of "
            "activation.",
        ]
        # A metric of the caller's is applied in the same way.
        assert found.pooled(root_mean_squared_error)[0] == pytest.approx(pooled["rmse"])
        assert found.interval(root_mean_squared_error) == found.interval(found.metrics["rmse"])

    def test_a_speaker_without_ratings_of_a_dimension_has_no_mean_score(self):
        valence = np.where(made_up().speakers == "c", np.nan, VALENCE)
        names = ["valence", "activation"]
        runs = {
            str(alpha): cross_validate_speakers(
                of_features(Ridge(alpha)), made_up(valence), target=names, cv=4
            )
            for alpha in (1.0, 100.0)
        }
        found = runs["1.0"]
        scores = found.by_speaker()
        assert scores.index[scores.isna()].tolist() == ["c"]
        activation = found.by_speaker(found.metrics["ccc_activation"])
        rows = (found.predictions["speaker"] == "c").to_numpy()
        assert activation["c"] == pytest.approx(
            concordance_correlation_coefficient(found.y_true[rows, 1], found.y_pred[rows, 1])
        )
        fold = found.fold_results["held_out"].tolist().index(["c"])
        assert np.isnan(found.fold_results.loc[fold, ["ccc", "ccc_valence"]].tolist()).all()
        assert found.fold_results.loc[fold, "ccc_activation"] == pytest.approx(activation["c"])
        assert found.summary().loc["ccc", "folds"] == pytest.approx(scores.mean())
        compared = compare(runs)
        assert compared.metric == "concordance_correlation_coefficient"
        assert compared.systems["rank"].to_dict() == {"1.0": 1.0, "100.0": 2.0}
        assert np.isfinite(compared.pairs["p_value"]).all()

    def test_a_dimension_without_ratings_on_any_test_side_raises(self):
        valence = np.where(made_up().speakers == "c", np.nan, VALENCE)
        test = made_up().speakers == "c"
        cv = [(np.flatnonzero(~test), np.flatnonzero(test))]
        with pytest.raises(ValueError, match="No test side has a rating of valence, so valence"):
            cross_validate_speakers(
                of_features(Ridge()), made_up(valence), target=["activation", "valence"], cv=cv
            )

    def test_unrated_utterances_are_trained_on_where_the_model_takes_them(self):
        class Recorder(RegressorMixin, BaseEstimator):
            """Regressor that predicts the number of missing ratings in its training set."""

            def fit(self, X, y):
                self.n_ = int(np.isnan(y).any(axis=1).sum())
                return self

            def predict(self, X):
                return np.full((len(X), 2), float(self.n_))

        valence = np.where(np.arange(N) < 8, np.nan, VALENCE)
        found = cross_validate_speakers(
            Recorder(), made_up(valence), target=["valence", "activation"], unrated="train", cv=2
        )
        assert set(found.y_pred.ravel()) == {4.0}
        assert len(found.predictions) == N
        assert found.protocol["unrated"]["trained_on"] == 8
        assert found.protocol["unrated"]["tested_on"] == {"valence": N - 8, "activation": N}

    def test_the_adversarial_autoencoder_learns_from_missing_ratings(self):
        missing = np.arange(N) % 12
        frame = made_up().frame.assign(
            valence=np.where(missing < 4, np.nan, VALENCE),
            dominance=np.where((missing > 2) & (missing < 6), np.nan, FEATURES[:, 2]),
        )
        model = AdversarialAERegressor(max_epochs=60, batch_size=16, device="cpu", n_threads=1)
        found = cross_validate_speakers(
            of_features(model),
            SpeechCorpus(frame, "three", {}),
            target=["valence", "activation", "dominance"],
            unrated="train",
            cv=2,
        )
        assert found.fold_results["n_train"].tolist() == [24, 24]
        assert found.fold_results["n_test"].sum() == N  # activation is always known
        rated = {"valence": 32, "activation": N, "dominance": 36}
        assert found.protocol["unrated"] == {
            "n": 24, "n_utterances": N, "trained_on": 24, "tested_on": rated
        }  # fmt: skip
        assert "lack valence, activation or dominance: 24 are trained on." in str(found)
        n = found.summary()["n"]
        assert [n[f"ccc_{name}"] for name in rated] == list(rated.values())
        assert found.summary().loc["ccc_activation", "pooled"] > 0.3

    @pytest.mark.filterwarnings("ignore:In its last epoch")
    @pytest.mark.parametrize("cls", REGRESSORS, ids=by_name)
    def test_every_network_for_regression_is_evaluated_on_two_dimensions(self, cls):
        found = cross_validate_speakers(
            of_features(instance(cls)), made_up(), target=["valence", "activation"], cv=2
        )
        assert found.y_pred.shape == (N, 2)
        assert np.isfinite(found.summary()["pooled"]).all()

    def test_a_corpus_without_ratings_on_a_side_of_a_fold_raises(self):
        valence = np.where(np.isin(made_up().speakers, ["a", "b"]), np.nan, VALENCE)
        speakers = made_up().speakers
        cv = [(np.flatnonzero(speakers != "a"), np.flatnonzero(speakers == "a"))]
        with pytest.raises(ValueError, match="test side of fold 0 has no utterance with a known v"):
            cross_validate_speakers(of_features(Ridge()), made_up(valence), target="valence", cv=cv)

    @pytest.mark.parametrize(
        ("model", "target", "said"),
        [
            (DummyClassifier(), "valence", "is a classifier, but target='valence' is a number"),
            (DummyRegressor(), "emotion", "is a regressor, but the target is the emotion"),
            (DummyRegressor(), "dominance", "made-up has no ratings of dominance"),
            (DummyRegressor(), "arousal", "target='arousal' is not a target"),
            (DummyRegressor(), ["valence", "valence"], "a list of different dimensions"),
            (DummyRegressor(), [], "is not a target"),
            (DummyRegressor(), "votes", "made-up has no votes for emotions"),
        ],
    )
    def test_targets_that_do_not_fit_raise(self, model, target, said):
        with pytest.raises(ValueError, match=said):
            cross_validate_speakers(model, made_up(), target=target, cv=2)

    def test_a_model_that_predicts_too_few_dimensions_raises(self):
        class One(RegressorMixin, BaseEstimator):
            def fit(self, X, y):
                self.fitted_ = True
                return self

            def predict(self, X):
                return np.zeros(len(X))

        with pytest.raises(ValueError, match=r"predicts an array of shape \(24,\)"):
            cross_validate_speakers(One(), made_up(), target=["valence", "activation"], cv=2)

    def test_finished_folds_are_read_again_for_the_same_target_only(self, tmp_path):
        def run(model, target):
            return cross_validate_speakers(
                of_features(model), made_up(), target=target, cv=2, results_dir=tmp_path
            )

        first = run(Ridge(), ["valence", "activation"])
        again = run(Ridge(), ["valence", "activation"])
        pd.testing.assert_frame_equal(again.predictions, first.predictions)
        pd.testing.assert_frame_equal(again.fold_results, first.fold_results)
        with pytest.raises(ValueError, match="which differs in target"):
            run(Ridge(), "valence")

    def test_comparison_ranks_by_ccc_or_by_a_loss(self):
        good, bad = (
            cross_validate_speakers(of_features(Ridge(alpha)), made_up(), target="valence", cv=2)
            for alpha in (1.0, 30.0)
        )
        found = compare({"bad": bad, "good": good})
        assert found.metric == "concordance_correlation_coefficient"
        assert found.systems.index.tolist() == ["good", "bad"]
        assert found.systems["rank"].tolist() == [1.0, 2.0]
        pair = found.pairs.iloc[0]
        one = jackknife_by_speaker(
            good.y_true,
            good.y_pred,
            bad.y_pred,
            good.predictions["speaker"],
            metric=concordance_correlation_coefficient,
        )
        assert (pair["difference"], pair["low"]) == pytest.approx((one.difference, one.low))
        lost = compare({"bad": bad, "good": good}, metric=root_mean_squared_error)
        assert lost.systems.index.tolist() == ["good", "bad"]
        assert lost.systems["score"].is_monotonic_increasing
        assert lost.pairs["difference"].item() < 0

    def test_evaluations_of_different_targets_are_not_compared(self):
        runs = {
            target: cross_validate_speakers(of_features(Ridge()), made_up(), target=target, cv=2)
            for target in ("valence", "activation")
        }
        with pytest.raises(ValueError, match="different utterances, speakers or targets"):
            compare(runs)


class TestVotes:
    def test_probabilities_are_compared_with_shares_of_votes(self):
        corpus = made_up(votes=votes_of())
        model = of_features(LogisticRegression())
        found = cross_validate_speakers(model, corpus, target="votes", cv=2)
        assert found.labels.tolist() == ["happiness", "sadness"]
        shares = corpus.soft_targets()[found.predictions["utterance"]]
        np.testing.assert_allclose(found.y_true, shares)
        assert set(shares.ravel().round(3)) == {0.333, 0.667}
        pooled = found.summary()["pooled"]
        assert pooled["cross_entropy"] == pytest.approx(vote_cross_entropy(shares, found.y_pred))
        assert pooled["divergence"] == pytest.approx(vote_divergence(shares, found.y_pred))
        classes = cross_validate_speakers(model, corpus, cv=2)
        np.testing.assert_allclose(found.y_pred, classes.y_proba)

    def test_regressors_predict_shares_that_sum_to_1(self):
        corpus = made_up(votes=votes_of())
        found = cross_validate_speakers(of_features(Ridge()), corpus, target="votes", cv=2)
        np.testing.assert_allclose(found.y_pred.sum(axis=1), 1)
        assert (found.y_pred >= 0).all()
        assert found.summary().loc["divergence", "pooled"] < 0.05

    def test_shares_are_clipped_at_0_and_equal_where_nothing_is_left(self):
        class Fixed(RegressorMixin, BaseEstimator):
            def fit(self, X, y):
                self.fitted_ = True
                return self

            def predict(self, X):
                return np.resize([[3.0, -1.0], [1.0, 3.0], [-2.0, -1.0], [0.0, 0.0]], (len(X), 2))

        found = cross_validate_speakers(Fixed(), made_up(votes=votes_of()), target="votes", cv=2)
        rows = (found.predictions["fold"] == 0).to_numpy()
        expected = np.resize([[1, 0], [0.25, 0.75], [0.5, 0.5], [0.5, 0.5]], (rows.sum(), 2))
        np.testing.assert_array_equal(found.y_pred[rows], expected)

    def test_classifiers_that_take_soft_targets_get_them(self):
        corpus = made_up(votes=votes_of())
        pipeline = make_pipeline("passthrough", Soft())
        for model, routing in ((Soft(), False), (pipeline, False), (pipeline, True)):
            with config_context(enable_metadata_routing=routing):
                found = cross_validate_speakers(model, corpus, target="votes", cv=2)
            for train, test in found.folds:
                expected = corpus.soft_targets()[train].mean(axis=0)
                rows = np.isin(found.predictions["utterance"], test)
                np.testing.assert_allclose(found.y_pred[rows], [expected] * len(test))

    def test_a_network_is_trained_on_shares(self):
        net = AttentionFCNClassifier(max_epochs=20, device="cpu", n_threads=1, random_state=0)
        found = cross_validate_speakers(
            of_features(net), made_up(votes=votes_of()), target="votes", cv=2
        )
        np.testing.assert_allclose(found.y_pred.sum(axis=1), 1, atol=1e-6)

    def test_shares_of_emotions_that_are_numbers_go_to_their_classes(self):
        # As text, 10 comes before 9.
        names = {"happiness": 10, "sadness": 9}
        frame = made_up().frame
        votes = votes_of()[votes_of()["emotion"] == "happiness"]
        frame["emotion"], votes["emotion"] = (of["emotion"].map(names) for of in (frame, votes))
        corpus = SpeechCorpus(frame, "numbers", {}, votes=votes)
        found = cross_validate_speakers(Soft(), corpus, target="votes", cv=2)
        assert found.labels.tolist() == ["9", "10"]
        assert corpus.soft_targets().tolist() == [[0, 1]] * N
        np.testing.assert_array_equal(found.y_pred, [[0, 1]] * N)

    def test_utterances_without_votes_are_left_out(self):
        corpus = made_up(votes=votes_of(N - 4))
        model = of_features(LogisticRegression())
        found = cross_validate_speakers(model, corpus, target="votes", cv=2)
        assert found.predictions["utterance"].max() == N - 5
        assert "4 of 48 utterances (8.3 %) lack votes: left out." in str(found)
        kept = cross_validate_speakers(model, corpus, target="votes", cv=2, unrated="train")
        assert kept.fold_results["n_train"].sum() == N
        assert "4 are trained on" in str(kept)

    def test_a_classifier_without_probabilities_raises(self):
        class Hard(ClassifierMixin, BaseEstimator):
            def fit(self, X, y):
                self.classes_ = np.unique(y)
                return self

            def predict(self, X):
                return np.repeat(self.classes_[:1], len(X))

        with pytest.raises(ValueError, match="Hard has no predict_proba"):
            cross_validate_speakers(Hard(), made_up(votes=votes_of()), target="votes", cv=2)


class Undefined(RegressorMixin, BaseEstimator):
    """Regressor that predicts NaN for one utterance in three."""

    def fit(self, X, y):
        self.n_ = np.shape(y)[1:]
        return self

    def predict(self, X):
        predicted = np.full((len(X), *self.n_), 0.5)
        predicted[1::3] = np.nan
        return predicted


class Unsure(DummyClassifier):
    """Classifier whose probabilities are NaN."""

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), np.nan)


@pytest.mark.parametrize(
    ("model", "target"),
    [
        (Undefined(), "votes"),
        (Undefined(), "valence"),
        (Undefined(), ["valence", "activation"]),
        (Unsure(), "votes"),
        (Unsure(), "emotion"),
    ],
)
def test_predictions_that_are_not_finite_are_an_error(model, target):
    with pytest.raises(ValueError, match=r"predicts .*nan.* for utterance \d+ of the corpus"):
        cross_validate_speakers(model, made_up(votes=votes_of()), target=target, cv=2)
