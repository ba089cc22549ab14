"""Metrics of predicted shares of votes."""

import numpy as np
from scipy.special import rel_entr, xlogy
from sklearn.utils import check_array

from skser.metrics._validation import check_columns

_TOLERANCE = 1e-6  # of sums of shares, which float32 probabilities exceed 1 by


def vote_cross_entropy(y_true, y_pred):
    """Compute the cross-entropy of the raters' shares and predicted shares.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances, n_classes)
        Shares of the votes and predicted shares or probabilities. Each row sums to 1.

    Returns
    -------
    float
        Mean cross-entropy over utterances, in nats; lower is better. It is at least the mean
        entropy of the raters. Predicted shares below 2.2e-16 count as 2.2e-16.

    Examples
    --------
    >>> from skser.metrics import vote_cross_entropy
    >>> round(vote_cross_entropy([[0.5, 0.5], [1, 0]], [[0.5, 0.5], [0.5, 0.5]]), 4)
    0.6931
    """
    true, predicted = _checked(y_true, y_pred)
    predicted = np.maximum(predicted, np.finfo(np.float64).eps)
    return float(-xlogy(true, predicted).sum(axis=1).mean())


def vote_divergence(y_true, y_pred):
    """Compute the Jensen-Shannon divergence between the raters' shares and predicted shares.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_utterances, n_classes)
        Shares of the votes and predicted shares or probabilities. Each row sums to 1.

    Returns
    -------
    float
        Mean divergence over utterances, in bits, from 0 (equal shares) to 1 (no class in common);
        lower is better.

    See Also
    --------
    class_distribution_distance : Distance between shares of classes over all utterances.

    References
    ----------
    Lin, J. (1991). Divergence Measures Based on the Shannon Entropy. IEEE Transactions on
    Information Theory 37(1), 145-151.

    Examples
    --------
    >>> from skser.metrics import vote_divergence
    >>> vote_divergence([[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]])
    0.5
    """
    true, predicted = _checked(y_true, y_pred)
    middle = (true + predicted) / 2
    both = (rel_entr(true, middle) + rel_entr(predicted, middle)).sum(axis=1) / 2
    return float((both / np.log(2)).mean())


def _checked(y_true, y_pred):
    """Return both tables of shares as arrays, or raise if a row is not a distribution."""
    names = [getattr(given, "columns", None) for given in (y_true, y_pred)]
    if all(columns is not None for columns in names):
        check_columns("y_pred", names[1], names[0])
        apart = set(names[0]) ^ set(names[1])
        if apart and all(isinstance(column, str) for columns in names for column in columns):
            raise ValueError(
                f"Only one of y_true and y_pred has the classes {sorted(apart)}. Give both the "
                "same classes, with shares of 0 where there are no votes."
            )
    tables = []
    for given, name in ((y_true, "y_true"), (y_pred, "y_pred")):
        shares = check_array(given, dtype=np.float64, input_name=name)
        wrong = (shares < 0).any(axis=1) | (np.abs(shares.sum(axis=1) - 1) > _TOLERANCE)
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                f"Row {row} of {name} is {shares[row].tolist()}; shares must not be negative and "
                "must sum to 1."
            )
        tables.append(shares)
    if tables[0].shape != tables[1].shape:
        raise ValueError(
            f"y_true has the shape {tables[0].shape} and y_pred {tables[1].shape}; they must be "
            "equal."
        )
    return tables
