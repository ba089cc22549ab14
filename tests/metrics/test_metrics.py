"""Tests of the metrics against independent implementations or closed forms."""

import warnings

import audmetric
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import sklearn.metrics
import torch
import torchmetrics.functional.classification as torch_classification
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import cross_validate

from skser import metrics
from skser.inspection import ConfusionDisplay

EMOTIONS = np.array(["anger", "fear", "joy", "sadness"])


@pytest.fixture(scope="module")
def labels():
    random = np.random.RandomState(0)
    true = random.choice(EMOTIONS, 200, p=[0.4, 0.3, 0.2, 0.1])
    wrong = random.rand(200) < 0.4
    return true, np.where(wrong, random.choice(EMOTIONS, 200), true)


@pytest.fixture(scope="module")
def probabilities(labels):
    random = np.random.RandomState(1)
    true = np.searchsorted(EMOTIONS, labels[0])
    return (
        random.dirichlet(np.ones(4) / 2, 200) * 0.6
        + 0.4 * np.eye(4)[np.where(random.rand(200) < 0.3, random.randint(4, size=200), true)]
    )


def test_uar_agrees_with_scikit_learn_and_audmetric(labels):
    true, predicted = labels
    uar = metrics.unweighted_average_recall(true, predicted)
    assert uar == pytest.approx(sklearn.metrics.balanced_accuracy_score(true, predicted))
    assert uar == pytest.approx(audmetric.unweighted_average_recall(true, predicted))


def test_recall_per_class_agrees_with_audmetric(labels):
    recalls = metrics.recall_per_class(*labels)
    assert recalls.to_dict() == pytest.approx(audmetric.recall_per_class(*labels))


def test_recall_of_a_class_without_utterances_is_nan_with_a_warning():
    with pytest.warns(UndefinedMetricWarning, match=r"no utterance of \['joy'\]"):
        recalls = metrics.recall_per_class(["fear"], ["fear"], labels=["fear", "joy"])
    assert recalls["fear"] == 1
    assert np.isnan(recalls["joy"])


def test_an_absent_class_gives_exactly_one_warning():
    with pytest.warns(UndefinedMetricWarning) as caught:
        recalls = metrics.recall_per_class(["a", "b"], ["a", "b"], labels=["c"])
    assert [str(w.message) for w in caught] == [
        "y_true has no utterance of ['c'], so their recall is undefined."
    ]
    assert np.isnan(recalls["c"])


def test_uar_leaves_out_a_class_that_is_only_predicted():
    assert metrics.unweighted_average_recall(["a", "a", "b"], ["a", "c", "b"]) == 0.75


def test_constant_predictions_warn():
    with pytest.warns(UserWarning, match="All 4 predictions are 'a'"):
        assert metrics.unweighted_average_recall(["a", "a", "b", "b"], ["a"] * 4) == 1 / 2
    # There is nothing to warn of if the truth is constant as well.
    assert metrics.unweighted_average_recall(["a", "a"], ["a", "a"]) == 1


@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        (["a", "b"], ["a"], "inconsistent numbers of samples"),
        ([], [], "y_true is empty"),
        (["a", None], ["a", "b"], "y_true has no label for utterance 1"),
        (["a", "b"], [np.nan, "b"], "y_pred has no label for utterance 0"),
        (["a", "b"], [0, 1], "[Mm]ix"),
    ],
)
@pytest.mark.parametrize(
    "metric",
    [
        metrics.unweighted_average_recall,
        metrics.recall_per_class,
        metrics.class_distribution_distance,
        ConfusionDisplay.from_predictions,
    ],
)
def test_inconsistent_labels_are_rejected(metric, true, predicted, message):
    with pytest.raises((ValueError, TypeError), match=message):
        metric(np.array(true, dtype=object), np.array(predicted, dtype=object))


def test_scorers_work_in_cross_validation():
    random = np.random.RandomState(0)
    X, y = random.randn(60, 3), np.repeat(["a", "b", "c"], 20)
    X[:, 0] += 3 * np.searchsorted(["a", "b", "c"], y)
    scoring = {
        "uar": metrics.uar_scorer,
        **metrics.recall_scorers(["a", "b", "c"]),
    }
    found = cross_validate(LogisticRegression(), X, y, scoring=scoring)
    np.testing.assert_allclose(
        found["test_uar"],
        np.mean([found[f"test_recall_{c}"] for c in "abc"], axis=0),
    )
    expected = cross_validate(LogisticRegression(), X, y, scoring="balanced_accuracy")
    np.testing.assert_allclose(found["test_uar"], expected["test_score"])


def test_ccc_scorer_scores_a_regressor():
    X = np.random.RandomState(0).randn(50, 2)
    model = LinearRegression().fit(X, X[:, 0])
    assert metrics.ccc_scorer(model, X, X[:, 0]) == pytest.approx(1)
    expected = audmetric.concordance_cc(X[:, 0] + 1, X[:, 0])
    assert metrics.ccc_scorer(model, X, X[:, 0] + 1) == pytest.approx(expected)


