"""Confidence intervals over speakers."""

from typing import NamedTuple

import numpy as np
import scipy.stats


class Jackknife(NamedTuple):
    """Estimate with its confidence interval and test, from leaving out one speaker at a time.

    Attributes
    ----------
    estimate : float
        Estimate from all speakers.
    low, high : float
        Bounds of the confidence interval.
    statistic : float
        Estimate divided by its standard error.
    p_value : float
        Two-sided p-value of the hypothesis that the true value is 0.
    """

    estimate: float
    low: float
    high: float
    statistic: float
    p_value: float


def jackknife(estimate, left_out, confidence_level):
    """Compute an interval and a test from estimates that leave out one speaker each.

    The standard error is Tukey's jackknife; quantiles are those of Student's t distribution with
    n_speakers - 1 degrees of freedom. For a mean over speakers, this is the ordinary t-test.

    Parameters
    ----------
    estimate : float
        Estimate from all speakers.
    left_out : array-like of shape (n_speakers,)
        Estimates without each of the speakers.
    confidence_level : float
        Confidence level of the interval.

    Returns
    -------
    Jackknife

    References
    ----------
    Efron, B. and Tibshirani, R. J. (1993). An Introduction to the Bootstrap. Chapman & Hall.
    Chapter 11.
    """
    # Rounding keeps equal predictions of two systems from having a tiny spread.
    estimate, left_out = np.round(estimate, 12), np.round(left_out, 12)
    n = len(left_out)
    deviation = np.sqrt((n - 1) * np.var(left_out))
    reach = scipy.stats.t.ppf((1 + confidence_level) / 2, n - 1) * deviation
    with np.errstate(divide="ignore"):  # infinite if every speaker has the same difference
        statistic = estimate / deviation if estimate else 0.0
    p_value = 2 * scipy.stats.t.sf(abs(statistic), n - 1)
    return Jackknife(
        float(estimate),
        float(estimate - reach),
        float(estimate + reach),
        float(statistic),
        float(p_value),
    )


def leave_one_out(statistic, speakers):
    """Compute a statistic from all rows, and without the rows of each speaker.

    Parameters
    ----------
    statistic : callable
        Function ``statistic(rows)`` -> float of an array of row numbers.
    speakers : ndarray of shape (n_rows,)
        Speaker of each row.

    Returns
    -------
    estimate : float
        Statistic of all rows.
    left_out : ndarray of shape (n_speakers,)
        Statistic without each speaker, in sorted order.

    Raises
    ------
    ValueError
        If there is only one speaker, or the statistic is not finite.
    """
    names, place = np.unique(speakers, return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            f"speakers holds only {names.tolist()[0]!r}; an interval needs at least two speakers."
        )
    estimate = statistic(np.arange(len(place)))
    left_out = np.array([statistic(np.flatnonzero(place != i)) for i in range(len(names))])
    if not (np.isfinite(estimate) and np.isfinite(left_out).all()):
        without = names[~np.isfinite(left_out)].tolist()
        which = f"without speaker {without[0]!r}" if without else "for all utterances"
        raise ValueError(
            f"The metric is not finite {which}; it must be finite for any speakers, even if a "
            "class, or a rating of some dimension, is missing."
        )
    return float(estimate), left_out


def expanded_quantiles(n_speakers, confidence_level):
    """Return the quantiles of resampled estimates that bound an interval for few speakers.

    The ordinary bootstrap interval is too narrow by sqrt((n - 1) / n) and by the ratio of normal
    to t quantiles. Taking quantiles further out corrects for both, and works for estimates that
    may be infinite, unlike an interval from a standard error.

    Parameters
    ----------
    n_speakers : int
        Number of speakers that are resampled.
    confidence_level : float
        Confidence level of the interval.

    Returns
    -------
    low, high : float
        Probabilities of the two quantiles.

    References
    ----------
    Hesterberg, T. C. (2015). What Teachers Should Know About the Bootstrap: Resampling in the
    Undergraduate Statistics Curriculum. The American Statistician 69(4), 371-386. Section 3.3.
    """
    if n_speakers < 2:
        return 0.0, 1.0
    t = scipy.stats.t.ppf((1 + confidence_level) / 2, n_speakers - 1)
    low = scipy.stats.norm.cdf(-np.sqrt(n_speakers / (n_speakers - 1)) * t)
    return float(low), float(1 - low)


def holm(p_values):
    """Correct p-values for multiple comparisons with Holm's step-down method.

    Parameters
    ----------
    p_values : array-like of shape (n_tests,)
        Uncorrected p-values.

    Returns
    -------
    ndarray of shape (n_tests,)
        Corrected p-values, which control the family-wise error rate.

    References
    ----------
    Holm, S. (1979). A Simple Sequentially Rejective Multiple Test Procedure. Scandinavian Journal
    of Statistics 6(2), 65-70.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    # A hypothesis is rejected only if all hypotheses with smaller p-values are.
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return corrected
