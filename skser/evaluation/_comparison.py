"""Whether one system is better than another, or happened to be."""

import warnings
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import pandas as pd
import scipy.stats
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_consistent_length

from skser.metrics import check_attribute, check_labels, unweighted_average_recall


@dataclass(frozen=True)
class PairedComparison:
    """Difference of two systems on the same data.

    Attributes
    ----------
    difference : float
        Mean score of the first, minus that of the second.
    p_value : float
        Of a difference at least as far from 0, either way, if there were none.
    low, high : float
        Bounds of the difference's interval.
    statistic : float
        Of the test; NaN for the bootstrap, which has none.
    """

    difference: float
    p_value: float
    low: float
    high: float
    statistic: float


def _paired_scores(scores_a, scores_b):
    a, b = (
        column_or_1d(check_array(scores, ensure_2d=False, dtype=np.float64, input_name=name))
        for scores, name in ((scores_a, "scores_a"), (scores_b, "scores_b"))
    )
    check_consistent_length(a, b)
    if len(a) < 2:
        raise ValueError("One pair of scores tells nothing of their spread; give at least two.")
    # Differences of decimal fractions that are the same must be equal.
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
    r"""Paired t-test of scores from cross-validation, whose training sets overlap.

    The ordinary t-test takes folds for independent and finds differences where there are none.
    Here the variance of the mean is taken as :math:`(1 / k + n_{test} / n_{train})` times that
    of the k differences.

    Parameters
    ----------
    scores_a, scores_b : array-like of shape (n_folds,)
        Of the same folds, or of the folds of several repeats.
    n_train, n_test : float
        Utterances on either side of a split, in the mean.
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
    """Wilcoxon's signed-rank test of paired scores, such as those of each speaker.

    Parameters
    ----------
    scores_a, scores_b : array-like of shape (n_pairs,)
    confidence_level : float, default=0.95
        Confidence level of the interval, which is that of the median of the pairs' means
        (Hodges-Lehmann). It is infinite where so few pairs cannot reach the level, below six for
        95 %.

    Returns
    -------
    PairedComparison
        If all pairs are equal, the p-value is 1.

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
    """Largest rank sum that is reached from below with at most the probability `tail`, or -1."""
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
        "n_bootstrap": [Interval(Integral, 10, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def bootstrap_by_speaker(
    y_true,
    y_pred_a,
    y_pred_b,
    speakers,
    *,
    metric=unweighted_average_recall,
    confidence_level=0.95,
    n_bootstrap=1000,
    random_state=0,
):
    """Interval of the difference of two systems, had other speakers been recorded.

    Speakers are drawn with replacement, each with all utterances: those of one speaker are told
    right or wrong together, and resampling them singly would make the interval too narrow.

    Parameters
    ----------
    y_true, y_pred_a, y_pred_b : array-like of shape (n_utterances,)
        Classes, or a dimension as floats.
    speakers : array-like of shape (n_utterances,)
    metric : callable, default=unweighted_average_recall
        ``metric(y_true, y_pred)`` -> float.
    confidence_level : float, default=0.95
        Confidence level of the interval, between quantiles of the resamples' differences.
    n_bootstrap : int, default=1000
        Resamples.
    random_state : int, RandomState instance or None, default=0

    Returns
    -------
    PairedComparison

    Raises
    ------
    ValueError
        If the metric is not a number, of all utterances or of a resample, in which a class may
        be missing.

    References
    ----------
    Bisani, M. and Ney, H. (2004). Bootstrap Estimates for Confidence Intervals in ASR
    Performance Evaluation. ICASSP.

    Examples
    --------
    >>> from skser.evaluation import bootstrap_by_speaker
    >>> y_true = ["anger", "fear"] * 20
    >>> speakers = [speaker for speaker in "abcdefghij" for _ in range(4)]
    >>> worse = ["fear"] * 2 + y_true[2:20] + ["anger"] * 2 + y_true[22:]
    >>> found = bootstrap_by_speaker(y_true, y_true, worse, speakers)
    >>> round(found.difference, 2), found.low, found.high < 0.2
    (0.05, 0.0, True)
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
    names, place = np.unique(check_attribute(speakers, y_true, "speakers"), return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"There is one speaker, {names[0]!r}: there are no others to draw.")
    rows = [np.flatnonzero(place == i) for i in range(len(names))]
    random = check_random_state(random_state)

    def difference(chosen):
        with warnings.catch_warnings():
            # Of a resample, not of a system.
            warnings.filterwarnings(
                "ignore", message="All .* predictions are", category=UserWarning
            )
            scores = [metric(y_true[chosen], y[chosen]) for y in (y_pred_a, y_pred_b)]
        if not np.isfinite(scores).all():
            raise ValueError(
                f"The metric gives {scores} for some of the speakers: it must be a number for "
                "any of them."
            )
        return scores[0] - scores[1]

    found = difference(np.arange(len(y_true)))
    drawn = np.array(
        [
            difference(
                np.concatenate([rows[i] for i in random.randint(len(names), size=len(names))])
            )
            for _ in range(n_bootstrap)
        ]
    )
    low, high = np.quantile(drawn, [(1 - confidence_level) / 2, (1 + confidence_level) / 2])
    fewer = min(np.sum(drawn <= 0), np.sum(drawn >= 0))
    p_value = min(1.0, 2 * (1 + fewer) / (1 + n_bootstrap))
    return PairedComparison(float(found), float(p_value), float(low), float(high), np.nan)


@dataclass(frozen=True)
class RankComparison:
    """Several systems, by their ranks on several data sets or folds.

    Attributes
    ----------
    statistic, p_value : float
        Of Friedman's test that all systems are alike.
    ranks : Series of float64
        Mean rank of each system; 1 is the best.
    pairwise : DataFrame of float64
        p-value of each pair of systems, after Nemenyi.
    critical_difference : float
        Mean ranks that are further apart differ at the `confidence_level`.
    confidence_level : float
        Confidence level of `critical_difference`.
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
    """Compare several systems over several data sets, speakers or folds.

    Parameters
    ----------
    scores : DataFrame, or array-like of shape (n_cases, n_systems)
        A row per data set, speaker or fold, a column per system; higher is better.
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
            f"Friedman's test compares three systems or more, not {k}; see wilcoxon_test."
        )
    ranks = scipy.stats.rankdata(-values, axis=1)
    mean = ranks.mean(axis=0)
    if (ranks == ranks[:, :1]).all():
        warnings.warn(
            "All systems score the same in every row: they have no order.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
        statistic, p_value = 0.0, 1.0
    else:
        statistic, p_value = scipy.stats.friedmanchisquare(*values.T)
    unit = np.sqrt(k * (k + 1) / (6 * n))
    # The range of k independent normals, as of infinitely many degrees of freedom.
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
