"""Tests of the comparison of groups of speakers."""

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning

from skser.evaluation import recall_gap, score_gap
from skser.metrics import group_recalls

EMOTIONS = np.array(["anger", "fear", "joy", "sadness"])


@pytest.fixture(scope="module")
def labels():
    random = np.random.RandomState(0)
    true = random.choice(EMOTIONS, 200, p=[0.4, 0.3, 0.2, 0.1])
    wrong = random.rand(200) < 0.4
    return true, np.where(wrong, random.choice(EMOTIONS, 200), true)


def flipped(true, wrong):
    """Predictions of two classes, a and b, that are wrong where `wrong` says so."""
    return np.where(wrong, np.where(true == "a", "b", "a"), true)


def test_the_gap_is_between_the_best_and_the_worst_group(labels):
    region = np.random.RandomState(5).choice(["north", "south", "west"], 200)
    found = recall_gap(*labels, region, None)
    uars = group_recalls(*labels, region)["uar"]
    assert found.gap == pytest.approx(uars.max() - uars.min())
    assert (found.best, found.worst) == (uars.idxmax(), uars.idxmin())


def test_the_gap_is_over_classes_that_both_groups_have():
    true = ["a", "a", "b", "a", "a"]
    predicted = ["a", "b", "b", "a", "a"]
    found = recall_gap(true, predicted, ["x", "x", "x", "y", "y"], None)
    assert found.gap == 0.5  # only class a: group y has no b
    with pytest.raises(ValueError, match="because no two of them share a class"):
        recall_gap(["a", "b"], ["a", "b"], ["x", "y"], None)
    with pytest.warns(UndefinedMetricWarning, match=r"\['z'\] share no class"):
        recall_gap([*true, "c"], [*predicted, "c"], [*"xxxyyz"], None)


def test_five_percent_of_fair_models_exceed_the_threshold():
    random = np.random.RandomState(6)
    fair, unfair = [], []
    for _ in range(100):
        true, sex = random.choice(["a", "b"], 120), random.choice(["f", "m"], 120)
        settings = {"n_simulations": 100, "random_state": random}
        predicted = flipped(true, random.rand(120) < 0.3)
        fair.append(recall_gap(true, predicted, sex, None, **settings).is_fair)
        predicted = flipped(true, random.rand(120) < np.where(sex == "f", 0.1, 0.5))
        unfair.append(not recall_gap(true, predicted, sex, None, **settings).is_fair)
    assert np.mean(fair) == pytest.approx(0.95, abs=0.05)
    assert np.mean(unfair) > 0.95


def test_differences_between_speakers_do_not_make_groups_unfair():
    random = np.random.RandomState(7)
    unfair = {"speakers": [], "utterances": []}
    for _ in range(60):
        speakers = np.repeat(np.arange(10), 40)
        groups = np.where(random.permutation(10) < 5, "f", "m")[speakers]
        true = np.tile(["a", "b"], 200)
        recall = 1 / (1 + np.exp(-1 - random.randn(10)))  # of each speaker
        predicted = flipped(true, random.rand(400) > recall[speakers])
        for name, given in (("speakers", speakers), ("utterances", None)):
            found = recall_gap(
                true, predicted, groups, given, n_simulations=100, random_state=random
            )
            unfair[name].append(not found.is_fair)
    assert np.mean(unfair["speakers"]) < 0.12
    assert np.mean(unfair["utterances"]) > 0.25
    with pytest.raises(TypeError, match="speakers"):
        recall_gap(true, predicted, groups)
    with pytest.raises(ValueError, match="Speaker 1 is in more than one group"):
        recall_gap(["a"] * 3, ["a"] * 3, ["f", "m", "m"], speakers=[1, 1, 2])


def test_a_real_difference_between_groups_is_found():
    speakers = np.repeat(np.arange(12), 20)
    groups = np.where(speakers < 6, "f", "m")
    true = np.tile(["a", "b"], 120)
    wrong = np.random.RandomState(0).rand(240) < np.where(groups == "f", 0.1, 0.5)
    found = recall_gap(true, flipped(true, wrong), groups, speakers=speakers)
    assert (found.best, found.worst, found.is_fair) == ("f", "m", False)
    # Of the 924 assignments of sexes to speakers, few separate these two halves.
    assert found.p_value < 0.01


def test_missing_groups_and_speakers_are_rejected(labels):
    groups = np.array(["f", "m"] * 100, dtype=object)
    missing = groups.copy()
    missing[7] = None
    with pytest.raises(ValueError, match="groups has no value for utterance 7"):
        recall_gap(*labels, missing, None)
    with pytest.raises(ValueError, match="speakers has no value for utterance 7"):
        recall_gap(*labels, groups, missing)
    with pytest.raises(ValueError, match="inconsistent"):
        recall_gap(*labels, groups[:5], None)


def test_a_metric_that_is_undefined_for_a_group_is_an_error():
    random = np.random.RandomState(0)
    speakers = np.repeat(np.arange(6), 8)
    true = random.randn(48)
    true[speakers == 0] = 1.0  # has no correlation with anything

    def correlation(true, predicted):
        return np.corrcoef(true, predicted)[0, 1] if np.ptp(true) else np.nan

    sex = np.where(speakers == 0, "only", np.where(speakers % 2, "m", "f"))
    with pytest.raises(ValueError, match="metric is nan for the group 'only'"):
        score_gap(true, true + random.randn(48), sex, speakers, metric=correlation)
    one = np.where(speakers == 1, "one", "rest")  # undefined where groups are assigned at random
    with pytest.raises(ValueError, match="for the group 'one', or for one of as many speakers"):
        score_gap(true, true + random.randn(48), one, speakers, metric=correlation)


def test_assignments_in_which_no_groups_share_a_class_do_not_count():
    true = np.array(["a"] * 20 + ["b"] * 20)
    speakers = np.repeat(np.arange(4), 10)  # two speakers have only a, and two only b
    groups = np.where(np.isin(speakers, [0, 2]), "x", "y")
    wrong = np.arange(40) % 10 < np.where(groups == "x", 1, 8)
    found = recall_gap(true, flipped(true, wrong), groups, speakers)
    # Half of the assignments that can be compared have this gap, and a third of all have it.
    assert found.p_value == pytest.approx(0.5, abs=0.07)
