"""Predictions of held-out speakers."""

from collections import Counter

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, column_or_1d

from skser._codes import codes_of
from skser._delegation import will_have
from skser.compose._rejecting_distance import distances, fit_gaussian, scores_and_vectors
from skser.feature_extraction import AudioTransformer, Functionals

_ABSENT = -30.0  # score of a class that a fold's training utterances lack


def check_has_scores(estimator, calibrate):
    """Raise ValueError if a classifier has no scores that probabilities can be made of.

    Parameters
    ----------
    estimator : estimator
        Classifier, fitted or not.
    calibrate : bool
        Whether a temperature makes its scores probabilities.
    """
    if will_have(estimator, "predict_proba"):
        return
    name = type(estimator).__name__
    if not will_have(estimator, "decision_function"):
        raise ValueError(
            f"{name} has neither predict_proba nor decision_function: use a classifier that has "
            "one of them."
        )
    if not calibrate:
        raise ValueError(
            f"{name} has no predict_proba, so a temperature has to turn its decision values into "
            "probabilities: set calibrate=True."
        )


def held_out_outputs(estimator, X, y, classes, groups, cv, keywords_of):
    """Return scores and distances of utterances whose speakers were not in training.

    Parameters
    ----------
    estimator : estimator
        Classifier; a clone is fitted for each fold.
    X : any input that `estimator` takes
        Utterances.
    y : ndarray of shape (n_utterances,)
        Class labels.
    classes : ndarray of shape (n_classes,)
        Sorted classes of the classifier that was fitted on everything.
    groups : array-like of shape (n_utterances,) or None
        Speakers. None holds out utterances.
    cv : int or cross-validator
        Number of folds, or folds.
    keywords_of : callable
        Function that returns the keyword arguments of `fit` for an array of rows.

    Returns
    -------
    rows : ndarray of shape (n_held_out,), int
        Held-out utterances.
    scores : ndarray of shape (n_held_out, n_classes)
        Scores in the order of `classes`.
    distance : ndarray of shape (n_held_out,)
        Distances from the training utterances of the fold.
    """
    held_out, scores, distance = [], [], []
    for train, test in _folds(X, y, groups, cv):
        model = clone(estimator)
        model.fit(_safe_indexing(X, train), y[train], **keywords_of(train))
        gaussian = fit_gaussian(scores_and_vectors(model, _safe_indexing(X, train))[1])
        found, vectors = scores_and_vectors(model, _safe_indexing(X, test))
        # Below all scores, which may be decision values of any size.
        least = np.minimum(_ABSENT, found.min(axis=1, keepdims=True) - 1)
        of_all = np.repeat(least, len(classes), axis=1)
        of_all[:, np.searchsorted(classes, model.classes_)] = found
        held_out.append(test)
        scores.append(of_all)
        distance.append(distances(vectors, gaussian))
    return np.concatenate(held_out), np.concatenate(scores), np.concatenate(distance)


def _folds(X, y, groups, cv):
    """Return the training and held-out rows of each fold."""
    if groups is not None:
        # Utterances of unknown speakers are held out together, since they may be of one speaker.
        groups = codes_of(column_or_1d(groups))[0]
    if not isinstance(cv, int | np.integer):
        return list(cv.split(X, y, groups) if hasattr(cv, "split") else cv)
    counts = Counter(y.tolist())
    rarest = min(counts, key=counts.get)
    if counts[rarest] < 2:
        raise ValueError(
            "Some utterances are held out to find the thresholds, so every class needs two or "
            f"more, but class {rarest!r} has n_samples = 1: leave the class out, or record more."
        )
    n_splits = min(cv, counts[rarest])
    if groups is None:
        # Shuffled, since utterances of one recording often follow each other.
        folds = StratifiedKFold(n_splits, shuffle=True, random_state=0)
        return list(folds.split(np.zeros(len(y)), y))
    n_speakers = len(np.unique(groups))
    if n_speakers < 2:
        raise ValueError(
            "groups holds a single speaker, but whole speakers are held out to find the "
            "thresholds: give utterances of two or more speakers, or no groups."
        )
    folds = StratifiedGroupKFold(min(n_splits, n_speakers))
    return list(folds.split(np.zeros(len(y)), y, groups))


def split_head(estimator):
    """Split off the steps at the start of a pipeline that learn nothing from the utterances.

    Parameters
    ----------
    estimator : estimator
        Unfitted estimator.

    Returns
    -------
    head : list of transformers
        Steps that are the same in every fold.
    rest : estimator
        Pipeline of the other steps, which shares them with `estimator`; or `estimator` itself.
    """
    if not isinstance(estimator, Pipeline):
        return [], estimator
    head = []
    for _, step in estimator.steps[:-1]:
        if not isinstance(step, AudioTransformer | Functionals):
            break
        head.append(step)
    return head, estimator[len(head) :]
