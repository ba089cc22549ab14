"""Tests of reports, group gaps and robustness of dimensions and shares of votes."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.datasets import SpeechCorpus, make_emotional_speech
from skser.evaluation import (
    EvaluationReport,
    cross_validate_speakers,
    robustness_report,
    score_gap,
)
from skser.feature_extraction import FrameFeatures, Functionals
from skser.inspection import RobustnessDisplay
from skser.metrics import concordance_correlation_coefficient, vote_cross_entropy

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib").use("Agg")
RATE = 16000
DIMENSIONS = ["valence", "activation"]


class KnownMean(RegressorMixin, BaseEstimator):
    """Regressor that predicts the mean of the known ratings, plus a little of the first feature."""

    def fit(self, X, y):
        self.mean_ = np.nanmean(np.where(np.isnan(y).all(axis=0), 0.0, y), axis=0)
        return self

    def predict(self, X):
        return self.mean_ + 0.01 * np.asarray(X)[:, :1]


@pytest.fixture(scope="module")
def corpus():
    made = make_emotional_speech(4, 6, ("anger", "sadness", "neutral"), random_state=0)
    votes = pd.DataFrame(
        [
            {"utterance": i, "rater": str(r), "emotion": emotion if r else "neutral"}
            for i, emotion in enumerate(made.target)
            for r in range(3)
        ]
    )
    valence = np.where(np.arange(len(made)) == 2, np.nan, made.valence)
    frame = made.frame.assign(valence=valence)
    return SpeechCorpus(frame, "made-up", {}, sampling_rate=RATE, votes=votes)


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    memory = tmp_path_factory.mktemp("memory")
    return Functionals(FrameFeatures(("energy",), input_sampling_rate=RATE, memory=memory))


@pytest.fixture(scope="module")
def regressor(features):
    return make_pipeline(features, StandardScaler(), Ridge(100.0))


@pytest.fixture(scope="module")
def evaluation(regressor, corpus):
    return cross_validate_speakers(regressor, corpus, target=DIMENSIONS, cv=2)


def test_a_report_of_dimensions_holds_scores_pictures_errors_and_sexes(evaluation, corpus):
    html = EvaluationReport(evaluation, corpus, n_errors=2, leakage=False).to_html()
    for name, value in evaluation.summary()["pooled"].items():
        assert f"{value:.3f}" in html, name
    for text in ("CCC of valence", "RMSE of activation", "Between the sexes, CCC differs by"):
        assert text in html
    assert "1 of 24 utterances (4.2 %) lack valence or activation: left out of training." in html
    assert "with a rating: 23 of valence, 24 of activation." in html
    assert "worse) among the 23 utterances with all ratings, " in html
    assert html.count("<audio") == 2
    assert html.count("<img") == 2
    error = np.nanmean(np.abs(evaluation.y_true - evaluation.y_pred), axis=1).max()
    assert f"{error:.3f}" in html
    assert "UAR in %" not in html
    assert ">nan" not in html


def test_a_report_leaves_out_what_missing_ratings_do_not_allow(regressor, corpus):
    speakers = corpus.speakers
    frame = corpus.frame.assign(
        valence=np.where(speakers == "01", corpus.valence, np.nan),
        activation=np.where(speakers == "02", np.nan, corpus.activation),
    )
    partly = SpeechCorpus(frame, "partly", {}, sampling_rate=RATE)
    folds = [
        (np.flatnonzero(speakers != name), np.flatnonzero(speakers == name))
        for name in ("01", "03")
    ]
    # Only the first speaker has both, so a model must take missing ratings.
    model = make_pipeline(regressor[:-1], KnownMean())
    found = cross_validate_speakers(model, partly, target=DIMENSIONS, cv=folds, unrated="train")
    html = EvaluationReport(found, partly, leakage=False).to_html()
    assert "Speakers without a rating of some dimension: 03." in html
    assert "Between the sexes" not in html
    row = html[html.index("CCC of valence") :]
    assert row[: row.index("</tr>")].count("–") >= 1
    assert "valence –, activation" in html
    assert ">nan" not in html


def test_a_report_of_votes_names_classes_and_the_largest_divergence(features, corpus):
    model = make_pipeline(features, StandardScaler(), LogisticRegression(max_iter=1000))
    found = cross_validate_speakers(model, corpus, target="votes", cv=2)
    html = EvaluationReport(found, corpus, n_errors=1, leakage=False).to_html()
    for text in ("cross-entropy", "Jensen-Shannon divergence", "anger", "Shares of votes"):
        assert text in html
    assert f"{found.summary().loc['cross_entropy', 'pooled']:.3f}" in html


def test_a_corpus_without_the_target_is_refused(evaluation, corpus):
    bare = SpeechCorpus(corpus.frame.drop(columns="valence"), "bare", {}, sampling_rate=RATE)
    with pytest.raises(ValueError, match="bare is not the corpus of this evaluation"):
        EvaluationReport(evaluation, bare)


def test_robustness_of_dimensions_is_the_shift_of_predictions(regressor, corpus):
    rated = corpus[~np.isnan(corpus.valence)]
    model = regressor.fit(rated.data, rated.valence)
    softer = {"softer": lambda samples, rate, random: samples / 3}
    found = robustness_report(model, corpus, distortions=softer, target="valence")
    clean, soft = (model.predict([x / scale for x in rated.data]) for scale in (1, 3))
    scores = [concordance_correlation_coefficient(rated.valence, y) for y in (clean, soft)]
    assert found["score"].tolist() == pytest.approx(scores, abs=1e-4)
    assert found["shift"].tolist() == pytest.approx([0, np.abs(soft - clean).mean()], abs=1e-3)
    assert "same" not in found
    display = RobustnessDisplay.from_report(found)
    assert display.axes_[0].get_ylabel() == "score"
    np.testing.assert_allclose(display.axes_[0].lines[1].get_ydata(), found["score"])


def test_robustness_scores_each_dimension_over_its_ratings(regressor, corpus):
    rated = ~np.isnan(corpus.valence)
    y = np.column_stack([corpus.valence, corpus.activation])
    model = regressor.fit(
        [x for x, known in zip(corpus.data, rated, strict=True) if known], y[rated]
    )
    softer = {"softer": lambda samples, rate, random: samples / 3}
    for metric in (None, root_mean_squared_error):
        options = {"distortions": softer, "target": DIMENSIONS, "metric": metric}
        found = robustness_report(model, corpus, **options)
        score = metric or concordance_correlation_coefficient
        predicted = model.predict(list(corpus.data))
        expected = (score(y[rated, 0], predicted[rated, 0]) + score(y[:, 1], predicted[:, 1])) / 2
        assert found.loc[("clean", ""), "score"] == pytest.approx(expected, abs=1e-4)


class TestScoreGap:
    speakers = np.repeat(np.arange(12), 10)
    sex = np.where(speakers < 6, "female", "male")
    true = np.tile(np.linspace(-1, 1, 10), 12)

    def test_gap_is_the_difference_of_ccc(self):
        predicted = np.where(self.sex == "male", self.true / 3, self.true)
        found = score_gap(self.true, predicted, self.sex, self.speakers)
        third = concordance_correlation_coefficient(self.true[:10], self.true[:10] / 3)
        assert found.gap == pytest.approx(1 - third)
        assert (found.best, found.worst) == ("female", "male")
        assert found.p_value < 0.05
        assert not found.is_fair

    def test_the_group_with_more_loss_is_worse(self):
        predicted = np.where(self.sex == "male", self.true + 0.5, self.true)
        found = score_gap(
            self.true, predicted, self.sex, self.speakers, metric=root_mean_squared_error
        )
        assert (found.gap, found.worst) == (pytest.approx(0.5), "male")

    def test_gaps_of_models_that_treat_groups_equally_are_rarely_flagged(self):
        random, flagged = np.random.RandomState(0), 0
        for _ in range(60):
            scale = random.uniform(0.2, 1, 12)[self.speakers]
            found = score_gap(
                self.true, self.true * scale, self.sex, self.speakers, n_simulations=99
            )
            flagged += not found.is_fair
        assert flagged <= 8

    def test_shares_of_votes_have_a_gap_too(self):
        true = np.tile([[0.5, 0.5]], (120, 1))
        predicted = np.where((self.sex == "male")[:, None], [[0.9, 0.1]], true)
        found = score_gap(true, predicted, self.sex, self.speakers, metric=vote_cross_entropy)
        assert found.gap == pytest.approx(-np.log([0.9, 0.1]).mean() - np.log(2))

    def test_bad_groups_raise(self):
        with pytest.raises(ValueError, match="groups holds only 'one'"):
            score_gap(self.true, self.true, ["one"] * 120, self.speakers)
        with pytest.raises(ValueError, match="Speaker 0 is in more than one group"):
            score_gap(self.true, self.true, np.arange(120) % 2, self.speakers)
        twice = np.column_stack([self.true, self.true])
        with pytest.raises(ValueError, match="y_true has 1 dimension and y_pred has 2"):
            score_gap(self.true, twice, self.sex, self.speakers)


def test_intervals_and_pearson_agree_with_scipy(evaluation):
    rated = ~np.isnan(evaluation.y_true[:, 0])
    assert rated.sum() == len(rated) - 1
    true, predicted = evaluation.y_true[rated, 0], evaluation.y_pred[rated, 0]
    pooled = evaluation.summary()["pooled"]
    assert pooled["pearson_valence"] == pytest.approx(pearsonr(true, predicted).statistic)


def test_chance_of_dimensions_and_votes_is_a_constant(evaluation, corpus):
    found = evaluation.chance()
    assert found["ccc"] == pytest.approx(0, abs=1e-12)
    true = evaluation.y_true
    spread = np.nanmean((true - np.nanmean(true, axis=0)) ** 2, axis=0) ** 0.5
    assert found["rmse"] == pytest.approx(spread.mean())
    html = EvaluationReport(evaluation, corpus, leakage=False).to_html()
    assert "CCC" in html[html.index("Methods, to copy") :]
    assert "; chance 0.000." in html
