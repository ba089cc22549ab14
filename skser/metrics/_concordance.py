"""Metrics of predicted dimensions, such as valence."""

import warnings

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import make_scorer

from skser.metrics._validation import check_dimensions


def concordance_correlation_coefficient(y_true, y_pred, *, multioutput="uniform_average"):
    r"""Compute the concordance correlation coefficient (CCC) of ratings and predictions.

    .. math:: \rho_c = 2 s_{xy} / (s_x^2 + s_y^2 + (\bar x - \bar y)^2)

    The CCC is 1 only if all values are equal. Unlike Pearson's correlation, it drops when the
    predictions have another mean or another scale than the ratings.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,) or (n_utterances, n_dimensions)
        Ratings and predictions.
    multioutput : {"uniform_average", "raw_values"}, default="uniform_average"
        Result for several dimensions: the mean over them ("uniform_average"), or one value each
        ("raw_values").

    Returns
    -------
    float, or ndarray of shape (n_dimensions,)
        CCC from -1 to 1. It is 0 where the ratings or the predictions are constant.

    Warns
    -----
    UndefinedMetricWarning
        If ratings or predictions of a dimension are constant.

    References
    ----------
    Lin, L. I.-K. (1989). A Concordance Correlation Coefficient to Evaluate Reproducibility.
    Biometrics 45(1), 255-268. Equation 2.

    Examples
    --------
    >>> from skser.metrics import concordance_correlation_coefficient
    >>> concordance_correlation_coefficient([1, 2, 3], [1, 2, 3])
    1.0
    >>> round(concordance_correlation_coefficient([1, 2, 3], [2, 3, 4]), 3)
    0.571
    """
    if multioutput not in ("uniform_average", "raw_values"):
        raise ValueError(
            f"multioutput must be 'uniform_average' or 'raw_values', got {multioutput!r}."
        )
    true, predicted = check_dimensions(y_true, y_pred)
    difference = true.mean(axis=0) - predicted.mean(axis=0)
    covariance = ((true - true.mean(axis=0)) * (predicted - predicted.mean(axis=0))).mean(axis=0)
    scale = true.var(axis=0) + predicted.var(axis=0) + difference**2
    # The variance of equal floats may be slightly above 0, but their range is exactly 0.
    undefined = (np.ptp(true, axis=0) == 0) | (np.ptp(predicted, axis=0) == 0)
    if undefined.any():
        warnings.warn(
            "The ratings or predictions of a dimension are constant, so its CCC is set to 0.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    values = np.where(undefined, 0.0, 2 * covariance / np.where(undefined, 1.0, scale))
    return values if multioutput == "raw_values" else float(values.mean())


ccc_scorer = make_scorer(concordance_correlation_coefficient)
