"""Input checks that the metrics share."""

import numpy as np
import pandas as pd
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_consistent_length

from skser._wording import counted


def check_labels(y_true, y_pred):
    """Check true and predicted labels, and return them as arrays.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,)
        True and predicted classes.

    Returns
    -------
    y_true, y_pred : ndarray of shape (n_utterances,)
        The same labels as arrays.
    classes : ndarray of shape (n_classes,)
        Sorted classes of both.

    Raises
    ------
    ValueError
        If one is empty, has a missing label, or has another length than the other.
    """
    y_true, y_pred = (_labels(y, name) for y, name in ((y_true, "y_true"), (y_pred, "y_pred")))
    check_consistent_length(y_true, y_pred)
    return y_true, y_pred, unique_labels(y_true, y_pred)


def check_dimensions(y_true, y_pred):
    """Check ratings and predictions of dimensions, and return them as arrays.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances,) or (n_utterances, n_dimensions)
        Ratings and predictions.

    Returns
    -------
    y_true, y_pred : ndarray of shape (n_utterances, n_dimensions), float64

    Raises
    ------
    ValueError
        If one is empty or not finite, or if their shapes differ.
    """
    true, predicted = (
        check_array(y, ensure_2d=False, dtype=np.float64, input_name=name)
        for y, name in ((y_true, "y_true"), (y_pred, "y_pred"))
    )
    check_consistent_length(true, predicted)
    true, predicted = (y.reshape(len(y), -1) for y in (true, predicted))
    if true.shape != predicted.shape:
        n_true = counted(true.shape[1], "dimension")
        raise ValueError(
            f"y_true has {n_true} and y_pred has {predicted.shape[1]}; they must have the same "
            "number."
        )
    return true, predicted


def _labels(y, name):
    """Return labels as a 1-D array, or raise if there are none or some are missing."""
    y = column_or_1d(y)
    if not len(y):
        raise ValueError(f"{name} is empty; give at least one label.")
    missing = pd.isna(y)
    if missing.any():
        raise ValueError(
            f"{name} has no label for utterance {int(missing.argmax())}; leave out utterances "
            "without a label."
        )
    return y


def check_attribute(values, y, name):
    """Check an attribute of each utterance, such as the speaker, and return it as an array.

    Parameters
    ----------
    values : array-like of shape (n_utterances,)
        Attribute of each utterance.
    y : array-like of shape (n_utterances,)
        Anything of the expected length.
    name : str
        Name of the parameter, for error messages.

    Returns
    -------
    ndarray of shape (n_utterances,)

    Raises
    ------
    ValueError
        If a value is missing, or the lengths differ.
    """
    values = column_or_1d(values)
    check_consistent_length(y, values)
    missing = pd.isna(values)
    if missing.any():
        raise ValueError(
            f"{name} has no value for utterance {int(missing.argmax())}; fill it in, or leave out "
            "such utterances."
        )
    return values


def check_columns(name, columns, labels):
    """Raise ValueError if the columns of a table are named like classes, but in another order.

    Parameters
    ----------
    name : str
        Name of the parameter, for the message.
    columns : Index or None
        Columns of the table; None if it is an array.
    labels : array-like
        Class that each column is taken for.
    """
    if columns is None or len(columns) != len(labels):
        return
    given, wanted = ([str(label) for label in names] for names in (columns, labels))
    if given != wanted and set(given) == set(wanted):
        raise ValueError(
            f"The columns of {name} are {given}, but they are taken for {wanted}. Give both in the "
            "same order."
        )


def check_probabilities(y_true, y_proba, labels):
    """Check predicted probabilities, and find the column of each true label.

    Parameters
    ----------
    y_true : array-like of shape (n_utterances,)
        True classes.
    y_proba : array-like of shape (n_utterances, n_classes)
        Predicted probabilities. Each row sums to 1.
    labels : array-like of shape (n_classes,) or None
        Class of each column, such as ``classes_`` of the model. None means the columns of a
        DataFrame if they include all classes, and otherwise the sorted labels of y_true.

    Returns
    -------
    true : ndarray of shape (n_utterances,), int
        Column of each utterance's true class.
    y_proba : ndarray of shape (n_utterances, n_classes), float64
        The same probabilities as an array.
    labels : ndarray of shape (n_classes,)
        Class of each column.

    Raises
    ------
    ValueError
        If shapes or labels do not match, or a row is not a probability distribution.
    """
    y_true = _labels(y_true, "y_true")
    names = getattr(y_proba, "columns", None)
    if labels is None and names is not None and np.isin(y_true, names).all():
        labels = names
    labels = np.unique(y_true) if labels is None else column_or_1d(labels)
    check_columns("y_proba", names, labels)
    y_proba = np.asarray(y_proba, dtype=np.float64)
    if y_proba.ndim != 2 or y_proba.shape[1] != len(labels):
        raise ValueError(
            f"y_proba has shape {y_proba.shape}, but the {len(labels)} classes "
            f"{labels.tolist()} need (n_utterances, {len(labels)}). If y_true lacks a class, pass "
            "the classes of all columns as labels."
        )
    check_consistent_length(y_true, y_proba)
    unknown = ~np.isin(y_true, labels)
    if unknown.any():
        first = y_true[unknown].tolist()[0]
        raise ValueError(f"y_true holds {first!r}, which is not in labels {labels.tolist()}.")
    sums = y_proba.sum(axis=1)
    # The float32 output of a softmax sums to 1 only within a tolerance.
    wrong = ~(np.abs(sums - 1) <= 1e-3) | (y_proba < 0).any(axis=1)
    if wrong.any():
        i = int(wrong.argmax())
        raise ValueError(
            f"The probabilities of utterance {i} are {y_proba[i].tolist()}; they must be at least "
            f"0 and sum to 1, but sum to {sums[i]:g}."
        )
    order = np.argsort(labels)
    true = order[np.searchsorted(labels, y_true, sorter=order)]
    return true, y_proba, labels
