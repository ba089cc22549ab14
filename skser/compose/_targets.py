"""Targets of regressors around regressors."""

import numpy as np
import pandas as pd
from sklearn.utils import check_array, column_or_1d, get_tags


def numbers_of(y, owner):
    """Return targets as an array of floats, with NaN where they are missing.

    Parameters
    ----------
    y : array-like of shape (n_utterances,) or (n_utterances, n_targets)
        Targets.
    owner : estimator
        Meta-estimator that holds the inner estimator as ``owner.estimator``.

    Returns
    -------
    ndarray of shape (n_utterances,) or (n_utterances, n_targets), float64

    Raises
    ------
    ValueError
        If a target is infinite, or all are missing.
    """
    y = check_array(
        y,
        dtype=np.float64,
        ensure_2d=False,
        ensure_all_finite="allow-nan",
        input_name="y",
        estimator=owner,
    )
    if y.ndim == 2 and not get_tags(owner.estimator).target_tags.multi_output:
        return column_or_1d(y, warn=True)
    return y


def as_named(y, given):
    """Return targets as a table with the columns of the targets that were given, if it had any.

    Parameters
    ----------
    y : ndarray of shape (n_rows,) or (n_rows, n_targets)
        Targets of any rows.
    given : array-like
        Targets as they were given.

    Returns
    -------
    ndarray or DataFrame
    """
    if y.ndim == 1 or not hasattr(given, "columns"):
        return y
    return pd.DataFrame(y, columns=list(given.columns))


def target_tags_of(owner, tags):
    """Return the tags of a regressor around a regressor, which takes the same targets."""
    inner = get_tags(owner.estimator).target_tags
    tags.target_tags.multi_output = inner.multi_output
    tags.target_tags.single_output = inner.single_output
    return tags
