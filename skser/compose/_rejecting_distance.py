"""Scores of a fitted classifier, and the distance of an utterance from the training utterances."""

import numpy as np
from scipy.special import log_softmax
from sklearn.ensemble import VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline

from skser._base import is_audio, is_sequences
from skser.audio import with_index_columns
from skser.compose._adapted_base import BaseAdapted
from skser.compose._augmented_base import BaseAugmented
from skser.compose._geometric_voting import LEAST_PROBABILITY, GeometricVotingClassifier
from skser.compose._transfer import TransferClassifier
from skser.sequences import as_sequences

_MOST_COMPONENTS = 32
_LEAST_VARIANCE = 1e-6  # of standardized columns


def scores_and_vectors(model, X):
    """Return a fitted classifier's scores, and the vectors that its last estimator receives.

    Parameters
    ----------
    model : fitted classifier
        Classifier with `predict_proba` or `decision_function`. Pipelines, soft votes, searches,
        `FrozenEstimator`, and augmented, adapted and transferred classifiers are looked into.
    X : any input that `model` takes
        Utterances.

    Returns
    -------
    scores : ndarray of shape (n_utterances, n_classes), float64
        Log probabilities; decision values if the classifier has no `predict_proba`.
    vectors : ndarray of shape (n_utterances, n_columns), float64
        Input of the last estimator. Frames are replaced by their mean and standard deviation, and
        the inputs of a vote's members are joined. An estimator that takes anything else has its
        scores here.
    """
    if isinstance(model, Pipeline):
        for _, step in model.steps[:-1]:
            if step not in (None, "passthrough"):
                X = step.transform(X)
        return scores_and_vectors(model.steps[-1][1], X)
    if isinstance(model, BaseSearchCV):
        return scores_and_vectors(model.best_estimator_, X)
    if isinstance(model, FrozenEstimator):
        return scores_and_vectors(model.estimator, X)
    if isinstance(model, BaseAugmented):
        return scores_and_vectors(model.estimator_, model._plain(X))
    if isinstance(model, BaseAdapted):
        if model.setting is None:
            return scores_and_vectors(getattr(model, "adapted_", model.estimator_), X)
        scores = _scores(model, X)
        vectors = _vectors(model, model._without_setting(X))
        return scores, scores if vectors is None else vectors
    if isinstance(model, TransferClassifier):
        return scores_and_vectors(model.estimator_, X)
    if isinstance(model, VotingClassifier) and model.voting == "soft":
        without = [m for m in model.estimators_ if not hasattr(m, "predict_proba")]
        if without:
            raise ValueError(
                f"The member {type(without[0]).__name__} of the {type(model).__name__} has no "
                "predict_proba, of which a soft vote is made. Calibrate it with "
                "CalibratedClassifierCV."
            )
        members = [scores_and_vectors(member, X) for member in model.estimators_]
        used = [name != "drop" for _, name in model.estimators]
        weights = None if model.weights is None else np.compress(used, model.weights)
        logs, vectors = (list(of_all) for of_all in zip(*members, strict=True))
        if isinstance(model, GeometricVotingClassifier):
            scores = log_softmax(np.average(logs, axis=0, weights=weights), axis=1)
        else:
            scores = _log(np.average(np.exp(logs), axis=0, weights=weights))
        return scores, np.hstack(vectors)
    scores = _scores(model, X)
    vectors = _vectors(model, X)
    return scores, scores if vectors is None else vectors


def _scores(model, X):
    if hasattr(model, "predict_proba"):
        return _log(model.predict_proba(X))
    if getattr(model, "decision_function_shape", "ovr") == "ovo" and len(model.classes_) > 2:
        raise ValueError(
            f"{type(model).__name__}(decision_function_shape='ovo') decides between pairs of "
            "classes, but a decision for each class is needed. Use decision_function_shape='ovr'."
        )
    decision = np.asarray(model.decision_function(X), np.float64)
    if decision.ndim == 1:
        return np.column_stack([-decision, decision]) / 2
    return decision


def _log(probabilities):
    return np.log(np.maximum(np.asarray(probabilities, np.float64), LEAST_PROBABILITY))


def _vectors(model, X):
    """Return X as one vector per utterance, None if it is neither vectors nor frames."""
    if is_sequences(X):
        moments = [(frames.mean(axis=0), frames.std(axis=0)) for frames in as_sequences(X)]
        return np.array(moments, np.float64).reshape(len(moments), -1)
    # A table with files in its index holds audio if the model does not count its columns.
    by_index = hasattr(X, "iloc") and not hasattr(model, "n_features_in_")
    if is_audio(with_index_columns(X) if by_index else X):
        return None
    try:
        X = np.asarray(X, np.float64)
    except (TypeError, ValueError):  # a table that holds text
        return None
    return X if X.ndim == 2 else None


def fit_gaussian(vectors):
    """Fit a Gaussian to vectors, with one variance for all directions but the widest 32.

    Parameters
    ----------
    vectors : ndarray of shape (n_utterances, n_columns), float64
        Vectors of the training utterances.

    Returns
    -------
    dict
        Attributes of the fitted classifier, which `distances` reads: ``center_`` and ``scale_``
        standardize the columns; ``components_`` are the widest directions, ``explained_variance_``
        their variances, and ``noise_variance_`` is that of all others.

    References
    ----------
    Tipping, M. E. and Bishop, C. M. (1999). Probabilistic Principal Component Analysis. Journal of
    the Royal Statistical Society B 61(3).
    """
    center, scale = vectors.mean(axis=0), vectors.std(axis=0)
    scale[scale == 0] = 1
    standard = (vectors - center) / scale
    n_components = min(_MOST_COMPONENTS, len(vectors) - 1, vectors.shape[1])
    _, sizes, directions = np.linalg.svd(standard, full_matrices=False)
    variances = sizes**2 / len(vectors)
    n_others = vectors.shape[1] - n_components
    # Without other directions, only rounding errors lie across the components.
    others = variances[n_components:].sum() / n_others if n_others else 1.0
    return {
        "center_": center.astype(np.float32),
        "scale_": scale.astype(np.float32),
        "components_": directions[:n_components].astype(np.float32),
        "explained_variance_": np.maximum(variances[:n_components], _LEAST_VARIANCE),
        "noise_variance_": float(max(others, _LEAST_VARIANCE)),
    }


def distances(vectors, gaussian):
    """Compute the Mahalanobis distance of vectors from a Gaussian, per square root of columns.

    Parameters
    ----------
    vectors : ndarray of shape (n_utterances, n_columns), float64
        Vectors of utterances.
    gaussian : dict
        Gaussian from `fit_gaussian`.

    Returns
    -------
    ndarray of shape (n_utterances,), float64
        Distances. Their root mean square over the training utterances is about 1.
    """
    standard = (vectors - gaussian["center_"]) / gaussian["scale_"]
    along = standard @ gaussian["components_"].T.astype(np.float64)
    across = np.maximum((standard**2).sum(axis=1) - (along**2).sum(axis=1), 0)
    squares = (along**2 / gaussian["explained_variance_"]).sum(axis=1)
    squares += across / gaussian["noise_variance_"]
    return np.sqrt(squares / vectors.shape[1])
