"""Statistical tests and intervals for the difference between systems."""

import warnings
from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd
import scipy.stats
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_array, column_or_1d
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_consistent_length

from skser.evaluation._intervals import jackknife, leave_one_out
from skser.metrics import check_attribute, check_labels, unweighted_average_recall


@dataclass(frozen=True)
class PairedComparison:
    """Difference between two systems on the same data.

    Attributes
    ----------
    difference : float
        Mean score of the first system minus that of the second.
    p_value : float
        Two-sided p-value: probability of a difference at least this large if the systems are
        equally good.
    low, high : float
        Bounds of the confidence interval of the difference.
    statistic : float
        Test statistic.

    See Also
    --------
    jackknife_by_speaker, wilcoxon_test, corrected_resampled_t_test : Functions that return it.
    """

    difference: float
    p_value: float
    low: float
    high: float
    statistic: float


def _paired_scores(scores_a, scores_b):
    """Check two lists of scores and return their differences."""
    a, b = (
        column_or_1d(check_array(scores, ensure_2d=False, dtype=np.float64, input_name=name))
        for scores, name in ((scores_a, "scores_a"), (scores_b, "scores_b"))
    )
    check_consistent_length(a, b)
    if len(a) < 2:
        raise ValueError(
            "There is only one pair of scores, which has no spread; give at least two pairs."
        )
    # 0.3 - 0.2 and 0.2 - 0.1 must be equal, for ties of ranks and for a variance of exactly 0.
    return np.round(a - b, 12)


