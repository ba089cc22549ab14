"""Every metric beside an independent implementation or a closed form, and its bad input."""

import audmetric
import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import torch
import torchmetrics.functional.classification as torch_classification
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate

from skser import evaluation, metrics
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


def test_uar_agrees_with_others(labels):
    true, predicted = labels
    uar = metrics.unweighted_average_recall(true, predicted)
    assert uar == pytest.approx(sklearn.metrics.balanced_accuracy_score(true, predicted))
    assert uar == pytest.approx(audmetric.unweighted_average_recall(true, predicted))


def test_recall_per_class_agrees_with_audmetric(labels):
    recalls = metrics.recall_per_class(*labels)
    assert recalls.to_dict() == pytest.approx(audmetric.recall_per_class(*labels))


def test_a_class_without_utterances_has_no_recall_and_says_so():
    with pytest.warns(UndefinedMetricWarning, match=r"no utterance of \['joy'\]"):
        recalls = metrics.recall_per_class(["fear"], ["fear"], labels=["fear", "joy"])
    assert recalls["fear"] == 1
    assert np.isnan(recalls["joy"])


def test_recall_of_a_class_that_is_nowhere_is_not_defined():
    with pytest.warns(UndefinedMetricWarning) as caught:
        recalls = metrics.recall_per_class(["a", "b"], ["a", "b"], labels=["c"])
    assert [str(w.message) for w in caught] == [
        "y_true has no utterance of ['c']: their recall is not defined."
    ]
    assert np.isnan(recalls["c"])


def test_uar_leaves_out_a_class_that_is_only_predicted():
    assert metrics.unweighted_average_recall(["a", "a", "b"], ["a", "c", "b"]) == 0.75


def test_constant_predictions_warn():
    with pytest.warns(UserWarning, match="All 4 predictions are 'a'"):
        assert metrics.unweighted_average_recall(["a", "a", "b", "b"], ["a"] * 4) == 1 / 2
    # One class is all there is.
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
def test_labels_that_do_not_go_together(metric, true, predicted, message):
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
    random = np.random.RandomState(0)
    X = random.randn(50, 2)
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit(X, X[:, 0])
    assert metrics.ccc_scorer(model, X, X[:, 0]) == pytest.approx(1)


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
def test_ccc_of_constants(true, predicted):
    with pytest.warns(UndefinedMetricWarning, match="are constant"):
        assert metrics.concordance_correlation_coefficient(true, predicted) == 0


def test_ccc_bad_input():
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


def test_one_confidence_is_one_bin():
    y_true = ["a"] * 70 + ["b"] * 30
    for strategy in ("uniform", "quantile"):
        error = metrics.expected_calibration_error(y_true, [[0.7, 0.3]] * 100, strategy=strategy)
        assert error == pytest.approx(0)


def test_labels_name_the_columns(labels, probabilities):
    order = [2, 0, 3, 1]
    shuffled = probabilities[:, order]
    for metric in (
        metrics.expected_calibration_error,
        metrics.area_under_risk_coverage,
    ):
        found = metric(labels[0], shuffled, labels=EMOTIONS[order])
        assert found == pytest.approx(metric(labels[0], probabilities))


def test_risk_and_coverage_step_by_step(labels, probabilities):
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


def test_equal_confidences_come_in_together():
    curve = metrics.risk_coverage_curve(["a", "b"] * 10, [[0.7, 0.3]] * 20)
    assert curve.to_dict("records") == [{"threshold": 0.7, "coverage": 1.0, "risk": 0.5}]


