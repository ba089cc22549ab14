"""Whether probabilities mean what they say, and what they are worth for saying nothing."""

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
    """How often the most probable class is right, by how probable it was said to be.

    Parameters
    ----------
    y_true : array-like of shape (n_utterances,)
    y_proba : array-like of shape (n_utterances, n_classes)
        Rows sum to 1.
    labels : array-like of shape (n_classes,) or None, default=None
        What the columns stand for: ``classes_`` of the model. None is the sorted labels of
        y_true.
    n_bins : int, default=10
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of the same width over 0 to 1, or with much the same number of utterances, those of
        one confidence together.

    Returns
    -------
    DataFrame
        A row per bin that is not empty: mean ``confidence``, ``accuracy`` and ``n``.
    """
    true, y_proba, _ = check_probabilities(y_true, y_proba, labels)
    confidence, right = y_proba.max(axis=1), y_proba.argmax(axis=1) == true
    if strategy == "uniform":
        # Each bin holds its upper edge, as in the paper.
        place = np.ceil(np.clip(confidence, 0, 1) * n_bins).astype(int) - 1
        place = np.maximum(place, 0)
    else:
        edges = np.quantile(confidence, np.arange(1, n_bins) / n_bins, method="inverted_cdf")
        place = np.searchsorted(edges, confidence, side="left")
    frame = pd.DataFrame({"confidence": confidence, "accuracy": right.astype(float), "n": 1})
    return frame.groupby(place).agg({"confidence": "mean", "accuracy": "mean", "n": "sum"})


def expected_calibration_error(y_true, y_proba, *, labels=None, n_bins=10, strategy="uniform"):
    """Mean distance between confidence and accuracy (ECE), over bins of confidence.

    Parameters
    ----------
    y_true : array-like of shape (n_utterances,)
    y_proba : array-like of shape (n_utterances, n_classes)
        Rows sum to 1.
    labels : array-like of shape (n_classes,) or None, default=None
        What the columns stand for: ``classes_`` of the model. None is the sorted labels of
        y_true.
    n_bins : int, default=10
    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of the same width over 0 to 1, or with much the same number of utterances, those of
        one confidence together.

    Returns
    -------
    float
        0 to 1; each bin weighs by its utterances.

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
    """What is wrong among the utterances that a model is surest of, for every share of them.

    Parameters
    ----------
    y_true : array-like of shape (n_utterances,)
    y_proba : array-like of shape (n_utterances, n_classes)
        Rows sum to 1.
    labels : array-like of shape (n_classes,) or None, default=None
        What the columns stand for: ``classes_`` of the model. None is the sorted labels of
        y_true.

    Returns
    -------
    DataFrame
        By falling ``threshold`` of confidence: ``coverage``, the share of utterances that reach
        it, and ``risk``, the share of errors among these. Utterances of the same confidence
        come in together.

    References
    ----------
    El-Yaniv, R. and Wiener, Y. (2010). On the Foundations of Noise-free Selective
    Classification. JMLR 11, 1605-1641.
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
    """Mean risk over all coverages; lower is better.

    Parameters
    ----------
    y_true : array-like of shape (n_utterances,)
    y_proba : array-like of shape (n_utterances, n_classes)
        Rows sum to 1.
    labels : array-like of shape (n_classes,) or None, default=None
        What the columns stand for: ``classes_`` of the model. None is the sorted labels of
        y_true.

    Returns
    -------
    float
        0 to 1. The mean of the curve's risk over the utterances: those of the same confidence
        share their risk.

    Examples
    --------
    >>> from skser.metrics import area_under_risk_coverage
    >>> y_proba = [[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]
    >>> round(area_under_risk_coverage(["anger", "fear", "anger"], y_proba), 3)
    0.111
    """
    curve = risk_coverage_curve(y_true, y_proba, labels=labels)
    share = np.diff(curve["coverage"], prepend=0.0)
    return float(np.sum(share * curve["risk"]))
