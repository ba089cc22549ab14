"""Correlation alignment (CORAL) of the vectors that enter a linear model."""

import numpy as np
from sklearn.linear_model._base import LinearClassifierMixin, LinearModel
from sklearn.utils import check_array
from sklearn.utils.validation import _num_samples

from skser.compose._adapted_model import contains, visit


def training_moments(model, X):
    """Return the moments of the vectors that enter each linear model inside a fitted model.

    Parameters
    ----------
    model : estimator
        Fitted model.
    X : any input that `model` takes
        Training utterances.

    Returns
    -------
    means : list of ndarray of shape (n_columns,), float32
        Mean vector for each linear model.
    covariances : list of ndarray of shape (n_columns, n_columns), float32
        Covariance for each linear model.

    Raises
    ------
    ValueError
        If the model contains no linear model.
    """
    if not contains(model, _is_linear):
        raise ValueError(
            "method='coral' changes the coefficients of a linear model, but "
            f"{type(model).__name__} contains none, such as LogisticRegression, LinearSVC or "
            "Ridge. Use method='statistics'."
        )
    means, covariances = [], []

    def measure(_, vectors):
        vectors = check_array(vectors, dtype=np.float64)
        means.append(vectors.mean(axis=0).astype(np.float32))
        covariances.append(_covariance(vectors).astype(np.float32))

    visit(model, X, _is_linear, measure)
    return means, covariances


def align_covariances(model, recordings, means, covariances, prior_weight):
    """Align the vectors that enter each linear model with those of training, in place.

    A vector is whitened with the covariance of the recordings and colored with that of the
    training set. Both steps are linear, so the coefficients absorb them.

    Parameters
    ----------
    model : estimator
        Fitted model, whose statistics are already those of the recordings.
    recordings : any input that `model` takes
        Utterances of the new setting.
    means, covariances : list of ndarray
        Moments of the training set, as `training_moments` returned them.
    prior_weight : float
        Weight of the training set's moments, as a number of recordings.
    """
    if (n := _num_samples(recordings)) < 2:
        return
    moments = iter(zip(means, covariances, strict=True))

    def align(linear, vectors):
        vectors = check_array(vectors, dtype=np.float64)
        mean, trained = (np.asarray(moment, np.float64) for moment in next(moments))
        # n recordings span n - 1 directions at most. A covariance therefore needs as many more of
        # them as there are directions in which the training vectors mostly vary.
        n_directions = np.trace(trained) ** 2 / max(np.sum(trained**2), np.finfo(float).tiny)
        share = (n - 1) / (n - 1 + prior_weight + n_directions)
        found = (1 - share) * trained + share * _covariance(vectors)
        transform = _power(found, -0.5) @ _power(trained, 0.5)
        before = linear.coef_
        coefficients = before @ transform.T
        linear.intercept_ = linear.intercept_ + (before - coefficients) @ mean
        linear.coef_ = coefficients.astype(before.dtype)

    visit(model, recordings, _is_linear, align)


def _is_linear(part):
    """Return whether a part is a fitted model whose coefficients can be set."""
    return isinstance(part, LinearClassifierMixin | LinearModel) and hasattr(part, "coef_")


def _covariance(vectors):
    centered = vectors - vectors.mean(axis=0)
    return centered.T @ centered / max(1, len(vectors) - 1)


def _power(covariance, exponent):
    """Return a power of a covariance, to which the mean variance is added on the diagonal."""
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 0) + max(np.trace(covariance) / len(values), np.finfo(float).tiny)
    return (vectors * values**exponent) @ vectors.T
