"""Metrics of predicted probabilities: calibration, and the risk of answering selectively."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skser.metrics._validation import check_probabilities

_BINS = {
    "n_bins": [Interval(Integral, 1, None, closed="left")],
    "strategy": [StrOptions({"uniform", "quantile"})],
}


@validate_params(
    {
        "y_true": ["array-like"],
        "y_proba": ["array-like"],
        "labels": ["array-like", None],
    }
    | _BINS,
    prefer_skip_nested_validation=True,
)
def reliability_curve(y_true, y_proba, *, labels=None, n_bins=10, strategy="uniform"):
    """Compute the accuracy of the most probable class in each bin of its probability.

    Parameters
    ----------
    y_true : array-like of shape (n_utterances,)
        True classes.
    y_proba : array-like of shape (n_utterances, n_classes)
        Predicted probabilities. Each row sums to 1.
    labels : array-like of shape (n_classes,) or None, default=None
        Class of each column, such as ``classes_`` of the model. None means the sorted labels of
        y_true.
    n_bins : int, default=10
        Number of bins.
    strategy : {"uniform", "quantile"}, default="uniform"
        Width of the bins: equal widths from 0 to 1 ("uniform"), or about equal numbers of
        utterances ("quantile"). Utterances of equal confidence share a bin.

    Returns
    -------
    DataFrame
        One row per non-empty bin: mean ``confidence``, ``accuracy``, and ``n``, the number of
        utterances.

    Examples
    --------
    >>> from skser.metrics import reliability_curve
    >>> y_true = ["anger", "anger", "fear", "fear"]
    >>> y_proba = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]  # of anger and fear
    >>> reliability_curve(y_true, y_proba, n_bins=4).round(2).to_numpy().tolist()
    [[0.65, 0.5, 2.0], [0.85, 1.0, 2.0]]
    """
    true, y_proba, _ = check_probabilities(y_true, y_proba, labels)
    confidence, right = y_proba.max(axis=1), y_proba.argmax(axis=1) == true
    if strategy == "uniform":
        # A bin includes its upper edge, as in Guo et al. (2017).
        place = np.ceil(np.clip(confidence, 0, 1) * n_bins).astype(int) - 1
        place = np.maximum(place, 0)
    else:
        # Edges that are observed values cannot divide utterances of equal confidence.
        edges = np.quantile(confidence, np.arange(1, n_bins) / n_bins, method="inverted_cdf")
        place = np.searchsorted(edges, confidence, side="left")
    frame = pd.DataFrame({"confidence": confidence, "accuracy": right.astype(float), "n": 1})
    return frame.groupby(place).agg({"confidence": "mean", "accuracy": "mean", "n": "sum"})


def expected_calibration_error(y_true, y_proba, *, labels=None, n_bins=10, strategy="uniform"):
    """Compute the expected calibration error (ECE).

    The error is the mean absolute difference between confidence and accuracy over the bins of
    `reliability_curve`, weighted by the number of utterances in each bin.

    Parameters
    ----------
    y_true : array-like of shape (n_utterances,)
        True classes.
    y_proba : array-like of shape (n_utterances, n_classes)
        Predicted probabilities. Each row sums to 1.
    labels : array-like of shape (n_classes,) or None, default=None
        Class of each column, such as ``classes_`` of the model. None means the sorted labels of
        y_true.
    n_bins : int, default=10
        Number of bins.
    strategy : {"uniform", "quantile"}, default="uniform"
        Width of the bins: equal widths from 0 to 1 ("uniform"), or about equal numbers of
        utterances ("quantile"). Utterances of equal confidence share a bin.

    Returns
    -------
    float
        Error from 0 (perfectly calibrated) to 1.

    References
    ----------
    Guo, C., Pleiss, G., Sun, Y. and Weinberger, K. Q. (2017). On Calibration of Modern Neural
    Networks. ICML. Equation 3.

    Examples
    --------
    >>> from skser.metrics import expected_calibration_error
    >>> y_proba = [[0.8, 0.2]] * 4 + [[0.4, 0.6]] * 5
    >>> y_true = ["anger"] * 3 + ["fear"] + ["fear"] * 3 + ["anger"] * 2
    >>> round(expected_calibration_error(y_true, y_proba), 4)
    0.0222
    """
    curve = reliability_curve(y_true, y_proba, labels=labels, n_bins=n_bins, strategy=strategy)
    distance = (curve["confidence"] - curve["accuracy"]).abs()
    return float(np.average(distance, weights=curve["n"]))


def risk_coverage_curve(y_true, y_proba, *, labels=None):
    """Compute the error rate among the most confident utterances, for each share of them.

    Parameters
    ----------
    y_true : array-like of shape (n_utterances,)
        True classes.
    y_proba : array-like of shape (n_utterances, n_classes)
        Predicted probabilities. Each row sums to 1.
    labels : array-like of shape (n_classes,) or None, default=None
        Class of each column, such as ``classes_`` of the model. None means the sorted labels of
        y_true.

    Returns
    -------
    DataFrame
        One row per distinct confidence, from the highest to the lowest: ``threshold``, that
        confidence; ``coverage``, the share of utterances that reach it; ``risk``, the share of
        errors among those. Utterances of equal confidence enter the curve together.

    References
    ----------
    El-Yaniv, R. and Wiener, Y. (2010). On the Foundations of Noise-free Selective
    Classification. JMLR 11, 1605-1641.

    Examples
    --------
    >>> from skser.metrics import risk_coverage_curve
    >>> y_true = ["anger", "anger", "fear", "fear"]
    >>> y_proba = [[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]  # of anger and fear
    >>> risk_coverage_curve(y_true, y_proba)["risk"].tolist()
    [0.0, 0.0, 0.0, 0.25]
    """
    true, y_proba, _ = check_probabilities(y_true, y_proba, labels)
    confidence, wrong = y_proba.max(axis=1), y_proba.argmax(axis=1) != true
    order = np.argsort(-confidence, kind="stable")
    confidence, n_wrong = confidence[order], np.cumsum(wrong[order])
    last = np.append(confidence[1:] != confidence[:-1], True)
    n = np.arange(1, len(true) + 1)[last]
    return pd.DataFrame(
        {
            "threshold": confidence[last],
            "coverage": n / len(true),
            "risk": n_wrong[last] / n,
        }
    )


def area_under_risk_coverage(y_true, y_proba, *, labels=None):
    """Compute the area under the risk-coverage curve (AURC); lower is better.

    Parameters
    ----------
    y_true : array-like of shape (n_utterances,)
        True classes.
    y_proba : array-like of shape (n_utterances, n_classes)
        Predicted probabilities. Each row sums to 1.
    labels : array-like of shape (n_classes,) or None, default=None
        Class of each column, such as ``classes_`` of the model. None means the sorted labels of
        y_true.

    Returns
    -------
    float
        Mean risk over the utterances, from 0 to 1. Utterances of equal confidence share the risk
        of their point on the curve.

    Examples
    --------
    >>> from skser.metrics import area_under_risk_coverage
    >>> y_proba = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]
    >>> round(area_under_risk_coverage(["anger", "fear", "anger"], y_proba), 3)
    0.111
    """
    curve = risk_coverage_curve(y_true, y_proba, labels=labels)
    # A point of several utterances of equal confidence weighs as much as all of them.
    share = np.diff(curve["coverage"], prepend=0.0)
    return float(np.sum(share * curve["risk"]))
