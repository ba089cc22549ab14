"""Tests of the learning curves over the number of labels."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import KFold, LeaveOneGroupOut

from skser.evaluation import LabelEfficiencyCurve, label_efficiency_curve
from skser.inspection import LabelEfficiencyDisplay

matplotlib.use("Agg")


class Spy(ClassifierMixin, BaseEstimator):
    """Classifier with an accuracy of log2(gain * labels per class) / 10, which logs its fits."""

    seen = []

    def __init__(self, gain=1.0, random_state=None):
        self.gain = gain
        self.random_state = random_state

    def fit(self, X, y):
        self.seen.append((self.gain, self.random_state, X[:, 0].astype(int), y))
        self.n_ = self.gain * len(y) / 2
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        right = X[:, 1].astype(int)
        wrong = X[:, 2] > np.log2(self.n_) / 10
        return self.classes_[np.where(wrong, 1 - right, right)]


@pytest.fixture
def data():
    random = np.random.RandomState(0)
    n = 1200
    y = np.tile([0, 1], n // 2)
    X = np.column_stack([np.arange(n), y, random.permutation(n) / n])
    return X, np.array(["a", "b"])[y], np.repeat(np.arange(12), n // 12)


@pytest.fixture
def curve(data):
    X, y, groups = data
    Spy.seen.clear()
    return label_efficiency_curve(
        {"good": Spy(4.0), "poor": Spy()}, X, y, groups=groups, n_labels=(4, 8, 16, 32, 64, "all"),
        n_repeats=3, metric=accuracy_score, random_state=0,
    )  # fmt: skip


def test_all_estimators_are_trained_on_the_same_utterances(curve, data):
    _, y, groups = data
    seen = {gain: [s[1:] for s in Spy.seen if s[0] == gain] for gain in (1.0, 4.0)}
    assert len(seen[1.0]) == len(seen[4.0]) == 6 * 3 * 5
    for (seed, rows, labels), (seed_of_other, other, _) in zip(*seen.values(), strict=True):
        np.testing.assert_array_equal(rows, other)
        assert seed == seed_of_other
        assert np.unique(labels, return_counts=True)[1].std() == 0
        assert len(set(rows)) == len(rows)
    assert {len(rows) // 2 for _, rows, _ in seen[1.0]} >= {4, 8, 16, 32, 64}
    assert {seed for seed, *_ in seen[1.0]} == {0, 1, 2}
    draws = [tuple(rows) for _, rows, labels in seen[1.0] if len(labels) == 8]
    assert len(set(draws)) == len(draws) == 15
    predictions = curve.predictions
    assert (predictions["group"] == groups[predictions["utterance"]]).all()
    for _, part in predictions.groupby(["estimator", "n_labels", "repeat"]):
        np.testing.assert_array_equal(np.sort(part["utterance"]), np.arange(len(y)))


def test_the_multiple_is_the_true_one(curve):
    multiples = curve.multiples("good", "poor", n_bootstrap=50)
    # The accuracy is log2(gain * n) / 10, so a gain of 1 needs four times the labels of 4.
    np.testing.assert_allclose(multiples["multiple"].iloc[:4], 4, rtol=0.1)
    assert (multiples["low"] <= multiples["multiple"]).all()
    assert (multiples["high"] >= multiples["multiple"]).all()
    assert (multiples["low"].iloc[:3] > 3).all()
    assert np.isinf(multiples["multiple"].iloc[-1])
    back = curve.multiples("poor", "good", n_bootstrap=20)["multiple"]
    # The good estimator needs a quarter of the labels, but had at least four.
    assert back.iloc[0] == 1
    np.testing.assert_allclose(back.iloc[2:5], 0.25, rtol=0.1)


def test_the_interval_reflects_the_spread_of_speakers_and_repeats():
    random = np.random.RandomState(0)
    speaker = np.repeat(np.arange(10), 40)
    skill = 0.15 * random.randn(10)[speaker]
    parts = []
    for name, gain in (("a", 0.1), ("twin", 0.1), ("poor", 0.0)):
        for n in (4, 8, 16, 32, 64):
            for repeat in range(4):
                right = random.rand(400) < 0.3 + 0.08 * np.log2(n) + gain + skill
                parts.append(
                    pd.DataFrame(
                        {
                            "estimator": name, "n_labels": float(n), "repeat": repeat,
                            "utterance": np.arange(400), "group": speaker, "true": 1,
                            "predicted": right.astype(int),
                        }
                    )
                )  # fmt: skip
    curve = LabelEfficiencyCurve(
        pd.concat(parts, ignore_index=True), lambda true, predicted: np.mean(true == predicted)
    )
    poor = curve.multiples("a", "poor").loc[[4, 8]]
    assert (poor["low"] < poor["multiple"]).all()
    assert (poor["multiple"] < poor["high"]).all()
    assert (poor["low"] > 1.3).all()
    # Differences between speakers cancel, because both estimators get the same speakers.
    assert (poor["high"] < 5).all()
    twin = curve.multiples("a", "twin").loc[8]
    assert twin["low"] < 1 < twin["high"]
    narrow = curve.multiples("a", "poor", confidence_level=0.5).loc[[4, 8]]
    assert (narrow["high"] - narrow["low"] < poor["high"] - poor["low"]).all()


def made_up_curve(right_of):
    """A curve of two estimators, from ``right_of(name, n, repeat, speaker)`` -> share right."""
    rows = [
        (name, float(n), repeat, 10 * speaker + i, speaker, 1, int(i < 10 * share))
        for name in ("a", "b")
        for n in (4, 8, 16)
        for repeat in range(4)
        for speaker in range(6)
        for share in [right_of(name, n, repeat, speaker)]
        for i in range(10)
    ]
    names = ["estimator", "n_labels", "repeat", "utterance", "group", "true", "predicted"]
    return LabelEfficiencyCurve(
        pd.DataFrame(rows, columns=names), lambda true, predicted: np.mean(true == predicted)
    )


def test_the_interval_resamples_repeats_as_well_as_speakers():
    sizes = {4: 0.2, 8: 0.4, 16: 0.6}
    # All speakers are alike, and a is better in half of the repeats.
    by_repeat = made_up_curve(lambda name, n, repeat, speaker: sizes[n] + 0.1 * (repeat % 2))
    luck = made_up_curve(
        lambda name, n, repeat, speaker: sizes[n] + (0.2 * (repeat % 2) if name == "a" else 0)
    )
    found = luck.multiples("a", "b").loc[4]
    assert found["multiple"] == pytest.approx(2**0.5, rel=0.01)
    assert (found["low"], found["high"]) == pytest.approx((1, 2))
    # Both get the same repeats, so a spread that they share has no effect.
    assert by_repeat.multiples("a", "b").loc[8].tolist() == pytest.approx([1, 1, 1])


def test_the_interval_resamples_speakers_as_well_as_repeats():
    sizes = {4: 0.2, 8: 0.4, 16: 0.6}
    luck = made_up_curve(
        lambda name, n, repeat, speaker: sizes[n] + (0.2 * (speaker % 2) if name == "a" else 0)
    )
    found = luck.multiples("a", "b").loc[4]
    assert found["multiple"] == pytest.approx(2**0.5, rel=0.01)
    assert found["low"] < 1.2
    assert found["high"] > 1.7


def test_scores_are_over_all_folds(curve):
    scores = curve.scores()
    assert len(scores) == 2 * 6 * 3
    mean = scores.groupby(["estimator", "n_labels"])["score"].mean()
    assert mean["good", 16.0] == pytest.approx(0.6, abs=0.02)
    assert mean["poor", 16.0] == pytest.approx(0.4, abs=0.02)


def test_draws_do_not_depend_on_the_number_of_processes(data):
    X, y, groups = data
    kwargs = {"groups": groups, "n_labels": (4, 8), "n_repeats": 2, "random_state": 3}
    forest = {"forest": RandomForestClassifier(5)}
    a = label_efficiency_curve(forest, X[:, 1:], y, **kwargs).predictions
    b = label_efficiency_curve(forest, X[:, 1:], y, n_jobs=2, **kwargs).predictions
    assert a.equals(b)


def test_folds_given_by_number_are_speaker_disjoint(data):
    X, y, groups = data
    shuffled = np.random.RandomState(0).permutation(groups)
    Spy.seen.clear()
    kwargs = {"n_labels": (4,), "n_repeats": 1, "random_state": 0}
    curve = label_efficiency_curve({"a": Spy()}, X, y, groups=shuffled, cv=3, **kwargs)
    tested = [set(part["group"]) for _, part in curve.predictions.groupby("repeat")]
    assert tested == [set(groups)]
    for _, _, rows, _ in Spy.seen:
        trained = set(shuffled[rows])
        assert any(trained.isdisjoint(fold) for fold in _thirds(curve, shuffled))
    with pytest.raises(ValueError, match="Fold 0 of cv has 12 speakers on both sides, such as"):
        label_efficiency_curve(
            {"a": Spy()}, X, y, groups=shuffled, cv=list(KFold(3).split(X)), **kwargs
        )


def _thirds(curve, groups):
    """Groups of each fold, in the order in which they were tested."""
    order = curve.predictions["utterance"].to_numpy()
    starts = np.flatnonzero(np.diff(order) < 0) + 1
    return [set(groups[fold]) for fold in np.split(order, starts)]


def test_numbers_that_the_rarest_class_lacks_are_left_out(data):
    X, y, groups = data
    rows = np.r_[0:1200:2, 1:1200:60]  # 600 of a, 20 of b
    curve = label_efficiency_curve(
        {"linear": LogisticRegression()}, X[rows, 1:], y[rows], groups=groups[rows],
        cv=LeaveOneGroupOut(), n_labels=(8, 16, 32, "all"), n_repeats=1,
    )  # fmt: skip
    sizes = curve.predictions["n_labels"].unique()
    assert len(sizes) == 3
    assert sizes[2] > 250


def test_the_display_draws_the_scores(curve):
    display = LabelEfficiencyDisplay.from_curve(curve)
    assert set(display.lines_) == {"good", "poor"}
    assert display.ax_.get_xlabel() == "labels per class"
    assert display.ax_.get_ylabel() == "accuracy"
    assert display.lines_["good"].get_ydata()[2] == pytest.approx(0.6, abs=0.02)
    assert display.plot(ax=display.ax_).figure_ is display.figure_


BAD = [
    ({"n_labels": (4, 2.5)}, ValueError, "integers of at least 1, or 'all', but it holds 2.5"),
    ({"n_labels": (5000,)}, ValueError, r"The rarest class has .* n_labels \[5000\]"),
    ({"groups": np.zeros(3)}, ValueError, "inconsistent numbers of samples"),
    ({"estimators": {}}, ValueError, "estimators is empty"),
    ({"estimators": {"a": 3}}, TypeError, r"estimators\['a'\] must have fit .* got int"),
    ({"n_repeats": 0}, ValueError, "n_repeats"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD)
def test_bad_input_is_rejected(data, change, error, message):
    X, y, _ = data
    with pytest.raises(error, match=message):
        label_efficiency_curve(**{"estimators": {"a": Spy()}, "X": X, "y": y} | change)


def test_an_unknown_estimator_is_rejected(curve):
    with pytest.raises(ValueError, match=r"'best'; choose one of \['good', 'poor'\]"):
        curve.multiples("best", "poor")


@pytest.mark.parametrize("missing", [None, np.nan])
@pytest.mark.parametrize("name", ["y", "groups"])
def test_missing_values_are_named(name, missing, data):
    X, y, groups = data
    given = {"y": np.array(y, dtype=object), "groups": np.array(groups, dtype=object)}
    given[name][7] = missing
    with pytest.raises(ValueError, match=f"^{name} has no value for utterance 7"):
        label_efficiency_curve({"a": Spy()}, X, given["y"], groups=given["groups"], n_labels=(4,))
