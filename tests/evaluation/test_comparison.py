"""Tests of the comparisons of systems against scipy, published tables and simulations."""

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from sklearn.exceptions import UndefinedMetricWarning

from skser import evaluation, metrics
from skser.evaluation._intervals import expanded_quantiles, holm

EMOTIONS = np.array(["anger", "fear", "joy", "sadness"])


@pytest.fixture(scope="module")
def labels():
    random = np.random.RandomState(0)
    true = random.choice(EMOTIONS, 200, p=[0.4, 0.3, 0.2, 0.1])
    wrong = random.rand(200) < 0.4
    return true, np.where(wrong, random.choice(EMOTIONS, 200), true)


def test_corrected_t_test_agrees_with_its_formula():
    random = np.random.RandomState(0)
    a, b = random.rand(2, 10)
    found = evaluation.corrected_resampled_t_test(a, b, n_train=90, n_test=10)
    plain = scipy.stats.ttest_rel(a, b)
    # The variance of the mean is taken to be (1/k + 1/9) instead of 1/k times that of one fold.
    statistic = plain.statistic * np.sqrt(0.1 / (0.1 + 1 / 9))
    assert found.statistic == pytest.approx(statistic)
    assert found.p_value == pytest.approx(2 * scipy.stats.t.sf(abs(statistic), 9))
    negligible = evaluation.corrected_resampled_t_test(a, b, n_train=1e12, n_test=1)
    interval = plain.confidence_interval(0.95)
    assert (negligible.low, negligible.high) == pytest.approx(tuple(interval))
    assert negligible.p_value == pytest.approx(plain.pvalue)


@pytest.mark.parametrize(
    "test",
    [
        lambda a, b: evaluation.corrected_resampled_t_test(a, b, n_train=9, n_test=1),
        evaluation.wilcoxon_test,
    ],
)
def test_equal_scores_have_a_p_value_of_one(test):
    found = test([0.5, 0.6, 0.7], [0.5, 0.6, 0.7])
    assert (found.difference, found.p_value, found.low, found.high) == (0, 1, 0, 0)
    with pytest.raises(ValueError, match="give at least two pairs"):
        test([0.5], [0.4])
    with pytest.raises(ValueError, match="inconsistent"):
        test([0.5, 0.6], [0.4])
    with pytest.raises(ValueError, match="NaN"):
        test([0.5, np.nan], [0.4, 0.3])


def test_a_constant_difference_has_a_p_value_of_zero():
    found = evaluation.corrected_resampled_t_test([2, 3, 4], [1, 2, 3], n_train=9, n_test=1)
    assert (found.statistic, found.p_value) == (np.inf, 0)


def test_wilcoxon_agrees_with_scipy_and_its_interval_covers_the_truth():
    random = np.random.RandomState(0)
    covered = 0
    for _ in range(400):
        a, b = random.rand(8), random.rand(8) - 0.2
        found = evaluation.wilcoxon_test(a, b)
        covered += found.low <= 0.2 <= found.high
    assert found.p_value == pytest.approx(scipy.stats.wilcoxon(a, b).pvalue)
    # The signed rank sums of eight pairs are discrete: the exact level is 96.1 %.
    assert covered / 400 == pytest.approx(0.961, abs=0.02)


@pytest.mark.parametrize("n", [6, 7, 8, 12])
def test_wilcoxon_interval_excludes_zero_exactly_if_the_test_is_significant(n):
    random = np.random.RandomState(n)
    for _ in range(100):
        found = evaluation.wilcoxon_test(random.randn(n) + 0.8, np.zeros(n))
        assert (found.low > 0 or found.high < 0) == (found.p_value <= 0.05)


def test_wilcoxon_interval_of_five_pairs_is_infinite_at_95_percent():
    found = evaluation.wilcoxon_test([1, 2, 3, 4, 5], [0] * 5)
    assert (found.low, found.high) == (-np.inf, np.inf)
    found = evaluation.wilcoxon_test([1, 2, 3, 4, 5], [0] * 5, confidence_level=0.9)
    assert (found.low, found.high) == (1, 5)


def test_rounding_errors_do_not_count_as_differences():
    a, b = [0.1 + 0.2] * 5, [0.3] * 5
    assert evaluation.corrected_resampled_t_test(a, b, n_train=9, n_test=1).p_value == 1
    with pytest.warns(UndefinedMetricWarning, match="cannot be ranked"):
        assert evaluation.friedman_nemenyi_test(np.column_stack([a, b, a])).p_value == 1


def test_the_jackknife_of_a_mean_is_the_t_test():
    random = np.random.RandomState(0)
    true, a, b = random.randn(3, 12)

    def mean_error(y_true, y_pred):
        return -np.mean(y_pred - y_true)

    found = evaluation.jackknife_by_speaker(true, a, b, np.arange(12), metric=mean_error)
    plain = scipy.stats.ttest_rel(b, a)
    interval = plain.confidence_interval(0.95)
    assert (found.statistic, found.p_value) == pytest.approx((plain.statistic, plain.pvalue))
    assert (found.low, found.high) == pytest.approx(tuple(interval))


