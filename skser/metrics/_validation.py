"""Checks that every metric makes of labels, probabilities and attributes."""

import numpy as np
import pandas as pd
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_consistent_length


def check_labels(y_true, y_pred):
    """Labels as arrays (n_utterances,), or an error if they do not go together.

    Returns
    -------
    y_true, y_pred : ndarray of shape (n_utterances,)
    classes : ndarray of shape (n_classes,)
        Sorted, of both.
    """
    y_true, y_pred = (_labels(y, name) for y, name in ((y_true, "y_true"), (y_pred, "y_pred")))
    check_consistent_length(y_true, y_pred)
    return y_true, y_pred, unique_labels(y_true, y_pred)


def _labels(y, name):
    y = column_or_1d(y)
    if not len(y):
        raise ValueError(f"{name} is empty.")
    missing = pd.isna(y)
    if missing.any():
        raise ValueError(f"{name} has no label for utterance {int(missing.argmax())}.")
    return y


def check_attribute(values, y, name):
    """Speaker, sex or another attribute of each utterance, none missing."""
    values = column_or_1d(values)
    check_consistent_length(y, values)
    missing = pd.isna(values)
    if missing.any():
        raise ValueError(
            f"{name} has no value for utterance {int(missing.argmax())}; name it or leave such "
            "utterances out."
        )
    return values


def check_probabilities(y_true, y_proba, labels):
    """Labels as indices, and probabilities whose rows sum to 1.

    Parameters
    ----------
    y_true : array-like of shape (n_utterances,)
    y_proba : array-like of shape (n_utterances, n_classes)
    labels : array-like of shape (n_classes,) or None
        What the columns stand for, ``classes_`` of the model; None is the sorted labels of
        y_true.

    Returns
    -------
    true : ndarray of shape (n_utterances,), int
        Columns.
    y_proba : ndarray of shape (n_utterances, n_classes), float64
    labels : ndarray of shape (n_classes,)
    """
    y_true = _labels(y_true, "y_true")
    labels = np.unique(y_true) if labels is None else column_or_1d(labels)
    y_proba = np.asarray(y_proba, dtype=np.float64)
    if y_proba.ndim != 2 or y_proba.shape[1] != len(labels):
        raise ValueError(
            f"y_proba has the shape {y_proba.shape}; for the {len(labels)} classes "
            f"{labels.tolist()} it must be (n_utterances, {len(labels)}). If a class does not "
            "occur in y_true, give the classes of all columns as labels."
        )
    check_consistent_length(y_true, y_proba)
    unknown = ~np.isin(y_true, labels)
    if unknown.any():
        first = y_true[unknown].tolist()[0]
        raise ValueError(f"y_true holds {first!r}, which is not among the labels.")
    sums = y_proba.sum(axis=1)
    # float32 sums of a softmax are this near to 1.
    wrong = ~(np.abs(sums - 1) <= 1e-3) | (y_proba < 0).any(axis=1)
    if wrong.any():
        i = int(wrong.argmax())
        raise ValueError(
            f"The probabilities of utterance {i} are {y_proba[i].tolist()}: they must be at "
            f"least 0 and sum to 1, not to {sums[i]:g}."
        )
    order = np.argsort(labels)
    true = order[np.searchsorted(labels, y_true, sorter=order)]
    return true, y_proba, labels