def test_ccc_agrees_with_audmetric_and_the_formula():
    random = np.random.RandomState(0)
    true = random.randn(100, 3)
    predicted = 0.7 * true + 0.5 * random.randn(100, 3) + 0.3
    each = metrics.concordance_correlation_coefficient(true, predicted, multioutput="raw_values")
    for i in range(3):
        assert each[i] == pytest.approx(audmetric.concordance_cc(true[:, i], predicted[:, i]))
        r = scipy.stats.pearsonr(true[:, i], predicted[:, i])[0]
        sx, sy = true[:, i].std(), predicted[:, i].std()
        by_hand = (
            2 * r * sx * sy / (sx**2 + sy**2 + (true[:, i].mean() - predicted[:, i].mean()) ** 2)
        )
        assert each[i] == pytest.approx(by_hand)
    mean = metrics.concordance_correlation_coefficient(true, predicted)
    assert mean == pytest.approx(each.mean())


@pytest.mark.parametrize(
    ("true", "predicted"),
    [([1, 2, 3], [2, 2, 2]), ([0.1] * 3, [0.1] * 3), ([3.1] * 7, [2.0] * 7)],
)
def test_ccc_of_constants_is_zero_with_a_warning(true, predicted):
    with pytest.warns(UndefinedMetricWarning, match="dimension are constant"):
        assert metrics.concordance_correlation_coefficient(true, predicted) == 0


def test_ccc_rejects_bad_input():
    with pytest.raises(ValueError, match="2 dimensions and y_pred has 1"):
        metrics.concordance_correlation_coefficient(np.ones((3, 2)), np.ones(3))
    with pytest.raises(ValueError, match="NaN"):
        metrics.concordance_correlation_coefficient([1, np.nan], [1, 2])
    with pytest.raises(ValueError, match="multioutput"):
        metrics.concordance_correlation_coefficient([1, 2], [1, 2], multioutput="mean")


@pytest.mark.parametrize("n_bins", [5, 10, 15])
def test_calibration_error_agrees_with_torchmetrics(labels, probabilities, n_bins):
    true = np.searchsorted(EMOTIONS, labels[0])
    expected = torch_classification.multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(true), 4, n_bins=n_bins, norm="l1"
    )
    found = metrics.expected_calibration_error(labels[0], probabilities, n_bins=n_bins)
    assert found == pytest.approx(float(expected), abs=1e-6)


def test_quantile_bins_are_equally_full(labels, probabilities):
    curve = metrics.reliability_curve(labels[0], probabilities, strategy="quantile", n_bins=8)
    assert curve["n"].tolist() == [25] * 8
    assert curve["confidence"].is_monotonic_increasing
    total = np.average(curve["accuracy"], weights=curve["n"])
    assert total == pytest.approx(np.mean(EMOTIONS[probabilities.argmax(1)] == labels[0]))


def test_equal_confidences_share_a_bin():
    y_true = ["a"] * 70 + ["b"] * 30
    for strategy in ("uniform", "quantile"):
        error = metrics.expected_calibration_error(y_true, [[0.7, 0.3]] * 100, strategy=strategy)
        assert error == pytest.approx(0)


def test_a_bin_includes_its_upper_edge():
    # 0.75 is the upper edge of the third of four bins, and 0.8 is in the fourth.
    y_proba = [[0.75, 0.25], [0.75, 0.25], [0.8, 0.2], [0.2, 0.8]]
    curve = metrics.reliability_curve(["a", "b", "a", "b"], y_proba, n_bins=4)
    assert curve.index.tolist() == [2, 3]
    assert curve["n"].tolist() == [2, 2]
    assert curve["accuracy"].tolist() == [0.5, 1.0]
    assert curve["confidence"].tolist() == [0.75, 0.8]
    error = metrics.expected_calibration_error(["a", "b", "a", "b"], y_proba, n_bins=4)
    assert error == pytest.approx((0.25 * 2 + 0.2 * 2) / 4)
    sure = metrics.reliability_curve(["a", "b"], [[1.0, 0.0], [0.0, 1.0]], n_bins=4)
    assert sure.index.tolist() == [3]


def test_labels_give_the_order_of_the_columns(labels, probabilities):
    order = [2, 0, 3, 1]
    shuffled = probabilities[:, order]
    for metric in (
        metrics.expected_calibration_error,
        metrics.area_under_risk_coverage,
    ):
        found = metric(labels[0], shuffled, labels=EMOTIONS[order])
        assert found == pytest.approx(metric(labels[0], probabilities))


