"""Metrics of each kind of target, and which of them are losses."""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, root_mean_squared_error

from skser.evaluation._targets import EMOTION, VOTES
from skser.metrics import (
    concordance_correlation_coefficient,
    pearson_correlation,
    unweighted_average_recall,
    vote_cross_entropy,
    vote_divergence,
)


def macro_f1(y_true, y_pred):
    """Compute the mean of the F1 scores of all true classes, without that of a refusal."""
    return f1_score(y_true, y_pred, labels=np.unique(y_true), average="macro")


_OF_NUMBERS = {
    "ccc": concordance_correlation_coefficient,
    "pearson": pearson_correlation,
    "rmse": root_mean_squared_error,
}
_LOSSES = (root_mean_squared_error, vote_cross_entropy, vote_divergence)
_RANGES = (
    ((unweighted_average_recall, accuracy_score, macro_f1), 0.0, 1.0),
    ((concordance_correlation_coefficient, pearson_correlation), -1.0, 1.0),
    (_LOSSES, 0.0, np.inf),
)


@dataclass(frozen=True)
class OfColumn:
    """Metric of one of several dimensions.

    Parameters
    ----------
    metric : callable
        Score as ``metric(y_true, y_pred)`` -> float.
    column : int
        Column of the dimension.
    """

    metric: object
    column: int

    def __call__(self, y_true, y_pred):
        """Compute the score of a column of 2-D arrays over its ratings; NaN if it has none."""
        rated = ~np.isnan(y_true[:, self.column])
        if not rated.any():
            return np.nan
        return self.metric(y_true[rated, self.column], y_pred[rated, self.column])


@dataclass(frozen=True)
class MeanOverColumns:
    """Mean of a metric over dimensions, each scored over the utterances with a rating of it.

    Parameters
    ----------
    metric : callable
        Score as ``metric(y_true, y_pred)`` -> float.
    """

    metric: object

    def __call__(self, y_true, y_pred):
        """Compute the mean score of the columns of 2-D arrays; NaN if one has no ratings."""
        # A mean over fewer dimensions would be another score than that of other speakers.
        scores = [OfColumn(self.metric, i)(y_true, y_pred) for i in range(y_true.shape[1])]
        return float(np.mean(scores))

    @property
    def __name__(self):
        """Name of the metric."""
        return getattr(self.metric, "__name__", "score")


def metrics_of(target):
    """Return the metrics of a target by name, the main one first.

    Parameters
    ----------
    target : str or list of str
        Name of the target. Several dimensions have the mean of each metric over dimensions,
        followed by that of each dimension.

    Returns
    -------
    dict of callable
    """
    if target == EMOTION:
        return {
            "uar": unweighted_average_recall,
            "accuracy": accuracy_score,
            "macro_f1": macro_f1,
        }
    if target == VOTES:
        return {"cross_entropy": vote_cross_entropy, "divergence": vote_divergence}
    if isinstance(target, str):
        return dict(_OF_NUMBERS)
    means = {name: MeanOverColumns(metric) for name, metric in _OF_NUMBERS.items()}
    return means | {
        f"{name}_{dimension}": OfColumn(metric, column)
        for column, dimension in enumerate(target)
        for name, metric in _OF_NUMBERS.items()
    }


def over_ratings(metric, y_true):
    """Return a metric of y_true, which is averaged over dimensions if y_true lacks ratings.

    Parameters
    ----------
    metric : callable
        Score as ``metric(y_true, y_pred)`` -> float.
    y_true : ndarray of shape (n_utterances,) or (n_utterances, n_columns)
        Classes, ratings (NaN where missing) or shares.

    Returns
    -------
    callable
        The same metric if nothing is missing.
    """
    partly = y_true.dtype.kind == "f" and y_true.ndim == 2 and np.isnan(y_true).any()
    if not partly or isinstance(metric, OfColumn | MeanOverColumns):
        return metric
    return MeanOverColumns(metric)


def is_loss(metric):
    """Return True if lower values of one of our metrics are better."""
    return getattr(metric, "metric", metric) in _LOSSES


def within_range(metric, low, high):
    """Clip the bounds of an interval to the range of one of our metrics.

    Parameters
    ----------
    metric : callable
        Score as ``metric(y_true, y_pred)`` -> float. The range of other metrics is not known.
    low, high : float
        Bounds of an interval.

    Returns
    -------
    low, high : float
    """
    for metrics, least, most in _RANGES:
        if getattr(metric, "metric", metric) in metrics:  # not all callables have a hash
            return max(low, least), min(high, most)
    return low, high


def worst(metric, scores):
    """Return the worst of the scores of a metric."""
    return np.max(scores) if is_loss(metric) else np.min(scores)


def ignore_constant_predictions():
    """Ignore that some of the speakers have constant predictions; the system may have others."""
    warnings.filterwarnings("ignore", message="All .* predictions are", category=UserWarning)
    warnings.filterwarnings("ignore", message="The ratings or predictions", category=UserWarning)
