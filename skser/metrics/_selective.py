"""Scores of predictions of which some are refused."""

import warnings

import numpy as np
import pandas as pd
from sklearn.metrics import recall_score

from skser.metrics._validation import check_labels


def selective_scores(y_true, y_pred, *, unknown_label="unknown"):
    """Compute coverage, risk and ordinary scores of predictions of which some are refused.

    Parameters
    ----------
    y_true : array-like of shape (n_utterances,)
        True classes.
    y_pred : array-like of shape (n_utterances,)
        Predicted classes, or `unknown_label` for a refused utterance, as
        `skser.compose.RejectingClassifier` predicts them.
    unknown_label : str or number, default="unknown"
        Label of refused utterances.

    Returns
    -------
    Series of float64
        ``coverage``, the share of utterances with a class; ``risk``, the share of errors among
        these, NaN if there are none; ``accuracy`` and ``uar`` (unweighted average recall) over
        all utterances, with a refusal counted as an error.

    References
    ----------
    El-Yaniv, R. and Wiener, Y. (2010). On the Foundations of Noise-free Selective
    Classification. JMLR 11, 1605-1641.

    Examples
    --------
    >>> from skser.metrics import selective_scores
    >>> y_true = ["anger", "anger", "fear", "fear"]
    >>> y_pred = ["anger", "fear", "fear", "unknown"]
    >>> selective_scores(y_true, y_pred).round(2).to_dict()
    {'coverage': 0.75, 'risk': 0.33, 'accuracy': 0.5, 'uar': 0.5}
    """
    y_true, y_pred, _ = check_labels(y_true, y_pred)
    if unknown_label in y_true.tolist():
        raise ValueError(
            f"unknown_label={unknown_label!r} is a class of y_true, but it has to mark refused "
            "predictions only: give the unknown_label= of the classifier."
        )
    answered, right = y_pred != unknown_label, y_pred == y_true
    strange = set(y_pred[answered].tolist()) - set(y_true.tolist())
    if strange and answered.all():
        warnings.warn(
            f"No prediction is {unknown_label!r}, but {sorted(strange)} are not in y_true. If one "
            "of them marks refused predictions, give it as unknown_label.",
            stacklevel=2,
        )
    uar = recall_score(y_true, y_pred, labels=np.unique(y_true), average="macro")
    return pd.Series(
        {
            "coverage": answered.mean(),
            "risk": 1 - right[answered].mean() if answered.any() else np.nan,
            "accuracy": right.mean(),
            "uar": uar,
        }
    )
