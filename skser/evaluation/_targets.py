"""Targets of an evaluation: the emotion, one or several dimensions, or shares of votes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_regressor

from skser._fingerprint import digest

DIMENSIONS = ("valence", "activation", "dominance")
EMOTION, VOTES = "emotion", "votes"
PROBA = "proba_"


@dataclass(frozen=True)
class Target:
    """Values that an evaluation compares predictions with.

    Attributes
    ----------
    name : str or list of str
        "emotion", "votes", a dimension, or several dimensions.
    values : ndarray of shape (n_utterances,) or (n_utterances, n_columns)
        Classes (str), ratings (float, NaN where missing) or shares of the classes.
    labels : ndarray of shape (n_utterances,), str
        Emotion of each utterance, by which folds are balanced whatever the target.
    columns : list of str
        Dimension or class of each column of `values`; empty if `values` is 1-D.
    rated : ndarray of shape (n_utterances,), bool
        Whether the whole target of an utterance is known.
    """

    name: object
    values: np.ndarray
    labels: np.ndarray
    columns: list
    rated: np.ndarray

    def facts(self, folds):
        """Return the entries of a protocol that concern the target."""
        if self.name == EMOTION:
            return {}
        facts = {"target": self.name, "target_hash": digest(self.values)}
        if not self.rated.all():
            trained, tested = (np.unique(np.concatenate(side)) for side in zip(*folds, strict=True))
            facts["unrated"] = {
                "n": int((~self.rated).sum()),
                "n_utterances": len(self.rated),
                "trained_on": int((~self.rated[trained]).sum()),
            }
            if self.columns and self.name != VOTES:
                counts = (~np.isnan(self.values[tested])).sum(axis=0).tolist()
                facts["unrated"]["tested_on"] = dict(zip(self.columns, counts, strict=True))
        return facts

    @property
    def partly_rated(self):
        """Whether any dimension of each utterance is rated, or the whole of another target."""
        if self.name == VOTES or not self.columns:
            return self.rated
        return ~np.isnan(self.values).all(axis=1)

    def of_model(self, model):
        """Return the y that a model is fitted to, and the keyword ``soft_targets`` if it applies.

        Raises
        ------
        ValueError
            If the model predicts classes and the target is numbers, or vice versa.
        """
        classifies = _is(is_classifier, model)
        if self.name == EMOTION:
            if _is(is_regressor, model):
                raise ValueError(
                    f"{type(model).__name__} is a regressor, but the target is the emotion. Give a "
                    "classifier, or pass target= with a dimension such as 'valence'."
                )
            return self.labels, {}
        if self.name == VOTES:
            # Models are fitted to text, which orders emotions that are numbers differently.
            shares = self.values[:, np.argsort(self.columns)]
            return (self.labels, {"soft_targets": shares}) if classifies else (self.values, {})
        if classifies:
            raise ValueError(
                f"{type(model).__name__} is a classifier, but target={self.name!r} is a number. "
                "Give a regressor."
            )
        return self.values, {}

    def predict(self, model, X, rows):
        """Return the entries of a fold's result that hold predictions, in plain types.

        `rows` are those of the utterances in the corpus, for messages.
        """
        if self.name == EMOTION:
            return {"predicted": [str(label) for label in model.predict(X)]}
        if self.name == VOTES and _is(is_classifier, model):
            if not hasattr(model, "predict_proba"):
                raise ValueError(
                    f"{type(model).__name__} has no predict_proba, so its shares of the classes "
                    "are unknown. Calibrate it with sklearn.calibration.CalibratedClassifierCV."
                )
            proba = pd.DataFrame(model.predict_proba(X), columns=model.classes_.astype(str))
            predicted = proba.reindex(columns=self.columns, fill_value=0.0).to_numpy(float)
        else:
            predicted = np.asarray(model.predict(X), dtype=np.float64)
        if predicted.ndim == 2 and self.values.ndim == 1 and predicted.shape[1] == 1:
            predicted = predicted[:, 0]
        if predicted.shape[1:] != self.values.shape[1:]:
            raise ValueError(
                f"{type(model).__name__} predicts an array of shape {predicted.shape}, but "
                f"target={self.name!r} needs {self.values.shape[1:] or 'one value'} per utterance."
            )
        check_predictions(predicted, model, rows)
        if self.name == VOTES:
            predicted = _as_shares(predicted)
        return {"predicted": predicted.tolist()}

    def table(self, rows, predicted):
        """Return a DataFrame of the true and predicted values of some utterances."""
        true = self.values[rows]
        if true.ndim == 1:
            return pd.DataFrame({"true": true, "predicted": predicted})
        predicted = np.reshape(predicted, true.shape)
        return pd.concat(
            [
                pd.DataFrame(values, columns=[f"{side}_{name}" for name in self.columns])
                for side, values in (("true", true), ("predicted", predicted))
            ],
            axis=1,
        )


def check_predictions(predicted, model, rows):
    """Raise ValueError if a prediction or probability is NaN or infinite; name the first one."""
    wrong = ~np.isfinite(predicted.reshape(len(predicted), -1)).all(axis=1)
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(
            f"{type(model).__name__} predicts {predicted[first].tolist()} for utterance "
            f"{rows[first]} of the corpus, and no finite numbers for {int(wrong.sum())} of "
            f"{len(wrong)}. Its training may have diverged: scale the features, or lower the "
            "learning rate."
        )


def target_of(corpus, target):
    """Return the target of a corpus by its name.

    Parameters
    ----------
    corpus : SpeechCorpus
        Corpus with the target.
    target : str or list of str
        "emotion", "votes", a dimension, or a list of dimensions.

    Returns
    -------
    Target

    Raises
    ------
    ValueError
        If the name is not known, or the corpus lacks the target.
    """
    labels = corpus.target.astype(str)
    if target == EMOTION:
        return Target(EMOTION, labels, labels, [], np.ones(len(labels), dtype=bool))
    if target == VOTES:
        classes = [str(name) for name in corpus.target_names]
        return Target(VOTES, corpus.soft_targets(), labels, classes, _has_votes(corpus))
    names = [target] if isinstance(target, str) else list(target)
    unknown = [name for name in names if name not in DIMENSIONS]
    if unknown or not names or len(set(names)) < len(names):
        raise ValueError(
            f"target={target!r} is not a target. Give 'emotion', 'votes', one of "
            f"{list(DIMENSIONS)}, or a list of different dimensions."
        )
    missing = [name for name in names if getattr(corpus, name) is None]
    if missing:
        raise ValueError(f"{corpus.name} has no ratings of {' or '.join(missing)}.")
    values = np.column_stack([getattr(corpus, name) for name in names])
    rated = ~np.isnan(values).any(axis=1)
    if isinstance(target, str):
        return Target(target, values[:, 0], labels, [], rated)
    return Target(names, values, labels, names, rated)


def rated_folds(folds, target, use):
    """Return the folds without utterances whose target is unknown.

    Utterances with ratings of some of several dimensions remain in the test sides.

    Parameters
    ----------
    folds : list of (ndarray, ndarray)
        Row numbers of the training and the test side of each fold.
    target : Target
        Target, which may be unknown for some utterances.
    use : {"drop", "train"}
        Whether utterances that lack any part of the target are left out of the training sides.

    Returns
    -------
    list of (ndarray, ndarray)

    Raises
    ------
    ValueError
        If nothing is left on a side of a fold, or no test side has a rating of a dimension.
    """
    if target.rated.all():
        return folds
    kept = []
    for fold, (train, test) in enumerate(folds):
        needed = target.partly_rated if use == "train" else target.rated
        rated_train, test = train[needed[train]], test[target.partly_rated[test]]
        for name, side in (("training", rated_train), ("test", test)):
            if not len(side):
                raise ValueError(
                    f"The {name} side of fold {fold} has no utterance with a known "
                    f"{_listed(target.name, 'and')}. Use fewer folds, or leave out unrated "
                    "utterances with corpus[rows]."
                )
        kept.append((train if use == "train" else rated_train, test))
    tested = np.concatenate([test for _, test in kept])
    for column, name in enumerate(target.columns):
        if np.isnan(target.values[tested, column]).all():
            raise ValueError(
                f"No test side has a rating of {name}, so {name} cannot be scored. Leave it out of "
                "target, or use other folds."
            )
    return kept


def about_target(protocol):
    """Return sentences about the utterances without a target, from the protocol."""
    unrated = protocol.get("unrated")
    if unrated is None:
        return []
    name, n = _listed(protocol["target"], "or"), unrated["n"]
    tested = unrated.get("tested_on")
    share = 100 * n / unrated["n_utterances"]
    left_out = "left out" if tested is None else "left out of training"
    use = f"{unrated['trained_on']} are trained on" if unrated["trained_on"] else left_out
    found = [f"{n} of {unrated['n_utterances']} utterances ({share:.1f} %) lack {name}: {use}."]
    if tested is not None:
        counts = ", ".join(f"{n} of {dimension}" for dimension, n in tested.items())
        found.append(f"Each dimension is scored over the utterances with a rating: {counts}.")
    return found


def _listed(target, conjunction):
    """Return the name of a target, or those of several dimensions, as text."""
    if isinstance(target, str):
        return target
    return f" {conjunction} ".join(filter(None, [", ".join(target[:-1]), target[-1]]))


def _is(kind, model):
    """Return whether a model is of a kind; models without scikit-learn's tags are of none."""
    return hasattr(model, "__sklearn_tags__") and kind(model)


def _has_votes(corpus):
    """Return which utterances have a vote that counts, by others, for a class of the corpus."""
    votes = corpus.votes[corpus.votes["emotion"].isin(corpus.target_names)]
    if "self_evaluation" in votes:
        votes = votes[~votes["self_evaluation"].astype(bool)]
    return np.isin(np.arange(len(corpus)), votes["utterance"])


def _as_shares(predicted):
    """Clip values at 0 and scale each row to sum to 1; rows without any get equal shares."""
    positive = np.maximum(predicted, 0.0)
    total = positive.sum(axis=1, keepdims=True)
    equal = np.full_like(positive, 1 / positive.shape[1])
    return np.where(total > 0, positive / np.where(total > 0, total, 1.0), equal)
