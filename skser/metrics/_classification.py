"""Scores of predicted emotions, under the names that the field gives them."""

import warnings

import numpy as np
import pandas as pd
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import make_scorer, recall_score

from skser.metrics._validation import check_labels


def unweighted_average_recall(y_true, y_pred):
    """Mean of the classes' recalls (UAR), which scikit-learn calls balanced accuracy.

    Every class counts the same, however many utterances it has. A model that always says the
    same scores 1 / n_classes.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)

    Returns
    -------
    float
        0 to 1. Over the classes that occur in y_true; what is predicted of others is an error
        like any.

    Warns
    -----
    UserWarning
        If all predictions are the same class, and the truth is not.

    See Also
    --------
    sklearn.metrics.balanced_accuracy_score : The same number.

    References
    ----------
    Schuller, B., Steidl, S. and Batliner, A. (2009). The INTERSPEECH 2009 Emotion Challenge.
    Interspeech.

    Examples
    --------
    >>> from skser.metrics import unweighted_average_recall
    >>> y_true = ["anger", "anger", "anger", "anger", "fear"]
    >>> unweighted_average_recall(y_true, ["fear", "anger", "anger", "anger", "fear"])
    0.875
    """
    y_true, y_pred, _ = check_labels(y_true, y_pred)
    _warn_if_constant(y_true, y_pred)
    # Given the labels, scikit-learn leaves out classes that are only predicted.
    return float(recall_score(y_true, y_pred, labels=np.unique(y_true), average="macro"))


def recall_per_class(y_true, y_pred, *, labels=None):
    """Share of each class that is told right.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
    labels : array-like or None, default=None
        Classes to report, in order; None is those of y_true, sorted.

    Returns
    -------
    Series of float64
        By class. NaN, with a warning, for a class that does not occur in y_true.

    Warns
    -----
    UndefinedMetricWarning
        Naming classes of `labels` that do not occur in y_true.

    Examples
    --------
    >>> from skser.metrics import recall_per_class
    >>> recall_per_class(["anger", "anger", "fear"], ["anger", "fear", "fear"]).to_dict()
    {'anger': 0.5, 'fear': 1.0}
    """
    y_true, y_pred, _ = check_labels(y_true, y_pred)
    labels = list(np.unique(y_true) if labels is None else labels)
    absent = sorted(set(labels) - set(y_true.tolist()), key=str)
    if absent:
        warnings.warn(
            f"y_true has no utterance of {absent}: their recall is not defined.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    recalls = recall_score(y_true, y_pred, labels=labels, average=None, zero_division=np.nan)
    return pd.Series(recalls, index=labels, name="recall", dtype=np.float64)


def recall_scorers(labels):
    """A scorer for the recall of each class, for `sklearn.model_selection.cross_validate`.

    Parameters
    ----------
    labels : array-like of str
        Classes.

    Returns
    -------
    dict of callable
        ``"recall_anger"`` and so on. A fold without the class scores NaN, with a warning.

    Examples
    --------
    >>> from skser.metrics import recall_scorers
    >>> sorted(recall_scorers(["anger", "fear"]))
    ['recall_anger', 'recall_fear']
    """
    return {f"recall_{label}": make_scorer(_recall_of, label=label) for label in labels}


def _recall_of(y_true, y_pred, *, label):
    return recall_per_class(y_true, y_pred, labels=[label]).iloc[0]


def _warn_if_constant(y_true, y_pred):
    if (y_pred == y_pred[0]).all() and not (y_true == y_true[0]).all():
        warnings.warn(
            f"All {len(y_pred)} predictions are {y_pred.tolist()[0]!r}: this UAR is that of a "
            "constant.",
            UserWarning,
            stacklevel=3,
        )


uar_scorer = make_scorer(unweighted_average_recall)