def test_risk_and_coverage_match_their_definitions(labels, probabilities):
    curve = metrics.risk_coverage_curve(labels[0], probabilities)
    confidence = probabilities.max(axis=1)
    wrong = EMOTIONS[probabilities.argmax(axis=1)] != labels[0]
    for row in curve.itertuples():
        kept = confidence >= row.threshold
        assert row.coverage == pytest.approx(kept.mean())
        assert row.risk == pytest.approx(wrong[kept].mean())
    assert curve["coverage"].iloc[-1] == 1
    order = np.argsort(-confidence)
    expected = np.mean(np.cumsum(wrong[order]) / np.arange(1, 201))
    found = metrics.area_under_risk_coverage(labels[0], probabilities)
    assert found == pytest.approx(expected)


def test_equal_confidences_are_one_point_of_the_curve():
    curve = metrics.risk_coverage_curve(["a", "b"] * 10, [[0.7, 0.3]] * 20)
    assert curve.to_dict("records") == [{"threshold": 0.7, "coverage": 1.0, "risk": 0.5}]


@pytest.mark.parametrize(
    ("y_proba", "message"),
    [
        ([[0.5, 0.5], [0.5, 0.6]], r"utterance 1 are .* but sum to 1.1"),
        ([[0.5, 0.5], [np.nan, 0.6]], "utterance 1"),
        ([[1.5, -0.5], [0.5, 0.5]], "utterance 0"),
        ([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], "shape"),
        ([[0.5, 0.5]], "inconsistent numbers of samples"),
    ],
)
@pytest.mark.parametrize(
    "metric",
    [
        metrics.expected_calibration_error,
        metrics.reliability_curve,
        metrics.risk_coverage_curve,
        metrics.area_under_risk_coverage,
    ],
)
def test_rows_that_are_not_probabilities_are_rejected(metric, y_proba, message):
    with pytest.raises(ValueError, match=message):
        metric(["a", "b"], y_proba)
    with pytest.raises(ValueError, match=r"'c', which is not in labels \['a', 'b'\]"):
        metric(["a", "c"], [[0.5, 0.5]] * 2, labels=["a", "b"])


def test_class_distribution_distance_is_the_root_of_the_divergence(labels):
    true, predicted = labels
    shares = np.array([[np.mean(y == c) for c in EMOTIONS] for y in (true, predicted)])
    divergences = [scipy.stats.entropy(side, shares.mean(axis=0), base=2) for side in shares]
    expected = np.sqrt(np.mean(divergences))
    assert metrics.class_distribution_distance(true, predicted) == pytest.approx(expected)
    assert metrics.class_distribution_distance(["a"] * 3, ["b"] * 3) == pytest.approx(1)
    assert metrics.class_distribution_distance(["a", "b"], ["b", "a"]) == 0


def test_speaker_ranking_agrees_with_scipy(labels):
    true, predicted = labels
    speakers = np.random.RandomState(3).choice(list("abcdefgh"), 200)
    found = metrics.speaker_ranking(true, predicted, speakers)
    for c in EMOTIONS:
        shares = [[np.mean(y[speakers == s] == c) for s in "abcdefgh"] for y in (true, predicted)]
        assert found[c] == pytest.approx(scipy.stats.spearmanr(*shares)[0])
    ratings = np.random.RandomState(4).randn(2, 200)
    means = [[y[speakers == s].mean() for s in "abcdefgh"] for y in ratings]
    expected = scipy.stats.spearmanr(*means)[0]
    assert metrics.speaker_ranking(*ratings, speakers) == pytest.approx(expected)


def test_speaker_ranking_rejects_missing_ratings():
    with pytest.raises(ValueError, match="NaN"):
        metrics.speaker_ranking([1.0, np.nan], [1.0, 2.0], [1, 2])


def test_ranking_is_nan_if_all_speakers_have_the_same_share():
    with pytest.warns(UndefinedMetricWarning, match=r"predicted share of \['a', 'b'\]"):
        found = metrics.speaker_ranking(["a", "b"] * 2, ["a", "a", "b", "b"], [1, 1, 2, 2])
    assert found.isna().all()
    # The mean of equal numbers may differ from them in its last digit.
    speakers = ["x"] * 3 + ["y"] * 7 + ["z"] * 6
    true = np.repeat([1.0, 5.0, 3.0], [3, 7, 6])
    with pytest.warns(UndefinedMetricWarning, match=r"share of \['value'\]"):
        assert np.isnan(metrics.speaker_ranking(true, np.full(16, 2.7), speakers))
    with pytest.raises(ValueError, match="at least two speakers, but speakers holds only 1"):
        metrics.speaker_ranking(["a", "b"], ["a", "b"], [1, 1])