@pytest.mark.parametrize(
    ("y_proba", "message"),
    [
        ([[0.5, 0.5], [0.5, 0.6]], r"utterance 1 are .* not to 1.1"),
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
def test_probabilities_that_are_none(metric, y_proba, message):
    with pytest.raises(ValueError, match=message):
        metric(["a", "b"], y_proba)
    with pytest.raises(ValueError, match="'c', which is not among the labels"):
        metric(["a", "c"], [[0.5, 0.5]] * 2, labels=["a", "b"])


def test_distance_of_class_distributions_is_the_root_of_their_divergence(labels):
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


def test_ratings_must_be_numbers():
    with pytest.raises(ValueError, match="NaN"):
        metrics.speaker_ranking([1.0, np.nan], [1.0, 2.0], [1, 2])


def test_speakers_who_are_all_alike_have_no_order():
    with pytest.warns(UndefinedMetricWarning, match=r"alike in \['a', 'b'\]"):
        found = metrics.speaker_ranking(["a", "b"] * 2, ["a", "a", "b", "b"], [1, 1, 2, 2])
    assert found.isna().all()
    with pytest.raises(ValueError, match="two speakers"):
        metrics.speaker_ranking(["a", "b"], ["a", "b"], [1, 1])


def test_group_recalls_and_the_worst(labels):
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


def test_the_gap_is_that_of_the_groups_furthest_apart(labels):
    true, predicted = labels
    region = np.random.RandomState(5).choice(["north", "south", "west"], 200)
    found = evaluation.recall_gap(true, predicted, region)
    uars = metrics.group_recalls(true, predicted, region)["uar"]
    assert found.gap == pytest.approx(uars.max() - uars.min())
    assert (found.best, found.worst) == (uars.idxmax(), uars.idxmin())


def test_the_gap_counts_classes_that_both_groups_have():
    true = ["a", "a", "b", "a", "a"]
    predicted = ["a", "b", "b", "a", "a"]
    found = evaluation.recall_gap(true, predicted, ["x", "x", "x", "y", "y"])
    assert found.gap == 0.5  # of a alone: b is x's
    with pytest.raises(ValueError, match="no two of them have a class in common"):
        evaluation.recall_gap(["a", "b"], ["a", "b"], ["x", "y"])
    with pytest.warns(UndefinedMetricWarning, match=r"\['z'\] share no class"):
        evaluation.recall_gap([*true, "c"], [*predicted, "c"], [*"xxxyyz"])


def test_a_model_that_knows_nothing_of_the_groups_seldom_exceeds_the_threshold():
    random = np.random.RandomState(6)
    fair, unfair = [], []
    for _ in range(200):
        true = random.choice(["a", "b"], 120)
        sex = random.choice(["f", "m"], 120)
        wrong = random.rand(120) < 0.3
        predicted = np.where(wrong, np.where(true == "a", "b", "a"), true)
        found = evaluation.recall_gap(true, predicted, sex, n_simulations=200, random_state=random)
        fair.append(found.is_fair)
        wrong = random.rand(120) < np.where(sex == "f", 0.1, 0.5)
        predicted = np.where(wrong, np.where(true == "a", "b", "a"), true)
        found = evaluation.recall_gap(true, predicted, sex, n_simulations=200, random_state=random)
        unfair.append(not found.is_fair)
    assert np.mean(fair) > 0.9
    assert np.mean(unfair) > 0.95


def test_classes_may_have_any_name():
    table = metrics.group_recalls(["n", "uar", "n"], ["n", "n", "n"], ["x", "x", "y"])
    assert table.loc["x"].tolist() == [2, 0.5, 1, 0]
    assert metrics.worst_group(["n", "uar"], ["n", "n"], ["x", "x"]) == ("x", 0.5)


def test_speakers_who_differ_do_not_make_groups_unfair():
    random = np.random.RandomState(7)
    unfair = {"speakers": [], "utterances": []}
    for _ in range(60):
        speakers = np.repeat(np.arange(10), 40)
        groups = np.where(random.permutation(10) < 5, "f", "m")[speakers]
        true = np.tile(["a", "b"], 200)
        p = 1 / (1 + np.exp(-1 - random.randn(10)))  # each is told right as often as that
        predicted = np.where(random.rand(400) < p[speakers], true, np.where(true == "a", "b", "a"))
        for name, given in (("speakers", speakers), ("utterances", None)):
            found = evaluation.recall_gap(
                true, predicted, groups, speakers=given, n_simulations=100, random_state=random
            )
            unfair[name].append(not found.is_fair)
    assert np.mean(unfair["speakers"]) < 0.12
    assert np.mean(unfair["utterances"]) > 0.25
    with pytest.raises(ValueError, match="Speaker 1 is in more than one group"):
        evaluation.recall_gap(["a"] * 3, ["a"] * 3, ["f", "m", "m"], speakers=[1, 1, 2])


def test_a_real_difference_is_found_across_speakers():
    speakers = np.repeat(np.arange(12), 20)
    groups = np.where(speakers < 6, "f", "m")
    true = np.tile(["a", "b"], 120)
    wrong = np.random.RandomState(0).rand(240) < np.where(groups == "f", 0.1, 0.5)
    predicted = np.where(wrong, np.where(true == "a", "b", "a"), true)
    found = evaluation.recall_gap(true, predicted, groups, speakers=speakers)
    assert (found.best, found.worst, found.is_fair) == ("f", "m", False)
    assert found.p_value < 0.01


def test_attributes_must_be_there(labels):
    groups = np.array(["f"] * 200, dtype=object)
    groups[7] = None
    for function in (evaluation.recall_gap, metrics.group_recalls, metrics.worst_group):
        with pytest.raises(ValueError, match="no value for utterance 7"):
            function(*labels, groups)
        with pytest.raises(ValueError, match="inconsistent"):
            function(*labels, groups[:5])


def test_a_constant_model_is_noticed_by_its_scorer():
    model = DummyClassifier().fit(np.zeros((4, 1)), ["a", "a", "a", "b"])
    with pytest.warns(UserWarning, match="All 4 predictions"):
        assert metrics.uar_scorer(model, np.zeros((4, 1)), ["a", "a", "b", "b"]) == 0.5