@validate_params(
    {
        "scores_a": ["array-like"],
        "scores_b": ["array-like"],
        "n_train": [Interval(Real, 0, None, closed="neither")],
        "n_test": [Interval(Real, 0, None, closed="neither")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def corrected_resampled_t_test(scores_a, scores_b, *, n_train, n_test, confidence_level=0.95):
    r"""Test the paired scores of folds with a t-test that corrects for overlapping training sets.

    The ordinary t-test assumes that folds are independent and finds too many differences. This
    test takes the variance of the mean difference to be :math:`(1 / k + n_{test} / n_{train})`
    times the variance of the k differences.

    Parameters
    ----------
    scores_a, scores_b : array-like of shape (n_folds,)
        Scores of both systems on the same folds, possibly of several repeats.
    n_train, n_test : float
        Mean number of utterances in the training and the test side of a fold.
    confidence_level : float, default=0.95
        Confidence level of the interval.

    Returns
    -------
    PairedComparison

    References
    ----------
    Nadeau, C. and Bengio, Y. (2003). Inference for the Generalization Error. Machine Learning
    52, 239-281. Section 4.3.

    Examples
    --------
    >>> from skser.evaluation import corrected_resampled_t_test
    >>> a, b = [0.81, 0.74, 0.79, 0.85, 0.77], [0.78, 0.73, 0.75, 0.80, 0.77]
    >>> found = corrected_resampled_t_test(a, b, n_train=400, n_test=100)
    >>> round(found.difference, 3), round(found.p_value, 3)
    (0.026, 0.135)
    """
    difference = _paired_scores(scores_a, scores_b)
    k, mean = len(difference), difference.mean()
    deviation = np.sqrt((1 / k + n_test / n_train) * difference.var(ddof=1))
    reach = scipy.stats.t.ppf((1 + confidence_level) / 2, k - 1) * deviation
    with np.errstate(divide="ignore"):  # the same difference in every fold: infinite
        statistic = mean / deviation if mean else 0.0
    p_value = 2 * scipy.stats.t.sf(abs(statistic), k - 1)
    return PairedComparison(
        float(mean), float(p_value), float(mean - reach), float(mean + reach), float(statistic)
    )


@validate_params(
    {
        "scores_a": ["array-like"],
        "scores_b": ["array-like"],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def wilcoxon_test(scores_a, scores_b, *, confidence_level=0.95):
    """Test paired scores, such as those of each speaker, with Wilcoxon's signed-rank test.

    Parameters
    ----------
    scores_a, scores_b : array-like of shape (n_pairs,)
        Scores of both systems, such as one pair per speaker.
    confidence_level : float, default=0.95
        Confidence level of the Hodges-Lehmann interval of the median difference. The interval is
        infinite if there are too few pairs to reach the level: fewer than six for 95 %.

    Returns
    -------
    PairedComparison
        Result of the test. Its p-value is 1 if all pairs are equal.

    References
    ----------
    Wilcoxon, F. (1945). Individual Comparisons by Ranking Methods. Biometrics Bulletin 1(6),
    80-83.

    Examples
    --------
    >>> from skser.evaluation import wilcoxon_test
    >>> a, b = [0.81, 0.74, 0.79, 0.85, 0.77, 0.9], [0.78, 0.73, 0.75, 0.80, 0.75, 0.84]
    >>> wilcoxon_test(a, b).p_value
    0.03125
    """
    difference = _paired_scores(scores_a, scores_b)
    n = len(difference)
    if not difference.any():
        return PairedComparison(0.0, 1.0, 0.0, 0.0, 0.0)
    found = scipy.stats.wilcoxon(difference)
    first, second = np.triu_indices(n)
    means = np.sort((difference[first] + difference[second]) / 2)
    low, high = -np.inf, np.inf
    k = _signed_rank_quantile(n, (1 - confidence_level) / 2)
    if k >= 0:
        low, high = means[k], means[len(means) - 1 - k]
    return PairedComparison(
        float(difference.mean()),
        float(found.pvalue),
        float(low),
        float(high),
        float(found.statistic),
    )


def _signed_rank_quantile(n, tail):
    """Return the largest rank sum k with P(rank sum <= k) <= tail, or -1 if there is none."""
    # The distribution of the sum of ranks 1 to n, each of which is included with probability 1/2.
    probability = np.ones(1)
    for rank in range(1, n + 1):
        with_rank = np.concatenate([np.zeros(rank), probability])
        probability = (np.pad(probability, (0, rank)) + with_rank) / 2
    return int(np.searchsorted(np.cumsum(probability), tail, side="right")) - 1


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred_a": ["array-like"],
        "y_pred_b": ["array-like"],
        "speakers": ["array-like"],
        "metric": [callable],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def jackknife_by_speaker(
    y_true,
    y_pred_a,
    y_pred_b,
    speakers,
    *,
    metric=unweighted_average_recall,
    confidence_level=0.95,
):
    """Compute an interval over speakers for the difference between two systems, and test it.

    The interval covers the difference that other speakers of the same kind would show. It comes
    from leaving out one speaker at a time, each with all of their utterances, because errors of
    one speaker occur together. With 10 or 24 speakers, it excludes 0 in about 5 % of the cases
    where two systems are equally good, while percentiles of a bootstrap over 10 speakers do so in
    about 10 % (see the user guide).

    Parameters
    ----------
    y_true, y_pred_a, y_pred_b : array-like of shape (n_utterances,)
        True classes and the predictions of both systems, or a dimension as floats. An utterance
        may occur several times, such as once for each seed.
    speakers : array-like of shape (n_utterances,)
        Speaker of each utterance.
    metric : callable, default=unweighted_average_recall
        Score as ``metric(y_true, y_pred)`` -> float; higher is better. It must change smoothly
        with the predictions, as means and correlations do but medians and extremes do not.
    confidence_level : float, default=0.95
        Confidence level of the interval.

    Returns
    -------
    PairedComparison
        Result of the test. Its statistic has a t distribution with n_speakers - 1 degrees of
        freedom if the systems are equally good.

    Raises
    ------
    ValueError
        If there is only one speaker, or the metric is not finite for all speakers or without one
        of them.

    See Also
    --------
    compare : Comparison of any number of evaluations.

    References
    ----------
    Efron, B. and Tibshirani, R. J. (1993). An Introduction to the Bootstrap. Chapman & Hall.
    Chapter 11.

    Examples
    --------
    >>> from skser.evaluation import jackknife_by_speaker
    >>> y_true = ["anger", "fear"] * 20
    >>> speakers = [speaker for speaker in "abcdefghij" for _ in range(4)]
    >>> worse = ["fear"] * 2 + y_true[2:20] + ["anger"] * 2 + y_true[22:]
    >>> found = jackknife_by_speaker(y_true, y_true, worse, speakers)
    >>> round(found.difference, 2), round(found.low, 2), round(found.high, 2)
    (0.05, -0.03, 0.13)
    """
    if np.asarray(y_true).dtype.kind == "f":
        y_true, y_pred_a, y_pred_b = (
            column_or_1d(check_array(y, ensure_2d=False, input_name=name))
            for y, name in ((y_true, "y_true"), (y_pred_a, "y_pred_a"), (y_pred_b, "y_pred_b"))
        )
        check_consistent_length(y_true, y_pred_a, y_pred_b)
    else:
        y_true, y_pred_a, _ = check_labels(y_true, y_pred_a)
        _, y_pred_b, _ = check_labels(y_true, y_pred_b)
    speakers = check_attribute(speakers, y_true, "speakers")

    def difference(rows):
        score_a, score_b = (metric(y_true[rows], y[rows]) for y in (y_pred_a, y_pred_b))
        return score_a - score_b

    with warnings.catch_warnings():
        # Some of the speakers may have constant predictions although the system has not.
        warnings.filterwarnings("ignore", message="All .* predictions are", category=UserWarning)
        found = jackknife(*leave_one_out(difference, speakers), confidence_level)
    return PairedComparison(found.estimate, found.p_value, found.low, found.high, found.statistic)


@dataclass(frozen=True)
class RankComparison:
    """Comparison of several systems by their ranks over data sets, speakers or folds.

    Attributes
    ----------
    statistic, p_value : float
        Statistic and p-value of Friedman's test, whose null hypothesis is that all systems are
        equally good.
    ranks : Series of float64
        Mean rank of each system; 1 is the best.
    pairwise : DataFrame of float64
        p-value of Nemenyi's test for each pair of systems.
    critical_difference : float
        Difference of mean ranks above which two systems differ at `confidence_level`.
    confidence_level : float
        Confidence level of `critical_difference`.

    See Also
    --------
    friedman_nemenyi_test : Function that returns it, with an example.
    """

    statistic: float
    p_value: float
    ranks: pd.Series
    pairwise: pd.DataFrame
    critical_difference: float
    confidence_level: float


@validate_params(
    {"scores": ["array-like"], "confidence_level": [Interval(Real, 0, 1, closed="neither")]},
    prefer_skip_nested_validation=True,
)
def friedman_nemenyi_test(scores, *, confidence_level=0.95):
    """Compare several systems by ranks, with Friedman's test and Nemenyi's post-hoc test.

    Parameters
    ----------
    scores : DataFrame, or array-like of shape (n_cases, n_systems)
        Scores with one row per data set, speaker or fold and one column per system; higher is
        better.
    confidence_level : float, default=0.95
        Confidence level of the critical difference.

    Returns
    -------
    RankComparison

    Raises
    ------
    ValueError
        If there are fewer than three systems or two rows, or a score is not finite.

    References
    ----------
    Demšar, J. (2006). Statistical Comparisons of Classifiers over Multiple Data Sets. JMLR 7,
    1-30. Section 3.2.2.

    Examples
    --------
    >>> import pandas as pd
    >>> from skser.evaluation import friedman_nemenyi_test
    >>> scores = pd.DataFrame(
    ...     {"svm": [70, 62, 81, 75], "forest": [68, 60, 80, 71], "constant": [14, 14, 13, 12]}
    ... )
    >>> found = friedman_nemenyi_test(scores)
    >>> found.ranks.to_dict(), round(found.p_value, 4)
    ({'svm': 1.0, 'forest': 2.0, 'constant': 3.0}, 0.0183)
    """
    table = scores if isinstance(scores, pd.DataFrame) else pd.DataFrame(np.asarray(scores))
    values = check_array(table, dtype=np.float64, input_name="scores", ensure_min_samples=2)
    values = np.round(values, 12)
    n, k = values.shape
    if k < 3:
        raise ValueError(
            f"Friedman's test needs at least three systems, but scores has {k} columns. Use "
            "wilcoxon_test for two."
        )
    ranks = scipy.stats.rankdata(-values, axis=1)
    mean = ranks.mean(axis=0)
    if (ranks == ranks[:, :1]).all():
        warnings.warn(
            "All systems have equal scores in every row, so they cannot be ranked.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
        statistic, p_value = 0.0, 1.0
    else:
        statistic, p_value = scipy.stats.friedmanchisquare(*values.T)
    unit = np.sqrt(k * (k + 1) / (6 * n))
    # Nemenyi's test uses the range of k independent normals: infinite degrees of freedom.
    distance = np.abs(mean[:, None] - mean) / unit * np.sqrt(2)
    pairwise = scipy.stats.studentized_range.sf(distance, k, np.inf)
    np.fill_diagonal(pairwise, 1.0)
    critical = scipy.stats.studentized_range.ppf(confidence_level, k, np.inf) / np.sqrt(2) * unit
    return RankComparison(
        float(statistic),
        float(p_value),
        pd.Series(mean, index=table.columns, name="mean rank"),
        pd.DataFrame(pairwise, index=table.columns, columns=table.columns),
        float(critical),
        confidence_level,
    )
