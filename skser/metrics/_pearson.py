"""Pearson's correlation of predicted dimensions."""

import warnings

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning

from skser.metrics._validation import check_dimensions


def pearson_correlation(y_true, y_pred):
    """Compute Pearson's correlation of ratings and predictions.

    It ignores the mean and the scale of the predictions, unlike
    `concordance_correlation_coefficient`.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,) or (n_utterances, n_dimensions)
        Ratings and predictions.

    Returns
    -------
    float
        Correlation from -1 to 1, averaged over dimensions. It counts as 0 for a dimension whose
        ratings or predictions are constant.

    Warns
    -----
    UndefinedMetricWarning
        If ratings or predictions of a dimension are constant.

    Examples
    --------
    >>> from skser.metrics import pearson_correlation
    >>> pearson_correlation([1, 2, 3], [2, 4, 6])
    1.0
    """
    true, predicted = check_dimensions(y_true, y_pred)
    undefined = (np.ptp(true, axis=0) == 0) | (np.ptp(predicted, axis=0) == 0)
    if undefined.any():
        warnings.warn(
            "The ratings or predictions of a dimension are constant, so its correlation is set to "
            "0.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    true, predicted = true - true.mean(axis=0), predicted - predicted.mean(axis=0)
    scale = np.sqrt((true**2).sum(axis=0) * (predicted**2).sum(axis=0))
    values = (true * predicted).sum(axis=0) / np.where(undefined, 1.0, scale)
    return float(np.where(undefined, 0.0, np.clip(values, -1, 1)).mean())