def test_the_jackknife_takes_dimensions_and_rejects_metrics_that_fail():
    random = np.random.RandomState(0)
    true, speakers = random.randn(60), np.repeat(np.arange(6), 10)
    near = true + 0.3 * random.randn(60)
    ccc = metrics.concordance_correlation_coefficient
    found = evaluation.jackknife_by_speaker(true, near, -near, speakers, metric=ccc)
    assert found.difference == pytest.approx(ccc(true, near) - ccc(true, -near))
    assert found.low > 1

    def recall_of_a(y_true, y_pred):
        return np.mean(y_pred[y_true == "a"] == "a") if "a" in y_true else np.nan

    y = np.where(speakers == 3, "a", "b")
    with pytest.raises(ValueError, match="not finite without speaker 3"):
        evaluation.jackknife_by_speaker(y, y, y, speakers, metric=recall_of_a)


def test_the_jackknife_leaves_out_whole_speakers(labels):
    true, _ = labels
    speakers = np.repeat(np.arange(10), 20)
    # A speaker is all right or all wrong, so the spread is that of 10 coins rather than of 200.
    by_speaker = np.random.RandomState(1).rand(10) < 0.5
    wrong = np.where(true == "anger", "fear", "anger")
    predicted = np.where(by_speaker[speakers], true, wrong)
    found = evaluation.jackknife_by_speaker(true, predicted, wrong, speakers)
    assert found.difference == pytest.approx(
        sklearn.metrics.balanced_accuracy_score(true, predicted)
    )
    apart = evaluation.jackknife_by_speaker(true, predicted, wrong, np.arange(200))
    # sqrt(20) for the number of units, and the ratio of both quantiles of t.
    assert (found.high - found.low) / (apart.high - apart.low) == pytest.approx(5.1, abs=1)


def test_equal_predictions_have_an_interval_without_width(labels):
    true, predicted = labels
    speakers = np.repeat(np.arange(20), 10)
    same = evaluation.jackknife_by_speaker(true, predicted, predicted, speakers)
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    with pytest.raises(ValueError, match="speakers holds only 0.0; an interval needs at least two"):
        evaluation.jackknife_by_speaker(true, predicted, predicted, np.zeros(200))


def test_holm_agrees_with_a_published_example():
    # Four p-values of which two remain at 5 %: thresholds are 0.05 / 4, 0.05 / 3, 0.05 / 2.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == pytest.approx([1, 1])


def test_expanded_quantiles_match_the_published_table():
    # Hesterberg (2015), table 4: nominal 2.5 % becomes 0.86 % for n = 10 and 2.13 % for n = 50.
    assert expanded_quantiles(10, 0.95)[0] == pytest.approx(0.0086, abs=1e-4)
    low, high = expanded_quantiles(10_000, 0.95)
    assert (low, high) == pytest.approx((0.025, 0.975), abs=1e-4)
    assert expanded_quantiles(1, 0.95) == (0, 1)


def test_friedman_agrees_with_scipy_and_nemenyi_with_the_published_table():
    random = np.random.RandomState(0)
    scores = random.rand(14, 4) + np.array([0, 0.1, 0.2, 0.6])
    found = evaluation.friedman_nemenyi_test(scores)
    expected = scipy.stats.friedmanchisquare(*scores.T)
    assert (found.statistic, found.p_value) == pytest.approx(tuple(expected))
    # Demšar (2006), table 5: q of 0.05 for four classifiers is 2.569.
    assert found.critical_difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), rel=1e-3)
    ranks = found.ranks.to_numpy()
    apart = np.abs(ranks[:, None] - ranks) > found.critical_difference
    np.testing.assert_array_equal(found.pairwise < 0.05, apart)
    np.testing.assert_allclose(found.pairwise, found.pairwise.T)
    assert np.diag(found.pairwise).tolist() == [1, 1, 1, 1]


def test_nemenyi_p_values_are_those_of_the_studentized_range():
    # Ranks 1, 2, 3 in each of six rows: sqrt(k (k + 1) / (6 n)) is sqrt(1 / 3).
    found = evaluation.friedman_nemenyi_test(np.tile([3.0, 2.0, 1.0], (6, 1)))
    assert found.ranks.tolist() == [1, 2, 3]
    for difference in (1, 2):
        expected = scipy.stats.studentized_range.sf(difference * np.sqrt(6), 3, np.inf)
        assert found.pairwise.iloc[0, difference] == pytest.approx(expected, abs=1e-12)
    # A difference of ranks equal to the critical one has p = 1 - confidence_level.
    level = 1 - found.pairwise.iloc[0, 1]
    found = evaluation.friedman_nemenyi_test(
        np.tile([3.0, 2.0, 1.0], (6, 1)), confidence_level=level
    )
    assert found.critical_difference == pytest.approx(1)


def test_friedman_rejects_bad_input():
    with pytest.raises(ValueError, match="at least three systems, but scores has 2 columns"):
        evaluation.friedman_nemenyi_test(np.ones((4, 2)))
    with pytest.raises(ValueError, match="NaN"):
        evaluation.friedman_nemenyi_test([[1, 2, np.nan], [1, 2, 3]])
    with pytest.raises(ValueError, match="'confidence_level'"):
        evaluation.friedman_nemenyi_test(np.eye(3), confidence_level=95)
    with pytest.raises(ValueError, match="minimum of 2"):
        evaluation.friedman_nemenyi_test([[1, 2, 3]])
    with pytest.warns(UndefinedMetricWarning, match="cannot be ranked"):
        found = evaluation.friedman_nemenyi_test(np.ones((4, 3)))
    assert found.p_value == 1
    assert found.ranks.tolist() == [2, 2, 2]
