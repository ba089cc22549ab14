"""Metrics of predicted classes."""

import warnings

import numpy as np
import pandas as pd
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import make_scorer, recall_score

from skser.metrics._validation import check_labels


def unweighted_average_recall(y_true, y_pred):
    """Compute the unweighted average recall (UAR), scikit-learn's balanced accuracy.

    The UAR is the mean of the recalls of all classes. Each class has the same weight, however
    many utterances it has. A model that always predicts the same class scores 1 / n_classes.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
        True and predicted classes.

    Returns
    -------
    float
        UAR from 0 to 1 over the classes that occur in y_true. Predicting a class that does not
        occur there counts as an ordinary error.

    Warns
    -----
    UserWarning
        If all predictions are the same class although y_true holds several.

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
    # Without labels=, scikit-learn would average over classes that are only predicted as well.
    return float(recall_score(y_true, y_pred, labels=np.unique(y_true), average="macro"))


def recall_per_class(y_true, y_pred, *, labels=None):
    """Compute the recall of each class.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
        True and predicted classes.
    labels : array-like or None, default=None
        Classes to report, in this order. None means the sorted classes of y_true.

    Returns
    -------
    Series of float64
        Recall by class, from 0 to 1. A class that does not occur in y_true gets NaN.

    Warns
    -----
    UndefinedMetricWarning
        If y_true lacks some of `labels`; the warning names them.

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
            f"y_true has no utterance of {absent}, so their recall is undefined.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
    recalls = recall_score(y_true, y_pred, labels=labels, average=None, zero_division=np.nan)
    return pd.Series(recalls, index=labels, name="recall", dtype=np.float64)


def recall_scorers(labels):
    """Make one recall scorer per class, for `sklearn.model_selection.cross_validate`.

    Parameters
    ----------
    labels : array-like of str
        Classes to score.

    Returns
    -------
    dict of callable
        Scorers named ``"recall_anger"`` and so on. Where a fold lacks the class, its score is NaN
        and a warning is issued.

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
            f"All {len(y_pred)} predictions are {y_pred.tolist()[0]!r}, so this is the UAR of a "
            "constant model.",
            UserWarning,
            stacklevel=3,
        )


uar_scorer = make_scorer(unweighted_average_recall)