def test_group_recalls_agree_with_scikit_learn_on_each_group(labels):
    true, predicted = labels
    sex = np.where(np.arange(200) % 3 == 0, "female", "male")
    table = metrics.group_recalls(true, predicted, sex)
    for name in ("female", "male"):
        inside = sex == name
        uar = sklearn.metrics.balanced_accuracy_score(true[inside], predicted[inside])
        assert table.loc[name, "uar"] == pytest.approx(uar)
        assert table.loc[name, "n"] == inside.sum()
        recalls = metrics.recall_per_class(true[inside], predicted[inside])
        of_class = [f"recall_{c}" for c in EMOTIONS]
        np.testing.assert_allclose(table.loc[name, of_class].astype(float), recalls)
    name, uar = metrics.worst_group(true, predicted, sex)
    assert uar == table["uar"].min() == table.loc[name, "uar"]


def test_classes_may_be_named_like_columns():
    table = metrics.group_recalls(["n", "uar", "n"], ["n", "n", "n"], ["x", "x", "y"])
    assert table.loc["x"].tolist() == [2, 0.5, 1, 0]
    assert metrics.worst_group(["n", "uar"], ["n", "n"], ["x", "x"]) == ("x", 0.5)


def test_missing_attributes_are_rejected(labels):
    groups = np.array(["f"] * 200, dtype=object)
    groups[7] = None
    for function in (metrics.group_recalls, metrics.worst_group):
        with pytest.raises(ValueError, match="no value for utterance 7"):
            function(*labels, groups)
        with pytest.raises(ValueError, match="inconsistent"):
            function(*labels, groups[:5])


def test_the_uar_scorer_warns_of_a_constant_model():
    model = DummyClassifier().fit(np.zeros((4, 1)), ["a", "a", "a", "b"])
    with pytest.warns(UserWarning, match="All 4 predictions"):
        assert metrics.uar_scorer(model, np.zeros((4, 1)), ["a", "a", "b", "b"]) == 0.5


class TestSelectiveScores:
    def test_a_refusal_is_an_error_but_no_risk(self):
        y_true = ["a", "a", "a", "a", "b", "b"]
        y_pred = ["a", "a", "b", "unknown", "unknown", "b"]
        found = metrics.selective_scores(y_true, y_pred)
        expected = {"coverage": 4 / 6, "risk": 1 / 4, "accuracy": 3 / 6, "uar": 1 / 2}
        assert found.to_dict() == pytest.approx(expected)

    def test_without_refusals_they_are_the_ordinary_scores(self, labels):
        true, predicted = labels
        found = metrics.selective_scores(true, predicted)
        assert found["coverage"] == 1
        assert found["accuracy"] == sklearn.metrics.accuracy_score(true, predicted)
        assert found["risk"] == pytest.approx(1 - found["accuracy"])
        assert found["uar"] == metrics.unweighted_average_recall(true, predicted)

    def test_numbers_and_only_refusals(self):
        found = metrics.selective_scores([1, 2], [-1, -1], unknown_label=-1)
        assert found[["coverage", "accuracy", "uar"]].tolist() == [0, 0, 0]
        assert np.isnan(found["risk"])

    def test_a_class_cannot_mark_refusals(self):
        with pytest.raises(ValueError, match="unknown_label='a' is a class of y_true"):
            metrics.selective_scores(["a", "b"], ["a", "b"], unknown_label="a")


def test_tables_of_probabilities_are_taken_by_the_names_of_their_columns():
    y_true = ["fear", "anger", "fear"]
    y_proba = pd.DataFrame({"fear": [0.9, 0.2, 0.7], "anger": [0.1, 0.8, 0.3]})
    assert metrics.reliability_curve(y_true, y_proba, n_bins=1)["accuracy"].item() == 1
    assert metrics.area_under_risk_coverage(y_true, y_proba) == 0
    assert metrics.reliability_curve(y_true, y_proba.to_numpy(), n_bins=1)["accuracy"].item() == 0
    unnamed = pd.DataFrame(y_proba.to_numpy()[:, ::-1])
    assert metrics.reliability_curve(y_true, unnamed, n_bins=1)["accuracy"].item() == 1
    with pytest.raises(ValueError, match=r"columns of y_proba are \['fear', 'anger'\], but they"):
        metrics.reliability_curve(y_true, y_proba, labels=["anger", "fear"])


def test_another_marker_of_refused_predictions_is_warned_of():
    y_true, y_pred = ["a", "b", "a", "b"], ["a", "b", "refused", "refused"]
    with pytest.warns(UserWarning, match=r"No prediction is 'unknown', but \['refused'\] are not"):
        assert metrics.selective_scores(y_true, y_pred)["coverage"] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metrics.selective_scores(y_true, y_pred, unknown_label="refused")["coverage"] == 0.5
        assert (
            metrics.selective_scores([0, 1, 0], [0, 1, -1], unknown_label=-1)["coverage"] == 2 / 3
        )
        metrics.selective_scores(y_true, y_true)
